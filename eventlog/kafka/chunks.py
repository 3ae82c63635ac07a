"""Reading chunks from a log on Kafka, a fetch at a time.

Rule: the client fetches, keeps to leaders and epochs, and says what is wrong,
as it does for everybody; only where it would make an object of each record it
is made to hand over the bytes. That is one attribute of its fetcher, which it
looks up anew for each answer. A client that has no such attribute is used the
public way, and its records are put into chunks afterwards: slower, the same.

What is not here: what the values say (`eventlog.columns`).
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from kafka import KafkaConsumer
from kafka import TopicPartition as Place
from kafka.record import MemoryRecords

from eventlog.chunks import Chunk, chunk_of
from eventlog.errors import LogUnavailable
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.kafka.batches import Batches, decode_batches, pieces
from eventlog.kafka.clients import SCAN, make_consumer
from eventlog.kafka.errors import in_our_words
from eventlog.kafka.reader import READ_S
from eventlog.kafka.records import as_records
from eventlog.kafka.tail import missing_record
from eventlog.places import ends_before

if TYPE_CHECKING:
    from eventlog.kafka.log import KafkaLog


POLL_MS = 5
"""While nothing is under way yet, the client sleeps for all of a poll's time, 50 ms at most."""


class RawFetch:
    """What the client's fetcher keeps of one partition's answer, in place of its own class.

    It is taken once, whole.
    """

    def __init__(self, fetch_offset: int, tp: Place, records: Any, **_: Any) -> None:
        self.topic_partition = tp
        self.fetch_offset = fetch_offset
        self.next_fetch_offset = fetch_offset
        self.leader_epoch = -1
        self.bytes_read = 0
        self.raw = memoryview(records._buffer)
        self._is_taken = False

    def __bool__(self) -> bool:
        return not self._is_taken

    def take(self, _most: int | None = None) -> "list[RawFetch]":
        """Itself; nothing of an answer without a whole batch."""
        self._is_taken = True
        for batch in MemoryRecords(self.raw):
            self.next_fetch_offset = batch.next_offset
            self.leader_epoch = batch.leader_epoch
        return [self] if self.next_fetch_offset > self.fetch_offset else []

    def drain(self) -> None:
        """The client wants it no more."""
        self._is_taken = True


Answer = RawFetch | list[Any]
"""Raw, or the records that the public way gives."""


def hand_over_raw(consumer: KafkaConsumer) -> bool:
    """Make `poll` give `RawFetch`es; False where the client is not as this knows it."""
    fetcher = getattr(consumer, "_fetcher", None)
    if fetcher is None or not hasattr(fetcher, "PartitionRecords"):
        return False
    fetcher.PartitionRecords = RawFetch
    return True


def read_chunks(
    log: "KafkaLog",
    starts: Mapping[Partition, Offset],
    ends: Mapping[Partition, Offset],
    *,
    is_raw: bool = True,
) -> Iterator[Chunk]:
    """The records of each partition from its start to its end.

    Raises `LogReplaced` where the log ends before, `LogCorrupt`, `LogUnavailable`.
    """
    wanted = {log.place(Topic.RG, p): p for p, end in ends.items() if starts[p] < end}
    if not wanted:
        return
    _require_ends(log, {p: ends[p] for p in wanted.values()})
    with in_our_words(log.address), closing(make_consumer(log.address, SCAN)) as consumer:
        is_raw = is_raw and hand_over_raw(consumer)
        consumer.assign(list(wanted))
        for at, partition in wanted.items():
            consumer.seek(at, starts[partition])
        nexts = {partition: starts[partition] for partition in wanted.values()}
        for at, answer in _answers(consumer):
            partition = wanted[at]
            for batches, begin in _batches(answer, Position(Topic.RG, partition, nexts[partition])):
                if begin.offset < ends[partition]:
                    nexts[partition] = batches.next_offset
                    chunk = _checked(batches, begin, ends[partition])
                    if len(chunk):
                        yield chunk
            if nexts[partition] >= ends[partition]:
                consumer.pause(at)
            if all(nexts[p] >= ends[p] for p in nexts):
                return


def _require_ends(log: "KafkaLog", ends: Mapping[Partition, Offset]) -> None:
    """The brokers must still have all that is to be read; else it would be waited for."""
    for place, end in log.end_offsets([(Topic.RG, partition) for partition in ends]).items():
        if end < ends[place[1]]:
            raise ends_before(place, end, ends[place[1]])


def _answers(consumer: KafkaConsumer) -> Iterator[tuple[Place, Answer]]:
    deadline = time.monotonic() + READ_S
    while time.monotonic() < deadline:
        came = consumer.poll(POLL_MS)
        for at, fetched in came.items():
            for answer in fetched if isinstance(fetched[0], RawFetch) else [fetched]:
                yield at, answer
        if came:
            deadline = time.monotonic() + READ_S
    raise LogUnavailable(
        f"the brokers gave nothing for {READ_S:g} s, though there is more",
        "See the brokers' own log; OSDs try again by themselves.",
    )


def _batches(answer: Answer, begin: Position) -> Iterator[tuple[Batches, Position]]:
    """The records of an answer, and where they begin."""
    if isinstance(answer, RawFetch):
        for piece in pieces(answer.raw):
            batches = decode_batches(piece, begin)
            yield batches, begin
            begin = Position(begin.topic, begin.partition, batches.next_offset)
    else:
        chunk = chunk_of(as_records(begin.topic, begin.partition, answer))
        yield Batches(chunk, Offset(answer[-1].offset + 1)), begin


def _checked(batches: Batches, begin: Position, end: Offset) -> Chunk:
    """Up to the end that was asked for; raises where a record is missing."""
    chunk, next_offset = batches
    due = np.arange(begin.offset, next_offset)
    if len(chunk) != len(due) or (chunk.offsets != due).any():
        raise missing_record(begin)
    return chunk.at(np.flatnonzero(chunk.offsets < end)) if next_offset > end else chunk
