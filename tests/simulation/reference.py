"""The reference: all that the log says so far, folded as soon as it is appended.

Rule: it reads the log and nothing else. Nodes are behind it; checkers compare
them with it.
"""

from typing import NamedTuple

from eventlog.codec import Event
from eventlog.ids import OsdId, RgId, Version
from eventlog.log import Record
from eventlog.map_events import MapChanged
from eventlog.rg_events import ObjectDeclaredLost, ObjectDeleted, ObjectPut, Operation
from projections.cluster_map import EMPTY, ClusterMap, Refusal, candidates
from projections.map_fold import fold, moves_data
from projections.placement import PlacementTable, place_all
from projections.replica_group import Folded
from projections.rg_memory import RgProjection

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
        self._table: PlacementTable | None = None

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

    def placed(self, rg: RgId) -> tuple[OsdId, ...]:
        """Where the map places the RG, up or not."""
        if self._table is None:
            now = self.map
            pins = dict(now.pins)
            self._table = place_all(candidates(now), now.rg_count, now.replicas, pins)
        return self._table.placed(rg)

    def primary(self, rg: RgId) -> OsdId | None:
        """The OSD that the map makes the RG's primary, if any is up."""
        return next((osd for osd in self.placed(rg) if self.map.osds[osd].is_up), None)

    def _fold_map(self, event: MapChanged) -> None:
        after = fold(self.map, event)
        if isinstance(after, Refusal):
            return
        if moves_data(self.map, after):
            self._table = None
        self.map = after
