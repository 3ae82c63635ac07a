"""The frontier: how far each followed partition is read, and who waits for how far.

Rule: "read up to the end" means up to where the log ended at some moment after
the question. Questions are numbered; all that is asked while one question is
under way goes into the next. `reached(p, n)` is true once partition p is read
as far as question n was answered.
"""

from collections import deque
from collections.abc import Iterator, Mapping

from eventlog.ids import Offset
from eventlog.log import TopicPartition
from osd.core.effects import Ask


class _Reading:
    """One followed partition."""

    def __init__(self, next_offset: Offset) -> None:
        self.next_offset = next_offset
        self.reached = 0
        self.answers: deque[tuple[int, Offset]] = deque()

    def settle(self) -> bool:
        """Take every answer that is reached; whether any was."""
        before = self.reached
        while self.answers and self.answers[0][1] <= self.next_offset:
            self.reached = self.answers.popleft()[0]
        return self.reached > before


class Frontier:
    """Reading progress of a node."""

    def __init__(self) -> None:
        self._readings: dict[TopicPartition, _Reading] = {}
        self._wanted: set[TopicPartition] = set()
        self._number = 0
        self._pending: Ask | None = None

    def follow(self, partition: TopicPartition, next_offset: Offset) -> bool:
        """The partition will be delivered from this offset on; whether somebody waited for that."""
        reading = self._readings.get(partition)
        if reading is None:
            self._readings[partition] = _Reading(next_offset)
            return False
        reading.next_offset = next_offset
        return reading.settle()

    def unfollow(self, partition: TopicPartition) -> None:
        """The partition will not be delivered any more."""
        self._readings.pop(partition, None)

    def next_offset(self, partition: TopicPartition) -> Offset | None:
        """Where reading goes on; None if the partition is not followed."""
        reading = self._readings.get(partition)
        return reading.next_offset if reading else None

    def want(self, partition: TopicPartition) -> int:
        """Join the next question; its number is what `reached` is asked with."""
        self._wanted.add(partition)
        return self._number + 1

    def reached(self, partition: TopicPartition, number: int) -> bool:
        """Whether the partition is read as far as that question's answer."""
        reading = self._readings.get(partition)
        return reading is not None and reading.reached >= number

    def take_ask(self) -> Ask | None:
        """The question to send now, if there is one and none is under way."""
        if self._pending is not None or not self._wanted:
            return None
        self._number += 1
        self._pending = Ask(self._number, frozenset(self._wanted))
        self._wanted = set()
        return self._pending

    def answered(
        self, number: int, ends: Mapping[TopicPartition, Offset]
    ) -> Iterator[TopicPartition]:
        """Note the answer; yields partitions that are read that far already."""
        if self._pending is None or self._pending.number != number:
            return
        self._pending = None
        for partition, end in ends.items():
            reading = self._readings.get(partition)
            if reading is not None:
                reading.answers.append((number, end))
                if reading.settle():
                    yield partition

    def delivered(self, partition: TopicPartition, offset: Offset) -> bool:
        """The record at this offset was folded; whether somebody waited for that."""
        reading = self._readings.get(partition)
        if reading is None:
            return False
        reading.next_offset = Offset(offset + 1)
        return reading.settle()
