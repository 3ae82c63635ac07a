"""The order of sets.

Rule: in a pure part a set is walked through in sorted order only, or by what
does not mind the order, such as `any` and `sum`.

What is not here: types. A set is known by how it is written, by the
annotation of its name, attribute or function in the same file, or by what
its name was assigned; one that hides better is not found.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from architecture.sources import Fault, Source

_WHAT = "a set in no order; say sorted(...), or keep a tuple or a dict"

_TYPES = ("AbstractSet", "FrozenSet", "MutableSet", "Set", "frozenset", "set")
_ALGEBRA = ("copy", "difference", "intersection", "symmetric_difference", "union")
_UNORDERED = ("all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum")
_ORDERED = ("enumerate", "filter", "iter", "list", "map", "reversed", "tuple", "zip")
_ORDERED_METHODS = ("extend", "fromkeys", "join")

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.DictComp | ast.GeneratorExp


class _Known(NamedTuple):
    """What is known to be a set: names here, attributes and functions of the file."""

    names: frozenset[str]
    attributes: frozenset[str]
    functions: frozenset[str]

    def is_set(self, node: ast.AST) -> bool:
        """Whether the expression is surely a set."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return name in self.names
            case ast.Attribute(attr=attr):
                return attr in self.attributes
            case ast.Call(func=ast.Name(id=name)):
                return name in ("set", "frozenset") or name in self.functions
            case ast.Call(func=ast.Attribute(value=value, attr=attr)):
                return attr in self.functions or (attr in _ALGEBRA and self.is_set(value))
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
                return any(self.is_set(side) or _is_keys(side) for side in (left, node.right))
            case _:
                return False


def unordered_walks(source: Source) -> list[Fault]:
    """Places where the order of a set can show."""
    whole = _known_in_file(source.tree)
    faults = set()
    for scope in (source.tree, *_functions(source.tree)):
        known = _known_in_scope(scope, whole)
        nodes = list(ast.walk(scope))
        harmless = {id(arg) for node in nodes for arg in _unordered_arguments(node)}
        faults |= {
            source.fault(walked, _WHAT)
            for node in nodes
            if id(node) not in harmless
            for walked in _walked_by(node)
            if known.is_set(walked)
        }
    return sorted(faults)


def _functions(tree: ast.AST) -> list[_Function]:
    return [node for node in ast.walk(tree) if isinstance(node, _Function)]


def _known_in_file(tree: ast.Module) -> _Known:
    attributes = {name for node in ast.walk(tree) for name in _set_attributes(node)}
    functions = {node.name for node in _functions(tree) if _is_set_type(node.returns)}
    return _Known(frozenset(), frozenset(attributes), frozenset(functions))


def _set_attributes(node: ast.AST) -> list[str]:
    """The fields that a class annotates as sets, or the attribute that a statement does."""
    match node:
        case ast.ClassDef(body=body):
            fields = [part for part in body if isinstance(part, ast.AnnAssign)]
            return [
                field.target.id
                for field in fields
                if isinstance(field.target, ast.Name) and _is_set_type(field.annotation)
            ]
        case ast.AnnAssign(target=ast.Attribute(attr=attr), annotation=annotation):
            return [attr] if _is_set_type(annotation) else []
        case _:
            return []


def _known_in_scope(scope: ast.Module | _Function, whole: _Known) -> _Known:
    """With the names of this scope; in a module only its own top level."""
    names: set[str] = set()
    if isinstance(scope, _Function):
        arguments = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
        names = {a.arg for a in arguments if _is_set_type(a.annotation)}
    statements = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    for node in statements:
        known = whole._replace(names=frozenset(names))
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_set_type(node.annotation):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if known.is_set(value):
                names.add(name)
    return whole._replace(names=frozenset(names))


def _is_set_type(annotation: ast.expr | None) -> bool:
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _TYPES
        case ast.Subscript(value=value):
            return _is_set_type(value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_set_type(left) or _is_set_type(right)
        case _:
            return False


def _is_keys(node: ast.expr) -> bool:
    """`x.keys()` keeps its order, but what is computed from it has none."""
    match node:
        case ast.Call(func=ast.Attribute(attr="keys" | "items")):
            return True
        case _:
            return False


def _unordered_arguments(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call(func=ast.Name(id=name), args=args) if name in _UNORDERED:
            return args
        case _:
            return []


def _walked_by(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions whose order shows in what this node gives."""
    match node:
        case ast.For(iter=walked) | ast.AsyncFor(iter=walked):
            yield walked
        case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
            yield from (part.iter for part in node.generators)
        case ast.Call(func=ast.Name(id=name), args=args) if name in _ORDERED:
            yield from args
        case ast.Call(func=ast.Attribute(attr=attr), args=args) if attr in _ORDERED_METHODS:
            yield from args
        case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[]):
            yield value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            yield from (part.value for part in parts if isinstance(part, ast.Starred))
        case _:
            pass
