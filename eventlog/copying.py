"""Copying a log into another, of whatever kind each is.

Rule: in `map` and `rg` the copy has the same values at the same offsets, so
whoever has read one goes on with the other; in `schemas` the same entries, each
once, as compaction leaves them. What the copy has
already is compared, not written again, so a copy that was interrupted goes on
when it is made again; one that has anything else is refused. The times of
appending are kept where the new log can keep them, as SQLite's can; on Kafka
they are its own.

What is not here: who may still be writing to the old log. What comes after the
ends were asked is not copied.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from eventlog.errors import WrongLog
from eventlog.ids import Offset, Position, Topic
from eventlog.log import Entry, Log, Record, TopicPartition
from eventlog.places import all_places

CHUNK_RECORDS = 5_000
CHUNK_BYTES = 4 * 1024 * 1024
"""Of values in one append: one commit, or a few requests; small enough to hold in memory."""


class Copied(NamedTuple):
    """What was done."""

    records: int
    there: int
    """Those that the copy had already."""
    size: int
    """Bytes of the values that were copied."""


class Plan(NamedTuple):
    """What there is to copy."""

    ends: Mapping[TopicPartition, Offset]
    records: int


def plan_copy(source: Log, target: Log) -> Plan:
    """Up to where the source is to be copied; `WrongLog` where the target is another log's."""
    if source.identity != target.identity:
        raise WrongLog(
            f"the log {target.url} is {tuple(target.identity)}, and {source.url} is"
            f" {tuple(source.identity)}",
            "Copy to a new log, or to one that is a copy of this one.",
        )
    places = list(all_places(source.identity))
    ends: dict[TopicPartition, Offset] = {}
    # A claim that is copied has its map in the map that is, and a record its schema.
    for topic in (Topic.RG, Topic.MAP, Topic.SCHEMAS):
        ends |= source.end_offsets(place for place in places if place[0] is topic)
    return Plan(ends, sum(ends.values()))


def copy_log(
    source: Log, target: Log, plan: Plan, step: Callable[[int], None] = lambda _: None
) -> Copied:
    """Copy what the target lacks, the catalogue first; `step` is told of every few records.

    Raises `WrongLog` where the target has anything else, and what reading and
    appending do.
    """
    done = Copied(0, 0, 0)
    for place in sorted(plan.ends, key=lambda place: (place[0] is not Topic.SCHEMAS, place)):
        chunks = _schemas if place[0] is Topic.SCHEMAS else _chunks
        for chunk in chunks(source, target, place, plan.ends[place]):
            _append(target, chunk.missing)
            size = sum(len(record.value) for record in chunk.missing)
            done = Copied(
                done.records + len(chunk.missing), done.there + chunk.there, done.size + size
            )
            step(len(chunk.missing) + chunk.there)
    return done


@runtime_checkable
class KeepsTimes(Protocol):
    """A log that can be given the times of appending of the log it is a copy of."""

    def append_at(self, entries: Sequence[Entry], times: Sequence[int]) -> list[Position]:
        """As `Log.append`, at these times."""
        ...


class _Chunk(NamedTuple):
    """Some records of one partition: how many the target has, and the rest."""

    there: int
    missing: list[Record]


def _chunks(source: Log, target: Log, place: TopicPartition, end: Offset) -> Iterator[_Chunk]:
    there = _each(target, place, target.end_offsets([place])[place])
    missing: list[Record] = []
    size = 0
    for record in _each(source, place, end):
        if (other := next(there, None)) is not None:
            _require_same(record, other, target)
            yield _Chunk(1, [])
            continue
        missing.append(record)
        size += len(record.value)
        if len(missing) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
            yield _Chunk(0, missing)
            missing, size = [], 0
    if missing:
        yield _Chunk(0, missing)
    if (other := next(there, None)) is not None:
        raise _goes_on(other.position, source, target)


def _schemas(source: Log, target: Log, place: TopicPartition, end: Offset) -> Iterator[_Chunk]:
    """Entries of the catalogue, by their keys: several processes may have published the same."""
    there = {each.key: each for each in _each(target, place, target.end_offsets([place])[place])}
    wanted = list(_each(source, place, end))
    for record in wanted:
        other = there.get(record.key, record)
        if record.value != other.value:
            raise _other(other.position, target)
    if others := there.keys() - {record.key for record in wanted}:
        raise _goes_on(there[min(others)].position, source, target)
    missing = {record.key: record for record in wanted if record.key not in there}
    yield _Chunk(len(wanted) - len(missing), list(missing.values()))


def _append(target: Log, records: list[Record]) -> None:
    entries = [Entry(each.topic, each.partition, each.key, each.value) for each in records]
    if isinstance(target, KeepsTimes):
        positions = target.append_at(entries, [record.timestamp for record in records])
    else:
        positions = target.append(entries)
    for record, position in zip(records, positions, strict=True):
        _require_place(record, position, target)


def _each(log: Log, place: TopicPartition, end: Offset) -> Iterator[Record]:
    offset = Offset(0)
    while offset < end and (records := log.read(*place, offset, CHUNK_RECORDS)):
        yield from (record for record in records if record.offset < end)
        offset = Offset(records[-1].offset + 1)


def _require_same(record: Record, other: Record, target: Log) -> None:
    _require_place(record, other.position, target)
    if (record.key, record.value) != (other.key, other.value):
        raise _other(other.position, target)


def _require_place(record: Record, position: Position, target: Log) -> None:
    if record.topic is not Topic.SCHEMAS and record.position != position:
        raise WrongLog(
            f"what stands at {record.position} came to stand at {position} of {target.url}",
            "Somebody else writes to it: stop them, and copy to a new log.",
        )


def _other(position: Position, target: Log) -> WrongLog:
    return WrongLog(
        f"the log {target.url} has another record at {position}",
        "It is no copy of this log: copy to a new log.",
    )


def _goes_on(position: Position, source: Log, target: Log) -> WrongLog:
    return WrongLog(
        f"the log {target.url} has {position}, and {source.url} ends before it",
        "It is no copy of this log, or in use already: copy to a new log.",
    )
