"""The README and the page of operations say what the commands print."""

from pathlib import Path

import pytest

from cli.programs import ROOT
from docs.sessions import Session

DOCUMENTS = ("README.md", "docs/operations.md", "docs/copies.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_sessions_print_what_it_shows(name: str, rewrite: bool, tmp_path: Path) -> None:
    shown = (ROOT / name).read_text(encoding="utf-8")
    folder = tmp_path / "me"
    folder.mkdir()
    session = Session(folder)
    try:
        now = session.rewritten(shown)
    finally:
        session.close()
    if rewrite:
        (ROOT / name).write_text(now, encoding="utf-8")
    assert now == shown
