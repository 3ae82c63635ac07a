"""Raw record batches of Kafka, decoded in one pass into columns.

Rule: a batch is handed on only if its sum is right. The body of a batch of
the second format is a row of Avro datums by itself: its varints are Avro's
longs, key and value are Avro's bytes, and without headers a zero ends it. So
the bodies of a whole fetch are read as one Avro block. What that does not hold
for (a null key, a header, a compressed batch) is read by the client's own way.

Source: https://kafka.apache.org/documentation/#recordbatch

What is not here: how raw batches are had (`eventlog.kafka.scan`), and what
the values say (`eventlog.columns`).
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from crc32c import crc32c
from kafka.record.default_records import DefaultRecordBatch

from eventlog.avro_blocks import Block
from eventlog.errors import LogCorrupt
from eventlog.ids import Offset, Position

_HEAD = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, CRC-32C, attributes, last offset delta, base and
largest timestamp, producer's id and epoch, base sequence, count."""
_LENGTH_FROM = 12
"""The length counts from here."""
_SUM_FROM = 21
"""The sum is over all from here."""
_MAGIC = 2
_COMPRESSION = 0b111
_IS_APPEND_TIME = 0b1000
_IS_TRANSACTIONAL = 0b11_0000

SCHEMA = {"offset": pl.Int64, "timestamp": pl.Int64, "key": pl.Binary, "value": pl.Binary}
"""The columns; the timestamp is in microseconds."""

_RECORDS = Block(
    {
        "type": "record",
        "name": "Record",
        "fields": [
            {"name": "length", "type": "long"},
            {"name": "attributes", "type": {"type": "fixed", "name": "One", "size": 1}},
            {"name": "timestamp", "type": "long"},
            {"name": "offset", "type": "long"},
            {"name": "key", "type": "bytes"},
            {"name": "value", "type": "bytes"},
            {"name": "headers", "type": "long"},
        ],
    }
)


_END = bytes(7)
"""Behind the last record: one of no length, which no real record has."""


class _Batch(NamedTuple):
    base: int
    next_offset: int
    base_time: int
    max_time: int
    is_append_time: bool
    is_plain: bool
    records: int
    whole: memoryview


class Batches(NamedTuple):
    """The records of one fetch of one partition."""

    frame: pl.DataFrame
    """See `SCHEMA`."""
    next_offset: Offset
    """Behind the last batch."""


def decode_batches(raw: bytes, begin: Position) -> Batches:
    """The records from a position on; a batch that is cut off at the end is left out.

    Raises `LogCorrupt`, with the base offset of the first batch that is damaged.
    """
    batches = list(_batches(memoryview(raw), begin))
    if not batches:
        return Batches(pl.DataFrame(schema=SCHEMA), begin.offset)
    frame = _all_at_once(batches) if all(each.is_plain for each in batches) else None
    if frame is None:
        frame = _one_by_one(batches, begin)
    if batches[0].base < begin.offset:
        frame = frame.filter(pl.col("offset") >= begin.offset)
    return Batches(frame, Offset(batches[-1].next_offset))


def _batches(raw: memoryview, begin: Position) -> Iterator[_Batch]:
    at, offset = 0, int(begin.offset)
    while len(raw) - at >= _LENGTH_FROM:
        base, length = struct.unpack_from(">qi", raw, at)
        end = at + _LENGTH_FROM + length
        if end > len(raw):
            return
        if length < _HEAD.size - _LENGTH_FROM:
            raise _damaged(begin, offset)
        head = _HEAD.unpack_from(raw, at)
        magic, crc, attributes, last_delta = head[3:7]
        if magic != _MAGIC or crc32c(raw[at + _SUM_FROM : end]) != crc:
            raise _damaged(begin, offset)
        offset = base + last_delta + 1
        yield _Batch(
            base=base,
            next_offset=offset,
            base_time=head[7],
            max_time=head[8],
            is_append_time=bool(attributes & _IS_APPEND_TIME),
            is_plain=not attributes & (_COMPRESSION | _IS_TRANSACTIONAL),
            records=head[12],
            whole=raw[at:end],
        )
        at = end


def _all_at_once(batches: list[_Batch]) -> pl.DataFrame | None:
    """All batches as one block of Avro; None where a record is not as this program writes it."""
    counts = [batch.records for batch in batches]
    try:
        bodies: list[memoryview | bytes] = [batch.whole[_HEAD.size :] for batch in batches]
        bodies.append(_END)
        read = _RECORDS.read(sum(counts) + 1, b"".join(bodies))
    except ValueError:
        return None
    if read["length"][-1] or (read["length"].head(-1) <= 0).any():
        return None
    read = read.head(-1)
    if (read["headers"] != 0).any():  # up to the first that has some, all is as it was read
        return None
    bases = np.repeat([batch.base for batch in batches], counts)
    times = np.repeat(
        [batch.max_time if batch.is_append_time else batch.base_time for batch in batches], counts
    )
    is_relative = np.repeat([not batch.is_append_time for batch in batches], counts)
    return pl.DataFrame(
        {
            "offset": read["offset"].to_numpy() + bases,
            "timestamp": 1_000 * (times + read["timestamp"].to_numpy() * is_relative),
            "key": read["key"],
            "value": read["value"],
        },
        schema=SCHEMA,
    )


def _one_by_one(batches: list[_Batch], begin: Position) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (record.offset, 1_000 * record.timestamp, record.key or b"", record.value or b"")
            for batch in batches
            for record in _records_of(batch, begin)
        ],
        schema=SCHEMA,
        orient="row",
    )


def _records_of(batch: _Batch, begin: Position) -> Iterator[Any]:
    read = DefaultRecordBatch(bytes(batch.whole))
    try:
        if not read.is_control_batch:
            yield from read
    except Exception as error:  # whatever way another's bytes fail to be records
        raise _damaged(begin, batch.base) from error


def _damaged(begin: Position, offset: int) -> LogCorrupt:
    position = Position(begin.topic, begin.partition, Offset(offset))
    return LogCorrupt(
        f"the batch at {position} does not match its sum",
        "Restore the topic from another replica or from a copy of the log.",
    )
