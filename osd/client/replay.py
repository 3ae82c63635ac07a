"""Replay: every RG folded from the log's first record, in memory, without any OSD.

Rule: the same folds as the OSDs' own; what a `record skipped` of the map names is
passed over, and so is an event in the partition of another RG. What cannot be
decoded stops the replay, and so does a claim under rules that are not known here.

What is not here: comparing with OSDs.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from eventlog.chunk_reading import read_chunks
from eventlog.chunks import Chunk
from eventlog.ids import Offset, Partition, Position, RgId, Topic, partition_of
from eventlog.log import Log
from eventlog.rg_events import RgEvent
from eventlog.typed_events import EventDecoder
from projections.cluster_map import ClusterMap
from projections.replica_group import Folded, has_unknown_rules, unknown_rules
from projections.rg_memory import RgProjection


class Told(NamedTuple):
    """One event of an RG, where it stands, and what it did."""

    position: Position
    event: RgEvent
    folded: Folded


class Replay:
    """The RGs of all partitions, as far as they were folded."""

    def __init__(
        self, log: Log, cluster_map: ClusterMap, partitions: Iterable[Partition] | None = None
    ) -> None:
        """Of those partitions, or of all."""
        self._log = log
        self._decoder = EventDecoder(log, cluster_map.skipped)
        every = map(Partition, range(log.identity.partitions))
        wanted = every if partitions is None else partitions
        self._next_offsets = {partition: Offset(0) for partition in wanted}
        self.rgs: dict[RgId, RgProjection] = {}

    def fold_all(self) -> Iterator[Told]:
        """Fold everything that is there and was not yet, event by event.

        Those of one partition come in order, partitions in any.
        """
        places = [(Topic.RG, partition) for partition in self._next_offsets]
        ends = {partition: end for (_, partition), end in self._log.end_offsets(places).items()}
        for chunk in read_chunks(self._log, dict(self._next_offsets), ends):
            for partition, offset, event in self._decoder.events(chunk):
                if partition != partition_of(event.rg, self._log.identity.partitions):
                    continue
                position = Position(Topic.RG, partition, offset)
                if has_unknown_rules(event):
                    raise unknown_rules(position, event.rules)
                folded = self.rg(event.rg).fold(event, offset)
                self._next_offsets[partition] = Offset(offset + 1)
                yield Told(position, event, folded)
            self._pass(chunk)

    def _pass(self, chunk: Chunk) -> None:
        """What stands last in a partition may have been skipped."""
        for partition in np.unique(chunk.partitions).tolist():
            last = int(chunk.offsets[chunk.partitions == partition].max())
            self._next_offsets[partition] = Offset(last + 1)

    def rg(self, rg: RgId) -> RgProjection:
        """What was folded of one RG so far."""
        found = self.rgs.get(rg)
        if found is None:
            found = self.rgs[rg] = RgProjection(rg)
        return found
