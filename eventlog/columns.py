"""Events in columns: records of replica groups to Arrow tables, one for each kind of event.

Rule: what `eventlog.codec` gives record by record is given here for all at
once, in the fields of the newest schema this program carries: values are
grouped by the fingerprint they begin with, decoded with the schema it names,
and brought up to the newest by defaults. The first record of a partition that
cannot be decoded stops that partition, and nothing after it is given.

What is not here: the map, whose events are few (see `eventlog.codec`).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from eventlog import catalogue
from eventlog.avro_columns import Reader, Unreadable
from eventlog.avro_cursor import PADDING, WORD, Bools, Bytes, Cursor, Longs
from eventlog.chunks import Chunk
from eventlog.codec import EVENT_TYPES, HEADER_BYTES, MARKER, Decoder
from eventlog.column_checks import invalid
from eventlog.errors import BadRecord, OsdlogError
from eventlog.ids import Partition, Position, Topic
from eventlog.log import Log, Record
from eventlog.schemas import NAMESPACE, AvroSchema, known, written

RG_EVENTS = tuple(sorted(name for name in EVENT_TYPES if name != "MapChanged"))
"""Names of the events that have tables here."""

_AT_ONCE = 122_880
"""So many records that the cost of a step is shared; and a row group of DuckDB, which writes events
in such pieces a third faster than in others."""
_NO_EVENTS = Bytes(pa.py_buffer(PADDING), np.zeros(0, np.int64), np.zeros(0, np.int64))


class Stop(NamedTuple):
    """Where a partition can be read no further, and why."""

    position: Position
    error: OsdlogError


class ColumnDecoder:
    """Decodes the chunks of one log, in order; remembers which partitions have stopped."""

    def __init__(self, log: Log, skipped: Mapping[Position, bytes] | None = None) -> None:
        """`skipped`: records that the map lets everybody pass over, with their SHA-256."""
        self._log = log
        self._skipped = skipped or {}
        self._readings = {_number(print_): _reading(each.avro) for print_, each in known().items()}
        self.stops: dict[Partition, Stop] = {}

    def decode(self, chunk: Chunk) -> dict[str, pa.Table]:
        """Tables by the events' names, in the chunk's order; only those that have rows.

        Columns are `partition`, `offset`, `timestamp` and the event's fields.
        """
        wanted = self._wanted(chunk)
        prints, is_bad = _fingerprints(chunk, wanted)
        found: dict[str, list[pa.Table]] = {}
        left = wanted & ~is_bad
        while left.any():
            print_ = int(prints[left.argmax()])
            index = np.flatnonzero(left & (prints == print_))
            left[index] = False
            reading = self._reading(print_)
            if reading is None:
                is_bad[index] = True
                continue
            table, is_bad[index] = reading.table(chunk, index)
            found.setdefault(reading.name, []).append(table)
        if (is_bad & wanted).any():
            self._stop(chunk, np.flatnonzero(is_bad & wanted))
        return {name: self._kept(tables) for name, tables in found.items()}

    def stop_at(self, decoded: dict[str, pa.Table], stops: Iterable[Stop]) -> dict[str, pa.Table]:
        """What `decode` gave, without what stands at these places or after them.

        For whoever can read a record and may not go past it.
        """
        found = list(stops)
        for stop in found:
            before = self.stops.get(stop.position.partition)
            if before is None or stop.position.offset < before.position.offset:
                self.stops[stop.position.partition] = stop
        return {n: self._kept([table]) for n, table in decoded.items()} if found else decoded

    def _wanted(self, chunk: Chunk) -> Bools:
        """All but what is skipped, and what comes after a stop."""
        wanted = np.ones(len(chunk), np.bool_)
        for partition, stop in self.stops.items():
            after = chunk.offsets >= stop.position.offset
            wanted &= ~((chunk.partitions == partition) & after)
        for position, digest in self._skipped.items():
            is_it = (chunk.partitions == position.partition) & (chunk.offsets == position.offset)
            for number in np.flatnonzero(is_it & (position.topic is Topic.RG)).tolist():
                wanted[number] = sha256(chunk.value(number)).digest() != digest
        return wanted

    def _reading(self, print_: int) -> "_Reading | None":
        """How records of this schema are read; None where it is not known, or not of an RG's."""
        if print_ not in self._readings:
            for found, avro in catalogue.read(self._log).items():
                self._readings.setdefault(_number(found), _reading(avro))
        return self._readings.get(print_)

    def _stop(self, chunk: Chunk, bad: Longs) -> None:
        """Remember the first bad record of each partition, with what is wrong with it."""
        for number in bad.tolist():
            partition = Partition(int(chunk.partitions[number]))
            if partition not in self.stops:
                record = chunk.record(number)
                self.stops[partition] = Stop(record.position, self._error(record))

    def _error(self, record: Record) -> OsdlogError:
        """What the decoder of single records says of it, which passes some that nobody writes."""
        try:
            event = Decoder(self._log).decode(record)
        except OsdlogError as error:
            return error
        return BadRecord(
            f"the record at {record.position}, a {event.schema}, is not as this program writes it",
            "It stands in the wrong topic, or another program wrote it: see `osdlog log cat`.",
        )

    def _kept(self, tables: list[pa.Table]) -> pa.Table:
        """One table, without what comes after a stop."""
        table = pa.concat_tables(tables)
        if not self.stops:
            return table
        partitions, offsets = (table[name].to_numpy() for name in ("partition", "offset"))
        kept = np.ones(len(table), np.bool_)
        for partition, stop in self.stops.items():
            kept &= ~((partitions == partition) & (offsets >= stop.position.offset))
        return rows_kept(table, kept)


