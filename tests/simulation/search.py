"""Searching: many seeds, and for a failure the shortest run that shows it.

Rule: a seed's run depends on nothing but the seed, the number of steps and
what is ablated, so it can be done again anywhere.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from pytest import MonkeyPatch  # noqa: PT013

from simulation.ablations import ABLATIONS
from simulation.seeds import STEPS, Failure, Run


def run_seed(seed: int, steps: int = STEPS, without: str | None = None) -> Failure | None:
    """One run, perhaps without one safeguard; what must not be, if it was."""
    with MonkeyPatch.context() as patch:
        if without is not None:
            ABLATIONS[without](patch)
        return Run(seed, steps).go()


def first_failure(seeds: Iterable[int], without: str | None = None) -> Failure | None:
    """Run seeds one after another until one fails."""
    runs = (run_seed(seed, without=without) for seed in seeds)
    return next((failure for failure in runs if failure is not None), None)


def failures(
    seeds: range, steps: int, jobs: int, without: str | None = None
) -> Iterator[Failure | None]:
    """Run all seeds on so many processes; one result for each, in the order of seeds."""
    with ProcessPoolExecutor(jobs) as pool:
        run = partial(run_seed, steps=steps, without=without)
        yield from pool.map(run, seeds, chunksize=8)


def shortest(failure: Failure, steps: int, without: str | None = None) -> tuple[int, Failure]:
    """The fewest first steps of the run that a bisection finds to fail, and how they do."""
    low, high, found = 0, min(failure.step + 1, steps), failure
    while low < high:
        middle = (low + high) // 2
        shorter = run_seed(failure.seed, middle, without)
        if shorter is not None:
            high, found = middle, shorter
        else:
            low = middle + 1
    return high, found
