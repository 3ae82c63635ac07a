"""Stores cannot be asked, and the report is given all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.test_reports import RIGHT
from audit.test_two_truths import IDENTITY, append
from cli.programs import osdlog
from eventlog.ids import Partition, Topic
from eventlog.log import Entry
from eventlog.sqlite import SqliteLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    """One object is deleted and erased, and osd.1 has not said that nothing of it is left."""
    with SqliteLog.create(tmp_path / "cluster.log", IDENTITY) as made:
        append(made, RIGHT[:5])
        yield made


def test_a_log_without_a_cluster(log: SqliteLog) -> None:
    done = osdlog("audit", "deletions", "b", log=log.url)
    assert done.code == 1
    assert done.err.splitlines() == [
        f"no store can be asked what it has: the log {log.url} has no cluster yet"
    ]
    assert done.lines[1] == "No: it is not proven that all that was deleted of b is gone: 1 found."


@pytest.mark.parametrize("report", [("deletions",), ("deletions", "b"), ("retire", "osd.1")])
def test_a_map_record_that_cannot_be_decoded(report: tuple[str, ...], log: SqliteLog) -> None:
    if report[0] == "retire":  # all of osd.1 has gone to osd.2, and it has not said so yet
        append(log, RIGHT[5:-1])
    log.append([Entry(Topic.MAP, Partition(0), b"map", b"nonsense")])
    done = osdlog("audit", *report, log=log.url)
    assert done.code == 1
    assert "no store can be asked what it has: the record at map/0@0" in done.err
    assert done.lines[1].startswith("No: ")
    assert "map/0@0" in done.out
