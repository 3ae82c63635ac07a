"""Replay: every RG folded from the log's first record, in memory, without any OSD.

Rule: the same folds as the OSDs' own, and what a `record skipped` of the map
names is passed over. What cannot be decoded stops the replay.

What is not here: comparing with OSDs.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from eventlog.codec import Decoder, Event
from eventlog.columns import Scanned, events, records_of, scan
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
    """The RGs of one partition, or of all, as far as they were folded."""

    def __init__(self, log: Log, cluster_map: ClusterMap) -> None:
        self._log = log
        self._decoder = Decoder(log)
        self._skipped = cluster_map.skipped
        self._next_offsets: dict[Partition, Offset] = {}
        self.rgs: dict[RgId, RgProjection] = {}

    def fold_all(self) -> Iterator[Told]:
        """Fold everything that is there and was not yet, event by event."""
        return self._fold_rest(*map(Partition, range(self._log.identity.partitions)))

    def fold(self, partition: Partition) -> Iterator[Told]:
        """Fold the rest of one partition."""
        return self._fold_rest(partition)

    def rg(self, rg: RgId) -> RgProjection:
        """What was folded of one RG so far."""
        found = self.rgs.get(rg)
        if found is None:
            found = self.rgs[rg] = RgProjection(rg)
        return found

    def _next(self, partition: Partition) -> Offset:
        return self._next_offsets.get(partition, Offset(0))

    def _fold_rest(self, *partitions: Partition) -> Iterator[Told]:
        begins = {(Topic.RG, partition): self._next(partition) for partition in partitions}
        for piece in scan(self._log, begins):
            for offset, event in self._events(piece):
                position = Position(piece.topic, piece.partition, offset)
                assert not isinstance(event, MapChanged), "the map's events are in their own topic"
                yield Told(position, event, self.rg(event.rg).fold(event, offset))
                self._next_offsets[piece.partition] = Offset(offset + 1)

    def _events(self, piece: Scanned) -> Iterator[tuple[Offset, Event]]:
        """All at once, unless some of them may have to be passed over."""
        if any(position.partition == piece.partition for position in self._skipped):
            for record in records_of(piece):
                if not self._is_skipped(record):
                    yield record.offset, self._decoder.decode(record)
        else:
            yield from zip(
                piece.frame["offset"].to_list(), events(piece, self._decoder), strict=True
            )

    def _is_skipped(self, record: Record) -> bool:
        wanted = self._skipped.get(record.position)
        return wanted is not None and wanted == sha256(record.value).digest()
