"""Runs from seeds: every invariant holds, and a seed is a run.

To see one as a transcript: `make replay SEED=17`.
"""

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from simulation.search import Outcome, Terms, outcomes, run_of, shortest
from simulation.seeds import Failure, Run
from simulation.situations import EXPECTED, table
from simulation.transcript import transcript_of

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 600
BATCH = 50


@cache
def batch(first: int) -> tuple[Outcome, ...]:
    """Of so many seeds, on all cores."""
    return tuple(outcomes(range(first, first + BATCH), os.cpu_count() or 1))


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH), ids=lambda first: f"from-{first}")
def test_nothing_is_violated(first: int) -> None:
    """With one, two and three copies, a third of the seeds each."""
    found = [failure for failure, _ in batch(first) if failure is not None]
    assert not found, "\n".join(f"{f}\n    make replay SEED={f.seed}" for f in found)


def test_the_search_is_not_blind() -> None:
    """Whatever only matters if it happens does happen in these seeds."""
    seen = Counter[str]()
    for first in range(0, SEEDS, BATCH):
        seen.update(what for _, situations in batch(first) for what in situations)
    assert seen.keys() >= EXPECTED, table(seen, SEEDS)


def test_one_seed_is_one_run_byte_for_byte() -> None:
    """Also in another process, in which sets have another order."""
    for seed in (0, 4, 8):  # of one, two and three copies
        with run_of(seed) as run:
            here, _ = transcript_of(run)
        assert len(here.splitlines()) > 200
        for hash_seed in ("1", "2"):
            assert _replayed(seed, hash_seed) == here


def test_another_seed_is_another_run() -> None:
    assert transcript_of(Run(1)) != transcript_of(Run(2))


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    long, _ = transcript_of(Run(4, 60))
    short, _ = transcript_of(Run(4, 40))
    disturbed = [line for line in short.splitlines() if line[:4].strip().isdigit()]
    before = [line for line in disturbed if int(line[:4]) < 40]
    assert len(before) > 40
    assert long.startswith("\n".join(before))


def test_the_search_shortens_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails from its 137th step on is found to fail with 137 steps."""

    def run(seed: int, terms: Terms) -> Failure | None:
        return Failure(seed, terms.steps, "test", "fails") if terms.steps >= 137 else None

    monkeypatch.setattr("simulation.search.run_seed", run)
    assert shortest(Failure(1, 200, "test", "fails")) == (
        137,
        Failure(1, 137, "test", "fails"),
    )


def _replayed(seed: int, hash_seed: str) -> str:
    words = [sys.executable, "-m", "simulation", "replay", str(seed)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "PYTHONHASHSEED": hash_seed,
    }
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    return done.stdout
