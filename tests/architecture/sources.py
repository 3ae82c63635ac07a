"""Sources: what the rules of this folder look at, and what they say.

Rule: a checker is a pure function from sources to faults, so that it can be
shown a bad snippet and must object. Only `read` touches the disk.
"""

import ast
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("eventlog", "projections", "osd")


class Fault(NamedTuple):
    """A place that breaks a rule, and what to write instead."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


class Source(NamedTuple):
    """One Python file. `path` is relative to the repository, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """`osd.core.claims`; a package's `__init__.py` is called as the package."""
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_init(self) -> bool:
        """Whether it is a package's `__init__.py`."""
        return PurePosixPath(self.path).name == "__init__.py"

    def fault(self, node: ast.AST, what: str) -> Fault:
        """A fault at the place of `node`."""
        return Fault(self.path, getattr(node, "lineno", 1), what)


def parse(path: str, text: str) -> Source:
    """A source from its text."""
    return Source(path, text, ast.parse(text, path))


@cache
def read(*folders: str) -> tuple[Source, ...]:
    """Every Python file in these folders of the repository, by path."""
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return tuple(
        parse(file.relative_to(ROOT).as_posix(), file.read_text("utf-8")) for file in files
    )


def is_within(module: str, *roots: str) -> bool:
    """Whether the module is one of `roots` or lies below one."""
    return any(module == root or module.startswith(root + ".") for root in roots)


def report(faults: list[Fault]) -> str:
    """One fault a line, for an assertion's message."""
    return "\n" + "\n".join(map(str, sorted(faults)))
