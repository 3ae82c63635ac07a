"""A long log made by a generator: what a cluster says that lives for a month and grows.

Rule: the same seed and length give the same events. Objects are put, overwritten and deleted, kept
on two OSDs each; now and then an OSD is added, and a part of all RGs moves. Nothing here is void.
"""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from random import Random

from benchmarks.made_rg import BOOT, MadeRg
from eventlog import catalogue
from eventlog.codec import encode
from eventlog.ids import (
    WEIGHT_ONE,
    Incarnation,
    Micros,
    OsdId,
    Partition,
    RgId,
    Store,
    Topic,
    rg_key,
    rg_of,
)
from eventlog.log import Entry, LogIdentity
from eventlog.map_events import NO_STORE, ClusterCreated, MapChange, MapChanged, OsdAdded, OsdBooted
from eventlog.rg_events import RgEvent
from eventlog.sqlite import SqliteLog
from projections.cluster_map import EMPTY, Refusal, candidates
from projections.map_fold import fold
from projections.placement import place_all

RGS = 64
REPLICAS = 2
OSDS = 12
"""At first; one more after every `EVENTS_AN_OSD`."""
EVENTS_AN_OSD = 2_000_000
APPENDED = 20_000
START = 1_763_000_000_000_000
EVENTS_A_DAY = 330_000
"""So that ten million events are a month."""
MIX = (0.49, 0.70)
"""Below the first a new object is put, below the second one is overwritten; else one is deleted."""


def make(path: Path, events: int, seed: int = 1) -> None:
    """An embedded log of at least so many events of RGs."""
    identity = LogIdentity("benchmark", RGS, "unlimited", "none")
    with SqliteLog.create(path, identity) as log:
        catalogue.publish(log)
        told = _Cluster(Random(seed)).tell(events)
        while entries := list(islice(told, APPENDED)):
            log.append(entries)


class _Cluster:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._map = EMPTY
        self._stores: dict[OsdId, Store] = {}
        self._names = count()
        self._rgs = [MadeRg(RgId(rg), random) for rg in range(RGS)]

    def tell(self, events: int) -> Iterator[Entry]:
        """Map events are told beside, and not counted."""
        told, at, due = 0, Micros(START), 0
        yield from self._found(at)
        while told < events:
            at = Micros(START + told * 86_400_000_000 // EVENTS_A_DAY)
            if told >= due:
                due += EVENTS_AN_OSD
                yield from self._grow(1 if told else OSDS, at)
                said = self._move(at)
            else:
                said = self._act(at)
            for event in said:
                told += 1
                yield _entry(Topic.RG, event.rg, event)

    def _found(self, at: Micros) -> Iterator[Entry]:
        created = ClusterCreated(
            cluster="benchmark",
            rg_count=RGS,
            partitions=RGS,
            retention="unlimited",
            cleanup="none",
            replicas=REPLICAS,
            min_replicas=1,
            rules=1,
        )
        yield from self._change((created,), at, guarded=True)

    def _grow(self, osds: int, at: Micros) -> Iterator[Entry]:
        for _ in range(osds):
            osd = OsdId(len(self._stores))
            store = self._stores[osd] = Store(osd, Incarnation(self._random.getrandbits(62)))
            added = OsdAdded(osd=osd, weight=WEIGHT_ONE, host=f"host-{osd}", rack=f"rack-{osd % 3}")
            yield from self._change((added,), at, guarded=True)
            booted = OsdBooted(
                store=store, boot=BOOT, address=f"host-{osd}:7000", replaces=NO_STORE
            )
            yield from self._change((booted,), at, guarded=False)

    def _change(self, changes: tuple[MapChange, ...], at: Micros, guarded: bool) -> Iterator[Entry]:
        layout = self._map.layout if guarded else None
        event = MapChanged(
            time=at, author="operator", reason="more room", layout=layout, changes=changes
        )
        after = fold(self._map, event)
        assert not isinstance(after, Refusal), after.why
        self._map = after
        yield Entry(Topic.MAP, Partition(0), b"", encode(event))

    def _move(self, at: Micros) -> Iterator[RgEvent]:
        table = place_all(candidates(self._map), RGS, REPLICAS)
        for rg in self._rgs:
            placed = tuple(self._stores[osd] for osd in table.placed(rg.rg))
            yield from rg.place(placed, self._map.epoch, at)

    def _act(self, at: Micros) -> Iterator[RgEvent]:
        chance, rg = self._random.random(), self._random.choice(self._rgs)
        if chance < MIX[0] or not rg.live:
            name = f"photos/2026/{next(self._names):09d}.jpg"
            return self._rgs[rg_of(name, RGS)].put(name, at)
        return rg.overwrite(at) if chance < MIX[1] else rg.delete(at)


def _entry(topic: Topic, rg: RgId, event: RgEvent) -> Entry:
    return Entry(topic, Partition(rg % RGS), rg_key(rg), encode(event))
