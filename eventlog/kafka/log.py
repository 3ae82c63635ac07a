"""The log on Apache Kafka: many machines, brokers that somebody runs.

Rule: what `append` returned is on every replica that is in sync; offsets are
Kafka's own, dense in `map` and `rg` because nobody else writes there and no
transaction is used. Where a reader goes on is kept by the reader, with what it
folded; no consumer group is ever asked.

What is not here: topics, clients, errors, appending, reading and following,
each in a module of this package, and addresses (`eventlog.kafka_address`).
Only this package knows Kafka's client.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kafka import TopicPartition as Place

from eventlog.errors import LogMissing, LogUnavailable, WrongLog
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.kafka.clients import make_admin
from eventlog.kafka.errors import in_our_words
from eventlog.kafka.reader import KafkaReader
from eventlog.kafka.records import as_records
from eventlog.kafka.tail import KafkaTail
from eventlog.kafka.topics import (
    check_topics,
    decode_identity,
    describe,
    encode_identity,
    identity_topic,
    is_there,
    make_topics,
    topic_name,
)
from eventlog.kafka.writer import KafkaWriter, Letter
from eventlog.kafka_address import KafkaAddress, parse_kafka
from eventlog.log import Entry, LogIdentity, Record, TopicPartition
from eventlog.places import all_places, ends_before, no_such_place

if TYPE_CHECKING:
    from eventlog.chunks import Chunk

_IDENTITY_KEY = b"identity"
_START = Offset(0)


class KafkaLog:
    """One producer, one consumer for plain questions, and a consumer for each tail."""

    def __init__(self, url: str) -> None:
        """Open an existing log; raises `BadName`, `LogMissing`, `WrongLog`, `LogUnavailable`."""
        self._address = parse_kafka(url)
        self._closed = False
        self._names = {topic: topic_name(self._address, topic) for topic in Topic}
        with ExitStack() as opened:
            topics = [*self._names.values(), identity_topic(self._address)]
            with in_our_words(self._address):
                admin = opened.enter_context(closing(make_admin(self._address)))
                if not is_there(admin, self._address):
                    raise missing(self._address)
            self._reader = KafkaReader(self._address, topics)
            opened.callback(self._reader.close)
            self._identity = _read_identity(self._reader, self._address)
            with in_our_words(self._address):
                self._caution = check_topics(admin, self._address, self._identity).caution
            admin.close()
            opened.pop_all()
        self._writer = KafkaWriter(self._address)
        self._lock = threading.Lock()
        self._tails: list[KafkaTail] = []

    @classmethod
    def create(cls, url: str, identity: LogIdentity) -> Self:
        """Make a new log and open it; `WrongLog` where there is one already."""
        address = parse_kafka(url)
        with in_our_words(address), closing(make_admin(address)) as admin:
            there = describe(admin, address)
            make_topics(admin, address, identity)
            check_topics(admin, address, identity)  # also those that an interrupted making left
        if there:
            _require_empty(address, identity)
        _write_identity(address, identity)
        return cls(url)

    @property
    def identity(self) -> LogIdentity:
        """What the log says it is."""
        return self._identity

    @property
    def url(self) -> str:
        """The address that opens it again, where its secrets are in the environment."""
        return self._address.url

    @property
    def caution(self) -> str:
        """Whether there are too few replicas; see `Log.caution`."""
        return self._caution

    @property
    def is_at_hand(self) -> bool:
        """No: every question travels."""
        return False

    @property
    def address(self) -> KafkaAddress:
        """Where it is."""
        return self._address

    def append(self, entries: Sequence[Entry]) -> list[Position]:
        """Append; see `Log.append`. Entries of one partition stand together, in one batch."""
        if not entries:
            return []
        self._require_open()
        for entry in entries:
            self._require_place(entry.topic, entry.partition)
        offsets = self._writer.append(
            [
                Letter(self._names[each.topic], each.partition, each.key, each.value)
                for each in entries
            ]
        )
        self._tell_tails(
            {
                Place(self._names[entry.topic], entry.partition): Offset(offset + 1)
                for entry, offset in zip(entries, offsets, strict=True)
            }
        )
        return [
            Position(entry.topic, entry.partition, offset)
            for entry, offset in zip(entries, offsets, strict=True)
        ]

    def read(
        self, topic: Topic, partition: Partition, offset: Offset, max_records: int = 10_000
    ) -> list[Record]:
        """Records from `offset` on; see `Log.read`."""
        self._require_open()
        at = self.place(topic, partition)
        found, end = self._reader.read(at, offset, max_records)
        if offset > end:
            raise ends_before((topic, partition), end, offset)
        return as_records(topic, partition, found)

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, Offset]:
        """Where each partition ends; see `Log.end_offsets`."""
        wanted = {self.place(*place): place for place in partitions}
        ends = self.ask_ends(wanted)
        self._tell_tails(ends)
        return {wanted[at]: end for at, end in ends.items()}

    def ask_ends(self, places: Iterable[Place]) -> Mapping[Place, Offset]:
        """The same in Kafka's words, and no tail is told."""
        self._require_open()
        return self._reader.ends(places)

    def tail(self) -> KafkaTail:
        """A new reader that follows nothing yet."""
        self._require_open()
        tail = KafkaTail(self)
        with self._lock:
            self._tails.append(tail)
        return tail

    def read_chunks(
        self, starts: Mapping[Partition, Offset], ends: Mapping[Partition, Offset]
    ) -> "Iterator[Chunk]":
        """Many records at once; see `eventlog.chunk_reading`."""
        from eventlog.kafka.chunks import read_chunks  # noqa: PLC0415 - few need arrays

        self._require_open()
        return read_chunks(self, starts, ends)

    def forget(self, tail: KafkaTail) -> None:
        """The tail was closed."""
        with self._lock:
            if tail in self._tails:
                self._tails.remove(tail)

    def place(self, topic: Topic, partition: Partition) -> Place:
        """What Kafka calls that partition; `BadName` if the log has none."""
        self._require_place(topic, partition)
        return Place(self._names[topic], partition)

    def close(self) -> None:
        """Give back all connections; closing twice is harmless."""
        self._closed = True
        with self._lock:
            tails = list(self._tails)
        for tail in tails:
            tail.wake()
        self._writer.close()
        self._reader.close()

    @property
    def is_closed(self) -> bool:
        """Whether it may be used no more."""
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell_tails(self, ends: Mapping[Place, Offset]) -> None:
        with self._lock:
            for tail in self._tails:
                tail.learned(ends)

    def _require_open(self) -> None:
        if self._closed:
            raise LogUnavailable(f"the log {self.url} is closed", "Open it again.")

    def _require_place(self, topic: Topic, partition: Partition) -> None:
        limit = self._identity.partitions if topic is Topic.RG else 1
        if not 0 <= partition < limit:
            raise no_such_place((topic, partition), self._identity)


