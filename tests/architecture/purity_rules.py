"""What the pure parts may not use, and what to use instead.

Rule: a pure part reads no clock, draws no chance, does no I/O and starts
nothing; a fold moreover has no floating point. Each fault names the
replacement.

What is not here: the order of sets (see `architecture.set_rules`).
"""

import ast
from collections.abc import Mapping

from architecture.import_rules import imports
from architecture.sources import Fault, Source, is_within

PURE = (
    "eventlog.digest",
    "eventlog.ids",
    "eventlog.map_events",
    "eventlog.rg_events",
    "osd.core",
    "projections",
)
IMPURE = ("projections.audit",)
"""The audit is a database: it reads and writes files."""

FLOATS_ALLOWED = ("projections.audit", "projections.eta", "projections.progress")
"""What estimates how long something takes, and decides nothing."""

NUMPY_ALLOWED = (
    "projections.bulk",
    "projections.map_plan",
    "projections.placement",
    "projections.placement_change",
    "projections.placement_rows",
    "projections.plan_concerns",
    "projections.ranking",
    "projections.rg_stats",
)
"""Of the projections only placement, plans of maps and bulk folds work on many groups at once."""

_SHELL = "let the shell do it, as an effect that the core returns"
_INPUT = "take it from the event or the input that is handed in"
_DERIVE = "derive it by hashlib from the ids at hand, or " + _INPUT

MODULES: Mapping[str, str] = {
    "asyncio": _SHELL,
    "concurrent": _SHELL,
    "logging": "return what happened; whoever calls may say it",
    "multiprocessing": _SHELL,
    "random": _DERIVE,
    "secrets": _INPUT,
    "select": _SHELL,
    "shutil": _SHELL,
    "socket": _SHELL,
    "sqlite3": _SHELL,
    "subprocess": _SHELL,
    "tempfile": _SHELL,
    "threading": _SHELL,
    "time": _INPUT,
    "uuid": _INPUT,
}

NAMES: Mapping[str, str] = {
    "datetime.date.today": _INPUT,
    "datetime.datetime.now": _INPUT,
    "datetime.datetime.today": _INPUT,
    "datetime.datetime.utcnow": _INPUT,
    "hash": "use hashlib: hash() differs from process to process",
    "id": "compare values: id() differs from process to process",
    "input": _INPUT,
    "numpy.random": _DERIVE,
    "open": _SHELL,
    "os.getrandom": _INPUT,
    "os.urandom": _INPUT,
    "print": "return what happened; whoever calls may say it",
}

_INTEGER_MATH = ("comb", "factorial", "gcd", "isqrt", "lcm", "perm", "prod")
_FLOAT_TYPES = ("double", "float16", "float32", "float64", "floating", "longdouble")
_NO_FLOAT = "count in integers of a small unit and divide by //: floats differ by machine"


def is_pure(source: Source) -> bool:
    """Whether the file belongs to a pure part."""
    return is_within(source.module, *PURE) and not is_within(source.module, *IMPURE)


def is_float_free(source: Source) -> bool:
    """Whether the file must do without floating point."""
    allowed = is_within(source.module, *FLOATS_ALLOWED)
    return is_within(source.module, "projections") and not allowed


def impure_imports(source: Source) -> list[Fault]:
    """Imports of modules that have no business in a pure part."""
    faults = []
    for found in imports(source):
        top = found.name.split(".", maxsplit=1)[0]
        if top in MODULES:
            faults.append(source.fault(found.node, f"{top} in a pure part; {MODULES[top]}"))
        if top == "numpy" and not _may_use_numpy(source):
            what = "numpy outside placement; folds work on one event at a time, in integers"
            faults.append(source.fault(found.node, what))
    return faults


def _may_use_numpy(source: Source) -> bool:
    return is_within(source.module, *NUMPY_ALLOWED) or not is_within(source.module, "projections")


def impure_names(source: Source) -> list[Fault]:
    """Uses of names that have no business in a pure part, under whatever alias."""
    origins = _origins(source)
    return [
        source.fault(node, f"{name} in a pure part; {NAMES[name]}")
        for node in ast.walk(source.tree)
        if (name := _dotted(node, origins)) in NAMES
    ]


def floating_point(source: Source) -> list[Fault]:
    """Uses of floating point: literals, true division, types, functions."""
    origins = _origins(source)
    return [
        source.fault(node, f"{what} in a fold; {_NO_FLOAT}")
        for node in ast.walk(source.tree)
        if (what := _floating(node, _dotted(node, origins)))
    ]


def _floating(node: ast.AST, name: str) -> str:
    """What is floating about the node, or nothing."""
    match node:
        case ast.Constant(value=float() | complex()):
            return "a float literal"
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return "the true division /"
        case ast.Attribute(attr=attr) if attr in _FLOAT_TYPES:
            return f"the type {attr}"
    module, _, function = name.rpartition(".")
    if name == "float" or (module == "math" and function not in _INTEGER_MATH):
        return name
    return ""


def _origins(source: Source) -> dict[str, str]:
    """What each imported name of the file stands for: `dt` for `datetime.datetime`."""
    origins: dict[str, str] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            origins |= {alias.asname: alias.name for alias in node.names if alias.asname}
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module
            origins |= {
                alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names
            }
    return origins


def _dotted(node: ast.AST, origins: Mapping[str, str]) -> str:
    """`datetime.datetime.now` for a read of `dt.now`; nothing for other nodes."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            return origins.get(name, name)
        case ast.Attribute(value=value, attr=attr, ctx=ast.Load()):
            base = _dotted(value, origins)
            return f"{base}.{attr}" if base else ""
        case _:
            return ""
