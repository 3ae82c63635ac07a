"""History that was cut: which records of a log are gone, and from where the rest goes on.

Rule: nothing is derived from a partition whose first records are missing: a
fold of the rest would be another state, and look like one. What is missing is
said with its positions. What is left can be shown as it was said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from eventlog.errors import (
    AppendUnknown,
    LogCorrupt,
    LogError,
    LogMissing,
    LogReadOnly,
    LogReplaced,
    LogUnavailable,
    RecordMissing,
    WrongLog,
)
from eventlog.ids import Offset, Topic
from eventlog.log import Log, TopicPartition

NAMED = 5
"""More partitions that were cut are counted."""


def require_beginnings(
    log: Log, ends: Mapping[TopicPartition, Offset], *, is_left_shown: bool = False
) -> None:
    """Raises `LogReplaced` where the first records of any of these partitions are gone.

    Where what is left is shown already, that is not said to be had.
    """
    cut = [place for place, end in ends.items() if end > 0 and not _is_left(log, place, 0)]
    if cut:
        raise _cut(log, cut, ends, "" if is_left_shown else "; `osdlog log cat` shows what is left")


@contextmanager
def naming_cuts(log: Log, places: Iterable[TopicPartition]) -> Iterator[None]:
    """What fails because these partitions have no beginning any more is raised as just that."""
    try:
        yield
    except (LogUnavailable, LogMissing, LogReadOnly, AppendUnknown, WrongLog):
        raise
    except LogError:
        require_beginnings(log, log.end_offsets(places))
        raise


def beginning(log: Log, place: TopicPartition) -> Offset:
    """Where what is left of the partition begins: its end where nothing is."""
    end = log.end_offsets([place])[place]
    if end == 0 or _is_left(log, place, 0):
        return Offset(0)
    first = _first_left(log, place, end)
    return end if first is None else first


def _cut(
    log: Log, cut: Sequence[TopicPartition], ends: Mapping[TopicPartition, Offset], left: str
) -> LogError:
    (topic, partition), *others = cut
    end = ends[topic, partition]
    first = _first_left(log, (topic, partition), end)
    if first is None:
        return LogCorrupt(
            f"of the {end:,} records of {topic}/{partition} the first cannot be read, nor the last",
            "Restore the log, or replay a copy of it.",
        )
    return LogReplaced(
        f"the history of {topic}/{partition} was cut: its records @0 to @{first - 1} are gone, "
        f"what is left begins at {topic}/{partition}@{first}{_also(log, others, ends)}",
        "What was true there can be told only from a copy of the log that has them "
        f"(`osdlog log copy` makes one){_rest(log, cut)}{left}.",
    )


def _also(log: Log, others: Sequence[TopicPartition], ends: Mapping[TopicPartition, Offset]) -> str:
    if not others:
        return ""
    named = (_beginning_words(log, place, ends[place]) for place in others[:NAMED])
    more = f" and {len(others) - NAMED:,} partitions more" if len(others) > NAMED else ""
    return f"; cut are also {', '.join(named)}{more}"


def _beginning_words(log: Log, place: TopicPartition, end: Offset) -> str:
    topic, partition = place
    first = _first_left(log, place, end)
    left = "its last record is gone too" if first is None else f"left from @{first} on"
    return f"{topic}/{partition} ({left})"


def _rest(log: Log, cut: Sequence[TopicPartition]) -> str:
    """What can be had all the same: without the map only what was said."""
    is_map = any(topic is Topic.MAP for topic, _ in cut)
    is_all = is_map or len(cut) == log.identity.partitions
    return "" if is_all else "; of other partitions' RGs `osdlog replay --rg` tells"


def _first_left(log: Log, place: TopicPartition, end: Offset) -> Offset | None:
    """Where what is left begins, if it is the end of the partition that is left."""
    low, high = 0, end - 1
    if not _is_left(log, place, high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _is_left(log, place, middle):
            high = middle
        else:
            low = middle
    return Offset(high)


def _is_left(log: Log, place: TopicPartition, offset: int) -> bool:
    """Whether the record is there, damaged or not: what can be seen to be bad is not gone."""
    try:
        return bool(log.read(*place, Offset(offset), 1))
    except (LogReplaced, RecordMissing):
        return False
    except LogCorrupt:
        return True
