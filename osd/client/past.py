"""The past: every RG as it was at a moment, folded from the log alone.

Rule: the same folds as the OSDs' own, over exactly the records that belong to
the moment (`osd.client.moments`); what a `record skipped` of the map names is
passed over, whenever that was said. Nothing is written anywhere. The first
record that cannot be decoded stops it, with its position.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from hashlib import sha256

import numpy as np

from eventlog.chunk_reading import read_chunks
from eventlog.chunks import Chunk
from eventlog.codec import Decoder
from eventlog.errors import LogError, LogUnavailable
from eventlog.ids import Epoch, Offset, Partition, Position, RgId, Topic
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgClaimed, RgEvent
from osd.client.history_cut import require_beginnings
from osd.client.moments import Moment
from projections.rg_memory import RgProjection

Progress = Callable[[int, int], None]
"""Told how many records were read, and how many there are at most."""


def fold_past(
    log: Log,
    moment: Moment,
    skipped: Mapping[Position, bytes],
    wanted: Collection[RgId] | None = None,
    progress: Progress | None = None,
) -> dict[RgId, RgProjection]:
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
    return folding.rgs


def _partitions(log: Log, wanted: Collection[RgId]) -> list[Partition]:
    return sorted({Partition(rg % log.identity.partitions) for rg in wanted})


def _chunks(log: Log, moment: Moment, ends: Mapping[Partition, Offset]) -> Iterator[Chunk]:
    """What belongs to the moment, of these partitions."""
    cut = _Cut(moment, ends)
    starts = {partition: Offset(0) for partition in ends}
    try:
        for chunk in read_chunks(log, starts, ends):
            yield cut.taken(chunk)
            if cut.is_over:
                return
    except LogUnavailable:
        raise
    except LogError:
        require_beginnings(log, {(Topic.RG, p): end for p, end in ends.items()})
        raise


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
        self._decoder = Decoder(log)
        self._skipped = skipped
        self._wanted = wanted
        self._epoch = epoch
        self._over: set[RgId] = set()
        """RGs that came to their first claim of a later epoch."""
        self.rgs: dict[RgId, RgProjection] = {}

    def take(self, chunk: Chunk) -> None:
        for record in chunk.records():
            if not self._is_skipped(record):
                self._fold(record)

    def _fold(self, record: Record) -> None:
        event = self._decoder.decode(record)
        assert not isinstance(event, MapChanged), "the map's events are in their own topic"
        rg = event.rg
        if rg in self._over or (self._wanted is not None and rg not in self._wanted):
            return
        if self._is_later(event):
            self._over.add(rg)
            return
        found = self.rgs.get(rg)
        if found is None:
            found = self.rgs[rg] = RgProjection(rg)
        found.fold(event, record.offset)

    def _is_later(self, event: RgEvent) -> bool:
        """Whether it is a claim of a later epoch: it outranks all that were accepted before."""
        if self._epoch is None or not isinstance(event, RgClaimed):
            return False
        return event.fence.epoch > self._epoch

    def _is_skipped(self, record: Record) -> bool:
        wanted = self._skipped.get(record.position) if self._skipped else None
        return wanted is not None and wanted == sha256(record.value).digest()
