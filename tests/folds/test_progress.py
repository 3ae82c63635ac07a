"""Progress: what moved, how fast, and how long the rest takes."""

import pytest

from projections.progress import Sample, progress_of
from projections.rg_stats import Amount


def samples(*remaining: int, step_ms: int = 1_000) -> list[Sample]:
    """So many objects of 10 bytes, one look after the other."""
    return [Sample(at * step_ms, Amount(n, 10 * n)) for at, n in enumerate(remaining)]


def test_the_most_that_ever_remained_is_to_be_moved() -> None:
    found = progress_of(samples(0, 0, 40, 30))
    assert (found.moved, found.remaining) == (Amount(10, 100), Amount(30, 300))
    assert (found.objects_per_s, found.bytes_per_s) == (10, 100)
    assert found.left_s == 3


def test_the_rate_is_that_of_the_last_seconds() -> None:
    found = progress_of(samples(*range(1_000, 500, -100), *range(490, 380, -10)))
    assert found.objects_per_s == pytest.approx(10)
    assert found.left_s == pytest.approx(39)


def test_what_stands_still_has_no_end() -> None:
    assert progress_of(samples(5)).left_s is None
    assert progress_of(samples(*[5] * 20)).left_s is None


def test_nothing_takes_no_time() -> None:
    assert progress_of(samples(0)).left_s == 0
    assert progress_of(samples(3, 0)).left_s == 0


def test_empty_objects_take_time_too() -> None:
    found = progress_of([Sample(0, Amount(4, 0)), Sample(1_000, Amount(2, 0))])
    assert found.left_s == 1
