"""Invariant 7: a burst of maps that ends where it began moves nothing.

Rule: in a settled cluster nothing is under way; so after a burst in which
no RG stays in one place for as long as calm, and which ends where it began, no
object has been copied, and all is as it was.
"""

from eventlog.ids import OsdId, RgId
from eventlog.map_events import OsdReweighted, RgPinned, RgUnpinned
from simulation.checkers.clean_at_rest import faults_of
from simulation.cluster import Cluster
from simulation.observers import Observer, Violation

NAME = "calm bursts"


class CalmBursts(Observer):
    """Makes a burst once all is quiet, and looks at what it moved."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def settled(self) -> None:
        """See `Observer`."""
        cluster = self._cluster
        before, pins = cluster.copied, dict(cluster.map.pins)
        weights = {osd: known.weight for osd, known in sorted(cluster.map.osds.items())}
        gap = cluster.settings.calm_ms // (2 * len(cluster.reference.rgs) + len(weights))
        chosen = [rg for rg in sorted(cluster.reference.rgs) if self._can_come_back(pins.get(rg))]
        for rg in chosen:
            self._pin_elsewhere(rg)
            cluster.world.run(gap)
        for osd, weight in weights.items():
            cluster.change_map(OsdReweighted(osd=osd, weight=3 * weight + 1))
            cluster.world.run(gap)
        for osd, weight in weights.items():
            cluster.change_map(OsdReweighted(osd=osd, weight=weight))
        for rg in chosen:
            was = pins.get(rg)
            cluster.change_map(RgPinned(rg=rg, osds=was) if was else RgUnpinned(rg=rg))
        cluster.settle()
        if cluster.copied != before:
            raise Violation(NAME, f"a burst that changed nothing copied {cluster.copied - before}")
        if faults := faults_of(cluster):
            raise Violation(NAME, "after a burst: " + "\n".join(faults))

    def _can_come_back(self, pin: tuple[OsdId, ...] | None) -> bool:
        """A pin to an OSD that has gone out since cannot be set again."""
        osds = self._cluster.map.osds
        return pin is None or all(osd in osds and osds[osd].is_candidate for osd in pin)

    def _pin_elsewhere(self, rg: RgId) -> None:
        placed = self._cluster.reference.placed(rg)
        for osd, known in sorted(self._cluster.map.osds.items()):
            if known.is_candidate and osd not in placed:
                self._cluster.change_map(RgPinned(rg=rg, osds=(osd,)))
                return
