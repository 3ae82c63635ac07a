"""Invariant 5 with several copies: nothing goes before there are as many copies as there should be.

Rule: a claim places the RG as the map of its epoch does. A put that is accepted
names as many stores as a client was promised. And right after a copy of a live
object was doomed for being a stray, as many copies count as the map of the
claim's epoch wants, on the stores where that map places them.
"""

from eventlog.ids import RgId
from eventlog.rg_events import CopiesDoomed, ObjectPut, RgClaimed
from projections.replica_group import Folded
from projections.rg_state import Entry
from simulation.observers import Observer, Violation
from simulation.reference import Reference, Told

NAME = "kept replicas"


class KeptReplicas(Observer):
    """Looks at claims, puts and doomings as they are accepted."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if folded is None or folded.void is not None:
            return
        if isinstance(event, RgClaimed):
            self._claimed(event)
        elif isinstance(event, ObjectPut):
            self._put(event)
        elif isinstance(event, CopiesDoomed):
            for name, (_, after) in folded.draft.entries.items():
                if after is not None and after.body is not None:
                    self._doomed(event, name, after)

    def _claimed(self, event: RgClaimed) -> None:
        epoch = event.fence.epoch
        then, placed = self._reference.maps[epoch], self._placed(event.rg, event)
        said = (event.placed, event.replicas, event.min_replicas)
        if said != (placed, then.replicas, then.min_replicas):
            what = f"rg {event.rg:x} is claimed for {said}, epoch {epoch} places it on {placed}"
            raise Violation(NAME, what)

    def _put(self, event: ObjectPut) -> None:
        wanted = self._reference.maps[event.fence.epoch].min_replicas
        if len(set(event.stores)) < wanted:
            what = f"{event.object} v{event.version} is on {len(event.stores)} of {wanted} stores"
            raise Violation(NAME, what)

    def _doomed(self, event: CopiesDoomed, name: str, after: Entry) -> None:
        wanted = self._reference.maps[event.fence.epoch].replicas
        placed = self._placed(event.rg, event)
        counted = [store for store in after.holders() if store in placed]
        if len(counted) < wanted:
            what = f"{name} v{after.version} has {len(counted)} of {wanted} copies where it belongs"
            raise Violation(NAME, f"{what}, and {event.store} may drop its own")

    def _placed(self, rg: RgId, event: RgClaimed | CopiesDoomed) -> tuple[object, ...]:
        return self._reference.placed_stores(rg, event.fence.epoch)
