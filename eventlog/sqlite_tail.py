"""Following partitions of an SQLite log.

Rule: partitions that were read to their end share one cursor over `seq`, the
order of all appends, so that a poll costs the same however many are followed.
A freshly followed one is *behind*: it is read by itself, to its end, and then
joins; what the cursor shows of it a second time is passed over. `seq` has no
gaps and every record is checked, so a lost one is `LogCorrupt`.

An append through the same log object wakes a waiting poll at once. Those of
other processes are seen in `PRAGMA data_version`, asked every millisecond
when something came lately, down to every 20 when nothing did.
"""

import sqlite3
import struct
import threading
import time
from collections.abc import Iterable
from typing import Any, Protocol
from zlib import crc32

from eventlog.errors import LogCorrupt, LogError
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.log import Record
from eventlog.sqlite_errors import damaged, explained
from eventlog.sqlite_file import Hold
from eventlog.sqlite_read import (
    Place,
    bad_record,
    missing_record,
    new_tuple,
    pack_place,
    place_of,
    read_partition,
    record_sum,
)

_AFTER = (
    "SELECT seq, topic, partition, offset, timestamp, key, value, crc FROM records"
    " WHERE seq > ? ORDER BY seq"
)
_BUSY_PAUSE_S = 0.010
_IDLE_PAUSE_S = 0.020
_PAUSE_GROWTH = 1.25


class _Owner(Protocol):
    def place(self, topic: Topic, partition: Partition) -> Place: ...

    def forget(self, tail: "SqliteTail") -> None: ...


class _Followed:
    """One followed partition."""

    __slots__ = ("joined", "next_offset", "partition", "seed", "topic")

    def __init__(self, place: Place, next_offset: Offset) -> None:
        self.topic, self.partition, self.seed = place
        self.next_offset: int = next_offset
        self.joined = False

    @property
    def place(self) -> Place:
        return Place(self.topic, self.partition, self.seed)


