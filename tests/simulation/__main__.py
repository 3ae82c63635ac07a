"""`make simulate` and `make replay`: the search, and one run of it as a transcript.

Rule: exit 0 if nothing was found, 1 if something was; each finding comes with
the command that shows it again.

    python -m simulation search --seeds 1000 [--first 0] [--steps 200] [--jobs 2]
    python -m simulation replay SEED [--steps 200]
"""

import argparse
import os
import sys
import time

from simulation.search import failures, shortest
from simulation.seeds import STEPS, Failure, Run
from simulation.transcript import transcript_of

SHOWN = 5
"""So many failures are made shorter and shown."""


def main() -> int:
    """Do what the words say; the exit code."""
    parser = argparse.ArgumentParser(prog="simulation")
    commands = parser.add_subparsers(dest="command", required=True)
    search = commands.add_parser("search", help="run many seeds")
    search.add_argument("--seeds", type=int, default=1_000)
    search.add_argument("--first", type=int, default=0)
    search.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    replay = commands.add_parser("replay", help="one seed as a transcript")
    replay.add_argument("seed", type=int)
    for command in (search, replay):
        command.add_argument("--steps", type=int, default=STEPS)
    words = parser.parse_args()
    if words.command == "replay":
        return _replay(words.seed, words.steps)
    return _search(range(words.first, words.first + words.seeds), words.steps, words.jobs)


def _replay(seed: int, steps: int) -> int:
    text, failure = transcript_of(Run(seed, steps))
    sys.stdout.write(text)
    return 0 if failure is None else 1


def _search(seeds: range, steps: int, jobs: int) -> int:
    began, found = time.monotonic(), list[Failure]()
    for done, failure in enumerate(failures(seeds, steps, jobs), 1):
        if failure is not None:
            found.append(failure)
            if len(found) <= SHOWN:
                _show(failure, steps)
        if done % 100 == 0 or done == len(seeds):
            per_second = done / (time.monotonic() - began)
            _say(f"{done:,} of {len(seeds):,} seeds, {len(found)} failed, {per_second:.1f}/s")
    return 1 if found else 0


def _show(failure: Failure, steps: int) -> None:
    shorter, shown = shortest(failure, steps)
    print(f"seed {failure.seed} fails, also with its first {shorter} steps alone")
    print(f"    {shown.checker}: {shown.what}")
    print(f"    make replay SEED={failure.seed} STEPS={shorter}", flush=True)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
