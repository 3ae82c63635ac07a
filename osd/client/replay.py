"""Replay: every RG folded from the log's first record, in memory, without any OSD.

Rule: the same folds as the OSDs' own, and what a `record skipped` of the map
names is passed over. What cannot be decoded stops the replay.

What is not here: comparing with OSDs.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from eventlog.chunk_reading import read_chunks
from eventlog.codec import Decoder
from eventlog.ids import Offset, Partition, Position, RgId, Topic
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgEvent
from projections.cluster_map import ClusterMap
from projections.replica_group import Folded
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
        self._decoder = Decoder(log)
        self._skipped = cluster_map.skipped
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
            for record in chunk.records():
                told = None if self._is_skipped(record) else self._fold(record)
                self._next_offsets[record.partition] = Offset(record.offset + 1)
                if told is not None:
                    yield told

    def rg(self, rg: RgId) -> RgProjection:
        """What was folded of one RG so far."""
        found = self.rgs.get(rg)
        if found is None:
            found = self.rgs[rg] = RgProjection(rg)
        return found

    def _fold(self, record: Record) -> Told:
        event = self._decoder.decode(record)
        assert not isinstance(event, MapChanged), "the map's events are in their own topic"
        return Told(record.position, event, self.rg(event.rg).fold(event, record.offset))

    def _is_skipped(self, record: Record) -> bool:
        if not self._skipped:
            return False
        wanted = self._skipped.get(record.position)
        return wanted is not None and wanted == sha256(record.value).digest()
