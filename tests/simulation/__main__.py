"""`make simulate` and `make replay`: the search, and one run of it as a transcript.

Rule: exit 0 if nothing was found, 1 if something was; each finding comes with
the command that shows it again.

    python -m simulation search --seeds 1000 [--first 0] [--jobs 2] [TERMS]
    python -m simulation replay SEED [TERMS]

Terms are `--steps 200`, `--without SAFEGUARD`, `--replicas 2`. In the end the
search says how many runs came through which situation.
"""

import argparse
import os
import sys
import time
from collections import Counter

from simulation.safeguards import ABLATIONS
from simulation.search import Terms, outcomes, run_of, shortest
from simulation.seeds import STEPS, Failure
from simulation.situations import table
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
        command.add_argument("--replicas", type=int, help="else 1, 2 or 3, by the seed")
    words = parser.parse_args()
    terms = Terms(words.steps, words.without, words.replicas)
    if words.command == "replay":
        return _replay(words.seed, terms)
    return _search(range(words.first, words.first + words.seeds), words.jobs, terms)


def _replay(seed: int, terms: Terms) -> int:
    with run_of(seed, terms) as run:
        text, failure = transcript_of(run)
    sys.stdout.write(text)
    return 0 if failure is None else 1


def _search(seeds: range, jobs: int, terms: Terms) -> int:
    began, found, situations = time.monotonic(), list[Failure](), Counter[str]()
    for done, (failure, seen) in enumerate(outcomes(seeds, jobs, terms), 1):
        situations.update(seen)
        if failure is not None:
            found.append(failure)
            if len(found) <= SHOWN:
                _show(failure, terms)
        if done % 100 == 0 or done == len(seeds):
            per_second = done / (time.monotonic() - began)
            _say(f"{done:,} of {len(seeds):,} seeds, {len(found)} failed, {per_second:.1f}/s")
    _say(table(situations, len(seeds)))
    return 1 if found else 0


def _show(failure: Failure, terms: Terms) -> None:
    shorter, shown = shortest(failure, terms)
    print(f"seed {failure.seed} fails, also with its first {shorter} steps alone")
    print(f"    {shown.checker}: {shown.what}")
    print(f"    make replay SEED={failure.seed} STEPS={shorter}{_words(terms)}", flush=True)


def _words(terms: Terms) -> str:
    words = [f"--without {terms.without}"] if terms.without else []
    words += [f"--replicas {terms.replicas}"] if terms.replicas else []
    return f" ARGS='{' '.join(words)}'" if words else ""


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
