"""The log: one interface, whoever keeps the records.

Rule: a log is append-only. What `append` returned is durable and will be read
by everybody in the same order within its partition; what raised
`AppendUnknown` may appear later or never; what raised anything else never
will. A record's value is the same bytes in every kind of log.

What is not here: any meaning of the bytes (see `eventlog.codec`).
"""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from eventlog.ids import Micros, Offset, Partition, Position, Topic


class Entry(NamedTuple):
    """A record about to be appended."""

    topic: Topic
    partition: Partition
    key: bytes
    value: bytes


class Record(NamedTuple):
    """A record as read. `timestamp` is the log's own clock at append."""

    topic: Topic
    partition: Partition
    offset: Offset
    timestamp: Micros
    key: bytes
    value: bytes

    @property
    def position(self) -> Position:
        """Where it stands."""
        return Position(self.topic, self.partition, self.offset)


class LogIdentity(NamedTuple):
    """What a log is. It stands in the first map event too and is compared at every start."""

    cluster: str
    """Id of the cluster, a UUID in text."""
    partitions: int
    """Partitions of the `rg` topic; `map` and `schemas` have one."""
    retention: str
    """`unlimited`: nothing ages out of `map` and `rg`."""
    cleanup: str
    """`none`: `map` and `rg` are not compacted."""


TopicPartition = tuple[Topic, Partition]


class Tail(Protocol):
    """Reads several partitions forward, each from its own next offset.

    One thread uses a tail; only `wake` may be called from others.
    """

    def follow(self, topic: Topic, partition: Partition, next_offset: Offset) -> None:
        """Begin with the record at `next_offset`; following again moves the place."""
        ...

    def unfollow(self, topic: Topic, partition: Partition) -> None:
        """Read that partition no more."""
        ...

    def poll(self, timeout_ms: int, max_records: int = 10_000) -> list[Record]:
        """Records of followed partitions, in order within each; waits for the first.

        Returns an empty list after `timeout_ms`, or at once when woken. Raises
        `LogCorrupt` at a damaged record, after all before it were returned,
        `LogReplaced` when the log ends before a followed offset, and
        `LogUnavailable`.
        """
        ...

    def wake(self) -> None:
        """Make a waiting (or the next) `poll` return without waiting."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Log(Protocol):
    """A cluster's log. Its methods may be called from several threads."""

    @property
    def identity(self) -> LogIdentity:
        """What the log says it is."""
        ...

    @property
    def url(self) -> str:
        """The address that opens it again."""
        ...

    @property
    def caution(self) -> str:
        """What whoever runs this log should know of how safely it is kept; empty if all is well."""
        ...

    @property
    def is_at_hand(self) -> bool:
        """Whether `end_offsets` of a few partitions takes microseconds and may be asked anywhere.

        Where it is False the question may travel, and belongs in a thread of its own.
        """
        ...

    def append(self, entries: Sequence[Entry]) -> list[Position]:
        """Append in this order, durably; returns a position for each entry.

        Entries of one partition get consecutive offsets only where the log
        can; their order is kept always. Raises `LogUnavailable` (nothing
        appended), `AppendUnknown` (any, all or none of them may be).
        """
        ...

    def read(
        self, topic: Topic, partition: Partition, offset: Offset, max_records: int = 10_000
    ) -> list[Record]:
        """Up to `max_records` records from `offset` on; empty at the end.

        Raises `LogReplaced` when the log ends before `offset`, `LogCorrupt`,
        `LogUnavailable`.
        """
        ...

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, Offset]:
        """Where each partition ended at some moment during the call (exclusive)."""
        ...

    def tail(self) -> Tail:
        """A new reader that follows nothing yet."""
        ...

    def close(self) -> None:
        """Give back what it holds; the log itself stays."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
