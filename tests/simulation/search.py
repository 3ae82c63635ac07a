"""Searching: many seeds, and for a failure the shortest run that shows it.

Rule: a seed's run depends on nothing but the seed, the number of steps and
what is ablated, so it can be done again anywhere.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from simulation.seeds import STEPS, Failure, Run


def run_seed(seed: int, steps: int = STEPS, replicas: int = 1) -> Failure | None:
    """One run; what must not be, if it was."""
    return Run(seed, steps, replicas).go()


def first_failure(seeds: Iterable[int], steps: int = STEPS) -> Failure | None:
    """Run seeds one after another until one fails."""
    return next((failure for seed in seeds if (failure := run_seed(seed, steps))), None)


def failures(seeds: range, steps: int, jobs: int) -> Iterator[Failure | None]:
    """Run all seeds on so many processes; one result for each, in the order of seeds."""
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(partial(run_seed, steps=steps), seeds, chunksize=8)


def shortest(failure: Failure, steps: int) -> tuple[int, Failure]:
    """The fewest first steps of the run that a bisection finds to fail, and how they do."""
    low, high, found = 0, min(failure.step + 1, steps), failure
    while low < high:
        middle = (low + high) // 2
        shorter = run_seed(failure.seed, middle)
        if shorter is not None:
            high, found = middle, shorter
        else:
            low = middle + 1
    return high, found
