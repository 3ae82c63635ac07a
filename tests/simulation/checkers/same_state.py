"""Invariant 8: the same log gives the same state, live, after any crash, and in replay.

Rule: wherever a node is as far as the log's end, its stored state is, digest
for digest, that of the log folded from zero; it is looked at now and then
during a run, after each start, and at the end, when also every RG is cut once
and its two parts are folded one after the other.
"""

from copy import deepcopy

from eventlog.ids import Offset, RgId
from eventlog.map_events import MapChanged
from osd.core.effects import Effects
from osd.core.inputs import Input, Read
from projections.rg_memory import RgProjection
from simulation.cluster import Cluster
from simulation.observers import Observer, Violation
from simulation.stores import Machine

NAME = "same state"
EVERY = 16
"""Of so many deliveries of records one is followed by a look."""


class SameState(Observer):
    """Compares nodes with the reference."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._deliveries = 0

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        if isinstance(given, Read):
            self._deliveries += 1
            if self._deliveries % EVERY == 0:
                self._compare(machine)

    def settled(self) -> None:
        """See `Observer`."""
        for machine in self._cluster.alive():
            self._compare(machine)
        for rg, projection in sorted(self._cluster.reference.rgs.items()):
            self._cut(rg, projection)

    def _compare(self, machine: Machine) -> None:
        assert machine.node is not None
        for rg, group in machine.node.groups.items():
            reference = self._cluster.reference.rgs[rg]
            if group.place.next_offset != reference.next_offset:
                continue
            if group.table.digest() != reference.digest():
                raise Violation(NAME, f"rg {rg:x} at {machine.address} is not what its log says")

    def _cut(self, rg: RgId, whole: RgProjection) -> None:
        events = [
            (told.event, told.record.offset)
            for told in self._cluster.told
            if not isinstance(told.event, MapChanged) and told.event.rg == rg
        ]
        projection = RgProjection(rg)
        cut = len(events) * 2 // 3
        for at, (event, offset) in enumerate(events):
            if at == cut:
                projection = deepcopy(projection)
            projection.fold(event, Offset(offset))
        if projection.digest() != whole.digest():
            raise Violation(NAME, f"rg {rg:x} cut at event {cut} folds otherwise than in one go")
