"""A log in memory: for tests and simulation.

Rule: it keeps every promise of `eventlog.log` within one process, and nothing
outlives it. Its clock can be given, so that a simulation is repeatable.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from eventlog.errors import LogReplaced, LogUnavailable
from eventlog.ids import Micros, Offset, Partition, Position, Topic
from eventlog.log import Entry, LogIdentity, Record, TopicPartition
from eventlog.places import all_places, ends_before, no_such_place


def _now() -> Micros:
    return Micros(time.time_ns() // 1_000)


class MemoryLog:
    """Records in lists. All tails and threads share one lock."""

    def __init__(self, identity: LogIdentity, clock: Callable[[], Micros] = _now) -> None:
        self._identity = identity
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._tails: list[MemoryTail] = []
        self._records: dict[TopicPartition, list[Record]] = {
            place: [] for place in all_places(identity)
        }

    @property
    def identity(self) -> LogIdentity:
        """What the log says it is."""
        return self._identity

    @property
    def url(self) -> str:
        """No address opens it again; this one is for messages."""
        return f"memory:{self._identity.cluster}"

    @property
    def caution(self) -> str:
        """Nothing."""
        return ""

    @property
    def is_at_hand(self) -> bool:
        """Yes: the file is on this machine."""
        return True

    def append(self, entries: Sequence[Entry]) -> list[Position]:
        """Append all; see `Log.append`."""
        with self._lock:
            self._require_open()
            lists = [self._of((entry.topic, entry.partition)) for entry in entries]
            now = self._clock()
            positions = []
            for entry, records in zip(entries, lists, strict=True):
                record = Record(
                    entry.topic, entry.partition, Offset(len(records)), now, entry.key, entry.value
                )
                records.append(record)
                positions.append(record.position)
            for tail in self._tails:
                tail._appended((entry.topic, entry.partition) for entry in entries)
        return positions

    def read(
        self, topic: Topic, partition: Partition, offset: Offset, max_records: int = 10_000
    ) -> list[Record]:
        """Records from `offset` on; see `Log.read`."""
        with self._lock:
            self._require_open()
            return self._from((topic, partition), offset, max_records)

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, Offset]:
        """Where each partition ends; see `Log.end_offsets`."""
        with self._lock:
            self._require_open()
            return {place: Offset(len(self._of(place))) for place in partitions}

    def tail(self) -> "MemoryTail":
        """A new reader that follows nothing yet."""
        with self._lock:
            self._require_open()
            tail = MemoryTail(self)
            self._tails.append(tail)
            return tail

    def close(self) -> None:
        """Nothing can be read or appended any more."""
        with self._lock:
            self._closed = True
            for tail in self._tails:
                tail._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._closed:
            raise LogUnavailable(f"the log {self.url} is closed", "Open it again.")

    def _of(self, place: TopicPartition) -> list[Record]:
        try:
            return self._records[place]
        except KeyError:
            raise no_such_place(place, self._identity) from None

    def _from(self, place: TopicPartition, offset: Offset, max_records: int) -> list[Record]:
        records = self._of(place)
        if offset > len(records):
            raise ends_before(place, Offset(len(records)), offset)
        return records[offset : offset + max_records]


class MemoryTail:
    """Remembers which followed partitions may have something new, so that a poll is short."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._changed = threading.Condition(log._lock)
        self._next: dict[TopicPartition, Offset] = {}
        self._ready: dict[TopicPartition, None] = {}
        self._woken = False

    def follow(self, topic: Topic, partition: Partition, next_offset: Offset) -> None:
        """Begin with the record at `next_offset`; following again moves the place."""
        place = (topic, partition)
        with self._log._lock:
            self._next[place] = next_offset
            if next_offset != len(self._log._of(place)):
                self._ready[place] = None

    def unfollow(self, topic: Topic, partition: Partition) -> None:
        """Read that partition no more."""
        with self._log._lock:
            self._next.pop((topic, partition), None)
            self._ready.pop((topic, partition), None)

    def poll(self, timeout_ms: int, max_records: int = 10_000) -> list[Record]:
        """Records of followed partitions; see `Tail.poll`."""
        with self._log._lock:
            self._log._require_open()
            if not self._ready and not self._woken and timeout_ms > 0:
                self._changed.wait_for(self._must_return, timeout_ms / 1_000)
                self._log._require_open()
            self._woken = False
            return self._take(max_records)

    def wake(self) -> None:
        """Make a waiting (or the next) `poll` return without waiting."""
        with self._log._lock:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """The log forgets this tail."""
        with self._log._lock:
            if self in self._log._tails:
                self._log._tails.remove(self)

    def _must_return(self) -> bool:
        return bool(self._ready) or self._woken or self._log._closed

    def _appended(self, places: Iterable[TopicPartition]) -> None:
        self._ready.update((place, None) for place in places if place in self._next)
        if self._ready:
            self._changed.notify_all()

    def _take(self, max_records: int) -> list[Record]:
        taken: list[Record] = []
        for place in list(self._ready):
            room = max_records - len(taken)
            if room <= 0:
                break
            try:
                records = self._log._from(place, self._next[place], room)
            except LogReplaced:
                if taken:
                    break
                raise
            taken += records
            self._next[place] = Offset(self._next[place] + len(records))
            del self._ready[place]
            if self._next[place] < len(self._log._of(place)):
                self._ready[place] = None  # behind the others: each gets its turn
        return taken
