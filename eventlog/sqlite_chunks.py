"""Reading chunks from an SQLite log, in the order in which they were appended.

Rule: as in `eventlog.sqlite_tail`, `seq` has no gaps, every record is checked
against its sum, and every partition goes on where it was; damage is met as
`LogCorrupt` at its first position, after what came before it was handed on.

One pass over the file in its own order is many times faster than a pass for
each partition. Each row that SQLite hands over costs as much as decoding an
event, so it joins the columns of many rows itself, and what it joined is read
again row by row only where something is wrong. What is not here: the map, which
is read by `Log.read`, and how sums are compared (`eventlog.sqlite_sums`).
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa

from eventlog.avro_cursor import PADDING, Bytes, Longs
from eventlog.chunks import CHUNK_RECORDS, Chunk, joined, numbers
from eventlog.errors import LogCorrupt
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.sqlite import SqliteLog
from eventlog.sqlite_errors import damaged, explained
from eventlog.sqlite_read import bad_record, missing_record, place_of, record_sum
from eventlog.sqlite_sums import KEY_BYTES, Sums, do_match, seeds_of

_JOINED = (
    "SELECT group_concat(crc << 31 | length(value)), group_concat(offset + 0),"
    " group_concat(timestamp + 0), CAST(group_concat(key || value, '') AS BLOB)"
    " FROM records WHERE seq BETWEEN ? AND ?"
)
"""Sums of whole numbers are whole numbers, whatever was stored; texts of them are always read."""
_LENGTH_BITS = 31
_ROWS = (
    "SELECT seq, topic, partition, offset, timestamp, key, value, crc FROM records"
    " WHERE seq BETWEEN ? AND ? ORDER BY seq"
)
_SEQ = "SELECT seq FROM records WHERE topic = 'rg' AND partition = ? AND offset = ?"
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
        self._seeds = seeds_of(count)

    def chunks(self, first: int, last: int) -> Iterator[Chunk]:
        """All that is wanted between these two, in order."""
        for seq in range(first, last + 1, CHUNK_RECORDS):
            end = min(seq + CHUNK_RECORDS - 1, last)
            found, error = self._fast(seq, end), None
            if found is None:
                found, error = self._slow(seq, end)
            chunk = self._wanted(found)
            if len(chunk):
                yield chunk
            if error is not None:
                raise error

    def _fast(self, first: int, last: int) -> Chunk | None:
        """These rows if all are whole and of RGs; None where one needs a closer look."""
        try:
            (joined_,) = self._connection.execute(_JOINED, (first, last))
        except sqlite3.DataError:
            return None  # longer than SQLite lets a value be
        *texts, octets = joined_
        if octets is None:
            return None
        packed, offsets, timestamps = (np.fromstring(text, np.int64, sep=",") for text in texts)
        lengths = packed & ((1 << _LENGTH_BITS) - 1)
        ends = np.cumsum(lengths + KEY_BYTES)
        counts = {len(each) for each in (packed, offsets, timestamps)}
        if counts != {last + 1 - first} or ends[-1] != len(octets):
            return None
        values = Bytes(pa.py_buffer(octets + PADDING), ends - lengths, ends)
        partitions = self._partitions(octets, ends - lengths - KEY_BYTES)
        found = Sums(partitions, offsets, timestamps, ends, packed >> _LENGTH_BITS)
        if not do_match(found, octets, self._seeds):
            return None
        return Chunk(partitions, offsets, timestamps, values)

    def _partitions(self, octets: bytes, keys: Longs) -> Longs:
        """Where records with these keys should stand, as their sums then say they do."""
        rgs = np.ndarray((len(octets) - KEY_BYTES + 1,), ">u4", octets, strides=(1,))[keys]
        return rgs.astype(np.int64) % len(self._seeds)

    def _slow(self, first: int, last: int) -> tuple[Chunk, LogCorrupt | None]:
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
        return Chunk(partitions, offsets, timestamps, joined([row[6] for row in kept])), error

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

    def _wanted(self, found: Chunk) -> Chunk:
        is_wanted = found.offsets >= self._next[found.partitions]
        is_wanted &= found.offsets < self._ends[found.partitions]
        chunk = found if is_wanted.all() else found.at(np.flatnonzero(is_wanted))
        self._follow(chunk)
        return chunk

    def _follow(self, chunk: Chunk) -> None:
        """Every partition must go on where it was."""
        counts = np.bincount(chunk.partitions, minlength=len(self._next))
        short = chunk.partitions.astype(np.min_scalar_type(len(counts)))
        order = np.argsort(short, kind="stable")  # a tenth of what longer numbers take
        partitions, offsets = chunk.partitions[order], chunk.offsets[order]
        firsts = np.cumsum(counts) - counts
        due = (self._next - firsts)[partitions] + np.arange(len(order))
        wrong = np.flatnonzero(offsets != due)
        if len(wrong):
            place = Partition(int(partitions[wrong[0]]))
            missing = Position(Topic.RG, place, Offset(int(due[wrong[0]])))
            raise missing_record(self._log.path, missing)
        self._next += counts
