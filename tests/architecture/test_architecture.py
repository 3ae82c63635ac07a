"""This repository keeps its own rules."""

from collections.abc import Callable

import pytest

from architecture.import_rules import (
    against_the_order,
    audit_reaches_folds,
    away_from_home,
    hidden_imports,
)
from architecture.purity_rules import (
    PURE,
    floating_point,
    impure_imports,
    impure_names,
    is_float_free,
    is_pure,
)
from architecture.set_rules import unordered_walks
from architecture.shape_rules import (
    more_than_reexports,
    too_long,
    too_many_long_functions,
    unfinished,
    vaguely_named,
    without_docstring,
    without_rule,
)
from architecture.sources import PACKAGES, ROOT, Fault, Source, is_within, read, report

Checker = Callable[[Source], list[Fault]]

IN_PACKAGES: tuple[Checker, ...] = (
    against_the_order,
    away_from_home,
    hidden_imports,
    more_than_reexports,
    vaguely_named,
    without_docstring,
    without_rule,
)
IN_PURE_PARTS: tuple[Checker, ...] = (impure_imports, impure_names, unordered_walks)
EVERYWHERE: tuple[Checker, ...] = (too_long, unfinished)
FOLDERS = (*PACKAGES, "benchmarks", "tests")


def faults(check: Checker, sources: list[Source]) -> list[Fault]:
    """What the checker says of all these."""
    return [fault for source in sources for fault in check(source)]


def called(check: Checker) -> str:
    """The checker's name, for the test's."""
    return check.__name__


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_for_others_too(package: str) -> None:
    """Type checkers believe those of an installed package only where this file is in it."""
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("check", IN_PACKAGES, ids=called)
def test_packages(check: Checker) -> None:
    found = faults(check, list(read(*PACKAGES)))
    assert not found, report(found)


@pytest.mark.parametrize("check", IN_PURE_PARTS, ids=called)
def test_pure_parts(check: Checker) -> None:
    found = faults(check, [source for source in read(*PACKAGES) if is_pure(source)])
    assert not found, report(found)


def test_folds_have_no_floating_point() -> None:
    found = faults(floating_point, [source for source in read(*PACKAGES) if is_float_free(source)])
    assert not found, report(found)


@pytest.mark.parametrize("check", EVERYWHERE, ids=called)
def test_all_python(check: Checker) -> None:
    found = faults(check, list(read(*FOLDERS)))
    assert not found, report(found)


def test_few_functions_are_long() -> None:
    found = too_many_long_functions(read(*PACKAGES))
    assert not found, report(found)


def test_the_audit_is_a_second_truth() -> None:
    found = audit_reaches_folds(read(*PACKAGES))
    assert not found, report(found)


def test_the_rules_look_at_something() -> None:
    modules = [source.module for source in read(*PACKAGES)]
    assert all(any(is_within(module, package) for module in modules) for package in PACKAGES)
    missing = [root for root in PURE if not any(is_within(module, root) for module in modules)]
    assert not missing, f"no such modules any more, so mend PURE: {missing}"
