"""Moments: what people mean by a point in the history of a log.

Rule: a moment says for each partition which records belong to it, and nothing
else decides that. It is one of these:

    the end         all that is in the log now
    epoch N         the map while N was its epoch; of each RG what precedes its
                    first claim of a later epoch
    a time          of each partition what precedes its first record that the
                    log took later
    a position      of its partition all up to that record, which belongs to
                    it; of every other what belongs to that record's time

What does not exist is refused with the sentence that says what does.

What is not here: folding what belongs to a moment (see `osd.client.past`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from eventlog.codec import Decoder
from eventlog.errors import BadName
from eventlog.ids import Epoch, Micros, Offset, Partition, Position, Topic, parse_position
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged
from eventlog.places import no_such_place
from osd.client.errors import NotThere
from osd.client.history_cut import require_beginnings
from projections.cluster_map import EMPTY, ClusterMap, Refusal
from projections.map_fold import fold

MAP = (Topic.MAP, Partition(0))
_EPOCH = "epoch:"
_HOW = "Write epoch:N, a position as in rg/31@4, or a time as in 2026-11-22T14:30Z."
_PAGE = 10_000


class Moment(NamedTuple):
    """A point in the history of one log."""

    words: str
    """How it is called in a sentence: `as of` goes before it."""
    map: ClusterMap
    map_end: Offset
    """Where the map's records that belong to it end (exclusive)."""
    ends: Mapping[Partition, Offset]
    """Where at the latest the records of each partition end (exclusive)."""
    until: Micros | None = None
    """Records that the log took later do not belong to it, nor does what follows one."""
    exact: Partition | None = None
    """Of this partition `ends` alone tells."""
    epoch: Epoch | None = None
    """An RG ends before its first claim of a later epoch."""


def moment_of(log: Log, text: str | None, now: Micros) -> Moment:
    """The moment that the text means, or the end. Raises `BadName`, `NotThere`.

    `now` is the present, in microseconds: nothing is known of what comes later.
    """
    partitions = [(Topic.RG, Partition(p)) for p in range(log.identity.partitions)]
    ends = {partition: end for (_, partition), end in log.end_offsets(partitions).items()}
    require_beginnings(log, {MAP: log.end_offsets([MAP])[MAP]})
    history = _Maps(log)
    if text is None:
        return Moment("now", history.last, history.end, ends)
    if text.startswith(_EPOCH):
        return _at_epoch(history, text.removeprefix(_EPOCH), ends)
    if "@" in text:
        return _at_position(log, history, parse_position(text), ends)
    return _at_time(history, _parse_time(text), now, ends)


class _Maps:
    """Every map event, the log's time of it, and the map after it."""

    def __init__(self, log: Log) -> None:
        decoder = Decoder(log)
        self.all: list[tuple[Micros, ClusterMap]] = []
        self.last = EMPTY
        while records := log.read(*MAP, Offset(len(self.all)), _PAGE):
            for record in records:
                self.last = _after(self.last, decoder, record)
                self.all.append((record.timestamp, self.last))

    @property
    def end(self) -> Offset:
        return Offset(len(self.all))

    def at(self, end: int) -> ClusterMap:
        """The map after so many records."""
        return self.all[end - 1][1] if end else EMPTY

    def until(self, time: Micros) -> Offset:
        """How many precede the first that the log took later."""
        later = (n for n, (taken, _) in enumerate(self.all) if taken > time)
        return Offset(next(later, len(self.all)))


def _after(before: ClusterMap, decoder: Decoder, record: Record) -> ClusterMap:
    event = decoder.decode(record)
    assert isinstance(event, MapChanged), "the codec knows no other event of the map"
    after = fold(before, event)
    return before if isinstance(after, Refusal) else after


def _at_epoch(history: _Maps, text: str, ends: Mapping[Partition, Offset]) -> Moment:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise BadName(f"{text[:40]!r} is not an epoch", _HOW)
    wanted, last = Epoch(int(text)), history.last.epoch
    if wanted < 1 or wanted > last:
        raise NotThere(
            f"there is no epoch {wanted}: the map has 1 to {last}",
            "`osdlog map log` lists them.",
        )
    map_end = Offset(max(n for n in range(history.end + 1) if history.at(n).epoch <= wanted))
    found = history.at(map_end)
    if found.epoch != wanted:
        after = history.at(map_end + 1).epoch
        raise NotThere(
            f"there is no epoch {wanted}: the map went from {found.epoch} to {after} at once",
            f"Ask for epoch:{found.epoch} or epoch:{after}; `osdlog map log` lists them.",
        )
    return Moment(f"epoch {wanted}", found, map_end, ends, epoch=wanted)


def _at_time(history: _Maps, time: Micros, now: Micros, ends: Mapping[Partition, Offset]) -> Moment:
    if time > now:
        raise NotThere(
            f"{shown_time(time)} has not come yet: it is {shown_time(now)}",
            "Without --until all is shown that is in the log now.",
        )
    end = history.until(time)
    if end == 0:
        began = shown_time(history.all[0][0]) if history.all else "never"
        raise NotThere(
            f"at {shown_time(time)} there was no cluster: its log begins at {began}",
            "Ask for a later time; times without a zone are UTC.",
        )
    return Moment(shown_time(time), history.at(end), end, ends, until=time)


def _at_position(
    log: Log, history: _Maps, position: Position, ends: Mapping[Partition, Offset]
) -> Moment:
    record = _record_at(log, position)
    words = f"{position}, {shown_time(record.timestamp)}"
    if position.topic is Topic.MAP:
        end = Offset(position.offset + 1)
        return Moment(words, history.at(end), end, ends, until=record.timestamp)
    end = history.until(record.timestamp)
    cut = dict(ends) | {position.partition: Offset(position.offset + 1)}
    until, exact = record.timestamp, position.partition
    return Moment(words, history.at(end), end, cut, until=until, exact=exact)


def _record_at(log: Log, position: Position) -> Record:
    topic, partition, offset = position.topic, position.partition, position.offset
    count = log.identity.partitions if topic is Topic.RG else 1
    if partition >= count:
        raise no_such_place((topic, partition), log.identity)
    end = log.end_offsets([(topic, partition)])[topic, partition]
    if offset >= end:
        last = f"its last record is {topic}/{partition}@{end - 1}" if end else "it is empty"
        raise NotThere(
            f"there is no record at {position}: {last}",
            "`osdlog log cat` lists the positions.",
        )
    require_beginnings(log, {(topic, partition): end})
    return log.read(topic, partition, offset, 1)[0]


def _parse_time(text: str) -> Micros:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadName(f"{text[:40]!r} is no moment", _HOW) from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return Micros((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def shown_time(time: Micros) -> str:
    """As in `2026-11-22T14:30:00.000000Z`, which is also how it may be written."""
    try:
        when = datetime.fromtimestamp(time / 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time} microseconds since 1970"
    return f"{when.isoformat(timespec='microseconds')[:26]}Z"
