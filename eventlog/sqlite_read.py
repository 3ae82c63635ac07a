"""Reading records from an SQLite log, each checked.

Rule: a record is handed on only if its own sum matches its place, and its
place is the one after the record before; what a partition should end at is
read in the same snapshot. So damage is met as `LogCorrupt` at its first
position, never as a wrong or missing record. What came before it is returned
first.

What is not here: waiting, and following many partitions (`eventlog.sqlite_tail`).
"""

import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from eventlog.errors import LogCorrupt, LogError, RecordMissing
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.log import Record, TopicPartition
from eventlog.places import ends_before
from eventlog.sqlite_errors import damaged, explained
from eventlog.sqlite_file import end_transaction, head_sum

pack_place = struct.Struct("<qqI").pack
"""Offset, timestamp and length of the key, as a record's sum has them."""

new_tuple = tuple.__new__
"""Makes a Record in half the time that calling it takes."""

_OF_PARTITION = (
    "SELECT offset, timestamp, key, value, crc FROM records"
    " WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?"
)
_HEAD = "SELECT next_offset, crc FROM heads WHERE topic = ? AND partition = ?"
_HEADS = "SELECT topic, partition, next_offset, crc FROM heads"
_TOPICS = {topic.value.encode(): topic for topic in Topic}


class Piece(NamedTuple):
    """What was read of a partition, and where the partition ended then."""

    records: list[Record]
    end: Offset


class Place(NamedTuple):
    """A partition, with what its sums begin with."""

    topic: Topic
    partition: Partition
    seed: int


def seed_of(topic: Topic, partition: Partition) -> int:
    """What the sums of a partition's records begin with."""
    return crc32(f"{topic.value}/{partition}".encode())


def place_of(topic: Any, partition: Any) -> Place | None:
    """The partition that two columns name; None if they name none."""
    if (found := _TOPICS.get(topic)) is None or not isinstance(partition, int):
        return None
    return Place(found, Partition(partition), seed_of(found, Partition(partition)))


def record_sum(seed: int, offset: int, timestamp: int, key: bytes, value: bytes) -> int:
    """CRC-32 over topic, partition, offset, timestamp, key and value."""
    return crc32(value, crc32(key, crc32(pack_place(offset, timestamp, len(key)), seed)))


def read_partition(
    connection: sqlite3.Connection, path: Path, place: Place, offset: Offset, max_records: int
) -> Piece:
    """Up to `max_records` checked records from `offset` on, of one snapshot.

    Fewer also where the next one is damaged: reading on from there says so.
    """
    topic, partition = place.topic.value, place.partition
    try:
        connection.execute("BEGIN")
        try:
            end = read_head(connection, path, (place.topic, partition))
            if offset > end:
                raise ends_before((place.topic, partition), end, offset)
            if offset == end:
                return Piece([], end)
            offsets = range(offset, min(end, offset + max_records))
            # A cursor that is not closed would keep this snapshot for whoever reads next.
            with closing(
                connection.execute(_OF_PARTITION, (topic, partition, offset, max_records))
            ) as rows:
                return Piece(_checked(rows, path, place, offsets), end)
        finally:
            end_transaction(connection)
    except sqlite3.Error as error:
        raise explained(error, path) from error


def read_head(connection: sqlite3.Connection, path: Path, place: TopicPartition) -> Offset:
    """Where a partition ends (exclusive)."""
    topic, partition = place
    row = connection.execute(_HEAD, (topic.value, partition)).fetchone()
    if row is None:
        raise damaged(path, f"the end of {topic}/{partition} is missing")
    return _checked_head(path, topic, partition, *row)


def read_heads(connection: sqlite3.Connection, path: Path) -> dict[TopicPartition, Offset]:
    """Where every partition ends, of one snapshot."""
    heads: dict[TopicPartition, Offset] = {}
    for topic, partition, next_offset, crc in connection.execute(_HEADS).fetchall():
        if (place := place_of(topic, partition)) is None:
            raise damaged(path, "the end of a partition cannot be read")
        end = _checked_head(path, place.topic, place.partition, next_offset, crc)
        heads[place.topic, place.partition] = end
    return heads


def bad_record(path: Path, position: Position) -> LogCorrupt:
    """The error for a record whose sum is wrong."""
    return damaged(path, f"the record at {position} does not match its sum")


def missing_record(path: Path, position: Position) -> RecordMissing:
    """The error for a gap."""
    found = damaged(path, f"the record at {position} is missing")
    return RecordMissing(found.what, found.hint)


def _checked_head(path: Path, topic: Topic, partition: Partition, end: Any, crc: Any) -> Offset:
    if not isinstance(end, int) or head_sum(topic.value, partition, end) != crc:
        raise damaged(path, f"the end of {topic}/{partition} does not match its sum")
    return Offset(end)


def _checked(rows: Iterable[Any], path: Path, place: Place, offsets: range) -> list[Record]:
    """Records for exactly these offsets, or those before the first bad one."""
    records: list[Record] = []
    try:
        _check_into(records, rows, path, place, offsets)
    except LogError:
        if not records:
            raise
    except sqlite3.Error as error:
        if not records:
            raise explained(error, path) from error
    return records


def _check_into(
    records: list[Record], rows: Iterable[Any], path: Path, place: Place, offsets: range
) -> None:
    topic, partition, seed = place
    expected = offsets.start
    try:
        for offset, timestamp, key, value, crc in rows:
            if offset != expected:
                raise missing_record(path, Position(topic, partition, Offset(expected)))
            sum_of_place = crc32(pack_place(offset, timestamp, len(key)), seed)
            if crc32(value, crc32(key, sum_of_place)) != crc:
                raise bad_record(path, Position(topic, partition, Offset(expected)))
            records.append(new_tuple(Record, (topic, partition, offset, timestamp, key, value)))
            expected += 1
    except (TypeError, struct.error):
        raise bad_record(path, Position(topic, partition, Offset(expected))) from None
    if expected < offsets.stop:
        raise missing_record(path, Position(topic, partition, Offset(expected)))
    if expected > offsets.stop:
        del records[len(offsets) :]
        raise damaged(path, f"{topic}/{partition} goes on after its end @{offsets.stop}")
