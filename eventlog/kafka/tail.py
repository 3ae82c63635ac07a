"""Following partitions of a log on Kafka.

Rule: a partition is read on behind its anchor, the last record that was read:
it is fetched again, and must have the digest it had, when the partition is
followed, when its leader epoch changed and when the brokers were away. So a log
that lost its end is found out, also when others have filled it again since.
Nothing is read past a record that is missing.

A poll that must not wait reads up to the ends that this process has learned
since the last one, by its own appends and questions; where it learned of none,
or something is followed anew, it asks first where the partitions end, and returns
empty only if nothing was there; so does one that is woken before it waits, where
there is reason to. One that waits asks when it has heard nothing for a while, so
that brokers that are away are never taken for silence.

What is not here: what anybody does with the records.
"""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka import KafkaConsumer
from kafka import TopicPartition as Place
from kafka.errors import LogTruncationError, OffsetOutOfRangeError

from eventlog.digest import record_digest
from eventlog.errors import LogCorrupt, LogError, LogReplaced, LogUnavailable
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.kafka.clients import FETCH_WAIT_MS, MOVING_WAIT_MS, TAIL, make_consumer
from eventlog.kafka.errors import in_our_words
from eventlog.kafka.listening import Listener
from eventlog.kafka.records import as_records
from eventlog.log import Record
from eventlog.places import ends_before

if TYPE_CHECKING:
    from eventlog.kafka.log import KafkaLog

SLICE_S = 0.005
"""While no fetch is under way, of whose answer we would be told."""
MOVING_S = 1.0
"""After a record of the map or a follow, others are followed soon."""
PROBE_S = 2.0
"""After so much silence the brokers are asked where the partitions end."""
PROBE_PARTITIONS = 256
"""Of which as many at a time."""
PATIENCE_S = 10.0
"""For records that are known to be there."""
GLANCE_MS = 5
"""A shorter wait is not worth being ended: a wake-up does not make such a poll ask for ends."""
HELD_RECORDS = 50_000
"""While so many wait to be dealt out, nothing more is fetched."""


class Anchor(NamedTuple):
    """A record that was read before."""

    offset: Offset
    digest: bytes | None
    """None where whoever follows has not said."""


class _Followed:
    """A partition, how far it was fetched, and what of it waits to be dealt out."""

    __slots__ = ("anchor", "due", "epoch", "fault", "held", "next_offset", "partition", "topic")

    def __init__(self, topic: Topic, partition: Partition, next_offset: Offset) -> None:
        self.topic = topic
        self.partition = partition
        self.next_offset = next_offset
        """Behind the last record that is held."""
        self.held: deque[list[Record]] = deque()
        self.anchor = Anchor(Offset(next_offset - 1), None) if self.has_anchor else None
        self.due = self.anchor is not None
        """Whether the anchor is to be fetched and compared first."""
        self.epoch: int | None = None
        """The leader epoch under which the next record needs no look at the anchor; set as soon as
        one of a new epoch is seen, since the anchor may come alone, and what follows it later."""
        self.fault: LogError | None = None

    @property
    def has_anchor(self) -> bool:
        """Not at the begin, and not where compaction may take it away."""
        return self.next_offset > 0 and self.topic is not Topic.SCHEMAS

    @property
    def fetch_offset(self) -> Offset:
        return self.anchor.offset if self.due and self.anchor else self.next_offset

    @property
    def position(self) -> Position:
        return Position(self.topic, self.partition, self.next_offset)


