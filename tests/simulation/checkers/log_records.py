"""The log itself: nothing lost, nothing twice, nothing out of order, the same for everybody.

Rule: the anomalies of Jepsen's Kafka workload ("tests/kafka.clj") that a log
without consumer groups and transactions can have: an append that was
acknowledged and is not there, one value at two places, one place with two
values, and a reader that goes back or leaves something out.

What is not here: what the records mean.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

from eventlog.log import Record, TopicPartition
from osd.core.effects import Effects
from osd.core.inputs import Input, Read
from projections.replica_group import Folded
from simulation.observers import Observer, Violation
from simulation.reference import Told
from simulation.stores import Machine

NAME = "log records"


class Sent(NamedTuple):
    """An append that was acknowledged at this offset, or of which nobody knows (None)."""

    place: TopicPartition
    value: bytes
    offset: int | None


class Sought(NamedTuple):
    """This reader goes on from this offset."""

    reader: Hashable
    place: TopicPartition
    offset: int


class Polled(NamedTuple):
    """This reader was given this record."""

    reader: Hashable
    place: TopicPartition
    offset: int
    value: bytes


Heard = Sent | Sought | Polled


def log_faults(history: Iterable[Heard]) -> Iterator[str]:
    """What cannot be, in the order in which it is found out."""
    hearing = _Hearing()
    for heard in history:
        match heard:
            case Sought(reader, place, offset):
                hearing.following[reader, place] = offset
            case Sent(place, value, offset):
                if offset is not None:
                    hearing.sent[place, offset] = value
            case Polled():
                yield from hearing.polled(heard)
    yield from hearing.missing()


class _Hearing:
    """What was heard so far."""

    def __init__(self) -> None:
        self.following: dict[tuple[Hashable, TopicPartition], int] = {}
        self.sent: dict[tuple[TopicPartition, int], bytes] = {}
        self._values: dict[tuple[TopicPartition, int], bytes] = {}
        self._places: dict[tuple[TopicPartition, bytes], int] = {}
        self._ends: dict[TopicPartition, int] = defaultdict(int)

    def polled(self, polled: Polled) -> Iterator[str]:
        reader, place, offset, value = polled
        expected = self.following.get((reader, place), 0)
        if offset != expected:
            kind = "went back" if offset < expected else "left something out"
            yield f"{reader} {kind}: {place} at {offset}, not {expected}"
        self.following[reader, place] = offset + 1
        self._ends[place] = max(self._ends[place], offset + 1)
        if self._values.setdefault((place, offset), value) != value:
            yield f"{place} at {offset} has two values"
        if self._places.setdefault((place, value), offset) != offset:
            yield f"one value at two places: {place} at {offset}"

    def missing(self) -> Iterator[str]:
        for (place, offset), value in sorted(self.sent.items()):
            if offset >= self._ends[place]:
                continue
            if (place, offset) not in self._values:
                yield f"{place} at {offset} was acknowledged, and nobody who read on has seen it"
            elif self._values[place, offset] != value:
                yield f"{place} at {offset} has another value than was acknowledged there"


class LogRecords(Observer):
    """Collects what nodes are given, and judges it at the end."""

    def __init__(self) -> None:
        self._history: list[Heard] = []

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        reader = (machine.store, machine.boot)
        if isinstance(given, Read):
            for decoded in given.records:
                record = decoded.record
                place = (record.topic, record.partition)
                self._history.append(Polled(reader, place, record.offset, _unique(record)))
        for topic, partition, offset in effects.follows:
            if offset is not None:
                self._history.append(Sought(reader, (topic, partition), offset))

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        record = told.record
        self._history.append(Sent((record.topic, record.partition), _unique(record), record.offset))

    def settled(self) -> None:
        """See `Observer`."""
        for fault in log_faults(self._history):
            raise Violation(NAME, fault)


def _unique(record: Record) -> bytes:
    """Two appends may say the same: where it stands tells them apart."""
    return record.offset.to_bytes(8, "big") + record.value
