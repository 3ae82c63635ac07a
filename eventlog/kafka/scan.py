"""Scanning: partitions of a log on Kafka as columns, a fetch at a time.

Rule: the client fetches, keeps to leaders and epochs, and says what is wrong,
as it does for everybody; only where it would make an object of each record it
is made to hand over the bytes. That is one attribute of its fetcher, which it
looks up anew for each answer. A client that has no such attribute is used the
public way, and its records are put into columns afterwards: slower, the same.

What is not here: what the columns say (`eventlog.columns`).
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import polars as pl
from kafka import KafkaConsumer
from kafka import TopicPartition as Place
from kafka.record import MemoryRecords

from eventlog.columns import Scanned
from eventlog.errors import LogUnavailable
from eventlog.ids import Offset, Position, Topic
from eventlog.kafka.batches import SCHEMA, Batches, decode_batches
from eventlog.kafka.clients import SCAN, make_consumer
from eventlog.kafka.errors import in_our_words
from eventlog.kafka.reader import READ_S
from eventlog.kafka.tail import missing_record
from eventlog.log import TopicPartition
from eventlog.places import ends_before

if TYPE_CHECKING:
    from eventlog.kafka.log import KafkaLog


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
        self.raw = bytes(records._buffer)
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


def hand_over_raw(consumer: KafkaConsumer) -> bool:
    """Make `poll` give `RawFetch`es; False where the client is not as this knows it."""
    fetcher = getattr(consumer, "_fetcher", None)
    if fetcher is None or not hasattr(fetcher, "PartitionRecords"):
        return False
    fetcher.PartitionRecords = RawFetch
    return True


def scan(
    log: "KafkaLog", begins: Mapping[TopicPartition, Offset], *, is_raw: bool = True
) -> Iterator[Scanned]:
    """What those partitions have now, each from its offset on; see `Log.scan`."""
    ends = log.end_offsets(begins)
    for place, begin in begins.items():
        if begin > ends[place]:
            raise ends_before(place, ends[place], begin)
    wanted = {log.place(*at): at for at, begin in begins.items() if begin < ends[at]}
    if not wanted:
        return
    with in_our_words(log.address), closing(make_consumer(log.address, SCAN)) as consumer:
        is_raw = is_raw and hand_over_raw(consumer)
        consumer.assign(list(wanted))
        for at, place in wanted.items():
            consumer.seek(at, begins[place])
        nexts = {place: begins[place] for place in wanted.values()}
        for at, fetched in _fetched(consumer):
            place = wanted[at]
            if nexts[place] >= ends[place]:
                continue
            here = Position(*place, nexts[place])
            batches = _batches(fetched, here)
            nexts[place] = batches.next_offset
            yield Scanned(*place, _checked(batches.frame, here, ends[place]))
            if batches.next_offset >= ends[place]:
                consumer.pause(at)
            if all(nexts[place] >= ends[place] for place in nexts):
                return


def _fetched(consumer: KafkaConsumer) -> Iterator[tuple[Place, list[Any]]]:
    deadline = time.monotonic() + READ_S
    while time.monotonic() < deadline:
        came = consumer.poll(100)
        yield from came.items()
        if came:
            deadline = time.monotonic() + READ_S
    raise LogUnavailable(
        f"the brokers gave nothing for {READ_S:g} s, though there is more",
        "See the brokers' own log; it is tried again.",
    )


def _batches(fetched: list[Any], begin: Position) -> Batches:
    """Of raw answers, or of the records that the public way gives."""
    if not isinstance(fetched[0], RawFetch):
        rows = [(r.offset, 1_000 * r.timestamp, r.key or b"", r.value or b"") for r in fetched]
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        return Batches(frame, Offset(fetched[-1].offset + 1))
    decoded: list[Batches] = []
    for each in fetched:
        decoded.append(decode_batches(each.raw, begin))
        begin = Position(begin.topic, begin.partition, decoded[-1].next_offset)
    return Batches(pl.concat([each.frame for each in decoded]), begin.offset)


def _checked(frame: pl.DataFrame, begin: Position, end: Offset) -> pl.DataFrame:
    """Up to the end that was asked for; without a gap, where there may be none."""
    if not frame.height:
        return frame
    first, last = frame["offset"][0], frame["offset"][-1]
    is_dense = first == begin.offset and last - first == frame.height - 1
    if begin.topic is not Topic.SCHEMAS and not is_dense:
        raise missing_record(begin)
    return frame.filter(pl.col("offset") < end) if last >= end else frame