def missing(address: KafkaAddress) -> LogMissing:
    """The error where there is no such log, or one whose making was interrupted."""
    return LogMissing(
        f"there is no log {address.cluster} at {address.brokers}",
        "Check the address, or make a new cluster there with `osdlog init`.",
    )


def _read_identity(reader: KafkaReader, address: KafkaAddress) -> LogIdentity:
    found, _ = reader.read(Place(identity_topic(address), 0), _START, 1)
    if not found:
        raise missing(address)
    return decode_identity(found[0].value, address)


def _require_empty(address: KafkaAddress, identity: LogIdentity) -> None:
    """What an interrupted making left is used; what somebody wrote is not."""
    topics = [*(topic_name(address, topic) for topic in Topic), identity_topic(address)]
    with closing(KafkaReader(address, topics)) as reader:
        places = [
            Place(topic_name(address, topic), number) for topic, number in all_places(identity)
        ]
        ends = reader.ends([*places, Place(identity_topic(address), 0)])
    if any(ends.values()):
        raise WrongLog(
            f"there is a log {address.cluster} at {address.brokers} already", "Use another name."
        )


def _write_identity(address: KafkaAddress, identity: LogIdentity) -> None:
    """Say whose log it is; of two who do, the first is right."""
    value = encode_identity(identity)
    topic = identity_topic(address)
    with closing(KafkaWriter(address)) as writer:
        [offset] = writer.append([Letter(topic, Partition(0), _IDENTITY_KEY, value)])
    if offset != _START:
        raise WrongLog(
            f"another process has made the log {address.cluster} at {address.brokers}",
            "Use that log, or another name.",
        )
