"""Who may import whom.

Rule: imports run one way, eventlog <- projections <- osd; the audit reaches
none of the Python folds of RGs, not even through others; a library with one
home is imported there only.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from architecture.sources import PACKAGES, Fault, Source, is_within

NEVER_IMPORTED = ("benchmarks", "tests")

HOMES: Mapping[str, tuple[str, ...]] = {
    "click": ("osd.cli", "osd.demo"),
    "kafka": ("eventlog.kafka",),
    "rich": ("osd.cli", "osd.demo"),
    "typer": ("osd.cli", "osd.demo"),
}
"""Libraries, and the modules that may import them, with all that lies below those."""

FAMILIES = ("osd.cli", "osd.demo")
"""Homes that may be spread over several modules of one stem, such as `osd.cli_map`."""

AUDIT = "projections.audit"
AUDIT_MAY_REACH = (
    AUDIT,
    "projections.cluster_map",
    "projections.draws",
    "projections.failure_domains",
    "projections.map_changes",
    "projections.map_fold",
    "projections.placement",
    "projections.placement_change",
    "projections.placement_one",
    "projections.placement_rows",
    "projections.ranking",
    "projections.voids",
)
"""The map and placement; everything else in `projections` may rest on a fold of RGs."""

_DYNAMIC = ("import_module", "__import__")


class Import(NamedTuple):
    """A dotted name that a statement imports: a module, or a name in one."""

    node: ast.AST
    name: str


def imports(source: Source) -> list[Import]:
    """All that the file imports, wherever it stands; `from a import b` gives `a.b`."""
    return [found for node in ast.walk(source.tree) for found in _imported_by(node)]


def _imported_by(node: ast.AST) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(node, alias.name) for alias in names)
        case ast.ImportFrom(module=str(module), names=names, level=0):
            yield from (Import(node, f"{module}.{alias.name}") for alias in names)
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if _is_dynamic(node):
            yield Import(node, name)


def _is_dynamic(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _DYNAMIC
        case _:
            return False


def hidden_imports(source: Source) -> list[Fault]:
    """Imports that the rules of this file cannot see through."""
    faults = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            faults.append(source.fault(node, "relative import; write the full name"))
        if isinstance(node, ast.Call) and _is_dynamic(node) and not list(_imported_by(node)):
            faults.append(source.fault(node, "computed import; import it by a literal name"))
    return faults


def against_the_order(source: Source) -> list[Fault]:
    """Imports of a package that comes later, or of tests and benchmarks."""
    own = source.module.split(".", maxsplit=1)[0]
    later = PACKAGES[PACKAGES.index(own) + 1 :]
    return [
        source.fault(found.node, f"{own} imports {found.name}; {_reason(own, found.name)}")
        for found in imports(source)
        if is_within(found.name, *later, *NEVER_IMPORTED)
    ]


def _reason(own: str, name: str) -> str:
    if is_within(name, *NEVER_IMPORTED):
        return "what is shipped knows nothing of its tests"
    return f"imports run eventlog <- projections <- osd, so move what is shared down to {own}"


def away_from_home(source: Source) -> list[Fault]:
    """Imports of a library outside the modules that may use it."""
    faults = []
    for found in imports(source):
        homes = HOMES.get(found.name.split(".", maxsplit=1)[0], ())
        if homes and not any(_lives_in(source.module, home) for home in homes):
            what = f"{found.name} may be imported only in {' and '.join(homes)}"
            faults.append(source.fault(found.node, what))
    return faults


def _lives_in(module: str, home: str) -> bool:
    return is_within(module, home) or (home in FAMILIES and module.startswith(home + "_"))


def audit_reaches_folds(sources: Sequence[Source]) -> list[Fault]:
    """Imports, direct or through others, that lead the audit out of what it may use."""
    by_module = {source.module: source for source in sources}
    waiting = sorted(module for module in by_module if is_within(module, AUDIT))
    seen = set(waiting)
    faults = []
    while waiting:
        source = by_module[waiting.pop()]
        for found in imports(source):
            target = _module_of(found.name, by_module)
            if target is None or target in seen:
                continue
            seen.add(target)
            waiting.append(target)
            if is_within(target, "projections") and not is_within(target, *AUDIT_MAY_REACH):
                what = f"the audit reaches {target}; derive it in SQL, or the two truths are one"
                faults.append(source.fault(found.node, what))
    return faults


def _module_of(name: str, by_module: Mapping[str, Source]) -> str | None:
    """The module that holds `name`: itself, or the one it is a name in."""
    if name in by_module:
        return name
    parent = name.rpartition(".")[0]
    return parent if parent in by_module else None
