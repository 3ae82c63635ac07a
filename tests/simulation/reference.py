"""The reference: all that the log says so far, folded as soon as it is appended.

Rule: it reads the log and nothing else. Nodes are behind it; checkers compare
them with it.
"""

from typing import NamedTuple

from eventlog.codec import Event
from eventlog.ids import Epoch, OsdId, RgId, Store, Version
from eventlog.log import Record
from eventlog.map_events import MapChanged
from eventlog.rg_events import ObjectDeclaredLost, ObjectDeleted, ObjectPut, Operation
from projections.cluster_map import EMPTY, ClusterMap, Refusal, candidates
from projections.map_fold import fold
from projections.placement import PlacementTable
from projections.replica_group import Folded
from projections.rg_memory import RgProjection
from simulation.placements import Placements

OPERATIONS = (ObjectPut, ObjectDeleted, ObjectDeclaredLost)


class Told(NamedTuple):
    """An event as it stands in the log."""

    record: Record
    event: Event


class Reference:
    """The map and every RG at the log's end."""

    def __init__(self, rgs: int) -> None:
        self.map: ClusterMap = EMPTY
        self.rgs = {RgId(rg): RgProjection(RgId(rg)) for rg in range(rgs)}
        self.accepted: dict[tuple[RgId, Version], Operation] = {}
        """Every accepted operation."""
        self.maps: dict[Epoch, ClusterMap] = {}
        """The map as every epoch made it."""
        self._placements = Placements()

    def fold(self, told: Told) -> Folded | None:
        """Fold one more record; None if it is one of the map."""
        event = told.event
        if isinstance(event, MapChanged):
            self._fold_map(event)
            return None
        folded = self.rgs[event.rg].fold(event, told.record.offset)
        if isinstance(event, OPERATIONS) and folded.void is None:
            self.accepted[event.rg, folded.state.version] = event
        return folded

    def placed(self, rg: RgId, epoch: Epoch | None = None) -> tuple[OsdId, ...]:
        """Where the map, or that of an earlier epoch, places the RG, up or not."""
        return self._table(self.map if epoch is None else self.maps[epoch]).placed(rg)

    def placed_stores(self, rg: RgId, epoch: Epoch) -> tuple[Store, ...]:
        """The disks that these OSDs had then."""
        osds = self.maps[epoch].osds
        each = [osds[osd].store for osd in self.placed(rg, epoch)]
        return tuple(store for store in each if store is not None)

    def primary(self, rg: RgId) -> OsdId | None:
        """The OSD that the map makes the RG's primary, if any is up."""
        return next((osd for osd in self.placed(rg) if self.map.osds[osd].is_up), None)

    def _fold_map(self, event: MapChanged) -> None:
        after = fold(self.map, event)
        if isinstance(after, Refusal):
            return
        self.map = self.maps[after.epoch] = after

    def _table(self, now: ClusterMap) -> PlacementTable:
        return self._placements.all(candidates(now), now.rg_count, now.replicas, now.pins)
