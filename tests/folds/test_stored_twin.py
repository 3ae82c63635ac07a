"""The stored fold is the twin of the one in memory, wherever its log is cut.

`osd.rg_table` over rows, in memory and on a real disk, is compared with
`projections.rg_memory` over histories made by chance: the same states,
objects, memos and digests, and no row that the log does not account for.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings

from eventlog.codec import encode
from eventlog.digest import record_digest
from eventlog.errors import BadRecord
from eventlog.ids import Offset, RgId, Version
from eventlog.rg_events import RgEvent
from folds.building import RG, claimed, fence, put
from folds.generated import NAMES, REQUESTS, STORES, fold_all, histories, history
from osd import keys
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay
from osd.rg_table import FOLD_FORMAT, Place, RgTable
from osd.rocks import RocksRows
from osd.rows import Rows
from projections.encoding import encode_entry, encode_state
from projections.replica_group import Folded, fold
from projections.rg_memory import RgProjection
from projections.rg_state import EMPTY, REMEMBERED_REQUESTS, RgRows, RgState


class Stored:
    """An RG folded into rows, as a node folds it: one overlay a step, applied at its end."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.open()

    def open(self) -> None:
        self.overlay = Overlay(self.rows)
        self.table = RgTable(self.overlay, RG)

    def fold(self, event: RgEvent) -> Folded:
        offset = self.table.place.next_offset
        folded = fold(self.table.state, self.table, event, offset)
        place = Place(Offset(offset + 1), record_digest(encode(event)), offset)
        self.table.keep(folded.draft, folded.state, place)
        return folded

    def cut(self) -> None:
        """End the step and read everything back, as a process that starts does."""
        self.table.keep_header()
        self.rows.apply(self.overlay.take())
        self.open()


def everything(state: RgState, rows: RgRows) -> dict[str, object]:
    """All that the fold's readers can ask of an RG."""
    versions = [Version(version) for version in range(state.version + 3)]
    wanted = ("", *NAMES, "no such object")
    return {
        "state": state,
        "entries": [(name, encode_entry(entry)) for name, entry in rows.names()],
        "after": {name: [found for found, _ in rows.names(after=name)] for name in wanted},
        "prefix": {name: [found for found, _ in rows.names(prefix=name)] for name in wanted},
        "both": [found for found, _ in rows.names("a", "a")],
        "one by one": {name: _encoded(rows, name) for name in wanted},
        "names of versions": [rows.name_of(version) for version in versions],
        "bare": [(one, v) for one in STORES for v in versions if rows.is_bare(one, v)],
        "facts": {one: list(rows.facts_of(one)) for one in STORES},
        "later facts": {one: list(rows.facts_of(one, Version(3))) for one in STORES},
        "memos": [rows.memo(request) for request in (*REQUESTS, "no such") if request is not None],
    }


def _encoded(rows: RgRows, name: str) -> bytes | None:
    entry = rows.entry(name)
    return encode_entry(entry) if entry is not None else None


def accounted(projection: RgProjection, events: list[RgEvent]) -> set[bytes]:
    """The keys of the rows that there must be: these and no others."""
    found = {keys.prefix(b"H", RG)}
    found |= {keys.by_text(b"E", RG, name) for name, _ in projection.names()}
    versions = [Version(version) for version in range(projection.state.version + 1)]
    found |= {keys.by_version(b"V", RG, v) for v in versions if projection.name_of(v) is not None}
    for one in STORES:
        found |= {keys.fact(RG, one, version) for version, _ in projection.facts_of(one)}
    for event, version in _accepted_requests(events):
        found.add(keys.by_version(b"R", RG, version))
        found.add(keys.by_text(b"Q", RG, event))
    return found


def _accepted_requests(events: list[RgEvent]) -> Iterator[tuple[str, Version]]:
    projection = RgProjection(RG)
    for at, event in enumerate(events):
        memo = projection.fold(event, Offset(at)).draft.memo
        if memo is not None and memo.request is not None:
            yield memo.request, memo.version


def all_rows(rows: Rows) -> list[tuple[bytes, bytes]]:
    return list(rows.scan(b""))


@pytest.fixture(params=["memory", "rocks"])
def stored_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rows]:
    rows: Rows = MemoryRows() if request.param == "memory" else RocksRows(tmp_path / "rows")
    yield rows
    rows.close()


