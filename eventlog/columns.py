"""Events in columns: records of replica groups to Arrow tables, one for each kind of event.

Rule: what `eventlog.codec` gives record by record is given here for all at
once, in the fields of the newest schema this program carries: values are
grouped by the fingerprint they begin with, decoded with the schema it names,
and brought up to the newest by defaults. The first record of a partition that
cannot be decoded stops that partition, and nothing after it is given.

What is not here: the map, whose events are few (see `eventlog.codec`).
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from eventlog import catalogue
from eventlog.avro_columns import PADDING, Bools, Bytes, Longs, Unreadable, decode
from eventlog.chunks import Chunk
from eventlog.codec import EVENT_TYPES, HEADER_BYTES, MARKER, Decoder
from eventlog.column_checks import invalid
from eventlog.errors import BadRecord, OsdlogError
from eventlog.ids import Partition, Position, Topic
from eventlog.log import Log, Record
from eventlog.schemas import NAMESPACE, AvroSchema, known, written

RG_EVENTS = tuple(sorted(name for name in EVENT_TYPES if name != "MapChanged"))
"""Names of the events that have tables here."""

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
        self._schemas = {_number(print_): schema.avro for print_, schema in known().items()}
        self.stops: dict[Partition, Stop] = {}

    def decode(self, chunk: Chunk) -> dict[str, pa.Table]:
        """Tables by the events' names, in the chunk's order; only those that have rows.

        Columns are `partition`, `offset`, `timestamp` and the event's fields.
        """
        wanted = self._wanted(chunk)
        prints, is_bad = _fingerprints(chunk, wanted)
        found: dict[str, list[pa.Table]] = {}
        for print_ in np.unique(prints[wanted & ~is_bad]).tolist():
            index = np.flatnonzero(wanted & ~is_bad & (prints == print_))
            avro = self._schema(print_)
            name = avro["name"].removeprefix(f"{NAMESPACE}.") if avro else ""
            if avro is None or name not in RG_EVENTS:
                is_bad[index] = True
                continue
            table, is_wrong = _table(name, avro, chunk, index)
            is_bad[index] = is_wrong
            found.setdefault(name, []).append(table)
        if (is_bad & wanted).any():
            self._stop(chunk, np.flatnonzero(is_bad & wanted))
        return {name: self._kept(tables) for name, tables in found.items()}

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

    def _schema(self, print_: int) -> AvroSchema | None:
        if print_ not in self._schemas:
            for found, avro in catalogue.read(self._log).items():
                self._schemas.setdefault(_number(found), avro)
        return self._schemas.get(print_)

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
        if kept.all():
            return table
        pieces = _runs(kept)
        return pa.concat_tables(
            [table.slice(start, end - start) for start, end in pieces] or [table.slice(0, 0)]
        )


def empty_tables() -> dict[str, pa.Table]:
    """A table without rows for every kind of event: what columns there are, of what types."""
    nothing = np.zeros(0, np.int64)
    chunk = Chunk(nothing, nothing, nothing, _NO_EVENTS)
    return {name: _table(name, written()[name].avro, chunk, nothing)[0] for name in RG_EVENTS}


def _runs(kept: Bools) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _table(name: str, avro: AvroSchema, chunk: Chunk, index: Longs) -> tuple[pa.Table, Bools]:
    data, starts, ends = chunk.values
    try:
        decoded = decode(avro, Bytes(data, starts[index] + HEADER_BYTES, ends[index]))
        columns = _newest(name, decoded.columns, len(index))
    except Unreadable:
        return _empty(name), np.ones(len(index), np.bool_)
    is_bad = decoded.is_bad | invalid(name, columns)
    place = {
        "partition": pa.array(chunk.partitions[index].astype(np.int32)),
        "offset": pa.array(chunk.offsets[index]),
        "timestamp": pa.array(chunk.timestamps[index]),
    }
    return pa.table(place | columns), is_bad


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
    kind = decode(written()[name].avro, _NO_EVENTS).columns[field["name"]].type
    return pa.array([field["default"]] * count, kind)


def _fingerprints(chunk: Chunk, wanted: Bools) -> tuple[Longs, Bools]:
    """The fingerprint each value begins with, as a number; and which begin with none."""
    data, starts, ends = chunk.values
    octets = np.frombuffer(data, np.uint8)
    words: Longs = np.ndarray((data.size - 7,), "<i8", data, strides=(1,))
    is_bad = (ends - starts < HEADER_BYTES) & wanted
    for place, byte in enumerate(MARKER):
        is_bad |= octets[starts + place] != byte
    return words[starts + len(MARKER)], is_bad


def _number(fingerprint: bytes) -> int:
    return int.from_bytes(fingerprint, "little", signed=True)
