"""Columns: many events at once, as Arrow, and events made from columns.

Rule: what a schema says of one record, a column says of all records in that
schema; nothing is resolved, renamed or left out. A frame of records has the
columns offset, timestamp (microseconds), key and value; a frame of events has
offset, timestamp and the event's own fields. Every value begins with the ten
bytes that name its schema, and these are read as part of it: where a record is
shorter or longer than its schema says, the next one begins wrongly, and all are
decoded one by one, so that the one is named.

What is not here: how a log comes to columns faster than by records (`eventlog.kafka.scan`).
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol, runtime_checkable

import polars as pl

from eventlog.avro_blocks import Block
from eventlog.codec import EVENT_TYPES, HEADER_BYTES, MARKER, Decoder, Event
from eventlog.errors import BadRecord
from eventlog.ids import (
    Boot,
    Epoch,
    Fence,
    Incarnation,
    Micros,
    Offset,
    OsdId,
    Partition,
    Round,
    Store,
    Topic,
)
from eventlog.log import Log, Record, TopicPartition
from eventlog.places import ends_before
from eventlog.schemas import AvroSchema, known, written

SCANNED_RECORDS = 20_000
UNIONS = frozenset({"MapChanged"})
"""Events whose fields are unions of records."""
_END = bytes(HEADER_BYTES)
"""What the datum behind the last one begins with, and no record."""
_PREFIX = "osdlog_header"
"""The column of the ten bytes; no event has a field of that name."""


class Scanned(NamedTuple):
    """Some records of one partition, in their order."""

    topic: Topic
    partition: Partition
    frame: pl.DataFrame
    """offset, timestamp (microseconds), key, value."""


class Decoded(NamedTuple):
    """The events of one schema among some records."""

    event: str
    """Its name, as in `ObjectPut`."""
    frame: pl.DataFrame
    """offset, timestamp, and the event's fields."""


@runtime_checkable
class ScansItself(Protocol):
    """A log with a faster way to columns than by its records."""

    def scan(self, begins: Mapping[TopicPartition, Offset]) -> Iterator[Scanned]:
        """As the function of that name."""
        ...


def scan(log: Log, begins: Mapping[TopicPartition, Offset]) -> Iterator[Scanned]:
    """What those partitions have now, each from its offset on, in pieces; raises as `Log.read`."""
    if isinstance(log, ScansItself):
        yield from log.scan(begins)
        return
    for (topic, partition), end in log.end_offsets(begins).items():
        offset = begins[topic, partition]
        if offset > end:
            raise ends_before((topic, partition), end, offset)
        while offset < end and (records := log.read(topic, partition, offset, SCANNED_RECORDS)):
            yield Scanned(topic, partition, frame_of([r for r in records if r.offset < end]))
            offset = Offset(records[-1].offset + 1)


def frame_of(records: list[Record]) -> pl.DataFrame:
    """Records of one partition as a frame."""
    columns = list(zip(*records, strict=True)) or [()] * len(Record._fields)
    return pl.DataFrame(
        {"offset": columns[2], "timestamp": columns[3], "key": columns[4], "value": columns[5]},
        schema={"offset": pl.Int64, "timestamp": pl.Int64, "key": pl.Binary, "value": pl.Binary},
    )


def decode(scanned: Scanned) -> list[Decoded]:
    """The events of each schema, in columns; `BadRecord` and `UnknownSchema` as `Decoder` has it.

    Only the schemas that this program carries are decoded this way. Events that are unions, as
    those of the map, have no columns in Arrow that polars knows: they are left out, and few.
    """
    found = []
    for header, part in _by_schema(scanned):
        schema = known().get(header[len(MARKER) :])
        if schema is not None and schema.event in UNIONS:
            continue
        try:
            if schema is None or not header.startswith(MARKER):
                raise ValueError("unknown")
            events = _read(_block(schema.fingerprint), header, part["value"])
        except ValueError:
            _name_the_bad_one(scanned, part)
            raise
        placed = part.select("offset", "timestamp").hstack(events)
        found.append(Decoded(schema.event, placed))
    return found


def events(scanned: Scanned, decoder: Decoder) -> list[Event]:
    """The same events as `decoder` makes of the records one by one, and the same errors."""
    made: list[Event | None] = [None] * scanned.frame.height
    rows = scanned.frame.with_row_index("row")
    for header, part in _by_schema(scanned._replace(frame=rows)):
        makers = _makers().get(header)
        try:
            if makers is None:
                raise ValueError("not in the schema that this program writes")
            columns = _read(_block(header[len(MARKER) :]), header, part["value"])
            some = makers.make(columns)
        except (ValueError, BadRecord):
            some = [decoder.decode(record) for record in records_of(scanned._replace(frame=part))]
        for row, event in zip(part["row"].to_list(), some, strict=True):
            made[row] = event
    return made  # type: ignore[return-value]  # every row is of one schema


def records_of(scanned: Scanned) -> Iterator[Record]:
    """The records one by one."""
    rows = scanned.frame.select("offset", "timestamp", "key", "value").iter_rows()
    for offset, timestamp, key, value in rows:
        yield Record(
            scanned.topic, scanned.partition, Offset(offset), Micros(timestamp), key, value
        )


