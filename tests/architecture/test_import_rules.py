"""The import rules object to what they forbid, and to nothing else."""

import pytest

from architecture.import_rules import (
    against_the_order,
    audit_reaches_folds,
    away_from_home,
    hidden_imports,
    imports,
)
from architecture.sources import parse


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("eventlog/ids.py", "import projections"),
        ("eventlog/ids.py", "import osd.core.claims as claims"),
        ("eventlog/ids.py", "def f() -> None:\n    from projections.plans import Plan"),
        ("projections/plans.py", "from osd import errors"),
        ("projections/plans.py", "import importlib\nimportlib.import_module('osd.errors')"),
        ("projections/plans.py", "__import__('osd')"),
        ("osd/node.py", "from tests.architecture import sources"),
        ("osd/node.py", "import benchmarks"),
    ],
)
def test_an_import_against_the_order_is_a_fault(path: str, text: str) -> None:
    assert len(against_the_order(parse(path, text))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("eventlog/ids.py", "import osdmap, projections_of_others, eventlog.errors"),
        ("projections/plans.py", "from eventlog.ids import Store"),
        ("osd/node.py", "from projections import plans\nfrom osd.core import claims"),
    ],
)
def test_an_import_with_the_order_is_none(path: str, text: str) -> None:
    assert against_the_order(parse(path, text)) == []


def test_the_fault_says_where_and_what_to_do() -> None:
    (fault,) = against_the_order(parse("eventlog/ids.py", "\nimport osd.errors"))
    assert str(fault) == (
        "eventlog/ids.py:2: eventlog imports osd.errors; imports run "
        "eventlog <- projections <- osd, so move what is shared down to eventlog"
    )


@pytest.mark.parametrize(
    "text", ["from . import ids", "from .ids import Store", "import importlib\nimport_module(name)"]
)
def test_an_import_that_cannot_be_seen_through_is_a_fault(text: str) -> None:
    assert len(hidden_imports(parse("osd/node.py", text))) == 1


def test_an_import_by_name_is_seen() -> None:
    source = parse("osd/node.py", "import a.b\nfrom c import d as e")
    assert [found.name for found in imports(source)] == ["a.b", "c.d"]
    assert hidden_imports(source) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("eventlog/sqlite.py", "import kafka"),
        ("osd/node.py", "from kafka.errors import KafkaError"),
        ("eventlog/kafka_like.py", "import kafka"),
        ("osd/client.py", "import typer"),
        ("osd/climate.py", "from rich.table import Table"),
    ],
)
def test_a_library_away_from_its_home_is_a_fault(path: str, text: str) -> None:
    assert len(away_from_home(parse(path, text))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("eventlog/kafka.py", "from kafka import KafkaProducer"),
        ("osd/client.py", "from eventlog import kafka"),
        ("osd/cli.py", "import typer"),
        ("osd/cli/map.py", "import typer"),
        ("osd/cli_map.py", "from rich.table import Table"),
        ("osd/demo.py", "import rich"),
    ],
)
def test_a_library_at_home_is_none(path: str, text: str) -> None:
    assert away_from_home(parse(path, text)) == []


def test_the_audit_may_not_import_a_fold_of_rgs() -> None:
    sources = [
        parse("projections/audit/facts.py", "from projections.replica_group import fold"),
        parse("projections/replica_group.py", ""),
    ]
    (fault,) = audit_reaches_folds(sources)
    assert fault.path == "projections/audit/facts.py"
    assert "the audit reaches projections.replica_group" in fault.what


def test_the_audit_may_not_reach_a_fold_of_rgs_through_what_it_may_use() -> None:
    sources = [
        parse("projections/audit/__init__.py", "from projections.audit.placed import placed"),
        parse("projections/audit/placed.py", "import projections.placement"),
        parse("projections/placement.py", "from projections import rg_state"),
        parse("projections/rg_state.py", ""),
    ]
    (fault,) = audit_reaches_folds(sources)
    assert (fault.path, fault.line) == ("projections/placement.py", 1)


def test_the_audit_may_use_placement_and_the_log() -> None:
    sources = [
        parse("projections/audit/placed.py", "import projections.placement\nimport eventlog.ids"),
        parse("projections/placement.py", ""),
        parse("projections/replica_group.py", "import projections.rg_state"),
        parse("projections/rg_state.py", ""),
        parse("eventlog/ids.py", ""),
    ]
    assert audit_reaches_folds(sources) == []
