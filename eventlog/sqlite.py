"""The embedded log: one SQLite file, used by several processes at once.

Rule: one `append` is one transaction, synced before it returns. What fails
before COMMIT appended nothing; what fails in COMMIT may have appended all, and
only reading on can tell. So room is asked for first: a full disk would else be
met in COMMIT. Appends take turns across processes; readers never wait for them.

What is not here: the file's shape (`eventlog.sqlite_file`), checking records
(`eventlog.sqlite_read`), following (`eventlog.sqlite_tail`).
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from eventlog.errors import AppendUnknown, LogReplaced, LogUnavailable
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.log import Entry, LogIdentity, Record, TopicPartition
from eventlog.places import no_such_place
from eventlog.sqlite_errors import explained, full, unreadable
from eventlog.sqlite_file import (
    PATIENCE_S,
    Hold,
    check_content,
    connect,
    create_file,
    end_transaction,
    head_sum,
)
from eventlog.sqlite_read import (
    Place,
    read_head,
    read_heads,
    read_partition,
    record_sum,
    seed_of,
)
from eventlog.sqlite_tail import SqliteTail
from eventlog.sqlite_turn import Turn, noted_appends

if TYPE_CHECKING:
    from eventlog.chunks import Chunk

_INSERT = (
    "INSERT INTO records (topic, partition, offset, timestamp, key, value, crc)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SET_HEAD = "UPDATE heads SET next_offset = ?, crc = ? WHERE topic = ? AND partition = ?"
RESERVED_BYTES = 1024 * 1024
"""An append that would leave less of the disk free is refused."""
_RECORD_BYTES = 8 * 1024
"""Of pages that a record may touch beside its own bytes."""
_MANY_HEADS = 64
"""From here on it is cheaper to read all ends than one by one."""


class SqliteLog:
    """Two connections: one appends, one reads, so that a reader waits for no sync."""

    is_export = False
    """Whether it is never written; see `eventlog.state_file`."""

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        """Open an existing log; raises `LogMissing`, `WrongLog`, `LogCorrupt`, `LogUnavailable`."""
        self._path = path.absolute()
        self._patience_s = patience_s
        self._closed = False
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._turn = Turn(self._path, patience_s)
        self._writer: sqlite3.Connection | None = None
        # Ends of partitions as this process left them, for as long as nobody else appends.
        self._ends: dict[TopicPartition, Offset] = {}
        self._ends_version = -1
        self._tails: tuple[SqliteTail, ...] = ()
        self._hold = Hold(self._path)
        with ExitStack() as opened:
            opened.callback(self._hold.release)
            self._reader = self.connect()
            opened.callback(self._reader.close)
            appends = noted_appends(self._path)
            self._identity = check_content(
                self._reader, self._path, appends, is_export=self.is_export
            )
            opened.pop_all()

    @classmethod
    def create(cls, path: Path, identity: LogIdentity, patience_s: float = PATIENCE_S) -> Self:
        """Make a new log and open it; `WrongLog` where there is something already."""
        create_file(path.absolute(), identity)
        return cls(path, patience_s)

    @property
    def identity(self) -> LogIdentity:
        """What the log says it is."""
        return self._identity

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def url(self) -> str:
        """The address that opens it again."""
        return f"sqlite:{self._path}"

    @property
    def caution(self) -> str:
        """Nothing."""
        return ""

    @property
    def is_at_hand(self) -> bool:
        """Yes: the file is on this machine."""
        return True

    def append(self, entries: Sequence[Entry]) -> list[Position]:
        """Append in one transaction; see `Log.append`."""
        now = time.time_ns() // 1_000
        return self.append_at(entries, [now] * len(entries))

    def append_at(self, entries: Sequence[Entry], times: Sequence[int]) -> list[Position]:
        """The same with the times at which another log, of which this is a copy, had them."""
        if not entries:
            return []
        with self._write_lock, self._turn:
            self._require_same_file()
            self._require_room(entries)
            try:
                positions = self._append(entries, times)
            except sqlite3.Error as error:
                raise explained(error, self._path) from error
        for tail in self._tails:
            tail.appended()
        return positions

    def read(
        self, topic: Topic, partition: Partition, offset: Offset, max_records: int = 10_000
    ) -> list[Record]:
        """Records from `offset` on; see `Log.read`."""
        place = self.place(topic, partition)
        with self._read_lock:
            self._require_same_file()
            return read_partition(self._reader, self._path, place, offset, max_records).records

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, Offset]:
        """Where each partition ends; see `Log.end_offsets`."""
        wanted = list(partitions)
        for place in wanted:
            self.place(*place)
        with self._read_lock:
            self._require_same_file()
            try:
                return self._heads(wanted)
            except sqlite3.Error as error:
                raise explained(error, self._path) from error

    def tail(self) -> SqliteTail:
        """A new reader that follows nothing yet."""
        with self._write_lock:
            self._require_same_file()
            with ExitStack() as opened:
                hold = Hold(self._path)
                opened.callback(hold.release)
                tail = SqliteTail(hold, self.connect(), self)
                opened.pop_all()
            self._tails = (*self._tails, tail)
            return tail

    def read_chunks(
        self, starts: Mapping[Partition, Offset], ends: Mapping[Partition, Offset]
    ) -> "Iterator[Chunk]":
        """Many records at once; see `eventlog.chunk_reading`."""
        from eventlog.sqlite_chunks import read_chunks  # noqa: PLC0415 - few need arrays

        return read_chunks(self, starts, ends)

    def connect(self) -> sqlite3.Connection:
        """One more connection to the file."""
        return connect(self._path, self._patience_s, is_export=self.is_export)

    def close(self) -> None:
        """Give back the file; closing twice is harmless."""
        with self._write_lock, self._read_lock:
            self._closed = True
            self._drop_writer()
            self._turn.close()
            self._reader.close()
            self._hold.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def place(self, topic: Topic, partition: Partition) -> Place:
        """That partition of this log; `BadName` if it has none."""
        limit = self._identity.partitions if topic is Topic.RG else 1
        if not 0 <= partition < limit:
            raise no_such_place((topic, partition), self._identity)
        return Place(topic, partition, seed_of(topic, partition))

    def forget(self, tail: SqliteTail) -> None:
        """The tail was closed: appends notify it no more."""
        with self._write_lock:
            self._tails = tuple(other for other in self._tails if other is not tail)

    def _require_room(self, entries: Sequence[Entry]) -> None:
        """Raise `LogFull` where a COMMIT might not find room."""
        try:
            found = os.statvfs(self._path)
        except OSError as error:
            raise unreadable(self._path, error) from error
        size = sum(len(entry.value) + _RECORD_BYTES for entry in entries)
        if found.f_bavail * found.f_frsize < RESERVED_BYTES + size:
            raise full(self._path)

    def _append(self, entries: Sequence[Entry], times: Sequence[int]) -> list[Position]:
        if self._writer is None:
            self._writer = self.connect()
            self._ends.clear()
        writer = self._writer
        try:
            writer.execute("BEGIN IMMEDIATE")
            self._forget_old_ends(writer)
            positions = self._insert(writer, entries, times)
            (appends,) = writer.execute("SELECT max(seq) FROM records").fetchone()
        except BaseException:
            self._abandon(writer)
            raise
        self._commit(writer)
        self._turn.note(appends)
        return positions

    def _forget_old_ends(self, writer: sqlite3.Connection) -> None:
        (version,) = writer.execute("PRAGMA data_version").fetchone()
        if version != self._ends_version:
            self._ends.clear()
            self._ends_version = version

    def _insert(
        self, writer: sqlite3.Connection, entries: Sequence[Entry], times: Sequence[int]
    ) -> list[Position]:
        changed: dict[TopicPartition, Place] = {}
        positions: list[Position] = []
        rows: list[tuple[Any, ...]] = []
        for (topic, partition, key, value), now in zip(entries, times, strict=True):
            at = (topic, partition)
            if (place := changed.get(at)) is None:
                place = changed[at] = self.place(topic, partition)
            if (offset := self._ends.get(at)) is None:
                offset = read_head(writer, self._path, at)
            self._ends[at] = Offset(offset + 1)
            positions.append(Position(topic, partition, offset))
            crc = record_sum(place.seed, offset, now, key, value)
            rows.append((topic.value, partition, offset, now, key, value, crc))
        writer.executemany(_INSERT, rows)
        writer.executemany(_SET_HEAD, [_head_row(at, self._ends[at]) for at in changed])
        return positions

    def _commit(self, writer: sqlite3.Connection) -> None:
        try:
            writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._drop_writer()
            cause = explained(error, self._path)
            raise AppendUnknown(
                f"an append may or may not have happened: {cause.what}",
                f"{cause.hint} Reading the log on tells what happened.",
            ) from error

    def _abandon(self, writer: sqlite3.Connection) -> None:
        self._ends.clear()
        try:
            end_transaction(writer)
        except sqlite3.Error:
            self._drop_writer()

    def _drop_writer(self) -> None:
        """Close the appending connection, which rolls back; the next append opens another."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(sqlite3.Error):  # nothing of it is left to give back
                writer.close()

    def _heads(self, wanted: Sequence[TopicPartition]) -> dict[TopicPartition, Offset]:
        if len(wanted) >= _MANY_HEADS:
            heads = read_heads(self._reader, self._path)
            return {place: heads[place] for place in wanted}
        try:
            self._reader.execute("BEGIN")
            return {place: read_head(self._reader, self._path, place) for place in wanted}
        finally:
            end_transaction(self._reader)

    def _require_same_file(self) -> None:
        """An open file may be removed or replaced under its users: nobody would read them."""
        if self._closed:
            raise LogUnavailable(f"the log {self._path} is closed", "Open it again.")
        if not self._hold.still_there():
            raise LogReplaced(
                f"the file {self._path} is not the one that was opened",
                "It was removed or replaced: put the old one back, and start again.",
            )


def _head_row(place: TopicPartition, end: Offset) -> tuple[int, int, str, int]:
    topic, partition = place
    return (end, head_sum(topic.value, partition, end), topic.value, partition)
