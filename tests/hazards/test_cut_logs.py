"""Every log of every scenario, cut at every record: what was stored and the rest give the whole.

So a node may die between any two records, and a fold must take every suffix
that a log can have: put, delete, put again, in whatever order they are met.
"""

from functools import cache
from pathlib import Path

import pytest

from eventlog.digest import record_digest
from eventlog.ids import Offset, RgId
from eventlog.map_events import MapChanged
from folds.test_bulk_fold import Both
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay
from osd.rg_table import Place, RgTable, fold_stamp
from osd.snapshots import snapshot_of
from projections.cluster_map import EMPTY, ClusterMap, Refusal
from projections.map_fold import fold as fold_map
from projections.replica_group import fold
from projections.snapshots import Snapshot, read_snapshot
from simulation.reference import Told
from transcripts.runner import Runner, read

TESTS = Path(__file__).resolve().parents[1]
SCENARIOS = sorted([*TESTS.glob("hazards/*.txt"), *TESTS.glob("transcripts/*.txt")])
RG = RgId(0)


@cache
def told_in(path: Path) -> list[Told]:
    runner = Runner()
    for block in read(path).strip().split("\n\n"):
        runner.run_block(block)
    return runner.cluster.told


def stored_after(rows: MemoryRows, records: list[Told]) -> RgTable:
    """Fold these on top of what the rows have, each in an atomic write of its own."""
    overlay = Overlay(rows)
    table = RgTable(overlay, RG)
    for record, event in records:
        assert not isinstance(event, MapChanged)
        folded = fold(table.state, table, event, record.offset)
        place = Place(Offset(record.offset + 1), record_digest(record.value), record.offset)
        table.keep(folded.draft, folded.state, place)
        table.keep_header()
        rows.apply(overlay.take())
    return table


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_stored_state_and_the_rest_are_the_whole(path: Path) -> None:
    records = [told for told in told_in(path) if not isinstance(told.event, MapChanged)]
    whole = stored_after(MemoryRows(), records).digest()
    rows = MemoryRows()
    for cut in range(len(records)):
        stored_after(rows, records[max(cut - 1, 0) : cut])
        assert stored_after(rows.crash(rows.unsynced), records[cut:]).digest() == whole


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_snapshot_handed_over_and_the_rest_are_the_whole(path: Path) -> None:
    records = [told for told in told_in(path) if not isinstance(told.event, MapChanged)]
    whole, rows = stored_after(MemoryRows(), records), MemoryRows()
    for cut in range(1, len(records)):
        data = snapshot_of(stored_after(rows, records[cut - 1 : cut]))
        assert data is not None
        snapshot = read_snapshot(data, fold_stamp(), RG)
        assert isinstance(snapshot, Snapshot)
        overlay, fresh = Overlay(MemoryRows()), MemoryRows()
        table = RgTable(overlay, RG)
        table.take_over(snapshot)
        table.keep_header()
        fresh.apply(overlay.take())
        assert snapshot_of(stored_after(fresh, records[cut:])) == snapshot_of(whole)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_fold_in_columns_is_the_same_from_every_cut(path: Path) -> None:
    told = [
        (event, record.offset)
        for record, event in told_in(path)
        if not isinstance(event, MapChanged)
    ]
    for cut in range(0, len(told), 1 + len(told) // 12):
        both = Both()
        both.fold(told[:cut])
        both.fold(told[cut:])
        both.compare()


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_map_is_the_same_from_every_cut(path: Path) -> None:
    events = [told.event for told in told_in(path) if isinstance(told.event, MapChanged)]
    whole = folded_map(EMPTY, events)
    for cut in range(len(events)):
        assert folded_map(folded_map(EMPTY, events[:cut]), events[cut:]) == whole


def folded_map(state: ClusterMap, events: list[MapChanged]) -> ClusterMap:
    for event in events:
        after = fold_map(state, event)
        state = state if isinstance(after, Refusal) else after
    return state