class SqliteTail:
    """One connection of its own; see `eventlog.log.Tail`."""

    def __init__(self, hold: Hold, connection: sqlite3.Connection, owner: _Owner) -> None:
        self._hold = hold
        self._path = hold.path
        self._connection = connection
        self._owner = owner
        # The key is as the columns come: topic in bytes.
        self._followed: dict[tuple[bytes, int], _Followed] = {}
        self._behind: dict[tuple[bytes, int], _Followed] = {}
        # Partitions not followed whose records were met.
        self._others: dict[tuple[bytes, int], Place] = {}
        self._cursor: int | None = None
        self._data_version = -1
        self._pause_s = _BUSY_PAUSE_S
        self._changed = threading.Condition()
        self._appended = False
        self._woken = False

    def follow(self, topic: Topic, partition: Partition, next_offset: Offset) -> None:
        """Begin with the record at `next_offset`; following again moves the place."""
        followed = _Followed(self._owner.place(topic, partition), next_offset)
        key = (topic.value.encode(), partition)
        self._followed[key] = self._behind[key] = followed

    def unfollow(self, topic: Topic, partition: Partition) -> None:
        """Read that partition no more."""
        key = (topic.value.encode(), partition)
        self._followed.pop(key, None)
        self._behind.pop(key, None)

    def poll(self, timeout_ms: int, max_records: int = 10_000) -> list[Record]:
        """Records of followed partitions; see `Tail.poll`."""
        deadline = time.monotonic() + timeout_ms / 1_000
        try:
            records = self._read(max_records)
            while not records and timeout_ms > 0 and self._wait_until(deadline):
                records = self._read(max_records)
        except sqlite3.Error as error:
            raise explained(error, self._path) from error
        if records:
            self._pause_s = _BUSY_PAUSE_S
        # Whoever woke us did so before this, and sees poll return.
        self._woken = False
        return records

    def wake(self) -> None:
        """Make a waiting (or the next) `poll` return without waiting."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def appended(self) -> None:
        """This process appended something: look at once."""
        with self._changed:
            self._appended = True
            self._changed.notify()

    def close(self) -> None:
        """Give back the connection; closing twice is harmless."""
        self._owner.forget(self)
        self._connection.close()
        self._hold.release()

    def _wait_until(self, deadline: float) -> bool:
        """True when there may be something new, False when the time is over or on `wake`."""
        with self._changed:
            while not self._woken:
                if self._appended or self._changed_by_others():
                    self._appended = False
                    return True
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                if not self._changed.wait(min(left_s, self._pause_s)):
                    self._pause_s = min(self._pause_s * _PAUSE_GROWTH, _IDLE_PAUSE_S)
            return False

    def _changed_by_others(self) -> bool:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        changed: bool = version != self._data_version
        self._data_version = version
        return changed

    def _read(self, max_records: int) -> list[Record]:
        if not self._behind:
            return self._read_joined(max_records)
        # Half for those that joined, so that a long history does not hold them up.
        records = self._read_joined(max(1, max_records // 2))
        try:
            self._read_behind(records, max_records)
        except (LogError, sqlite3.Error):
            if not records:
                raise
        return records

    def _read_behind(self, records: list[Record], max_records: int) -> None:
        if self._cursor is None:
            (last,) = self._connection.execute("SELECT max(seq) FROM records").fetchone()
            self._cursor = last or 0
        for key, followed in list(self._behind.items()):
            room = max_records - len(records)
            if room <= 0:
                return
            offset = Offset(followed.next_offset)
            read = read_partition(self._connection, self._path, followed.place, offset, room)
            records += read.records
            followed.next_offset += len(read.records)
            del self._behind[key]
            followed.joined = followed.next_offset == read.end
            if not followed.joined:
                self._behind[key] = followed  # behind the others: each gets its turn

    def _read_joined(self, max_records: int) -> list[Record]:
        if len(self._behind) == len(self._followed):
            self._cursor = None
        if self._cursor is None:
            return []
        records: list[Record] = []
        rows = self._connection.execute(_AFTER, (self._cursor,))
        try:
            self._take(rows, records, max_records)
        except (LogError, sqlite3.Error):
            if not records:
                raise
        finally:
            rows.close()
        return records

    def _take(self, rows: Iterable[Any], records: list[Record], max_records: int) -> None:
        """Move the cursor over rows, up to the first bad one, keeping those followed.

        This loop is what a replay's speed is made of: it calls nothing of ours.
        """
        followed, room = self._followed, max_records
        cursor = self._cursor
        assert cursor is not None
        try:
            for row in rows:
                seq, topic, partition, offset, timestamp, key, value, crc = row
                if seq != cursor + 1:
                    raise damaged(self._path, f"append {cursor + 1:,} is missing")
                found = followed.get((topic, partition))
                if found is None or not found.joined or offset != found.next_offset:
                    self._pass_over(found, row)
                else:
                    seed = found.seed
                    place = pack_place(offset, timestamp, len(key))
                    if crc32(value, crc32(key, crc32(place, seed))) != crc:
                        raise self._bad_row(row)
                    fields = (found.topic, found.partition, offset, timestamp, key, value)
                    records.append(new_tuple(Record, fields))
                    found.next_offset = offset + 1
                    room -= 1
                cursor = seq
                if not room:
                    return
        except (TypeError, struct.error):
            raise self._bad_row(row) from None
        finally:
            self._cursor = cursor

    def _pass_over(self, found: _Followed | None, row: Any) -> None:
        """A row that is not read here must not be one that should be."""
        if found is None:
            self._check_other(row)
        elif found.joined and row[3] > found.next_offset:
            missing = Position(found.topic, found.partition, Offset(found.next_offset))
            raise missing_record(self._path, missing)

    def _check_other(self, row: Any) -> None:
        """A record of another partition: unless it is whole, it may be one of ours."""
        _, topic, partition, offset, timestamp, key, value, crc = row
        place = self._others.get((topic, partition)) or place_of(topic, partition)
        if place is None or record_sum(place.seed, offset, timestamp, key, value) != crc:
            raise self._bad_row(row)
        self._others[topic, partition] = place

    def _bad_row(self, row: Any) -> LogCorrupt:
        seq, topic, partition, offset = row[:4]
        if (place := place_of(topic, partition)) is None or not isinstance(offset, int):
            return damaged(self._path, f"the record of append {seq:,} does not match its sum")
        return bad_record(self._path, Position(place.topic, place.partition, Offset(offset)))
