"""The parts of the documents that are generated from the code.

Rule: a generated part stands between two comments that name it, and is a pure
function of the code and of the kept transcripts. Whatever is said by a table,
an enumeration or a first line of a docstring is said there only.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from cli.programs import ROOT
from projections.states import SOURCE_TRANSITIONS, TRANSITIONS, Cause, State
from projections.voids import Void

PACKAGES = ("eventlog", "projections", "osd")
FIRST_MOVE = "tests/transcripts/scenario_1_clean_again.txt"
_NOWHERE = "[*]"


def rewritten(text: str) -> str:
    """The document with its generated parts as they are now."""
    for name, made in PARTS.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        if begin in text:
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}\n{made()}\n{end}{rest.partition(end)[2]}"
    return text


def states_diagram() -> str:
    """The states of an RG at one OSD, and which folded event may lead from one to another."""
    causes: dict[tuple[State, State], list[str]] = {}
    for cause in Cause:
        if cause is not Cause.MAP:
            for pair in TRANSITIONS[cause]:
                causes.setdefault(pair, []).append(cause.value)
    order = list(State)
    pairs = sorted(causes, key=lambda pair: (order.index(pair[0]), order.index(pair[1])))
    return _mermaid(f"{a} --> {b}: {', '.join(causes[a, b])}" for a, b in pairs)


def sources_diagram() -> str:
    """The states of a source at the primary; `[*]` is no source."""
    return _mermaid(
        f"{before or _NOWHERE} --> {after or _NOWHERE}"
        for before, afters in SOURCE_TRANSITIONS.items()
        for after in sorted(afters, key=lambda state: state or "")
    )


def voids() -> str:
    """The reasons for which an event, or one item of it, is void."""
    return "\n".join(f"- {void.value}" for void in Void)


def first_move() -> str:
    """The part of a kept transcript in which an RG moves for the first time."""
    text = (ROOT / FIRST_MOVE).read_text(encoding="utf-8")
    part = re.search(r"# First change.*?(?=\n\n# Second change)", text, re.DOTALL)
    assert part is not None
    return f"```text\n{part[0]}\n```"


def modules() -> str:
    """A line for each module: the first of its docstring."""
    files = sorted(
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    )
    files.sort(key=lambda file: (PACKAGES.index(file.parts[0]), file.parent.parts, file.name))
    lines = []
    for folder, inside in groupby(files, lambda file: file.parent):
        lines += [f"\n`{folder.as_posix()}/`\n", "| module | |", "|---|---|"]
        lines += [f"| `{file.stem}` | {_first_line(ROOT / file)} |" for file in inside]
    return "\n".join(lines).strip("\n")


PARTS: Mapping[str, Callable[[], str]] = {
    "states": states_diagram,
    "sources": sources_diagram,
    "voids": voids,
    "first move": first_move,
    "modules": modules,
}


def _mermaid(edges: Iterator[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {edge}" for edge in edges), "```"])


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{path} has no docstring"
    return docstring.split("\n")[0].replace("|", "\\|")