class TestTwins:
    @settings(max_examples=60)
    @given(events=histories())
    def test_they_are_alike_after_every_event(self, events: list[RgEvent]) -> None:
        stored, projection = Stored(MemoryRows()), RgProjection(RG)
        for at, event in enumerate(events):
            one, other = projection.fold(event, Offset(at)), stored.fold(event)
            assert (one.void, one.items, one.state) == (other.void, other.items, other.state)
            assert stored.table.digest() == projection.digest()
        assert everything(stored.table.state, stored.table) == everything(
            projection.state, projection
        )
        assert stored.table.place.next_offset == projection.next_offset

    @pytest.mark.parametrize("seed", range(6))
    def test_they_are_alike_when_every_event_is_stored(self, seed: int, stored_in: Rows) -> None:
        events = history(Random(seed), 60)
        stored, projection = Stored(stored_in), fold_all(events)
        for event in events:
            stored.fold(event)
            stored.cut()
        assert everything(stored.table.state, stored.table) == everything(
            projection.state, projection
        )
        assert stored.table.digest() == projection.digest()

    @settings(max_examples=60)
    @given(events=histories())
    def test_no_row_is_left_over_and_none_lacks(self, events: list[RgEvent]) -> None:
        stored = Stored(MemoryRows())
        for event in events:
            stored.fold(event)
            stored.cut()
        assert {key for key, _ in all_rows(stored.rows)} == accounted(fold_all(events), events)

    def test_requests_are_forgotten_alike(self) -> None:
        by = fence(1)
        last = REMEMBERED_REQUESTS + 3
        events: list[RgEvent] = [claimed(by)]
        asked = {1: "first", 2: "twice", 5: "twice", 6: "later"}
        events += [put(by, v, "a", request=asked.get(v)) for v in range(1, last + 1)]
        stored, projection = Stored(MemoryRows()), fold_all(events)
        for event in events:
            stored.fold(event)
        stored.cut()
        for request, version in {"first": None, "twice": 5, "later": 6}.items():
            memo = projection.memo(request)
            assert stored.table.memo(request) == memo
            assert (memo and memo.version) == version
        kept = {key for key, _ in all_rows(stored.rows) if key[:1] in (b"R", b"Q")}
        assert kept == {
            keys.by_version(b"R", RG, Version(5)),
            keys.by_version(b"R", RG, Version(6)),
            keys.by_text(b"Q", RG, "twice"),
            keys.by_text(b"Q", RG, "later"),
        }


class TestCuts:
    @settings(max_examples=25)
    @given(events=histories(30))
    def test_snapshot_and_rest_are_the_full_replay(self, events: list[RgEvent]) -> None:
        rows = MemoryRows()
        full, snapshots = Stored(rows), []
        for event in events:
            snapshots.append(rows.crash(rows.unsynced))
            full.fold(event)
            full.cut()
        for at, snapshot in enumerate(snapshots):
            rest = Stored(snapshot)
            for event in events[at:]:
                rest.fold(event)
            rest.cut()
            assert all_rows(snapshot) == all_rows(rows)
        assert full.table.digest() == fold_all(events).digest()

    @pytest.mark.parametrize("seed", [1, 2])
    def test_also_over_a_disk_that_is_closed_at_every_cut(self, seed: int, tmp_path: Path) -> None:
        events = history(Random(seed), 40)
        in_memory = Stored(MemoryRows())
        for event in events:
            rows = RocksRows(tmp_path / "rows")
            stored = Stored(rows)
            stored.fold(event)
            stored.cut()
            rows.close()
            in_memory.fold(event)
        in_memory.cut()
        rows = RocksRows(tmp_path / "rows")
        try:
            assert all_rows(rows) == all_rows(in_memory.rows)
        finally:
            rows.close()

    def test_what_was_not_applied_is_folded_again(self) -> None:
        events = history(Random(3), 30)
        stored = Stored(MemoryRows())
        for event in events[:20]:
            stored.fold(event)
        stored.cut()
        for event in events[20:]:
            stored.fold(event)
        stored.open()  # the step never ended
        assert stored.table.place.next_offset == 20
        assert stored.table.digest() == fold_all(events[:20]).digest()

    def test_rgs_in_the_same_rows_do_not_meet(self) -> None:
        stored = Stored(MemoryRows())
        for event in history(Random(4), 30):
            stored.fold(event)
        stored.cut()
        for neighbour in (RgId(RG - 1), RgId(RG + 1)):
            table = RgTable(Overlay(stored.rows), neighbour)
            assert (table.state, list(table.names())) == (EMPTY, [])

    @pytest.mark.parametrize("is_alike", [True, False])
    def test_rows_of_another_format_are_refused(self, *, is_alike: bool) -> None:
        rows = MemoryRows()
        header = [FOLD_FORMAT + 1, Place(), encode_state(EMPTY)] if is_alike else "another"
        rows.apply({keys.prefix(b"H", RG): msgspec.msgpack.encode(header)})
        with pytest.raises(BadRecord, match="the stored state of rg 5 is not of this") as refused:
            Stored(rows)
        assert refused.value.hint == (
            "Start the OSD with the program that wrote it, or on an empty directory with --rebuild."
        )
