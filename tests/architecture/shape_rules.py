"""The shape of files: what they say of themselves, how long they are, what they are called.

Rule: limits stand here and nowhere else; a limit that is too tight is raised
in a commit of its own that says why.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from architecture.sources import Fault, Source

MAX_FUNCTION_LINES = 60
LONG_FUNCTION_LINES = 35
MAX_LONG_FUNCTIONS_PERCENT = 5
MAX_FILE_LINES = 450

VAGUE_NAMES = ("common", "helper", "helpers", "misc", "util", "utils")

# In halves, so that this file does not have the marks that it looks for.
_MARKS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")

_NO_DOCSTRING_NEEDED = ("overload", "override")

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef


def without_rule(source: Source) -> list[Fault]:
    """A module docstring is missing, or has no line that begins with `Rule:`."""
    if source.is_init:
        return []
    docstring = ast.get_docstring(source.tree) or ""
    if any(line.startswith("Rule:") for line in docstring.splitlines()):
        return []
    return [Fault(source.path, 1, "no line `Rule: ...` in the docstring; say what it keeps")]


def without_docstring(source: Source) -> list[Fault]:
    """Public functions, classes and methods that do not say what they are."""
    return [
        source.fault(node, f"{node.name} has no docstring; say what it gives and when it refuses")
        for node in _public(source.tree)
        if ast.get_docstring(node) is None
    ]


def _public(owner: ast.Module | ast.ClassDef) -> Iterator[_Definition]:
    for node in owner.body:
        if not isinstance(node, _Definition) or node.name.startswith("_"):
            continue
        if not any(_name_of(mark) in _NO_DOCSTRING_NEEDED for mark in node.decorator_list):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from _public(node)


def _name_of(decorator: ast.expr) -> str:
    match decorator:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def function_lines(node: _Function) -> int:
    """Lines from `def` to the end, without those of the docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return lines
    docstring = node.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def too_long(source: Source) -> list[Fault]:
    """Functions and files over the limit."""
    faults = [
        source.fault(node, f"{node.name} has {lines} lines; at most {MAX_FUNCTION_LINES}")
        for node in ast.walk(source.tree)
        if isinstance(node, _Function) and (lines := function_lines(node)) > MAX_FUNCTION_LINES
    ]
    length = len(source.text.splitlines())
    if length > MAX_FILE_LINES:
        what = f"the file has {length} lines; at most {MAX_FILE_LINES}: split it by concept"
        faults.append(Fault(source.path, length, what))
    return faults


def too_many_long_functions(sources: Sequence[Source]) -> list[Fault]:
    """All long functions, if they are more than their share."""
    functions = [
        (source, node)
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, _Function)
    ]
    long = [
        source.fault(node, f"{node.name} has {lines} lines, and too many are over {limit}")
        for source, node in functions
        if (lines := function_lines(node)) > (limit := LONG_FUNCTION_LINES)
    ]
    return long if 100 * len(long) > MAX_LONG_FUNCTIONS_PERCENT * len(functions) else []


def vaguely_named(source: Source) -> list[Fault]:
    """Modules and packages whose name says nothing about what is in them."""
    parts = PurePosixPath(source.path).with_suffix("").parts
    return [
        Fault(source.path, 1, f"called {part}; call it after the concept that it holds")
        for part in parts
        if part in VAGUE_NAMES
    ]


def unfinished(source: Source) -> list[Fault]:
    """Marks of work left for later."""
    return [
        Fault(source.path, number, f"a mark {match[1]}; do it, or write it down as an issue")
        for number, line in enumerate(source.text.splitlines(), 1)
        if (match := _MARKS.search(line))
    ]


def more_than_reexports(source: Source) -> list[Fault]:
    """Anything in an `__init__.py` but a docstring, imports and a list of what it exports."""
    if not source.is_init:
        return []
    what = "__init__.py re-exports a sorted __all__ and nothing else; give this its own module"
    faults = [source.fault(node, what) for node in source.tree.body if not _is_reexport(node)]
    exported = [name for node in source.tree.body for name in _exported(node)]
    imported = {
        alias.asname or alias.name
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    if sorted(imported) != sorted(exported):
        faults.append(Fault(source.path, 1, "__all__ must name what is imported, all and once"))
    return faults


def _is_reexport(node: ast.stmt) -> bool:
    match node:
        case ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List()):
            return True
        case _:
            return False


def _exported(node: ast.stmt) -> list[str]:
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=elements)):
            return [
                part.value
                for part in elements
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
        case _:
            return []
