"""Checks that go through all objects and versions in numbers: each wrong one is found by name."""

from pathlib import Path

import duckdb
import pytest

from audit.test_reports import FIRST, RG, found, tell_map
from audit.test_two_truths import IDENTITY, append
from eventlog.ids import rg_of
from eventlog.memory import MemoryLog
from folds.building import claimed, put
from folds.mapping import CREATED
from projections.audit.database import create, reading
from projections.audit.reports import report
from projections.audit.sync import sync


@pytest.mark.parametrize(
    ("damage", "accepted", "different"),
    [
        ("DELETE FROM kept.operations WHERE version = 64", 129, 129),
        ("UPDATE kept.operations SET version = 65 WHERE version = 64", 130, 129),
        ("UPDATE kept.operations SET version = 0 WHERE version = 1", 130, 130),
        ("DELETE FROM kept.operations WHERE version = 130", None, None),
    ],
)
def test_versions_that_are_not_1_to_n_are_found_whatever_made_them_so(
    damage: str, accepted: int | None, different: int | None, tmp_path: Path
) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, [claimed(FIRST), *(put(FIRST, n, f"object {n}") for n in range(1, 131))])
    sync(path, log)
    with duckdb.connect(path) as connection:
        connection.execute(damage)
    with reading(path) as connection:
        rows = found(report(connection, "versions"), "accepted versions")
    wrong = {"rg": "rg 5", "accepted": accepted, "last": 130, "different": different}
    assert rows == ([] if accepted is None else [wrong])


def test_objects_in_an_rg_that_their_names_do_not_belong_to_are_named(tmp_path: Path) -> None:
    log = MemoryLog(IDENTITY)
    tell_map(log, CREATED)
    names = [f"object {n}" for n in range(40)]
    append(log, [claimed(FIRST), *(put(FIRST, n, name) for n, name in enumerate(names, 1))])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        rows = found(report(connection, "integrity"), "objects in an RG")
    belong = {name: rg_of(name, CREATED.rg_count) for name in names}
    assert RG in belong.values()
    assert {row["object"]: row["belongs"] for row in rows} == {
        name: f"rg {rg:x}" for name, rg in belong.items() if rg != RG
    }


@pytest.mark.parametrize("letter", ["i", "k", "s"])
def test_the_database_may_be_called_by_a_letter(letter: str, tmp_path: Path) -> None:
    """DuckDB takes the file's name for one that may stand in a query."""
    create(tmp_path / letter, IDENTITY)
    with reading(tmp_path / letter) as connection:
        assert report(connection, "integrity").verdict
