"""The shape rules object to what is silent, long, vague, unfinished or misplaced."""

import ast

import pytest

from architecture.shape_rules import (
    function_lines,
    more_than_reexports,
    too_long,
    too_many_long_functions,
    unfinished,
    vaguely_named,
    without_docstring,
    without_rule,
)
from architecture.sources import Source, parse


def function(lines: int, name: str = "f") -> str:
    """A function of that many lines."""
    return f"def {name}():\n" + "    x = 1\n" * (lines - 1)


@pytest.mark.parametrize(
    "text", ["", "x = 1", '"""Plans."""', '"""Plans.\n\nThe Rule: none.\n"""', "# Rule: none"]
)
def test_a_module_without_its_rule_is_a_fault(text: str) -> None:
    assert len(without_rule(parse("osd/plans.py", text))) == 1


def test_a_module_with_its_rule_is_none_and_an_init_needs_none() -> None:
    text = '"""Plans.\n\nRule: a plan is data.\n"""'
    assert without_rule(parse("osd/plans.py", text)) == []
    assert without_rule(parse("osd/__init__.py", "")) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("def f(): ...", "f"),
        ("async def f(): ...", "f"),
        ("class A: ...", "A"),
        ('class A:\n    """An A."""\n    def f(self): ...', "f"),
        ('class A:\n    """An A."""\n    class B: ...', "B"),
    ],
)
def test_a_public_definition_without_docstring_is_a_fault(text: str, name: str) -> None:
    (fault,) = without_docstring(parse("osd/plans.py", text))
    assert fault.what.startswith(f"{name} has no docstring")


@pytest.mark.parametrize(
    "text",
    [
        'def f():\n    """Gives f."""\n    def inner(): ...',
        "def _f(): ...",
        "class _A:\n    def f(self): ...",
        'class A:\n    """An A."""\n    def __str__(self): ...\n    def _f(self): ...',
        'class A:\n    """An A."""\n    @override\n    def f(self): ...',
        "@typing.overload\ndef f(x: int) -> int: ...",
    ],
)
def test_what_is_private_or_described_elsewhere_needs_no_docstring(text: str) -> None:
    assert without_docstring(parse("osd/plans.py", text)) == []


def test_a_function_is_measured_without_its_docstring_and_decorators() -> None:
    text = '@cache\ndef f(\n    x,\n):\n    """One.\n\n    Two.\n    """\n    return x\n'
    definition = ast.parse(text).body[0]
    assert isinstance(definition, ast.FunctionDef)
    assert function_lines(definition) == 4


def test_a_function_may_have_60_lines_and_no_more() -> None:
    assert too_long(parse("osd/plans.py", function(60))) == []
    (fault,) = too_long(parse("osd/plans.py", function(61)))
    assert fault.what == "f has 61 lines; at most 60"


def test_a_file_may_have_450_lines_and_no_more() -> None:
    assert too_long(parse("osd/plans.py", "x = 1\n" * 450)) == []
    (fault,) = too_long(parse("osd/plans.py", "x = 1\n" * 451))
    assert fault.what == "the file has 451 lines; at most 450: split it by concept"


def test_one_function_of_twenty_may_be_long() -> None:
    def sources(long: int, short: int) -> list[Source]:
        return [
            *(parse(f"osd/long_{n}.py", function(36)) for n in range(long)),
            *(parse(f"osd/short_{n}.py", function(35)) for n in range(short)),
        ]

    assert too_many_long_functions(sources(1, 19)) == []
    assert len(too_many_long_functions(sources(1, 18))) == 1
    assert len(too_many_long_functions(sources(3, 38))) == 3


@pytest.mark.parametrize("path", ["osd/utils.py", "osd/helpers/disk.py", "eventlog/common.py"])
def test_a_vague_name_is_a_fault(path: str) -> None:
    assert len(vaguely_named(parse(path, ""))) == 1


def test_a_name_that_only_contains_a_vague_word_is_none() -> None:
    assert vaguely_named(parse("osd/commonplace.py", "")) == []


@pytest.mark.parametrize("mark", ["TO" + "DO", "FIX" + "ME", "XX" + "X"])
def test_a_mark_of_unfinished_work_is_a_fault(mark: str) -> None:
    (fault,) = unfinished(parse("osd/plans.py", f"x = 1\ny = 2  # {mark}: think"))
    assert (fault.line, fault.what.split(";")[0]) == (2, f"a mark {mark}")


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        "import osd.plans",
        "def f(): ...",
        "from osd.plans import Plan",
        "from osd.plans import Plan\n__all__ = ['Plan', 'Source']",
        "__all__ = [*names]\nfrom osd.plans import Plan",
    ],
)
def test_an_init_with_more_than_reexports_is_a_fault(text: str) -> None:
    assert more_than_reexports(parse("osd/__init__.py", text))


@pytest.mark.parametrize(
    "text", ["", '"""Who acts."""\nfrom osd.plans import Plan\n\n__all__ = ["Plan"]']
)
def test_an_init_of_reexports_is_none(text: str) -> None:
    assert more_than_reexports(parse("osd/__init__.py", text)) == []
    assert more_than_reexports(parse("osd/plans.py", "x = 1")) == []
