"""Each safeguard is missed: without it the search, or a transcript, comes to what must not be."""

from pathlib import Path

import pytest

from simulation.safeguards import ABLATIONS, MISSED_IN, MISSED_WITHIN, NOT_MISSED
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


def test_of_every_ablation_it_is_known_who_misses_it() -> None:
    known = [*MISSED_WITHIN, *MISSED_IN, *NOT_MISSED]
    assert sorted(known) == sorted(ABLATIONS)
