"""The past: every RG as it was at a moment, folded from the log alone.

Rule: the same folds as the OSDs' own, over exactly the records that belong to
the moment (`osd.client.moments`); what a `record skipped` of the map names is
passed over, whenever that was said, and so is an event in the partition of
another RG. Nothing is written anywhere. The first record that cannot be
decoded, or claims an RG under rules that are not known here, stops it, with
its position.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np
import pyarrow as pa

from eventlog.avro_cursor import Bools, Longs
from eventlog.chunk_reading import read_chunks
from eventlog.chunks import Chunk
from eventlog.codec import Decoder
from eventlog.columns import ColumnDecoder, rows_kept
from eventlog.ids import Epoch, Micros, Offset, Partition, Position, RgId, Topic, partition_of
from eventlog.log import Log
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgClaimed
from osd.client.history_cut import naming_cuts
from osd.client.moments import Moment, moment_of
from projections.bulk.arrays import longs, rows_where
from projections.bulk.fold import BulkFold, BulkRg
from projections.replica_group import RULE_SET, unknown_rules

BATCH_EVENTS = 131_072
"""So many are folded at once: more cost less each, until an RG has too much in one batch."""
_OFFSET_BITS = 40

Progress = Callable[[int, int], None]
"""Told how many records were read, and how many there are at most."""


def fold_past(
    log: Log,
    moment: Moment,
    skipped: Mapping[Position, bytes],
    wanted: Collection[RgId] | None = None,
    progress: Progress | None = None,
) -> dict[RgId, BulkRg]:
    """Every RG that had an event by then, or those of them that are wanted."""
    partitions = sorted(moment.ends) if wanted is None else _partitions(log, wanted)
    ends = {partition: moment.ends[partition] for partition in partitions}
    folding = _Folding(log, skipped, wanted, moment.epoch)
    total, done = sum(ends.values()), 0
    for chunk in _chunks(log, moment, ends):
        folding.take(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, total)
    return folding.finish()


def fold_present(
    log: Log, wanted: Collection[RgId] | None = None, progress: Progress | None = None
) -> dict[RgId, BulkRg]:
    """The same as the log has them now."""
    now = moment_of(log, None, Micros(0))
    return fold_past(log, now, now.map.skipped, wanted, progress)


def _partitions(log: Log, wanted: Collection[RgId]) -> list[Partition]:
    return sorted({partition_of(rg, log.identity.partitions) for rg in wanted})


def _chunks(log: Log, moment: Moment, ends: Mapping[Partition, Offset]) -> Iterator[Chunk]:
    """What belongs to the moment, of these partitions."""
    cut = _Cut(moment, ends)
    starts = {partition: Offset(0) for partition in ends}
    with naming_cuts(log, [(Topic.RG, partition) for partition in ends]):
        for chunk in read_chunks(log, starts, ends):
            yield cut.taken(chunk)
            if cut.is_over:
                return


class _Cut:
    """Ends each partition before its first record that is later than the moment."""

    def __init__(self, moment: Moment, ends: Mapping[Partition, Offset]) -> None:
        self._moment = moment
        self._ends = np.zeros(max(ends, default=0) + 1, np.int64)
        self._ends[list(ends)] = list(ends.values())
        self._open = self._ends > 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more can belong to the moment."""
        return not self._open.any()

    def taken(self, chunk: Chunk) -> Chunk:
        """What of the chunk belongs to the moment."""
        partitions, offsets = chunk.partitions, chunk.offsets
        if self._moment.until is not None:
            is_late = chunk.timestamps > self._moment.until
            if self._moment.exact is not None:
                is_late &= partitions != self._moment.exact
            np.minimum.at(self._ends, partitions[is_late], offsets[is_late])
        ends = self._ends[partitions]
        self._open[partitions[offsets >= ends - 1]] = False
        is_in = offsets < ends
        return chunk if is_in.all() else chunk.at(np.flatnonzero(is_in))


