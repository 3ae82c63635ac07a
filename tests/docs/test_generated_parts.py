"""What the documents take from the code is what the code says now."""

import re
from pathlib import Path

import pytest

from cli.programs import ROOT
from docs.parts import PARTS, rewritten
from projections.states import TRANSITIONS, Cause, State

PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_generated_parts_are_as_now(page: Path, rewrite: bool) -> None:
    shown = page.read_text(encoding="utf-8")
    now = rewritten(shown)
    if rewrite:
        page.write_text(now, encoding="utf-8")
    assert now == shown


def test_every_generated_part_stands_somewhere() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall("<!-- generated: (.*?) -->", text)) == set(PARTS)
    assert set(re.findall("<!-- end of (.*?) -->", text)) == set(PARTS)


def test_the_diagram_may_leave_the_map_out() -> None:
    """docs/states.md says that a map change may lead from any state to any other."""
    every = {(a, b) for a in State for b in State if a is not b}
    assert TRANSITIONS[Cause.MAP] == every


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "tests/README.md", ROOT / "CHANGELOG.md", *PAGES):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_test_folder_is_explained() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    text = (ROOT / "tests/README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == folders
