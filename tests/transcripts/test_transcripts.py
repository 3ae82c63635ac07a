"""Transcripts: what a cluster does in a scenario is exactly what the text file says."""

from pathlib import Path

import pytest

from transcripts.runner import read, rewrite

SCENARIOS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_transcript_is_what_happens(path: Path, request: pytest.FixtureRequest) -> None:
    now = rewrite(read(path))
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
    assert now == read(path)