class _Folding:
    """The RGs, as far as they are folded."""

    def __init__(
        self,
        log: Log,
        skipped: Mapping[Position, bytes],
        wanted: Collection[RgId] | None,
        epoch: Epoch | None,
    ) -> None:
        self._columns = ColumnDecoder(log, skipped)
        self._decoder = Decoder(log)
        self._partitions = log.identity.partitions
        self._wanted = None if wanted is None else np.array(sorted(wanted), np.int64)
        self._epoch = epoch
        self._over: dict[int, int] = {}
        """RGs that came to their first claim of a later epoch, and where."""
        self._fold = BulkFold()
        self._chunks: list[Chunk] = []
        self._tables: dict[str, list[pa.Table]] = {}

    def take(self, chunk: Chunk) -> None:
        """Fold it, now or with what comes after it."""
        tables = self._columns.decode(chunk)
        for stop in self._columns.stops.values():
            raise stop.error
        tables = {name: self._in_place(table) for name, table in tables.items()}
        self._note_ends(tables)
        if (claims := tables.get(RgClaimed.schema)) is not None:
            _require_rules(rows_where(claims, self._belongs(claims)))
        is_all = self._wanted is None and self._epoch is None
        for name, table in tables.items():
            kept = table if is_all else rows_where(table, self._belongs(table))
            self._tables.setdefault(name, []).append(kept)
        self._chunks.append(chunk)
        if sum(map(len, self._chunks)) >= BATCH_EVENTS:
            self._flush()

    def finish(self) -> dict[RgId, BulkRg]:
        """All of them."""
        self._flush()
        return self._fold.rgs

    def _in_place(self, table: pa.Table) -> pa.Table:
        """Those that stand where events of their RG belong: see `partition_of`."""
        is_there = longs(table, "rg") % self._partitions == longs(table, "partition")
        return rows_kept(table, is_there)

    def _note_ends(self, tables: Mapping[str, pa.Table]) -> None:
        """A claim of a later epoch outranks all that were accepted before: the RG ends there."""
        claims = tables.get(RgClaimed.schema)
        if self._epoch is None or claims is None:
            return
        rgs, offsets = longs(claims, "rg"), longs(claims, "offset")
        for row in np.flatnonzero(longs(claims, "fence", "epoch") > self._epoch).tolist():
            self._over.setdefault(int(rgs[row]), int(offsets[row]))

    def _belongs(self, table: pa.Table) -> Bools:
        rgs = longs(table, "rg")
        found = np.ones(len(rgs), np.bool_)
        if self._wanted is not None:
            found &= np.isin(rgs, self._wanted)
        if self._over:
            over = np.array(sorted(self._over.items()), np.int64)
            place = np.minimum(np.searchsorted(over[:, 0], rgs), len(over) - 1)
            found &= (over[place, 0] != rgs) | (longs(table, "offset") < over[place, 1])
        return found

    def _flush(self) -> None:
        tables = {name: pa.concat_tables(some) for name, some in self._tables.items()}
        tables = {name: table for name, table in tables.items() if len(table)}
        chunks, self._chunks, self._tables = self._chunks, [], {}
        if not tables:
            return
        odd = self._fold.fold(tables)
        if not odd:
            return
        wanted = np.concatenate([_places(table, odd) for table in tables.values()])
        for chunk in chunks:
            places = chunk.partitions << _OFFSET_BITS | chunk.offsets
            for record in chunk.at(np.flatnonzero(np.isin(places, wanted))).records():
                event = self._decoder.decode(record)
                assert not isinstance(event, MapChanged), "columns have no event of the map"
                self._fold.rg(event.rg).fold(event, record.offset)


def _require_rules(claims: pa.Table) -> None:
    """Raise `BadRecord` at a claim under rules that are not known here."""
    rules = longs(claims, "rules")
    for row in np.flatnonzero(rules != RULE_SET).tolist():
        partition, offset = (int(longs(claims, name)[row]) for name in ("partition", "offset"))
        position = Position(Topic.RG, Partition(partition), Offset(offset))
        raise unknown_rules(position, int(rules[row]))


def _places(table: pa.Table, rgs: Collection[RgId]) -> Longs:
    """Where the events of these RGs stand."""
    is_it = np.isin(longs(table, "rg"), np.array(sorted(rgs), np.int64))
    found: Longs = longs(table, "partition") << _OFFSET_BITS | longs(table, "offset")
    return found[is_it]
