"""Appending to Kafka.

Rule: what was handed to the client and not acknowledged is unknown, and so is
the fate of all that stood in the same append. Only what was refused before
any of it was handed over is known not to be there. After an unknown outcome
the producer is thrown away: what it may still have in flight can land later,
after what its successor appends.

What is not here: what makes that harmless (the fences and counters in events).
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from kafka import KafkaProducer

from eventlog.errors import AppendUnknown, BadRecord
from eventlog.ids import Offset, Partition
from eventlog.kafka.clients import (
    BACKOFF_MS,
    DELIVERY_MS,
    MAX_RECORD_BYTES,
    REQUEST_MS,
    make_producer,
)
from eventlog.kafka.errors import explained, in_our_words
from eventlog.kafka_address import KafkaAddress

SETTLED_S = (DELIVERY_MS + REQUEST_MS + 20 * BACKOFF_MS) / 1_000
"""By then the client has itself given up on every record."""
CLOSE_S = 1.0


class Letter(NamedTuple):
    """A record to be appended, in Kafka's words."""

    topic: str
    partition: Partition
    key: bytes
    value: bytes


class KafkaWriter:
    """Connects with its first append. Appends of several threads take turns."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None

    def append(self, letters: Sequence[Letter]) -> list[Offset]:
        """The offset of each; raises `AppendUnknown`, or what appended nothing."""
        _require_fitting(letters)
        with self._lock:
            with in_our_words(self._address):
                producer = self._opened({letter.topic for letter in letters})
            try:
                return _deliver(producer, letters)
            except Exception as error:
                self._drop()
                cause = explained(error, self._address)
                raise AppendUnknown(
                    f"an append may or may not have happened: {cause.what}",
                    f"{cause.hint} Reading the log on tells what happened.",
                ) from error

    def close(self) -> None:
        """Give back the connection."""
        with self._lock:
            self._drop()

    def _opened(self, topics: set[str]) -> KafkaProducer:
        """A producer that knows those topics, so that handing over does not fail half-way."""
        if self._producer is None:
            self._producer = make_producer(self._address)
        try:
            for topic in sorted(topics):
                self._producer.partitions_for(topic)
        except Exception:
            self._drop()
            raise
        return self._producer

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):  # it is of no use any more, whatever it says
                producer.close(CLOSE_S)


def _deliver(producer: KafkaProducer, letters: Sequence[Letter]) -> list[Offset]:
    sent = [
        producer.send(letter.topic, letter.value, letter.key, partition=letter.partition)
        for letter in letters
    ]
    producer.flush(SETTLED_S)
    return [Offset(future.get(SETTLED_S).offset) for future in sent]


def _require_fitting(letters: Sequence[Letter]) -> None:
    for letter in letters:
        size = len(letter.key) + len(letter.value)
        if size > MAX_RECORD_BYTES:
            raise BadRecord(
                f"a record of {size:,} bytes does not fit in the log on Kafka",
                f"It may have {MAX_RECORD_BYTES:,} bytes; say the same in several events.",
            )
