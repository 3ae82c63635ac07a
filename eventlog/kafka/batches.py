"""Raw record batches of Kafka, decoded in one pass into chunks.

Rule: a batch is handed on only if its sum is right. The body of a batch of
the second format is a row of Avro `bytes`, a record each; and in a record,
varints are Avro's longs, key and value are Avro's bytes. So all records of a
fetch are read at once, and their values stay where they are. What is not as
this program writes it (a null key, a header, a compressed batch) is read by the
client's own way.

Source: https://kafka.apache.org/documentation/#recordbatch

What is not here: how raw batches are had (`eventlog.kafka.chunks`), and what
the values say (`eventlog.columns`).
"""

import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import numpy as np
import pyarrow as pa
from crc32c import crc32c
from kafka.record.default_records import DefaultRecordBatch

from eventlog.avro_columns import PADDING, Bytes, Cursor, Longs
from eventlog.chunks import Chunk, chunk_of, numbers
from eventlog.errors import LogCorrupt
from eventlog.ids import Offset, Position
from eventlog.kafka.records import as_records
from eventlog.log import Record

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

_BODY = fastavro.parse_schema({"type": "array", "items": "bytes"})
_LENGTH_BITS = (6, 13, 20, 27)
"""A length of more bits than these takes one byte more each."""


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

    chunk: Chunk
    next_offset: Offset
    """Behind the last batch."""


def decode_batches(raw: bytes, begin: Position) -> Batches:
    """The records from a position on; a batch that is cut off at the end is left out.

    Raises `LogCorrupt`, with the base offset of the first batch that is damaged.
    """
    batches = list(_batches(memoryview(raw), begin))
    if not batches:
        return Batches(chunk_of([]), begin.offset)
    chunk = _all_at_once(batches, begin) if all(each.is_plain for each in batches) else None
    if chunk is None:
        chunk = chunk_of(_one_by_one(batches, begin))
    if batches[0].base < begin.offset:
        chunk = chunk.at(np.flatnonzero(chunk.offsets >= begin.offset))
    return Batches(chunk, Offset(batches[-1].next_offset))


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
        is_dense = 0 < head[12] == last_delta + 1
        if magic != _MAGIC or crc32c(raw[at + _SUM_FROM : end]) != crc:
            raise _damaged(begin, offset)
        offset = base + last_delta + 1
        yield _Batch(
            base=base,
            next_offset=offset,
            base_time=head[7],
            max_time=head[8],
            is_append_time=bool(attributes & _IS_APPEND_TIME),
            is_plain=is_dense and not attributes & (_COMPRESSION | _IS_TRANSACTIONAL),
            records=head[12],
            whole=raw[at:end],
        )
        at = end


def _all_at_once(batches: Sequence[_Batch], begin: Position) -> Chunk | None:
    """None where a record is not as this program writes it."""
    counts = [batch.records for batch in batches]
    data = b"".join([*(batch.whole[_HEAD.size :] for batch in batches), PADDING])
    lengths = _lengths(data, sum(counts))
    if lengths is None:
        return None
    ends = _ends(lengths)
    if not len(ends) or ends[-1] != len(data) - len(PADDING):
        return None
    cursor = Cursor(pa.py_buffer(data), ends - lengths, ends)
    cursor.skip(1)  # attributes, of which there are none
    times, deltas = cursor.longs(), cursor.longs()
    if _skip_bytes(cursor) is None:  # the key
        return None
    values = _values(cursor)
    if values is None:
        return None
    base_times = numbers([b.max_time if b.is_append_time else b.base_time for b in batches])
    is_relative = np.array([not batch.is_append_time for batch in batches])
    return Chunk(
        np.full(len(deltas), begin.partition, np.int64),
        deltas + np.repeat(numbers([batch.base for batch in batches]), counts),
        1_000 * (np.repeat(base_times, counts) + times * np.repeat(is_relative, counts)),
        values,
    )


def _lengths(data: bytes, count: int) -> Longs | None:
    """Of each record, or None where they are no row of Avro `bytes`."""
    block = BytesIO()
    fastavro.schemaless_writer(block, "long", count)
    block.write(data)  # whose padding ends the array
    block.seek(0)
    try:
        records = fastavro.schemaless_reader(block, _BODY, None)
    except Exception:  # noqa: BLE001 - it fails in many ways on foreign bytes
        return None
    assert isinstance(records, list)
    return numbers(list(map(len, records)))


def _ends(lengths: Longs) -> Longs:
    """Where each record ends, if every length is written as short as can be."""
    prefixes = np.ones(len(lengths), np.int64)
    for bits in _LENGTH_BITS:
        prefixes += lengths >> bits > 0
    return np.cumsum(prefixes + lengths)


def _values(cursor: Cursor) -> Bytes | None:
    """The values, if every record has one and nothing after it."""
    lengths = _skip_bytes(cursor)
    if lengths is None:
        return None
    ends = cursor.at.copy()
    headers = cursor.longs()
    if cursor.is_bad.any() or headers.any() or (cursor.at != cursor.ends).any():
        return None
    return Bytes(cursor.data, ends - lengths, ends)


def _skip_bytes(cursor: Cursor) -> Longs | None:
    """The length of each that was skipped; None where one is null or too long."""
    lengths = cursor.longs()
    if cursor.is_bad.any() or ((lengths < 0) | (lengths > cursor.ends - cursor.at)).any():
        return None
    cursor.skip(lengths)
    return lengths


def _one_by_one(batches: Sequence[_Batch], begin: Position) -> list[Record]:
    return [
        record
        for batch in batches
        for record in as_records(begin.topic, begin.partition, _records_of(batch, begin))
    ]


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
