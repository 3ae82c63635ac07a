"""The order of a set is found out wherever it can show."""

import pytest

from architecture.set_rules import unordered_walks
from architecture.sources import parse


@pytest.mark.parametrize(
    "text",
    [
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "for x in frozenset(y): pass",
        "for x in set(a) - b: pass",
        "for x in a.keys() - b: pass",
        "for x in a.keys() & b.keys(): pass",
        "for x in set(a).union(b): pass",
        "x = [y for y in {1, 2}]",
        "x = {y: 1 for y in set(z)}",
        "x = tuple(y for y in set(z))",
        "x = list({1, 2})",
        "x = tuple(set(y))",
        "x = next(iter({1, 2}))",
        "x = ','.join({'a', 'b'})",
        "x = dict.fromkeys(set(y))",
        "x = [*{1, 2}]",
        "x = set(y).pop()",
        "def f(x: set[int]) -> None:\n    for y in x: pass",
        "def f(x: frozenset[int] | None) -> list[int]:\n    return list(x or ())\n    list(x)",
        "def f() -> None:\n    x = set(y)\n    for z in x: pass",
        "def f() -> None:\n    x: set[int] = make()\n    return tuple(x)",
        "def made() -> set[int]: ...\nfor x in made(): pass",
        "class A:\n    names: frozenset[str]\ndef f(a: A) -> None:\n    for x in a.names: pass",
        "class A:\n    def f(self):\n        self.x: set[int] = new()\n        list(self.x)",
        "stray = {1}\nfor x in stray: pass",
    ],
)
def test_a_walk_through_a_set_is_a_fault(text: str) -> None:
    (fault,) = unordered_walks(parse("projections/plans.py", text))
    assert fault.what == "a set in no order; say sorted(...), or keep a tuple or a dict"


@pytest.mark.parametrize(
    "text",
    [
        "for x in sorted({1, 2}): pass",
        "for x in sorted(set(a) - set(b)): pass",
        "x = any(y > 1 for y in {1, 2})",
        "x = sum(y for y in set(z))",
        "x = sorted(y for y in set(z))",
        "x = max(map(len, {'a'}))",
        "x = {y for y in {1, 2}}",
        "x = 3 in {1, 2}",
        "x = len(set(y)) == len(y)",
        "for x in a.keys(): pass",
        "for x in {1: 2}: pass",
        "x = [1, 2].pop()",
        "def f(x: set[int]) -> None: ...\ndef g(x: list[int]) -> None:\n    for y in x: pass",
        "def f() -> None:\n    x: list[int] = []\n    for y in x: pass",
    ],
)
def test_what_does_not_show_the_order_is_none(text: str) -> None:
    assert unordered_walks(parse("projections/plans.py", text)) == []
