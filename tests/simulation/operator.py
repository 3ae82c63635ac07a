"""A seeded operator: changes of the map, good ones and botched ones, in any order and at any pace.

Rule: the operator only appends to the map topic, as a person would; what is
void is as good as what is accepted.

What is not here: what breaks by itself (see `simulation.nemesis`).
"""

from collections.abc import Callable
from random import Random

from eventlog.ids import WEIGHT_ONE, Boot, Layout, OsdId, RgId, Store
from eventlog.map_events import (
    EpochBumped,
    MapChange,
    OsdAdded,
    OsdDown,
    OsdIn,
    OsdLeaving,
    OsdMoved,
    OsdOut,
    OsdReweighted,
    OsdUp,
    ReplicasSet,
    RgPinned,
    RgUnpinned,
)
from osd.core.membership import MONITOR
from projections.cluster_map import Osd
from simulation.cluster import Cluster
from simulation.observers import Violation

MAX_OSDS = 6
MAX_REPLACED = 4
"""So many OSDs at the most are replaced by new ones all at once."""
MAX_REPLICAS = 3


class Operator:
    """Changes the map of a run."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._seen: dict[OsdId, tuple[Store, Boot]] = {}
        """What a monitor last knew of a process."""
        self._kinds: list[tuple[int, Callable[[], MapChange]]] = [
            (6, self._pin),
            (2, self._unpin),
            (4, self._reweight),
            (2, lambda: OsdOut(osd=self._osd().osd)),
            (4, lambda: OsdIn(osd=self._osd().osd)),
            (1, self._leave),
            (2, self._take_back),
            (2, self._down),
            (3, self._up),
            (1, self._move),
            (1, lambda: EpochBumped(to=self._cluster.map.epoch + self._random.randint(1, 3))),
        ]
        if cluster.map.replicas > 1:
            self._kinds.append((2, self._set_replicas))

    def act(self) -> None:
        """One change; sometimes a new OSD."""
        if len(self._cluster.map.osds) < MAX_OSDS and self._random.randrange(12) == 0:
            self._add()
            return
        self._change(self._any())

    def burst(self) -> None:
        """Many changes in a row, faster than calm; the last may undo the first."""
        changes = [self._any() for _ in range(self._random.randint(3, 8))]
        for change in changes:
            self._change(change)
            self._cluster.world.run(self._random.choice([0, 1, 5, 30]))

    def flap(self) -> None:
        """One RG goes to and fro between two OSDs."""
        rg, one, other = self._rg(), self._osd(), self._osd()
        for turn in range(self._random.randint(2, 5)):
            self._change(RgPinned(rg=rg, osds=((one, other)[turn % 2].osd,)))
            self._cluster.world.run(self._random.choice([0, 2, 10, 60, 250]))

    def late(self) -> None:
        """A change made for an older layout: void."""
        if self._cluster.map.layout > 1:
            change = self._any()
            layout = Layout(self._cluster.map.layout - 1)
            self._say(f"late: {change}")
            if self._cluster.change_map(change, layout=layout) is None:
                raise Violation("operator", f"{change} was accepted for an older layout")

    def overhaul(self) -> None:
        """Everything is to go elsewhere: to as many new OSDs, or to as few as can hold it."""
        present = [osd for _, osd in sorted(self._cluster.map.osds.items()) if osd.is_candidate]
        if len(self._cluster.map.osds) <= MAX_REPLACED and self._random.randrange(2):
            for _ in present:
                self._add()
            for osd in present:
                self._change(OsdLeaving(osd=osd.osd))
                self._cluster.world.run(self._random.choice([0, 30, 300, 1_000]))
            return
        for osd in present[self._cluster.map.replicas :]:
            self._change(OsdOut(osd=osd.osd))
            self._cluster.world.run(self._random.choice([0, 30, 300]))

    def verdict(self) -> None:
        """A monitor says that a process is down: the one it saw last, which may be gone."""
        osd = self._osd()
        if osd.store is None:
            return
        store, boot = self._seen.get(osd.osd, (osd.store, osd.boot))
        self._seen[osd.osd] = (osd.store, osd.boot)
        down = OsdDown(store=store, boot=boot, why="does not answer")
        self._say(f"monitor: {down}")
        refusal = self._cluster.change_map(down, author=f"{MONITOR} of the simulation")
        if refusal is None and (store, boot) != (osd.store, osd.boot):
            raise Violation("operator", f"{down} was accepted, and {osd.store} is at {osd.boot}")

    def mend(self) -> None:
        """The last map: whatever is in it is in and up, and something can hold data."""
        if not self._cluster.map.osds:
            self._add()
        for _, osd in sorted(self._cluster.map.osds.items()):
            if not osd.is_in:
                self._change(OsdIn(osd=osd.osd))
        for _, osd in sorted(self._cluster.map.osds.items()):
            if not osd.is_up and osd.store is not None:
                self._change(OsdUp(store=osd.store, boot=osd.boot))
        lacking = [osd for _, osd in sorted(self._cluster.map.osds.items()) if not osd.is_candidate]
        for osd in lacking[: self._lacking()]:
            self._change(_back(osd) if osd.is_leaving else _reweighted(osd, WEIGHT_ONE))
        for _ in range(self._lacking()):
            self._add()

    def _lacking(self) -> int:
        """So many OSDs more are needed to hold every copy."""
        now = self._cluster.map
        return max(0, now.replicas - sum(osd.is_candidate for osd in now.osds.values()))

    def _change(self, change: MapChange) -> None:
        refusal = self._cluster.change_map(change)
        self._say(f"{change}" + (f": void, {refusal}" if refusal else ""))

    def _any(self) -> MapChange:
        weights = [weight for weight, _ in self._kinds]
        [(_, make)] = self._random.choices(self._kinds, weights)
        return make()

    def _add(self) -> None:
        self._say("adds an OSD")
        self._cluster.add(OsdId(max(self._cluster.map.osds, default=-1) + 1))

    def _osd(self) -> Osd:
        """Any; if the last was written off, a new one."""
        if not self._cluster.map.osds:
            self._add()
        return self._random.choice([osd for _, osd in sorted(self._cluster.map.osds.items())])

    def _rg(self) -> RgId:
        return RgId(self._random.randrange(self._cluster.map.rg_count))

    def _pin(self) -> MapChange:
        osds = dict.fromkeys(self._osd().osd for _ in range(self._cluster.map.replicas))
        return RgPinned(rg=self._rg(), osds=tuple(osds))

    def _unpin(self) -> MapChange:
        pins = sorted(self._cluster.map.pins)
        return RgUnpinned(rg=self._random.choice(pins) if pins else self._rg())

    def _reweight(self) -> MapChange:
        return _reweighted(self._osd(), self._random.randint(0, 4) * WEIGHT_ONE)

    def _leave(self) -> MapChange:
        return OsdLeaving(osd=self._osd().osd)

    def _take_back(self) -> MapChange:
        return _back(self._osd())

    def _down(self) -> MapChange:
        osd = self._osd()
        if osd.store is None:
            return OsdOut(osd=osd.osd)
        return OsdDown(store=osd.store, boot=osd.boot, why="does not answer")

    def _up(self) -> MapChange:
        osd = self._osd()
        if osd.store is None:
            return OsdIn(osd=osd.osd)
        return OsdUp(store=osd.store, boot=osd.boot)

    def _move(self) -> MapChange:
        return OsdMoved(
            osd=self._osd().osd, host=f"host-{self._random.randrange(9)}", rack="rack-2"
        )

    def _set_replicas(self) -> MapChange:
        replicas = self._random.randint(1, MAX_REPLICAS)
        return ReplicasSet(replicas=replicas, min_replicas=self._random.randint(1, replicas))

    def _say(self, what: str) -> None:
        for observer in self._cluster.observers:
            observer.noted(f"operator: {what}")


def _back(osd: Osd) -> MapChange:
    return OsdAdded(osd=osd.osd, weight=WEIGHT_ONE, host=osd.host, rack=osd.rack)


def _reweighted(osd: Osd, weight: int) -> MapChange:
    return OsdReweighted(osd=osd.osd, weight=weight)
