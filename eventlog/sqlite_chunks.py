"""Reading chunks from an SQLite log, in the order in which they were appended.

Rule: as in `eventlog.sqlite_tail`, `seq` has no gaps, every record is checked
against its sum, and every partition goes on where it was; damage is met as
`LogCorrupt` at its first position, after what came before it was handed on.

One pass over the file in its own order is many times faster than a pass for
each partition. Each column that SQLite hands over costs as much as decoding a
field, so a row has as few as can be: what they leave out is read again only
where something is wrong. What is not here: the map, which is read by `Log.read`.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from eventlog.avro_cursor import Longs
from eventlog.chunks import CHUNK_RECORDS, Chunk, joined, numbers
from eventlog.errors import LogCorrupt
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.sqlite import SqliteLog
from eventlog.sqlite_errors import damaged, explained
from eventlog.sqlite_read import bad_record, missing_record, place_of, record_sum, seed_of

_PACKED = (
    "SELECT CASE topic WHEN 'rg' THEN partition << 32 | crc ELSE -1 END,"
    " offset, timestamp, key, value FROM records WHERE seq BETWEEN ? AND ? ORDER BY seq"
)
_PACKED_COLUMNS = 5
_ROWS = (
    "SELECT seq, topic, partition, offset, timestamp, key, value, crc FROM records"
    " WHERE seq BETWEEN ? AND ? ORDER BY seq"
)
_SEQ = "SELECT seq FROM records WHERE topic = 'rg' AND partition = ? AND offset = ?"
_BYTE = np.uint32(0xFF)
_EIGHT = np.uint32(8)
_CRCS = np.array([crc32(bytes([n]), 0xFFFFFFFF) ^ 0xFFFFFFFF for n in range(256)], np.uint32)
"""What one byte does to a CRC-32 that is not yet inverted."""

Crcs = npt.NDArray[np.uint32]
Row = tuple[Any, ...]
Ends = Mapping[Partition, Offset]


def read_chunks(log: SqliteLog, starts: Ends, ends: Ends) -> Iterator[Chunk]:
    """The records of each partition from its start to its end.

    Raises `LogCorrupt`, `LogUnavailable`.
    """
    wanted = [partition for partition in ends if starts[partition] < ends[partition]]
    if not wanted:
        return
    try:
        with closing(log.connect()) as connection:
            first = min(_seq(connection, log, p, starts[p]) for p in wanted)
            last = max(_seq(connection, log, p, Offset(ends[p] - 1)) for p in wanted)
            yield from _Scan(connection, log, starts, ends).chunks(first, last)
    except sqlite3.Error as error:
        raise explained(error, log.path) from error


def _seq(
    connection: sqlite3.Connection, log: SqliteLog, partition: Partition, offset: Offset
) -> int:
    row = connection.execute(_SEQ, (partition, offset)).fetchone()
    if row is None:
        raise missing_record(log.path, Position(Topic.RG, partition, offset))
    return int(row[0])


class _Columns(NamedTuple):
    """Whole rows of the topic `rg`, as arrays."""

    partitions: Longs
    offsets: Longs
    timestamps: Longs
    values: Sequence[bytes]

    def at(self, index: Longs) -> "_Columns":
        """Some of the rows."""
        values = [self.values[n] for n in index.tolist()]
        return _Columns(self.partitions[index], self.offsets[index], self.timestamps[index], values)


class _Scan:
    """One pass, with what is expected next of each partition."""

    def __init__(
        self, connection: sqlite3.Connection, log: SqliteLog, starts: Ends, ends: Ends
    ) -> None:
        self._connection = connection
        self._log = log
        count = log.identity.partitions
        self._next = np.array([starts.get(Partition(p), 0) for p in range(count)], np.int64)
        self._ends = np.array([ends.get(Partition(p), 0) for p in range(count)], np.int64)
        self._seeds = np.array([seed_of(Topic.RG, Partition(p)) for p in range(count)], np.uint32)

    def chunks(self, first: int, last: int) -> Iterator[Chunk]:
        """All that is wanted between these two, in order."""
        for seq in range(first, last + 1, CHUNK_RECORDS):
            end = min(seq + CHUNK_RECORDS - 1, last)
            columns = self._fast(seq, end)
            error = None
            if columns is None:
                columns, error = self._slow(seq, end)
            chunk = self._chunk(columns)
            if len(chunk):
                yield chunk
            if error is not None:
                raise error

    def _fast(self, first: int, last: int) -> _Columns | None:
        """These rows if all are whole; None where one needs a closer look."""
        flat = list(chain.from_iterable(self._connection.execute(_PACKED, (first, last))))
        packed, offsets, timestamps, keys, values = (
            flat[n::_PACKED_COLUMNS] for n in range(_PACKED_COLUMNS)
        )
        try:
            places = numbers(packed)
            columns = _Columns(places >> 32, numbers(offsets), numbers(timestamps), values)
            is_whole = len(values) == last + 1 - first and self._match(columns, keys, places)
        except (TypeError, ValueError, OverflowError):
            return None  # a column is not of its type
        return columns if is_whole else None

    def _match(self, columns: _Columns, keys: Sequence[bytes], places: Longs) -> bool:
        if columns.partitions.min() < 0 or columns.partitions.max() >= len(self._seeds):
            return False
        sums = self._seeds[columns.partitions]
        lengths = numbers(list(map(len, keys)))
        for number, size in ((columns.offsets, 8), (columns.timestamps, 8), (lengths, 4)):
            sums = _sums_after(sums, number, size)
        after_keys = map(crc32, keys, sums.tolist())
        found = numbers(list(map(crc32, columns.values, after_keys)))
        return bool((found == places & 0xFFFFFFFF).all())

    def _slow(self, first: int, last: int) -> tuple[_Columns, LogCorrupt | None]:
        """The rows of the topic before the first that is not whole, and what is wrong with it."""
        kept: list[Row] = []
        seq, error = first - 1, None
        for row in self._connection.execute(_ROWS, (first, last)).fetchall():
            if error := self._fault(row, seq + 1):
                break
            seq += 1
            if row[1] == Topic.RG.value.encode():
                kept.append(row)
        if error is None and seq < last:
            error = damaged(self._log.path, f"append {seq + 1:,} is missing")
        partitions, offsets, timestamps = (numbers([row[n] for row in kept]) for n in (2, 3, 4))
        return _Columns(partitions, offsets, timestamps, [row[6] for row in kept]), error

    def _fault(self, row: Row, expected: int) -> LogCorrupt | None:
        seq, topic, partition, offset, timestamp, key, value, crc = row
        path, place = self._log.path, place_of(topic, partition)
        if seq != expected:
            return damaged(path, f"append {expected:,} is missing")
        if place is None or not isinstance(offset, int):
            return damaged(path, f"the record of append {seq:,} does not match its sum")
        try:
            if record_sum(place.seed, offset, timestamp, key, value) == crc:
                return None
        except (TypeError, ValueError, OverflowError):
            pass  # a column is not of its type
        return bad_record(path, Position(place.topic, place.partition, Offset(offset)))

    def _chunk(self, columns: _Columns) -> Chunk:
        is_wanted = columns.offsets >= self._next[columns.partitions]
        is_wanted &= columns.offsets < self._ends[columns.partitions]
        if not is_wanted.all():
            columns = columns.at(np.flatnonzero(is_wanted))
        partitions, offsets, timestamps, values = columns
        chunk = Chunk(partitions, offsets, timestamps, joined(values))
        self._follow(chunk)
        return chunk

    def _follow(self, chunk: Chunk) -> None:
        """Every partition must go on where it was."""
        order = np.argsort(chunk.partitions, kind="stable")
        partitions, offsets = chunk.partitions[order], chunk.offsets[order]
        found, firsts, counts = np.unique(partitions, return_index=True, return_counts=True)
        due = np.repeat(self._next[found] - firsts, counts) + np.arange(len(order))
        wrong = np.flatnonzero(offsets != due)
        if len(wrong):
            place = Partition(int(partitions[wrong[0]]))
            missing = Position(Topic.RG, place, Offset(int(due[wrong[0]])))
            raise missing_record(self._log.path, missing)
        self._next[found] += counts


def _sums_after(sums: Crcs, numbers_: Longs, size: int) -> Crcs:
    """CRC-32 gone on over `size` bytes, little-endian, of each number."""
    octets = numbers_.astype("<i8").view(np.uint8).reshape(-1, 8)
    sums = ~sums
    for place in range(size):
        sums = _CRCS[(sums & _BYTE) ^ octets[:, place]] ^ (sums >> _EIGHT)
    return ~sums
