"""Searching: many seeds, and for a failure the shortest run that shows it.

Rule: a run depends on nothing but its seed and its terms, so it can be done
again anywhere.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

from pytest import MonkeyPatch  # noqa: PT013

from osd.core import membership
from simulation.placements import Placements
from simulation.safeguards import ABLATIONS
from simulation.seeds import FIERCE, STEPS, Failure, Run


class Terms(NamedTuple):
    """What a run depends on beside its seed."""

    steps: int = STEPS
    without: str | None = None
    """The safeguard that is left out."""
    replicas: int | None = None
    """Of each object, to begin with; None: one to three, by the seed."""


DEFAULT = Terms()


class Outcome(NamedTuple):
    """What a run came to."""

    failure: Failure | None
    seen: frozenset[str]
    """The situations that it came through."""


def copies_of(seed: int) -> int:
    """How many copies a run keeps to begin with, where its terms leave that open."""
    return 1 + seed // FIERCE % 3


@contextmanager
def run_of(seed: int, terms: Terms = DEFAULT) -> Iterator[Run]:
    """A run to be made, perhaps without one safeguard as long as this lasts."""
    with MonkeyPatch.context() as patch:
        placements = Placements()
        patch.setattr(membership, "place_all", placements.all)
        patch.setattr(membership, "place_again", placements.again)
        if terms.without is not None:
            ABLATIONS[terms.without](patch)
        yield Run(seed, terms.steps, terms.replicas or copies_of(seed))


def run_seed(seed: int, terms: Terms = DEFAULT) -> Failure | None:
    """One run; what must not be, if it was."""
    with run_of(seed, terms) as run:
        return run.go()


def outcome(seed: int, terms: Terms = DEFAULT) -> Outcome:
    """One run; what must not be, if it was, and what it came through."""
    with run_of(seed, terms) as run:
        return Outcome(run.go(), frozenset(run.situations.seen))


def first_failure(seeds: Iterable[int], terms: Terms = DEFAULT) -> Failure | None:
    """Run seeds one after another until one fails."""
    runs = (run_seed(seed, terms) for seed in seeds)
    return next((failure for failure in runs if failure is not None), None)


def outcomes(seeds: range, jobs: int, terms: Terms = DEFAULT) -> Iterator[Outcome]:
    """Run all seeds on so many processes; one outcome for each, in the order of seeds."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(partial(outcome, terms=terms), seeds, chunksize=8)


def shortest(failure: Failure, terms: Terms = DEFAULT) -> tuple[int, Failure]:
    """The fewest first steps of the run that a bisection finds to fail, and how they do."""
    low, high, found = 0, min(failure.step + 1, terms.steps), failure
    while low < high:
        middle = (low + high) // 2
        shorter = run_seed(failure.seed, terms._replace(steps=middle))
        if shorter is not None:
            high, found = middle, shorter
        else:
            low = middle + 1
    return high, found
