"""History that was cut: which records of a log are gone, and from where the rest goes on.

Rule: nothing is derived from a partition whose first records are missing: a
fold of the rest would be another state, and look like one. What is missing is
said with its positions.
"""

from collections.abc import Mapping

from eventlog.errors import LogCorrupt, LogError, LogReplaced, LogUnavailable
from eventlog.ids import Offset
from eventlog.log import Log, Record, TopicPartition


def require_beginnings(log: Log, ends: Mapping[TopicPartition, Offset]) -> None:
    """Raises `LogReplaced` where the first records of one of these partitions are gone."""
    for place, end in ends.items():
        if end > 0 and _readable(log, place, 0) is None:
            raise _cut(log, place, end)


def _cut(log: Log, place: TopicPartition, end: Offset) -> LogError:
    topic, partition = place
    first = _first_readable(log, place, end)
    if first is None:
        return LogCorrupt(
            f"of the {end:,} records of {topic}/{partition} the first cannot be read, nor the last",
            "Restore the log, or replay a copy of it.",
        )
    return LogReplaced(
        f"the history of {topic}/{partition} was cut: its records @0 to @{first - 1} are gone, "
        f"what is left begins at {topic}/{partition}@{first}",
        "What was true there can be told only from a copy of the log that has them "
        "(`osdlog log copy` makes one); the RGs of other partitions can be asked for by --rg.",
    )


def _first_readable(log: Log, place: TopicPartition, end: Offset) -> Offset | None:
    """Where what is left begins, if it is the end of the partition that is left."""
    low, high = 0, end - 1
    if _readable(log, place, high) is None:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _readable(log, place, middle) is None:
            low = middle
        else:
            high = middle
    return Offset(high)


def _readable(log: Log, place: TopicPartition, offset: int) -> Record | None:
    try:
        records = log.read(*place, Offset(offset), 1)
    except LogUnavailable:
        raise
    except LogError:
        return None
    return records[0] if records else None
