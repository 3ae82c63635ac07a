"""Plain questions to Kafka: records of one partition, and where partitions end.

Rule: a read asks first where the partition ends and returns no more than was
there; nothing is waited for but the answer. One consumer, used by one thread
at a time; after any error it is thrown away and the next question makes
another.

What is not here: following (`eventlog.kafka.tail`).
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import LeaderNotAvailableError

from eventlog.errors import LogUnavailable
from eventlog.ids import Offset
from eventlog.kafka.clients import BACKOFF_MS, READ, REQUEST_MS, make_consumer
from eventlog.kafka.errors import in_our_words
from eventlog.kafka_address import KafkaAddress

READ_S = 10.0
"""For all of one read: two answers as slow as one may be."""

Fetched = Any
"""kafka-python's ConsumerRecord: topic, partition, offset, timestamp (ms), key, value, ..."""


class KafkaReader:
    """Opens with its first question."""

    def __init__(self, address: KafkaAddress, topics: Sequence[str]) -> None:
        self._address = address
        self._topics = topics
        """Every topic that will be asked about: the client then learns of them once."""
        self._lock = threading.Lock()
        self._consumer: KafkaConsumer | None = None
        self._next: tuple[TopicPartition, int] | None = None
        """Where the consumer stands, so that reading on costs no new fetch."""

    def read(
        self, at: TopicPartition, offset: Offset, max_records: int
    ) -> tuple[list[Fetched], Offset]:
        """Up to `max_records` records from `offset` on, and where the partition ended before."""
        with self._lock, in_our_words(self._address):
            try:
                return self._read(self._opened(), at, offset, max_records)
            except Exception:
                self._drop()
                raise

    def ends(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, Offset]:
        """Where each partition ends (exclusive)."""
        wanted = list(partitions)
        if not wanted:
            return {}
        with self._lock, in_our_words(self._address):
            try:
                return self._ends(self._opened(), wanted)
            except Exception:
                self._drop()
                raise

    def close(self) -> None:
        """Give back the connection."""
        with self._lock:
            self._drop()

    def _opened(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = make_consumer(self._address, READ)
            self._ends(self._consumer, [TopicPartition(name, 0) for name in self._topics])
        return self._consumer

    def _drop(self) -> None:
        consumer, self._consumer, self._next = self._consumer, None, None
        if consumer is not None:
            with suppress(Exception):  # it is of no use any more, whatever it says
                consumer.close()

    @staticmethod
    def _ends(
        consumer: KafkaConsumer, wanted: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, Offset]:
        """The client asks the leaders that it knows, and fails for want of the others' answers."""
        deadline = time.monotonic() + REQUEST_MS / 1_000
        while True:
            try:
                found: Mapping[TopicPartition, Offset] = consumer.end_offsets(wanted, REQUEST_MS)
            except KeyError as unanswered:
                if time.monotonic() > deadline:
                    at = unanswered.args[0]
                    raise LeaderNotAvailableError(f"{at.topic}/{at.partition}") from unanswered
                time.sleep(BACKOFF_MS / 1_000)
            else:
                return found

    def _read(
        self, consumer: KafkaConsumer, at: TopicPartition, offset: Offset, max_records: int
    ) -> tuple[list[Fetched], Offset]:
        end = self._ends(consumer, [at])[at]
        records: list[Fetched] = []
        if offset >= end:
            return records, end
        if self._next != (at, offset):
            consumer.assign([at])
            consumer.seek(at, offset)
        deadline = time.monotonic() + READ_S
        place = offset
        while place < end and len(records) < max_records:
            room = max_records - len(records)
            came = consumer.poll(100, max_records=room).get(at, ())
            records += came
            # Not the last record's: what was compacted away has an offset too.
            place = consumer.position(at)
            if not came and time.monotonic() > deadline:
                raise LogUnavailable(
                    f"{at.topic}/{at.partition} ends at {end}, and gives nothing from {place} on",
                    "See the brokers' own log; OSDs try again by themselves.",
                )
        self._next = (at, place)
        return [record for record in records if record.offset < end], end
