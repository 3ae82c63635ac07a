"""`make simulate` and `make replay`: the search, and one run of it as a transcript.

Rule: exit 0 if nothing was found, 1 if something was; each finding comes with
the command that shows it again.

    python -m simulation search --seeds 1000 [--first 0] [--steps 200] [--jobs 2] [--without X]
    python -m simulation replay SEED [--steps 200] [--without X]
"""

import argparse
import os
import sys
import time

from pytest import MonkeyPatch  # noqa: PT013

from simulation.ablations import ABLATIONS
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
        command.add_argument("--without", choices=sorted(ABLATIONS), help="leave out a safeguard")
    words = parser.parse_args()
    if words.command == "replay":
        return _replay(words.seed, words.steps, words.without)
    seeds = range(words.first, words.first + words.seeds)
    return _search(seeds, words.steps, words.jobs, words.without)


def _replay(seed: int, steps: int, without: str | None) -> int:
    with MonkeyPatch.context() as patch:
        if without is not None:
            ABLATIONS[without](patch)
        text, failure = transcript_of(Run(seed, steps))
    sys.stdout.write(text)
    return 0 if failure is None else 1


def _search(seeds: range, steps: int, jobs: int, without: str | None) -> int:
    began, found = time.monotonic(), list[Failure]()
    for done, failure in enumerate(failures(seeds, steps, jobs, without), 1):
        if failure is not None:
            found.append(failure)
            if len(found) <= SHOWN:
                _show(failure, steps, without)
        if done % 100 == 0 or done == len(seeds):
            per_second = done / (time.monotonic() - began)
            _say(f"{done:,} of {len(seeds):,} seeds, {len(found)} failed, {per_second:.1f}/s")
    return 1 if found else 0


def _show(failure: Failure, steps: int, without: str | None) -> None:
    shorter, shown = shortest(failure, steps, without)
    words = f" ARGS='--without {without}'" if without else ""
    print(f"seed {failure.seed} fails, also with its first {shorter} steps alone")
    print(f"    {shown.checker}: {shown.what}")
    print(f"    make replay SEED={failure.seed} STEPS={shorter}{words}", flush=True)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