def empty_tables() -> dict[str, pa.Table]:
    """A table without rows for every kind of event: what columns there are, of what types."""
    nothing = np.zeros(0, np.int64)
    chunk = Chunk(nothing, nothing, nothing, _NO_EVENTS)
    readings = (_Reading(name, Reader(written()[name].avro)) for name in RG_EVENTS)
    return {reading.name: reading.table(chunk, nothing)[0] for reading in readings}


def rows_kept(table: pa.Table, kept: Bools) -> pa.Table:
    """Some rows of a table, in the types it has; nearly all or nearly none."""
    if kept.all():
        return table
    pieces = [table.slice(start, end - start) for start, end in _runs(kept)]
    return pa.concat_tables(pieces or [table.slice(0, 0)])


def _runs(kept: Bools) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


class _Reading(NamedTuple):
    """How the records of one writer's schema become rows."""

    name: str
    reader: Reader

    def table(self, chunk: Chunk, index: Longs) -> tuple[pa.Table, Bools]:
        """These records' events, and which of them are bad."""
        tables, bad = [], []
        try:
            for first in range(0, max(len(index), 1), _AT_ONCE):
                table, is_bad = self._part(chunk.at(index[first : first + _AT_ONCE]))
                tables.append(table)
                bad.append(is_bad)
        except Unreadable:
            return _empty(self.name), np.ones(len(index), np.bool_)
        return pa.concat_tables(tables), np.concatenate(bad)

    def _part(self, chunk: Chunk) -> tuple[pa.Table, Bools]:
        data, starts, ends = chunk.values
        decoded = self.reader.decode(Bytes(data, starts + HEADER_BYTES, ends))
        columns = _newest(self.name, decoded.columns, len(chunk))
        place = {
            "partition": pa.array(chunk.partitions.astype(np.int32)),
            "offset": pa.array(chunk.offsets),
            "timestamp": pa.array(chunk.timestamps),
        }
        return pa.table(place | columns), decoded.is_bad | invalid(self.name, columns)


def _reading(avro: AvroSchema) -> _Reading | None:
    name = avro["name"].removeprefix(f"{NAMESPACE}.")
    return _Reading(name, Reader(avro)) if name in RG_EVENTS else None


@cache
def _empty(name: str) -> pa.Table:
    return empty_tables()[name]


def _newest(name: str, columns: Mapping[str, pa.Array], count: int) -> dict[str, pa.Array]:
    """The fields of the newest version: those the writer lacked by default, no others."""
    return {
        field["name"]: columns[field["name"]]
        if field["name"] in columns
        else _default(name, field, count)
        for field in written()[name].avro["fields"]
    }


def _default(name: str, field: AvroSchema, count: int) -> pa.Array:
    if "default" not in field:
        raise Unreadable(f"a {name} without {field['name']}")
    kind = Reader(written()[name].avro).decode(_NO_EVENTS).columns[field["name"]].type
    return pa.array([field["default"]] * count, kind)


def _fingerprints(chunk: Chunk, wanted: Bools) -> tuple[Longs, Bools]:
    """The fingerprint each value begins with, as a number; and which begin with none."""
    first, second = Cursor(*chunk.values).windows(2).T
    sixteen, forty_eight = np.uint64(8 * len(MARKER)), np.uint64(8 * (WORD - len(MARKER)))
    is_bad = (chunk.values.ends - chunk.values.starts < HEADER_BYTES) & wanted
    is_bad |= first & np.uint64(0xFFFF) != int.from_bytes(MARKER, "little")
    return (first >> sixteen | second << forty_eight).view(np.int64), is_bad


def _number(fingerprint: bytes) -> int:
    return int.from_bytes(fingerprint, "little", signed=True)
