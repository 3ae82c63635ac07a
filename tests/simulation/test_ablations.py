"""Each safeguard is missed: without it the search, or a transcript, comes to what must not be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from folds.building import B, fence
from folds.test_rg_rules import TestDooming, TestOperations, TestRetirement
from simulation.safeguards import ABLATIONS, HELD_TWICE, MISSED_IN, MISSED_WITHIN
from simulation.search import Terms, first_failure
from transcripts.runner import read, rewrite

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", MISSED_WITHIN)
def test_the_search_misses(name: str) -> None:
    within, copies = MISSED_WITHIN[name]
    failure = first_failure(range(within), Terms(without=name, replicas=copies))
    assert failure is not None
    assert not failure.is_crash, failure.what


@pytest.mark.parametrize("name", MISSED_IN)
def test_a_transcript_misses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, line = MISSED_IN[name]
    kept = read(TESTS / f"{where}.txt")
    assert line not in kept.splitlines()
    ABLATIONS[name](monkeypatch)
    assert line in rewrite(kept).splitlines()


def _fenced_by(**other: object) -> Callable[[], None]:
    return lambda: TestOperations().test_every_part_of_the_fence_counts(fence(1, **other))  # type: ignore[arg-type]


RULES: dict[str, Callable[[], None]] = {
    "store-of-fence": _fenced_by(by=B),
    "boot-of-fence": _fenced_by(boot=2),
    "fence-of-dooming": TestDooming().test_not_under_another_fence,
    "fence-of-retirement": TestRetirement().test_only_the_standing_claim_retires,
}
"""Of what is held twice: the test of the fold that objects."""


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_the_fold_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    RULES[name]()
    ABLATIONS[name](monkeypatch)
    with pytest.raises(AssertionError):
        RULES[name]()


def test_of_every_ablation_it_is_known_who_misses_it() -> None:
    known = [*MISSED_WITHIN, *MISSED_IN, *HELD_TWICE]
    assert sorted(known) == sorted(ABLATIONS)