def _by_schema(scanned: Scanned) -> Iterator[tuple[bytes, pl.DataFrame]]:
    """The records by what their values begin with, in the order in which that first appears."""
    headers = scanned.frame["value"].bin.slice(0, HEADER_BYTES)
    kinds = headers.unique(maintain_order=True).to_list()
    if len(kinds) == 1:
        yield kinds[0], scanned.frame
        return
    for kind in kinds:
        yield kind, scanned.frame.filter(headers == _one(kind))


def _read(block: Block, header: bytes, values: pl.Series) -> pl.DataFrame:
    datums = values.to_list()
    datums.append(_END + datums[0][HEADER_BYTES:])
    read = block.read(len(datums), b"".join(datums))
    begins = read[_PREFIX]
    if begins[-1] != _END or not (begins.head(-1) == _one(header)).all():
        raise ValueError("a record is longer or shorter than its schema says")
    return read.drop(_PREFIX).head(-1)


def _one(value: bytes) -> pl.Series:
    """To compare a column with; polars would take bytes for a column of numbers."""
    return pl.Series([value], dtype=pl.Binary)


def _name_the_bad_one(scanned: Scanned, part: pl.DataFrame) -> None:
    decoder = Decoder()
    for record in records_of(scanned._replace(frame=part)):
        decoder.decode(record)


@cache
def _block(fingerprint: bytes) -> Block:
    avro = json.loads(known()[fingerprint].text)
    header = {"type": "fixed", "name": "Header", "size": HEADER_BYTES}
    return Block({**avro, "fields": [{"name": _PREFIX, "type": header}, *avro["fields"]]})


class _Makers:
    """How the columns of one event become its fields."""

    def __init__(self, kind: type[Event], avro: AvroSchema) -> None:
        self._kind = kind
        self._names = [field["name"] for field in avro["fields"]]
        self._makers = [_maker(field["type"]) for field in avro["fields"]]

    def make(self, columns: pl.DataFrame) -> list[Event]:
        fields = [make(columns[name]) for name, make in zip(self._names, self._makers, strict=True)]
        kind, names = self._kind, self._names
        return [kind(**dict(zip(names, row))) for row in zip(*fields, strict=True)]  # noqa: B905


@cache
def _makers() -> Mapping[bytes, _Makers]:
    """By what a value begins with. Map events, which are few, are left to the decoder."""
    return {
        MARKER + schema.fingerprint: _Makers(EVENT_TYPES[name], json.loads(schema.text))
        for name, schema in written().items()
        if name not in UNIONS
    }


def _maker(avro: Any) -> Any:
    match avro:
        case ["null", {"name": "Fence"} | "Fence" | "osdlog.Fence"]:
            return _optional_fences
        case ["null", {"name": "Store"} | "Store" | "osdlog.Store"]:
            return _optional_stores
        case {"type": "record", "name": "Fence"} | "Fence" | "osdlog.Fence":
            return _fences
        case {"type": "record", "name": "Store"} | "Store" | "osdlog.Store":
            return _stores
        case {"type": "array", "items": {"name": "Store"} | "Store" | "osdlog.Store"}:
            return _store_tuples
        case {"type": "map"}:
            return _maps
        case {"type": "array"}:
            return lambda column: [tuple(items) for items in column.to_list()]
        case _:
            return lambda column: column.to_list()


def _maps(column: pl.Series) -> list[dict[str, str]]:
    return [
        {pair["key"]: pair["value"] for pair in pairs} if pairs else {}
        for pairs in column.to_list()
    ]


def _fences(column: pl.Series) -> list[Fence]:
    """Few differ, so few are made."""
    outer = column.struct.unnest()
    inner = outer["store"].struct.unnest()
    return [
        _fence(*row)
        for row in zip(
            outer["epoch"].to_list(),
            outer["round"].to_list(),
            inner["osd"].to_list(),
            inner["incarnation"].to_list(),
            outer["boot"].to_list(),
            strict=True,
        )
    ]


def _stores(column: pl.Series) -> list[Store]:
    return [_store(*row) for row in column.struct.unnest().select("osd", "incarnation").rows()]


def _store_tuples(column: pl.Series) -> list[tuple[Store, ...]]:
    lengths = column.list.len().to_list()
    stores = iter(_stores(column.explode().drop_nulls()))
    return [tuple(next(stores) for _ in range(length)) for length in lengths]


def _optional_fences(column: pl.Series) -> list[Fence | None]:
    made = iter(_fences(column.drop_nulls()))
    return [None if is_null else next(made) for is_null in column.is_null().to_list()]


def _optional_stores(column: pl.Series) -> list[Store | None]:
    made = iter(_stores(column.drop_nulls()))
    return [None if is_null else next(made) for is_null in column.is_null().to_list()]


@lru_cache(maxsize=4_096)
def _fence(epoch: int, round_: int, osd: int, incarnation: int, boot: int) -> Fence:
    return Fence(Epoch(epoch), Round(round_), _store(osd, incarnation), Boot(boot))


@lru_cache(maxsize=4_096)
def _store(osd: int, incarnation: int) -> Store:
    return Store(OsdId(osd), Incarnation(incarnation))
