"""A claim by rules that this program lacks stops the audit where it stops the folds."""

from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from audit.test_reports import FIRST, RIGHT, SECOND, found, tell_map
from audit.test_two_truths import IDENTITY, append
from eventlog.codec import encode
from eventlog.ids import Partition, RgId, Topic, rg_key
from eventlog.log import Entry
from eventlog.map_events import RecordSkipped
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from folds.building import A, claimed, closed, erased, fence, put, stated
from folds.mapping import CREATED, added, booted
from projections.audit.database import reading
from projections.audit.reports import Report, report
from projections.audit.sync import sync

NEWER = replace(claimed(fence(3)), rules=2)
OLDER = replace(claimed(FIRST), rules=2)
"""Void by rule set 1, for there was a later claim."""


def said(path: Path, log: MemoryLog, name: str, **values: object) -> Report:
    sync(path, log)
    with reading(path) as connection:
        return report(connection, name, values)


@pytest.mark.parametrize("claim", [NEWER, OLDER], ids=["newer", "void"])
def test_nothing_is_judged_or_proven_after_it(claim: RgEvent, tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, [*RIGHT[:11], claim, closed(A, 4), put(SECOND, 4, "c")])
    deletions = said(path, log, "deletions")
    assert [row["state"] for row in found(deletions, "deletions")] == ["confirmed"]
    [stop] = found(deletions, "where the log cannot be read further")
    assert stop["position"] == "rg/2@11"
    assert "it claims rg 5 under rule set 2, which this program lacks" in str(stop["why"])
    retire = said(path, log, "retire", osd=1)
    assert (retire.verdict, found(retire, "where each RG ended")) == (False, [])
    with reading(path) as connection:
        [(events,)] = connection.execute("SELECT count(*) FROM events").fetchall()
        [(version,)] = connection.execute("SELECT version FROM kept.rgs").fetchall()
    assert (events, version) == (11, 3)


def test_other_partitions_are_read_on_and_what_comes_later_too(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, [*RIGHT, NEWER])
    sync(path, log)
    elsewhere = [replace(event, rg=RgId(0)) for event in RIGHT[:2]]
    append(log, [*RIGHT[:2], *elsewhere])
    assert sync(path, log).stops.keys() == {(Topic.RG, Partition(2))}
    with reading(path) as connection:
        [(version,)] = connection.execute("SELECT version FROM kept.rgs WHERE rg = 0").fetchall()
    assert version == 1


def test_in_the_partition_of_another_rg_it_stops_nobody(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    log.append([Entry(Topic.RG, Partition(0), rg_key(NEWER.rg), encode(NEWER))])
    assert sync(path, log).stops == {}


@pytest.mark.parametrize("value", [encode(NEWER), b"not a record"], ids=["rules", "bytes"])
def test_what_everybody_passes_over_is_named_by_the_proof(value: bytes, tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, RIGHT[:4])
    log.append([Entry(Topic.RG, Partition(2), rg_key(RgId(5)), value)])
    append(log, [erased(A, 1, 2), stated(A, 2, 3, 1)])
    before = said(path, log, "deletions")
    assert [row["state"] for row in found(before, "deletions")] == ["outstanding"]
    skipped = RecordSkipped(
        topic=Topic.RG, partition=Partition(2), offset=4, sha256=sha256(value).digest(),
        by="ann", why="another program wrote it",
    )  # fmt: skip
    tell_map(log, CREATED, added(1), booted(1), skipped)
    after = said(path, log, "deletions")
    assert after.verdict
    assert [row["state"] for row in found(after, "deletions")] == ["proven"]
    assert found(after, "records that everybody passes over") == [
        {"position": "rg/2@4", "sha256": sha256(value).hexdigest()}
    ]
