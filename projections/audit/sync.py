"""Following the log: what is new in it goes into the audit database, batch by batch.

Rule: what was loaded stays right or is thrown away: before anything is added,
the last record of every partition is compared with the one that was loaded. A
record that cannot be decoded, or judged, stops its partition; the others go on.

What is not here: how events are kept (`audit.loading`), and what they mean
(`audit.deriving`, `audit.map_tables`).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eventlog.chunk_reading import read_chunks
from eventlog.chunks import Chunk, together
from eventlog.columns import ColumnDecoder
from eventlog.digest import NO_RECORD, record_digest
from eventlog.errors import LogReplaced
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.log import Log, TopicPartition
from projections.audit.database import (
    Connection,
    Reached,
    create,
    making_anew,
    note,
    reached,
    transaction,
    writing,
)
from projections.audit.deriving import derive
from projections.audit.loading import load
from projections.audit.map_tables import PLACE, read_map, write_map
from projections.audit.rule_sets import unknown_rules

BATCH_EVENTS = 500_000
"""Events of one transaction: so many that its cost is shared, so few that they fit in memory."""

BATCH_BYTES = 256 * 1024 * 1024
"""Bytes of records after which a transaction ends, however few they are."""

Progress = Callable[[int, int], None]
"""Is told how many events are loaded, and how many there were to load."""


class Synced(NamedTuple):
    """What a sync did."""

    events: int
    stops: Mapping[TopicPartition, str]
    """Partitions that could not be read to their end, and why."""


def sync(
    path: Path, log: Log, progress: Progress | None = None, batch_events: int = BATCH_EVENTS
) -> Synced:
    """Load what is new, and derive the facts of all that is loaded.

    Raises what `follow` raises.
    """
    synced = follow(path, log, progress, batch_events)
    derive(path, log.identity)
    return synced


def follow(
    path: Path, log: Log, progress: Progress | None = None, batch_events: int = BATCH_EVENTS
) -> Synced:
    """Load what is new. Makes the database where there is none.

    Raises `LogReplaced` where the log is not the one that was loaded, the
    errors of reading it, `AuditBusy`, `AuditForeign`.
    """
    if not path.exists():
        create(path, log.identity)
    with writing(path, log.identity) as connection:
        return _Follower(path, connection, log, progress or _silent, batch_events).follow()


def _silent(_done: int, _all: int) -> None:
    pass


class _Follower:
    """One sync of one database."""

    def __init__(
        self, path: Path, connection: Connection, log: Log, progress: Progress, batch_events: int
    ) -> None:
        self._path = path
        self._connection = connection
        self._log = log
        self._progress = progress
        self._batch_events = batch_events
        self._reached = reached(connection)

    def follow(self) -> Synced:
        """Load the map, then everything else that is there now.

        The map's end is asked for last: what RGs were claimed by then stands in it.
        """
        places = [(Topic.RG, Partition(p)) for p in range(self._log.identity.partitions)]
        ends = {**self._log.end_offsets(places), **self._log.end_offsets([PLACE])}
        self._compare(ends)
        stops = {}
        skipped, map_stop = self._follow_map(ends[PLACE])
        if map_stop is not None:
            stops[PLACE] = map_stop
        decoder = ColumnDecoder(self._log, skipped)
        starts = {p: self._next((t, p)) for t, p in places}
        count = self._load(decoder, starts, {p: ends[t, p] for t, p in places})
        stops |= {(Topic.RG, p): str(stop.error) for p, stop in decoder.stops.items()}
        return Synced(count, stops)

    def _next(self, place: TopicPartition) -> Offset:
        found = self._reached.get(place)
        return found.next_offset if found else Offset(0)

    def _compare(self, ends: Mapping[TopicPartition, Offset]) -> None:
        """Raise `LogReplaced` unless the log still has what was loaded."""
        for place, (offset, digest, _) in self._reached.items():
            if not offset:
                continue
            topic, partition = place
            last = Position(topic, partition, Offset(offset - 1))
            is_there = ends[place] >= offset
            records = self._log.read(topic, partition, last.offset, 1) if is_there else []
            if not records or record_digest(records[0].value) != digest:
                raise LogReplaced(
                    f"the log is not the one that the audit database was made from: {last}"
                    " is missing or another record",
                    "It was truncated or replaced. If it is the right one, make the database"
                    f" anew with {making_anew(self._path)}.",
                )

    def _follow_map(self, end: Offset) -> tuple[dict[Position, bytes], str | None]:
        """The records that are skipped, and where the map stops if it does."""
        known = self._reached.get(PLACE)
        if known is None or known.next_offset < end:
            history = read_map(self._log)
            with transaction(self._connection):
                write_map(self._connection, history)
                note(self._connection, {PLACE: history.reached})
            return dict(history.map.skipped), history.reached.stopped
        rows = self._connection.execute('SELECT topic, partition, "offset", sha256 FROM kept.skips')
        skipped = {
            Position(Topic(topic), Partition(partition), Offset(offset)): digest
            for topic, partition, offset, digest in rows.fetchall()
        }
        return skipped, known.stopped

    def _load(
        self,
        decoder: ColumnDecoder,
        starts: Mapping[Partition, Offset],
        ends: Mapping[Partition, Offset],
    ) -> int:
        total = sum(ends.values()) - sum(starts.values())
        partitions, done = self._log.identity.partitions, 0
        for batch in self._batches(read_chunks(self._log, starts, ends)):
            decoded = decoder.decode(_by_partition(batch))
            decoded = decoder.stop_at(decoded, unknown_rules(decoded, partitions))
            with transaction(self._connection):
                load(self._connection, decoded, partitions)
                note(self._connection, self._covered(batch, decoder))
            done += len(batch)
            self._progress(done, total)
        return done

    def _batches(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        batch: list[Chunk] = []
        for chunk in chunks:
            batch.append(chunk)
            size = sum(each.values.data.size for each in batch)
            if sum(map(len, batch)) >= self._batch_events or size >= BATCH_BYTES:
                yield together(batch)
                batch = []
        if batch:
            yield together(batch)

    def _covered(self, batch: Chunk, decoder: ColumnDecoder) -> dict[TopicPartition, Reached]:
        """How far the batch reaches in each partition, or up to where it stopped."""
        found: dict[TopicPartition, Reached] = {}
        limit = np.full(self._log.identity.partitions, np.iinfo(np.int64).max)
        for partition, stop in decoder.stops.items():
            limit[partition] = stop.position.offset
        index = np.flatnonzero(batch.offsets < limit[batch.partitions])
        _, last = np.unique(batch.partitions[index][::-1], return_index=True)
        for number in index[len(index) - 1 - last].tolist():
            place = (Topic.RG, Partition(int(batch.partitions[number])))
            end = Offset(int(batch.offsets[number]) + 1)
            found[place] = Reached(end, record_digest(batch.value(number)))
        for partition, stop in decoder.stops.items():
            place = (Topic.RG, partition)
            before = found.get(place) or self._reached.get(place) or Reached(Offset(0), NO_RECORD)
            found[place] = before._replace(stopped=str(stop.error))
        self._reached |= found
        return found


def _by_partition(batch: Chunk) -> Chunk:
    """The same records, those of a partition together: so they are asked for later."""
    return batch.at(np.argsort(batch.partitions, kind="stable"))
