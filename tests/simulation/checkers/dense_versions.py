"""Invariant 3: the accepted versions of an RG are 1 to n without a gap.

Rule: counted here, beside the fold: the n-th accepted operation has version n,
and an acceptance never comes back under a fence that another claim replaced.
"""

from collections import Counter

from eventlog.ids import Fence, RgId
from eventlog.rg_events import RgClaimed
from projections.replica_group import Folded
from simulation.observers import Observer, Violation
from simulation.reference import OPERATIONS, Told

NAME = "dense versions"


class DenseVersions(Observer):
    """Counts accepted operations."""

    def __init__(self) -> None:
        self._count: Counter[RgId] = Counter()
        self._fence: dict[RgId, Fence] = {}

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if folded is None or folded.void is not None:
            return
        if isinstance(event, RgClaimed):
            self._fence[event.rg] = event.fence
        if not isinstance(event, OPERATIONS):
            return
        self._count[event.rg] += 1
        if event.version != self._count[event.rg]:
            what = f"operation {self._count[event.rg]} of rg {event.rg:x} is v{event.version}"
            raise Violation(NAME, what)
        if event.fence != self._fence.get(event.rg):
            raise Violation(
                NAME, f"v{event.version} of rg {event.rg:x} was said under {event.fence}"
            )
