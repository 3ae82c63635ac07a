"""Logs in which every sum is right and something said is not: each such place is named.

Each case is an RG of one log, with the index of what is wrong in it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from audit.test_reports import found
from audit.test_two_truths import IDENTITY
from eventlog.codec import encode
from eventlog.ids import Epoch, Offset, Partition, Position, RgId, Topic, rg_key
from eventlog.log import Entry
from eventlog.map_events import EpochBumped, MapChange
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from folds.building import (
    A,
    B,
    C,
    claimed,
    declared_lost,
    deleted,
    erased,
    fence,
    imported,
    lost,
    put,
    retired,
    stated,
)
from folds.mapping import CREATED, added, booted, pinned, written_off
from folds.mapping import event as map_event
from projections.audit.database import Connection, reading
from projections.audit.reports import KINDS, report
from projections.audit.sync import sync

RGS = 20
MAPS: list[tuple[MapChange, ...]] = [
    (
        *(replace(CREATED, min_replicas=2, rg_count=RGS), added(1), added(2), booted(1), booted(2)),
        *(pinned(rg, 1, 2) for rg in range(RGS)),
    ),
    (booted(1, boot=2),),
    (EpochBumped(to=Epoch(100)),),
]
"""In epoch 2, osd.1 has started again; after it comes epoch 100."""

FIRST = fence(1)
CLAIM = replace(claimed(FIRST, A, B), min_replicas=2)
START: list[RgEvent] = [CLAIM, put(FIRST, 1, "a", A, B), put(FIRST, 2, "b", A, B)]
GONE: list[RgEvent] = [*START, deleted(FIRST, 3, "b"), erased(A, 1, 2), erased(B, 1, 2)]

CLAIMS = "claims by processes that had no right"
DELETED = "deleted, and not as it was"
FEW = "put on fewer stores"
AHEAD = "holdings stated ahead"
RETIRED = "stores retired in RGs, and not by the map"
NEVER_HAD = "erasures confirmed by who is not known"


class Case(NamedTuple):
    """What is said of one RG, and what is found in it."""

    told: Sequence[RgEvent]
    at: int
    title: str
    why: str | None = None


CASES = [
    Case([replace(CLAIM, fence=fence(1, by=B))], 0, CLAIMS, "not the primary by that map"),
    Case(
        [replace(CLAIM, fence=fence(2))],
        0,
        CLAIMS,
        "the map of that epoch does not have this process",
    ),
    Case(
        [replace(CLAIM, min_replicas=1)], 0, CLAIMS, "for other copies or rules than that map has"
    ),
    Case(
        [replace(CLAIM, next_offset=Offset(1_000))],
        0,
        CLAIMS,
        "by who says to have read what came later",
    ),
    *(
        Case([replace(CLAIM, placed=placed)], 0, CLAIMS, "not placed as that map places the RG")
        for placed in ((A,), (A, C), (B, A))
    ),
    Case([replace(CLAIM, fence=fence(50, boot=2))], 0, CLAIMS, "the map has no such epoch"),
    Case([*START, deleted(FIRST, 3, "never")], 3, DELETED, "it was not there"),
    Case([*GONE, deleted(FIRST, 4, "b")], 6, DELETED, "it was not there"),
    Case([*START, declared_lost(FIRST, 3, "b", 1)], 3, DELETED, "another version was there"),
    Case([*START, put(FIRST, 3, "c", A)], 3, FEW),
    Case([*START, retired(FIRST, B)], 3, RETIRED),
    Case([*GONE, stated(A, 2, 4)], 6, AHEAD),
    Case([*START, stated(A, 1, 3), deleted(FIRST, 3, "b")], 3, AHEAD),
    Case([*START[:2], deleted(FIRST, 2, "a"), erased(B, 1, 1, 7)], 3, NEVER_HAD),
    Case([*GONE, put(FIRST, 4, "b", A, B), deleted(FIRST, 5, "b")], 0, ""),
    Case([*START, lost(A, 1, 2), declared_lost(FIRST, 3, "b", 2)], 0, ""),
    Case([*START, lost(A, 1, 2, gone=True), erased(A, 2, 2), imported(A, 3, 2)], 0, ""),
    Case([*GONE, deleted(fence(9), 4, "b")], 0, ""),
]
"""Of the last ones nothing of this kind is said."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    """What the reports find in a log of all cases, by title; positions are RG and index."""
    log, path = MemoryLog(IDENTITY), tmp_path_factory.mktemp("forged") / "audit"
    for index, changes in enumerate(MAPS):
        told = map_event(*changes, layout=min(index, 1))
        log.append([Entry(Topic.MAP, Partition(0), b"map", encode(told))])
    places: dict[str, str] = {}
    for rg, case in enumerate(CASES):
        for index, at in enumerate(_append(log, RgId(rg), case.told)):
            places[str(at)] = f"{rg}:{index}"
    sync(path, log, batch_events=7)
    with reading(path) as connection:
        reports = [report(connection, name) for name in ("integrity", "void")]
    return {
        check.title: [
            row | {"position": places[str(row["position"])]} for row in found(each, check.title)
        ]
        for each in reports
        for check in KINDS[each.name].checks
        if check.title.startswith((CLAIMS, DELETED, FEW, AHEAD, RETIRED, NEVER_HAD))
    }


def _append(log: MemoryLog, rg: RgId, told: Sequence[RgEvent]) -> Sequence[Position]:
    place = Partition(rg % IDENTITY.partitions)
    return log.append(
        [Entry(Topic.RG, place, rg_key(rg), encode(replace(event, rg=rg))) for event in told]
    )


@pytest.mark.parametrize("title", [CLAIMS, DELETED, FEW, AHEAD, RETIRED, NEVER_HAD])
def test_each_place_is_named_and_no_other(
    title: str, said: dict[str, list[dict[str, object]]]
) -> None:
    [rows] = [rows for full, rows in said.items() if full.startswith(title)]
    expected = {
        (f"{rg}:{case.at}", case.why) for rg, case in enumerate(CASES) if case.title == title
    }
    assert {(row["position"], row.get("why", row.get("what"))) for row in rows} == expected


def test_no_proof_rests_on_holdings_of_what_was_yet_to_come(tmp_path: Path) -> None:
    """Whoever states what it will have once the object is deleted has not seen it deleted."""
    log = MemoryLog(IDENTITY)
    _append(log, RgId(5), [*START, deleted(FIRST, 3, "b"), erased(A, 1, 2), erased(B, 1, 2)])
    _append(log, RgId(5), [stated(A, 2, 9, 1), stated(B, 2, 9, 1), deleted(FIRST, 4, "a")])
    _append(log, RgId(5), [erased(A, 3, 1), erased(B, 3, 1)])
    sync(tmp_path / "audit", log)
    assert _states(tmp_path / "audit") == {"a": "confirmed", "b": "confirmed"}
    _append(log, RgId(5), [stated(A, 4, 4), stated(B, 4, 4)])
    sync(tmp_path / "audit", log)
    assert _states(tmp_path / "audit") == {"a": "proven", "b": "proven"}


def _states(path: Path) -> dict[str, str]:
    with reading(path) as connection:
        return dict(connection.execute("SELECT object, state FROM deletions").fetchall())


def test_no_deletion_is_proven_where_a_store_was_retired_by_nobody(tmp_path: Path) -> None:
    log = MemoryLog(IDENTITY)
    told = map_event(*MAPS[0], layout=0)
    log.append([Entry(Topic.MAP, Partition(0), b"map", encode(told))])
    _append(log, RgId(5), [*GONE, stated(A, 2, 3, 1), retired(FIRST, B)])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        for name, values in (("deletions", {"object": "b"}), ("retire", {"osd": 2})):
            said = report(connection, name, values)
            assert not said.verdict, name
            [row] = found(said, RETIRED)
            assert (row["position"], row["store"]) == ("rg/2@7", str(B)), name
        assert found(report(connection, "deletions", {"object": "a"}), RETIRED)
        assert not found(report(connection, "retire", {"osd": 1}), RETIRED)
        assert _waiting(connection) == [("b", "confirmed", [], [str(B)], [])]


def test_a_copy_is_not_gone_where_its_store_was_retired_by_nobody(tmp_path: Path) -> None:
    """Also where that store had stated before what it had: it had the copy still."""
    log = MemoryLog(IDENTITY)
    told = map_event(*MAPS[0], layout=0)
    log.append([Entry(Topic.MAP, Partition(0), b"map", encode(told))])
    _append(log, RgId(5), [*GONE[:-1], stated(A, 2, 3, 1), stated(B, 1, 3, 1, 2)])
    _append(log, RgId(5), [retired(FIRST, B)])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        assert _waiting(connection) == [("b", "outstanding", [str(B)], [], [])]
        ends = connection.execute("SELECT store, how FROM confirmations WHERE copy IS NOT NULL")
        assert sorted(ends.fetchall()) == [(str(A), "erased"), (str(B), "outstanding")]


@pytest.mark.parametrize(
    ("epoch", "is_bumped", "is_named"),
    [
        (3, False, False),
        (1, False, True),
        (4, False, True),
        (3, True, False),
        (4, True, False),
        (100, True, True),
    ],
)
def test_a_retirement_is_the_one_of_the_map(
    epoch: int, is_bumped: bool, is_named: bool, tmp_path: Path
) -> None:
    """Or one of a map that was lost: restored, the map retired the store again, and was bumped."""
    log = MemoryLog(IDENTITY)
    bump = (EpochBumped(to=Epoch(100)),) if is_bumped else (written_off(A),)
    for layout, changes in enumerate(
        ([*MAPS[0], added(3), booted(3)], [written_off(C)], [written_off(B)], bump)
    ):
        told = map_event(*changes, layout=layout)
        log.append([Entry(Topic.MAP, Partition(0), b"map", encode(told))])
    _append(log, RgId(5), [*GONE, stated(A, 2, 3, 1)])
    _append(log, RgId(5), [replace(retired(FIRST, B), epoch=Epoch(epoch))])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        rows = found(report(connection, "integrity"), RETIRED)
        assert [row["by_map"] for row in rows] == [3] * is_named
        [(_, state, *_)] = _waiting(connection)
        assert state == ("confirmed" if is_named else "proven")


def _waiting(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT object, state, outstanding, silent, retired FROM deletions"
    ).fetchall()
