"""The map beside the log: what views and reports say of it, and of RGs as it places them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from audit.test_reports import found
from audit.test_two_truths import IDENTITY, append
from eventlog.codec import encode
from eventlog.ids import Partition, RgId, Topic
from eventlog.log import Entry, Log
from eventlog.map_events import MapChange, MapChanged, ReplicasSet
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from folds.building import (
    A,
    B,
    claimed,
    closed,
    doomed,
    erased,
    fence,
    imported,
    lost,
    put,
    retired,
)
from folds.mapping import CREATED, added, booted, down, event, leaving, out, pinned, up, written_off
from projections.audit.database import Connection, reading
from projections.audit.reports import report
from projections.audit.sync import sync
from projections.cluster_map import EMPTY, ClusterMap
from projections.map_fold import fold
from projections.states import State, flags
from projections.story import Story
from simulation.seeds import RGS, Run

FIRST, SECOND = fence(2), fence(6, by=B)
CHANGES: list[tuple[str, tuple[MapChange, ...]]] = [
    ("ann", (CREATED, added(1), booted(1))),
    ("ann", (pinned(5, 1), ReplicasSet(replicas=1, min_replicas=1))),
    ("ben", (added(2), booted(2))),
    ("ben", (pinned(5, 2),)),
    ("eve", (down(1),)),
    ("eve", (up(1),)),
]
"""rg 5 moves from osd.1 to osd.2 with epoch 4; nothing that comes later moves anything."""
EVENTS: list[RgEvent] = [
    claimed(FIRST),
    replace(put(FIRST, 1, "a"), actor="ann", size=7),
    claimed(SECOND, B),
    replace(imported(B, 1, 1), source=A, serves=SECOND),
    doomed(SECOND, A, 1),
]


def tell(log: Log, changes: list[tuple[str, tuple[MapChange, ...]]]) -> ClusterMap:
    """Events of the map, each made for the layout that it finds; all must be accepted."""
    state = EMPTY
    for author, each in changes:
        told = event(*each, layout=state.layout, author=author)
        log.append([Entry(Topic.MAP, Partition(0), b"map", encode(told))])
        after = fold(state, told)
        assert isinstance(after, ClusterMap), after
        state = after
    refused = event(out(9), layout=state.layout, author="eve")
    log.append([Entry(Topic.MAP, Partition(0), b"map", encode(refused))])
    return state


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    path, log = tmp_path_factory.mktemp("maps") / "audit", MemoryLog(IDENTITY)
    tell(log, CHANGES)
    append(log, EVENTS)
    sync(path, log)
    with reading(path) as opened:
        yield opened


def ask(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def test_copies_are_counted_under_the_change_that_moved_them(connection: Connection) -> None:
    """The claim names a later epoch: its process came to it by a map that had moved on."""
    rows = found(report(connection, "maps"), "changes of the map")
    assert [(row["epoch"], row["imported_copies"], row["imported_bytes"]) for row in rows] == [
        (1, None, None),
        (2, None, None),
        (3, None, None),
        (4, 1, 7),
        (5, None, None),
        (6, None, None),
        (None, None, None),
    ]
    assert [row["author"] for row in rows] == ["ann", "ann", "ben", "ben", "eve", "eve", "eve"]
    assert rows[3]["changes"] == ["pinned rg 5 to osd.2"]
    assert rows[3]["moved_rgs"] == 1
    assert rows[-1]["void"] == "osd.9 is not in the map"


def test_transfers(connection: Connection) -> None:
    columns = "object, version, size, source, store, serves_epoch, serves_round, position, void"
    assert ask(connection, f"SELECT {columns} FROM transfers") == [
        ("a", 1, 7, str(A), str(B), 6, 1, "rg/2@3", None)
    ]


def test_who_did_what(connection: Connection) -> None:
    rows = found(report(connection, "who"), "acts")
    assert [(row["actor"], row["type"], row["events"], row["void"]) for row in rows] == [
        ("ann", "MapChanged", 2, 0),
        ("ann", "ObjectPut", 1, 0),
        ("ben", "MapChanged", 2, 0),
        ("eve", "MapChanged", 3, 1),
    ]
    [row] = found(report(connection, "who", {"actor": "ben"}), "acts")
    assert (row["type"], row["events"]) == ("MapChanged", 2)


def test_the_map_at_every_epoch(connection: Connection) -> None:
    at = "SELECT osd, boot, is_up, is_in FROM map_at({}) ORDER BY osd"
    assert ask(connection, at.format(1)) == [(1, 1, True, True)]
    assert ask(connection, at.format(4)) == [(1, 1, True, True), (2, 1, True, True)]
    assert ask(connection, at.format(5)) == [(1, 1, False, True), (2, 1, True, True)]
    assert ask(connection, at.format(6)) == ask(connection, at.format(4))
    each = ask(connection, "SELECT epoch, count(*) FROM osds_at_epoch GROUP BY ALL ORDER BY ALL")
    assert each == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2)]
    between = "SELECT epoch, author, kind, osd, rg FROM changes_between(3, 5)"
    assert ask(connection, between) == [
        (4, "ben", "RgPinned", None, 5),
        (5, "eve", "OsdDown", 1, None),
    ]


def test_a_claim_is_replaced_by_the_next_that_is_accepted(tmp_path: Path) -> None:
    log = MemoryLog(IDENTITY)
    append(log, [claimed(FIRST), claimed(fence(1)), claimed(fence(1)), claimed(SECOND, B)])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as opened:
        rows = ask(opened, 'SELECT "offset", void IS NULL, replaced_at FROM claims ORDER BY 1')
    assert rows == [(0, True, 3), (1, False, None), (2, False, None), (3, True, None)]


def test_a_copy_that_is_lost_where_it_is_placed_is_no_stray(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    tell(log, CHANGES)
    append(log, [*EVENTS[:4], lost(A, 1, 1), lost(B, 2, 1)])
    sync(path, log)
    with reading(path) as opened:
        rows = found(report(opened, "strays"), "strays")
    assert [(row["store"], row["why"]) for row in rows] == [(str(A), "bad, or perhaps not there")]


def test_an_osd_with_a_retired_store_and_one_that_is_placed_still(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    tell(log, [*CHANGES, ("ann", (leaving(1),)), ("ann", (written_off(A),))])
    gone = replace(retired(SECOND, A), epoch=8)
    append(log, [*EVENTS, gone, erased(A, 1, 1), closed(A, 2)])
    sync(path, log)
    with reading(path) as opened:
        safe, placed = (report(opened, "retire", {"osd": osd}) for osd in (1, 2))
    assert safe.verdict
    [end] = found(safe, "where each RG ended")
    assert (end["store"], end["how"], end["position"]) == (str(A), "retired", "rg/2@5")
    assert not placed.verdict
    assert {"rg": "rg 5", "place": 1} in found(placed, "RGs that the map places there still")


@pytest.mark.parametrize("seed", [4, 7])
def test_states_are_those_of_the_nodes(seed: int, tmp_path: Path) -> None:
    """At any place of a log, as `osdlog explain` tells them."""
    run = Run(seed, replicas=1 + seed % 2)
    assert run.go() is None
    path, log = tmp_path / "audit", MemoryLog(run.cluster.log.identity)
    stories = [Story(RgId(rg)) for rg in range(RGS)]
    seen = set()
    for number, (record, said) in enumerate(run.cluster.told, 1):
        log.append([Entry(record.topic, record.partition, record.key, record.value)])
        for story in stories:
            if isinstance(said, MapChanged):
                story.map_changed(said, record.position, record.timestamp)
            elif said.rg == story.rg:
                story.happened(said, record.position, record.timestamp)
        if number % 40 == 0:
            sync(path, log)
            with reading(path) as opened:
                states = dict(ask(opened, "SELECT rg, state FROM rg_states"))
            expected = {story.rg: _state(story) for story in stories if story.placed}
            assert states == expected
            seen |= set(states.values())
    assert len(seen) > 2


def _state(story: Story) -> str:
    shown = flags(story.view)[0]
    if not story.acting:
        return "unavailable"
    return "unclaimed" if shown is State.UNDEF else str(shown)
