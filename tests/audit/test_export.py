"""The log as Parquet files: all of it, by day; what is not there is said; no half folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from audit.test_interruptions import with_little_room
from audit.test_reports import RIGHT, SECOND
from audit.test_two_truths import IDENTITY, append
from cli.programs import osdlog
from eventlog.ids import Micros, Partition, Topic
from eventlog.log import Entry
from eventlog.memory import MemoryLog
from eventlog.rg_events import CopiesDoomed, CopiesErased, ObjectPut, ObjectsImported, StoreRetired
from eventlog.sqlite import SqliteLog
from folds.building import A, retired
from projections.audit.database import reading
from projections.audit.errors import AuditError
from projections.audit.export import BY_DAY, SAID, WHOLE, export, stops
from projections.audit.sync import follow, sync

DAY = 24 * 3600 * 1_000_000
EVENTS = [*RIGHT, retired(SECOND, A)]


def lake(folder: Path, table: str, query: str = "SELECT *") -> list[tuple[Any, ...]]:
    """What stands in one table's folder."""
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        pattern = f"{folder}/{table}/**/*.parquet"
        return reader.execute(f"{query} FROM '{pattern}'").fetchall()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of events of which each was said a day after the one before."""
    root = tmp_path_factory.mktemp("export")
    days = iter(range(1, 1_000))
    log = MemoryLog(IDENTITY, lambda: Micros(next(days) * DAY))
    for event in EVENTS:
        append(log, [event])
    sync(root / "audit", log)
    with reading(root / "audit") as connection:
        export(connection, root / "lake")
    return root / "lake"


def test_events_lie_in_a_folder_a_day(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "events").iterdir())
    assert names == [f"day=1970-01-{day:02}" for day in range(2, 2 + len(EVENTS))]
    found = lake(folder, "events", 'SELECT "offset", day')
    assert len(found) == len(EVENTS)
    assert all(day.day == offset + 2 for offset, day in found)


def test_every_table_is_there(folder: Path) -> None:
    tables = {path.name for path in folder.iterdir()}
    assert tables == {*BY_DAY, *WHOLE, SAID, "positions"}
    assert len(list((folder / SAID).iterdir())) == 11


def test_every_event_is_there_in_all_its_fields(folder: Path) -> None:
    for kind in (CopiesDoomed, CopiesErased, ObjectsImported):
        told = [list(event.versions) for event in EVENTS if isinstance(event, kind)]
        found = lake(folder, f"{SAID}/{kind.__name__}", 'SELECT versions, "offset"')
        assert [versions for versions, _ in sorted(found, key=lambda row: row[1])] == told
    puts = [event for event in EVENTS if isinstance(event, ObjectPut)]
    found = lake(folder, f"{SAID}/ObjectPut", "SELECT version, sha256, stores")
    assert {version: (sha256, len(stores)) for version, sha256, stores in found} == {
        put.version: (put.sha256.hex(), len(put.stores)) for put in puts
    }
    [retirement] = [event for event in EVENTS if isinstance(event, StoreRetired)]
    assert lake(folder, f"{SAID}/StoreRetired", "SELECT why") == [(retirement.why,)]


def test_how_far_it_reaches_is_there(folder: Path) -> None:
    found = lake(folder, "positions", "SELECT topic, partition, next_offset, why")
    assert ("rg", 2, len(EVENTS), None) in found


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    """An embedded log."""
    with SqliteLog.create(tmp_path / "cluster.log", IDENTITY) as made:
        append(made, RIGHT)
        yield made


def test_no_export_of_facts_that_are_behind(tmp_path: Path) -> None:
    log = MemoryLog(IDENTITY)
    append(log, RIGHT)
    follow(tmp_path / "audit", log)
    with (
        reading(tmp_path / "audit") as connection,
        pytest.raises(AuditError, match="are behind what is loaded"),
    ):
        export(connection, tmp_path / "lake")
    assert not (tmp_path / "lake").exists()


def test_an_export_that_fails_leaves_nothing_in_the_way(log: SqliteLog, tmp_path: Path) -> None:
    """`placement` comes late; it is larger than what may be written."""
    sync(tmp_path / "cluster.log.audit", log)
    with duckdb.connect(tmp_path / "cluster.log.audit") as database:
        database.execute(
            "INSERT INTO kept.placement SELECT i, hash(i) % 4, hash(i) % 1000000"
            " FROM range(100000) t(i)"
        )
    done = with_little_room(log, 100_000, "audit", "--no-sync", "--export", str(tmp_path / "lake"))
    assert done.returncode == 3
    assert "what was begun with the audit database" in done.stderr
    assert not list(tmp_path.glob("*lake*"))
    again = osdlog("audit", "--export", tmp_path / "lake", log=log.url)
    assert (again.code, len(again.lines)) == (0, len(list((tmp_path / "lake").glob("*"))) + 10)


def test_an_export_while_another_has_the_database_is_refused(
    log: SqliteLog, tmp_path: Path
) -> None:
    sync(tmp_path / "cluster.log.audit", log)
    with duckdb.connect(tmp_path / "cluster.log.audit", read_only=True):
        done = osdlog("audit", "--export", tmp_path / "lake", log=log.url)
    assert done.code == 3
    assert "another process has" in done.err
    assert not (tmp_path / "lake").exists()


def test_an_export_is_of_the_whole_log(log: SqliteLog, tmp_path: Path) -> None:
    done = osdlog("audit", "deletions", "b", "--export", tmp_path / "lake", log=log.url)
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error: --export writes the whole log, and no report",
    )


def test_what_cannot_be_read_is_said(log: SqliteLog, tmp_path: Path) -> None:
    log.append([Entry(Topic.RG, Partition(1), b"1", b"nonsense")])
    done = osdlog("audit", "--export", tmp_path / "lake", log=log.url)
    assert done.code == 1
    assert "nothing from rg/1@0 on is there, for it cannot be read: " in done.err
    assert ("rg", 1) in lake(tmp_path / "lake", "positions", "SELECT topic, partition")
    with reading(tmp_path / "cluster.log.audit") as connection:
        assert [position for position, _ in stops(connection)] == ["rg/1@0"]