class KafkaTail:
    """One consumer, made again after every error. One thread uses it; any may wake it."""

    def __init__(self, log: "KafkaLog") -> None:
        self._log = log
        self._followed: dict[Place, _Followed] = {}
        self._moved: set[Place] = set()
        """Followed anew since the consumer was last told."""
        self._assigned: frozenset[Place] = frozenset()
        self._consumer: KafkaConsumer | None = None
        self._ready: deque[_Followed] = deque()
        """Those that hold records, the one whose turn is next first."""
        self._held = 0
        self._listener: Listener | None = None
        """To the consumer, as long as there is one."""
        self._woken = threading.Event()
        self._stirred = threading.Event()
        """Somebody woke us, or a fetch was answered."""
        self._learned: Mapping[Place, Offset] = {}
        """Where partitions end at least, since the last poll; replaced, never changed."""
        self._moving_until = 0.0
        self._heard = time.monotonic()
        self._probed: deque[Place] = deque()

    def follow(self, topic: Topic, partition: Partition, next_offset: Offset) -> None:
        """Begin with the record at `next_offset`; following again moves the place."""
        at = self._log.place(topic, partition)
        self.unfollow(topic, partition)
        self._followed[at] = _Followed(topic, partition, next_offset)
        self._moved.add(at)
        self._moving_until = time.monotonic() + MOVING_S

    def unfollow(self, topic: Topic, partition: Partition) -> None:
        """Read that partition no more."""
        at = self._log.place(topic, partition)
        followed = self._followed.pop(at, None)
        self._moved.discard(at)
        if followed is not None and followed.held:
            self._ready.remove(followed)
            self._held -= sum(map(len, followed.held))

    def poll(self, timeout_ms: int, max_records: int = 10_000) -> list[Record]:
        """Records of followed partitions; see `Tail.poll`."""
        try:
            with in_our_words(self._log.address):
                self._require_open()
                self._gather(timeout_ms)
        except LogError as error:
            self._doubt()
            if not self._held:
                raise error
        self._woken.clear()
        records = self._deal(max_records)
        if not records:
            self._raise_faults()
        return records

    def wake(self) -> None:
        """Make a waiting (or the next) `poll` return without waiting."""
        self._woken.set()
        self._stirred.set()

    def learned(self, ends: Mapping[Place, Offset]) -> None:
        """This process knows that partitions go up to there; any thread may say so."""
        self._learned = {**self._learned, **ends}

    def close(self) -> None:
        """Give back the connection."""
        self._drop()
        self._log.forget(self)

    def _require_open(self) -> None:
        if self._log.is_closed:
            raise LogUnavailable(f"the log {self._log.url} is closed", "Open it again.")

    def _gather(self, timeout_ms: int) -> None:
        if self._held >= HELD_RECORDS:
            return
        is_woken = timeout_ms > GLANCE_MS and self._woken.is_set()
        if timeout_ms <= 0 or (is_woken and (self._moved or self._learned)):
            self._catch_up()
        elif self._followed:
            self._wait(time.monotonic() + timeout_ms / 1_000)
        else:
            self._woken.wait(timeout_ms / 1_000)
            self._require_open()

    def _wait(self, deadline: float) -> None:
        """Until something came, somebody woke us, or the time is over."""
        self._collect()
        is_glance = deadline - time.monotonic() <= GLANCE_MS / 1_000
        while not self._held and (is_glance or not self._woken.is_set()):
            now = time.monotonic()
            if now >= deadline or self._has_fault():
                return
            if now - self._heard > PROBE_S:
                self._probe()
            self._listen(min(deadline, now + PROBE_S) - now)
            self._collect()
            self._require_open()

    def _listen(self, wait_s: float) -> None:
        """Until a fetch was answered or somebody woke us, at most so long."""
        hears = self._listener is not None and self._listener.hears()
        self._stirred.wait(wait_s if hears else min(wait_s, SLICE_S))
        self._stirred.clear()

    def _catch_up(self) -> None:
        """Until every partition that had more than was read holds some of it."""
        deadline = time.monotonic() + PATIENCE_S
        learned, self._learned = self._learned, {}
        is_enough = bool(learned) and not self._moved
        behind = self._behind(learned) if is_enough else self._ask(list(self._followed))
        while behind := [each for each in behind if not each.held and each.fault is None]:
            self._collect()
            if any(each.held or each.fault for each in behind):
                continue
            if time.monotonic() > deadline:
                raise LogUnavailable(
                    f"the log {self._log.url} has more, and gives nothing at {behind[0].position}",
                    "See the brokers' own log; OSDs try again by themselves.",
                )
            self._listen(SLICE_S * 10)

    def _behind(self, ends: Mapping[Place, Offset]) -> list[_Followed]:
        """Those that end after what was read of them."""
        return [
            followed
            for at, end in ends.items()
            if (followed := self._followed.get(at)) and followed.next_offset < end
        ]

    def _probe(self) -> None:
        """Ask some partitions for their ends, each in its turn."""
        for at in self._followed.keys() - set(self._probed):
            self._probed.append(at)
        wanted = [self._probed.popleft() for _ in range(min(PROBE_PARTITIONS, len(self._probed)))]
        self._ask([at for at in wanted if at in self._followed])

    def _ask(self, places: Sequence[Place]) -> list[_Followed]:
        """Those of which there is more; notes which end before what was read."""
        asked = [at for at in places if self._followed[at].fault is None]
        ends = self._log.ask_ends(asked)
        self._heard = time.monotonic()
        for at, end in ends.items():
            each = self._followed[at]
            if end < each.next_offset:
                each.fault = ends_before((each.topic, each.partition), end, each.next_offset)
        return self._behind(ends)

    def _collect(self) -> None:
        """Take what the consumer has got, if there is news of it; and have it ask for more."""
        is_told_anew = self._tell()
        consumer, listener = self._consumer, self._listener
        assert consumer is not None
        assert listener is not None
        if not self._assigned or (listener.hears() and not is_told_anew):
            return
        is_moving = time.monotonic() < self._moving_until
        listener.hold(MOVING_WAIT_MS if is_moving else FETCH_WAIT_MS)
        try:
            fetched = consumer.poll(0)
        except OffsetOutOfRangeError as error:
            for at in error.args[0]:
                self._out_of_range(at)
            return
        except LogTruncationError as error:
            for at in error.divergent_offsets:
                if followed := self._followed.get(at):
                    followed.fault = _lost(followed)
            return
        for at, records in fetched.items():
            self._heard = time.monotonic()
            if (followed := self._followed.get(at)) and followed.fault is None:
                self._take(at, followed, records)
        listener.listen()

    def _tell(self) -> bool:
        """Have the consumer read what is followed and nothing else; whether that was news to it."""
        if self._consumer is None:
            self._consumer = make_consumer(self._log.address, TAIL)
            self._listener = Listener(self._consumer, self._stirred.set)
            self._moved.update(self._followed)
            self._assigned = frozenset()
        wanted = frozenset(at for at, each in self._followed.items() if each.fault is None)
        is_news = wanted != self._assigned or bool(self._moved)
        if wanted != self._assigned:
            self._consumer.assign(list(wanted))
            self._assigned = wanted
        for at in self._moved & wanted:
            self._consumer.seek(at, self._followed[at].fetch_offset)
        self._moved.clear()
        return is_news

    def _take(self, at: Place, followed: _Followed, fetched: Sequence[Any]) -> None:
        """Hold records, once the anchor before them is known to be the one that was read."""
        first = fetched[0]
        if followed.due:
            assert followed.anchor is not None
            if first.offset != followed.anchor.offset:
                followed.fault = _missing(followed, followed.anchor.offset)
                return
            if followed.anchor.digest not in (None, record_digest(first.value or b"")):
                followed.fault = _lost(followed)
                return
            followed.due = False
            followed.anchor = Anchor(first.offset, record_digest(first.value or b""))
            followed.epoch = first.leader_epoch if followed.epoch is None else followed.epoch
            fetched = fetched[1:]
        elif followed.anchor and first.leader_epoch != followed.epoch:
            followed.due, followed.epoch = True, first.leader_epoch
            self._moved.add(at)
            return
        if fetched:
            self._hold(followed, fetched)

    def _hold(self, followed: _Followed, fetched: Sequence[Any]) -> None:
        first, last = fetched[0], fetched[-1]
        is_dense = followed.topic is not Topic.SCHEMAS
        if is_dense and first.offset != followed.next_offset:
            followed.fault = _missing(followed, followed.next_offset)
            return
        if is_dense and last.offset - first.offset != len(fetched) - 1:
            followed.fault = _missing(followed, followed.next_offset)
            return
        if not followed.held:
            self._ready.append(followed)
        followed.held.append(as_records(followed.topic, followed.partition, fetched))
        followed.next_offset = Offset(last.offset + 1)
        followed.epoch = last.leader_epoch
        if is_dense:
            followed.anchor = Anchor(last.offset, record_digest(last.value or b""))
        self._held += len(fetched)
        if followed.topic is Topic.MAP:
            self._moving_until = time.monotonic() + MOVING_S

    def _deal(self, max_records: int) -> list[Record]:
        """What is held, a fair share of each partition first."""
        dealt: list[Record] = []
        share = max(1, max_records // max(1, len(self._ready)))
        while self._ready and len(dealt) < max_records:
            followed = self._ready.popleft()
            chunk = followed.held.popleft()
            count = min(share, max_records - len(dealt))
            dealt += chunk[:count]
            if len(chunk) > count:
                followed.held.appendleft(chunk[count:])
            if followed.held:
                self._ready.append(followed)
        self._held -= len(dealt)
        return dealt

    def _out_of_range(self, at: Place) -> None:
        followed = self._followed.get(at)
        if followed is None:
            return
        at_end = self._log.ask_ends([at])[at]
        if at_end < followed.next_offset:
            place = (followed.topic, followed.partition)
            followed.fault = ends_before(place, at_end, followed.next_offset)
        else:
            followed.fault = _missing(followed, followed.fetch_offset)

    def _has_fault(self) -> bool:
        return any(each.fault for each in self._followed.values())

    def _raise_faults(self) -> None:
        for each in self._followed.values():
            if each.fault is not None:
                raise each.fault

    def _doubt(self) -> None:
        """After an error: another consumer, and every anchor is compared before reading on."""
        self._drop()
        self._heard = time.monotonic()
        for followed in self._followed.values():
            followed.due, followed.epoch = followed.anchor is not None, None

    def _drop(self) -> None:
        consumer, self._consumer, self._listener = self._consumer, None, None
        if consumer is not None:
            with suppress(Exception):  # it is of no use any more, whatever it says
                consumer.close()


def _missing(followed: _Followed, offset: Offset) -> LogCorrupt:
    return missing_record(Position(followed.topic, followed.partition, offset))


def missing_record(position: Position) -> LogCorrupt:
    """The error for a gap in a topic that has none."""
    return LogCorrupt(
        f"the record at {position} is missing",
        "Something removed records of the topic: check its settings, and restore the log.",
    )


def _lost(followed: _Followed) -> LogReplaced:
    assert followed.anchor is not None
    position = Position(followed.topic, followed.partition, followed.anchor.offset)
    return LogReplaced(
        f"the record at {position} is not the one that was read there",
        "The brokers lost the end of the log, or it was replaced: check the address; if it is "
        "right, rebuild from the log.",
    )
