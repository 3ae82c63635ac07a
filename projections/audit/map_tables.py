"""The map's tables: every map event, what it made of the map, and what it moved.

Rule: the map is folded by the fold that everybody uses; only what RGs hold is
derived anew, in SQL. The map is short, so its tables are made anew from its
first event whenever there is a new one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from eventlog.codec import Decoder
from eventlog.digest import NO_RECORD, record_digest
from eventlog.errors import RecordError
from eventlog.ids import Offset, OsdId, Partition, Topic
from eventlog.log import Log, Record
from eventlog.map_events import MapChange, MapChanged
from eventlog.telling import tell
from projections.audit.database import Connection, Reached
from projections.cluster_map import EMPTY, ClusterMap, Refusal, candidates
from projections.map_fold import fold
from projections.placement import PlacementTable, moved, place_again, place_all
from projections.placement_rows import MISSING

PLACE = (Topic.MAP, Partition(0))
TABLES = (
    "map_events",
    "map_changes",
    "osds",
    "maps",
    "retired_stores",
    "placement",
    "skips",
)


class Told(NamedTuple):
    """One map event, and the map after it, or why it is void."""

    record: Record
    event: MapChanged
    after: ClusterMap | Refusal


class History(NamedTuple):
    """The map topic, as far as it can be read."""

    told: list[Told]
    map: ClusterMap
    reached: Reached


def read_map(log: Log) -> History:
    """Every map event up to the topic's end, or up to one that cannot be decoded."""
    decoder, state, digest = Decoder(log), EMPTY, NO_RECORD
    told: list[Told] = []
    offset = Offset(0)
    for record in _records(log):
        try:
            event = decoder.decode(record)
        except RecordError as error:
            return History(told, state, Reached(offset, digest, str(error)))
        assert isinstance(event, MapChanged), "the map's topic has map events only"
        after = fold(state, event)
        told.append(Told(record, event, after))
        state = state if isinstance(after, Refusal) else after
        offset, digest = Offset(record.offset + 1), record_digest(record.value)
    return History(told, state, Reached(offset, digest))


def write_map(connection: Connection, history: History) -> None:
    """Make the map's tables anew; part of the caller's transaction."""
    for table in TABLES:
        connection.execute(f"DELETE FROM kept.{table}")  # noqa: S608 - names from this module
    placed = _Placed()
    _insert(connection, "map_events", [_event_row(told, placed) for told in history.told])
    _insert(connection, "map_changes", [row for told in history.told for row in _changes(told)])
    _insert(connection, "osds", list(_osds(history)))
    _insert(connection, "maps", list(_maps(history)))
    _insert(connection, "retired_stores", list(_retired(history.map)))
    _insert(connection, "skips", list(_skips(history.map)))
    if placed.table is not None:
        _insert_placement(connection, placed.table)


def _records(log: Log) -> Iterator[Record]:
    offset = Offset(0)
    while records := log.read(*PLACE, offset):
        yield from records
        offset = Offset(records[-1].offset + 1)


def _insert(connection: Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        columns = [pa.array(column) for column in zip(*rows, strict=True)]
        names = [str(number) for number in range(len(columns))]
        connection.register("in_rows", pa.table(columns, names))
        connection.execute(f"INSERT INTO kept.{table} FROM in_rows")
        connection.unregister("in_rows")


class _Placed:
    """The placement, map by map, so that it is known how many RGs each one moved."""

    def __init__(self) -> None:
        self.table: PlacementTable | None = None
        self._layout = -1

    def moves(self, after: ClusterMap) -> int:
        """How many RGs are placed otherwise since the map before."""
        if after.layout == self._layout or not after.rg_count:
            return 0
        before, self._layout = self.table, after.layout
        if before is None:
            self.table = place_all(candidates(after), after.rg_count, after.replicas, after.pins)
            return 0
        self.table = place_again(before, candidates(after), after.replicas, after.pins)
        return len(moved(before, self.table))


def _event_row(told: Told, placed: _Placed) -> list[Any]:
    record, event, after = told
    row: list[Any] = [
        record.offset,
        record.timestamp,
        event.time,
        event.author,
        event.reason,
        event.layout,
    ]
    if isinstance(after, Refusal):
        return [*row, None, None, None, after.why]
    return [*row, after.epoch, after.layout, placed.moves(after), None]


def _changes(told: Told) -> Iterator[list[Any]]:
    for number, change in enumerate(told.event.changes, 1):
        one = msgspec.structs.replace(told.event, changes=(change,))
        said = tell(one).removeprefix("map ").partition("; by ")[0]
        yield [told.record.offset, number, type(change).__name__, _osd(change), _rg(change), said]


def _osd(change: MapChange) -> int | None:
    store = getattr(change, "store", None)
    found: int | None = store.osd if store is not None else getattr(change, "osd", None)
    return found


def _rg(change: MapChange) -> int | None:
    found: int | None = getattr(change, "rg", None)
    return found


def _accepted(history: History) -> Iterator[ClusterMap]:
    for told in history.told:
        if not isinstance(told.after, Refusal):
            yield told.after


def _osds(history: History) -> Iterator[list[Any]]:
    """Each OSD as it stood, from the epoch that made it so to the next that changed it."""
    since: dict[OsdId, tuple[int, list[Any]]] = {}
    for after in _accepted(history):
        now = {osd.osd: _osd_row(osd) for osd in after.osds.values()}
        for number, (epoch, row) in list(since.items()):
            if now.get(number) != row:
                yield [epoch, after.epoch, *row]
                del since[number]
        for number, row in now.items():
            since.setdefault(number, (after.epoch, row))
    for epoch, row in since.values():
        yield [epoch, None, *row]


def _osd_row(osd: Any) -> list[Any]:
    return [
        osd.osd,
        osd.store.incarnation if osd.store else None,
        osd.boot,
        osd.weight,
        osd.host,
        osd.rack,
        osd.is_up,
        osd.is_in,
        osd.is_leaving,
        osd.address,
    ]


def _maps(history: History) -> Iterator[list[Any]]:
    for after in _accepted(history):
        yield [
            after.epoch,
            after.layout,
            after.replicas,
            after.min_replicas,
            after.rules,
            after.rg_count,
            after.partitions,
        ]


def _retired(last: ClusterMap) -> Iterator[list[Any]]:
    for store, why in sorted(last.retired.items()):
        yield [store.osd, store.incarnation, why.epoch, why.by, why.why]


def _skips(last: ClusterMap) -> Iterator[list[Any]]:
    for position, digest in sorted(last.skipped.items()):
        yield [position.topic.value, position.partition, position.offset, digest]


def _insert_placement(connection: Connection, table: PlacementTable) -> None:
    rgs, places = np.nonzero(table.rows != MISSING)
    columns = [pa.array(column) for column in (rgs, places + 1, table.rows[rgs, places])]
    connection.register("in_rows", pa.table(columns, ["rg", "place", "osd"]))
    connection.execute("INSERT INTO kept.placement FROM in_rows")
    connection.unregister("in_rows")
