"""What befell public systems: each hazard by name, as a transcript.

Which file is which row of the list stands in tests/README.md. Those that no
transcript can show are in other folders, and named there too.
"""

from pathlib import Path

import pytest

from transcripts.runner import read, rewrite

HAZARDS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", HAZARDS, ids=lambda path: path.stem)
def test_hazard(path: Path, request: pytest.FixtureRequest) -> None:
    now = rewrite(read(path))
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
    assert now == read(path)
