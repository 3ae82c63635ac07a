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
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from crc32c import crc32c
from kafka.record.default_records import DefaultRecordBatch

from eventlog.avro_cursor import PADDING, Bytes, Cursor, Longs
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

PIECE_BYTES = 1024 * 1024
"""Some thousand records: they are still in a processor's cache when their fields are read."""
_COMPRESSION = 0b111
_IS_APPEND_TIME = 0b1000
_IS_TRANSACTIONAL = 0b11_0000


class _Batch(NamedTuple):
    start: int
    """Where it begins in the bytes that were fetched."""
    end: int
    base: int
    next_offset: int
    base_time: int
    max_time: int
    is_append_time: bool
    is_plain: bool
    records: int


class Batches(NamedTuple):
    """The records of one fetch of one partition."""

    chunk: Chunk
    next_offset: Offset
    """Behind the last batch."""


def pieces(raw: memoryview) -> Iterator[memoryview]:
    """Batches of a fetch, some `PIECE_BYTES` at a time; a cut one goes with the last."""
    start = at = 0
    while len(raw) - at >= _LENGTH_FROM:
        at += _LENGTH_FROM + max(int.from_bytes(raw[at + 8 : at + _LENGTH_FROM], "big"), 0)
        if at - start >= PIECE_BYTES:
            yield raw[start:at]
            start = at
    if start < len(raw):
        yield raw[start:]


def decode_batches(raw: bytes | memoryview, begin: Position) -> Batches:
    """The records from a position on; a batch that is cut off at the end is left out.

    Raises `LogCorrupt`, with the base offset of the first batch that is damaged.
    """
    data = b"".join((raw, PADDING))
    batches = list(_batches(memoryview(data)[: len(raw)], begin))
    if not batches:
        return Batches(chunk_of([]), begin.offset)
    chunk = _all_at_once(data, batches, begin) if all(each.is_plain for each in batches) else None
    if chunk is None:
        chunk = chunk_of(_one_by_one(data, batches, begin))
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
            start=at,
            end=end,
            base=base,
            next_offset=offset,
            base_time=head[7],
            max_time=head[8],
            is_append_time=bool(attributes & _IS_APPEND_TIME),
            is_plain=is_dense and not attributes & (_COMPRESSION | _IS_TRANSACTIONAL),
            records=head[12],
        )
        at = end


def _all_at_once(data: bytes, batches: Sequence[_Batch], begin: Position) -> Chunk | None:
    """None where a record is not as this program writes it."""
    counts = numbers([batch.records for batch in batches])
    firsts = np.cumsum(counts) - counts
    places = _places(data, batches, firsts)
    if places is None:
        return None
    values = _values(Cursor(pa.py_buffer(data), *places))
    if (
        values is None
        or (values.deltas != np.arange(len(values.deltas)) - firsts.repeat(counts)).any()
    ):
        return None
    bases = numbers([batch.base for batch in batches])
    base_times = numbers([b.max_time if b.is_append_time else b.base_time for b in batches])
    is_relative = np.array([not batch.is_append_time for batch in batches])
    return Chunk(
        np.full(len(values.deltas), begin.partition, np.int64),
        values.deltas + bases.repeat(counts),
        1_000 * (base_times.repeat(counts) + values.times * is_relative.repeat(counts)),
        values.bytes,
    )


def _places(data: bytes, batches: Sequence[_Batch], firsts: Longs) -> tuple[Longs, Longs] | None:
    """Where each record begins and ends; None where those of a batch do not fill it."""
    found: list[int] = []
    for batch in batches:
        found += _ends(data, batch.start + _HEAD.size, batch.records)
        if found[-1] != batch.end:
            return None
    ends = numbers(found)
    starts = np.roll(ends, 1)
    starts[firsts] = [batch.start + _HEAD.size for batch in batches]
    return starts, ends


def _ends(data: bytes, at: int, count: int) -> list[int]:
    """Where records end, one after the other: the only loop over them."""
    steps = _STEPS
    try:
        return [
            at := at + (steps[data[at + 1]][data[at]] or _long_step(data, at))
            for _ in repeat(None, count)
        ]
    except IndexError:
        return [at]


def _step(first: int, second: int) -> int:
    """From a length to behind what it measures; 0 where it goes on after two bytes."""
    if first < 128:
        return 1 + (first >> 1)
    return 2 + ((first - 128 + second * 128) >> 1) if second < 128 else 0


_STEPS = [[_step(first, second) for first in range(256)] for second in range(256)]


def _long_step(data: bytes, at: int) -> int:
    length, size = 0, 0
    while True:
        octet = data[at + size]
        length |= (octet & 127) << (7 * size)
        size += 1
        if octet < 128:
            return size + (length >> 1)


class _Values(NamedTuple):
    """What the records say, but for their keys."""

    times: Longs
    deltas: Longs
    bytes: Bytes


def _values(cursor: Cursor) -> _Values | None:
    """None where a record is not whole, or has no key, no value or a header."""
    lengths = cursor.longs()
    if (lengths != cursor.ends - cursor.at).any():
        return None
    cursor.skip(1)  # attributes, of which there are none
    times, deltas = cursor.longs(), cursor.longs()
    if _skip_bytes(cursor) is None:  # the key
        return None
    sizes = _skip_bytes(cursor)
    if sizes is None:
        return None
    ends = cursor.at.copy()
    headers = cursor.longs()
    if cursor.is_bad.any() or headers.any() or (cursor.at != cursor.ends).any():
        return None
    return _Values(times, deltas, Bytes(cursor.data, ends - sizes, ends))


def _skip_bytes(cursor: Cursor) -> Longs | None:
    """The length of each that was skipped; None where one is null or too long."""
    lengths = cursor.longs()
    if len(lengths) and lengths.min() < 0:
        return None
    cursor.skip(lengths)
    return None if cursor.is_bad.any() else lengths


def _one_by_one(data: bytes, batches: Sequence[_Batch], begin: Position) -> list[Record]:
    return [
        record
        for batch in batches
        for record in as_records(begin.topic, begin.partition, _records_of(data, batch, begin))
    ]


def _records_of(data: bytes, batch: _Batch, begin: Position) -> Iterator[Any]:
    read = DefaultRecordBatch(data[batch.start : batch.end])
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
