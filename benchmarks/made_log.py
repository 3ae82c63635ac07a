"""A long log made by a generator: puts, overwrites, deletes and migrations, as a cluster has them.

Rule: the same seed and length give the same events. Nothing here is void: what the audit costs is
measured on a log in which all is well.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

from eventlog import catalogue
from eventlog.codec import encode
from eventlog.ids import (
    Boot,
    Epoch,
    Fence,
    Incarnation,
    Micros,
    Offset,
    OsdId,
    Partition,
    RgId,
    Round,
    Serial,
    StatementNumber,
    Store,
    Topic,
    Version,
    rg_key,
)
from eventlog.log import Entry, LogIdentity
from eventlog.rg_events import (
    CopiesDoomed,
    CopiesErased,
    ExportClosed,
    HoldingsStated,
    ObjectDeleted,
    ObjectPut,
    ObjectsImported,
    RgClaimed,
    RgEvent,
)
from eventlog.sqlite import SqliteLog
from projections.holdings import NOTHING, Holdings

RGS = 64
OSDS = 4
ITEMS = 500
APPENDED = 20_000
START = 1_763_000_000_000_000
EVENTS_A_DAY = 330_000
"""So that ten million events are a month."""


def make(path: Path, events: int, seed: int = 1) -> None:
    """An embedded log of at least so many events."""
    identity = LogIdentity("benchmark", RGS, "unlimited", "none")
    with SqliteLog.create(path, identity) as log:
        catalogue.publish(log)
        told = _Cluster(Random(seed)).tell(events)
        while entries := list(islice(told, APPENDED)):
            log.append(entries)


class _Rg:
    """One RG, and what its log has said."""

    def __init__(self, rg: RgId, random: Random, stores: list[Store]) -> None:
        self.rg = rg
        self.random = random
        self.stores = stores
        self.primary = stores[rg % len(stores)]
        self.epoch = 0
        self.version = 0
        self.names = 0
        self.said: dict[Store, int] = {}
        self.holdings = NOTHING
        self.live: list[tuple[Version, str]] = []

    @property
    def fence(self) -> Fence:
        return Fence(Epoch(self.epoch), Round(1), self.primary, Boot(1))

    def act(self, time: Micros) -> Iterator[RgEvent]:
        chance = self.random.random()
        if not self.epoch:
            yield from self.claim(time)
        elif chance < 0.0004 and self.live:
            yield from self.move(time)
        elif chance < 0.72 or not self.live:
            yield self.put(time)
        else:
            yield from self.delete(time)

    def claim(self, time: Micros) -> Iterator[RgEvent]:
        self.epoch += 1
        yield RgClaimed(
            rg=self.rg,
            time=time,
            fence=self.fence,
            placed=(self.primary,),
            replicas=1,
            min_replicas=1,
            rules=1,
            next_offset=Offset(0),
            digest=bytes(8),
        )

    def put(self, time: Micros) -> ObjectPut:
        if self.live and self.random.random() < 0.3:
            old, name = self._take()
            self.holdings = self.holdings.minus(self.rg, old)
        else:
            name = f"photos/2026/{self.rg:02x}/{self.names:08d}.jpg"
            self.names += 1
        self._next()
        self.live.append((Version(self.version), name))
        self.holdings = self.holdings.plus(self.rg, Version(self.version))
        return ObjectPut(
            rg=self.rg,
            time=time,
            fence=self.fence,
            serial=Serial(self.version),
            object=name,
            version=Version(self.version),
            size=self.random.randrange(1 << 22),
            sha256=self.random.randbytes(32),
            media_type="image/jpeg",
            metadata={},
            stores=(self.primary,),
            request=None,
            actor=self.random.choice((None, "alice", "bob")),
        )

    def delete(self, time: Micros) -> Iterator[RgEvent]:
        version, name = self._take()
        self._next()
        yield ObjectDeleted(
            rg=self.rg,
            time=time,
            fence=self.fence,
            serial=Serial(self.version),
            object=name,
            version=Version(self.version),
            request=None,
            actor="carol",
        )
        self.holdings = self.holdings.minus(self.rg, version)
        yield CopiesErased(**self._head(self.primary, time), versions=(version,))  # type: ignore[arg-type]
        if self.random.random() < 0.05:
            yield self.state(self.primary, time, self.holdings)

    def move(self, time: Micros) -> Iterator[RgEvent]:
        """To the next OSD, with all that there is."""
        old = self.primary
        self.primary = self.stores[(old.osd + 1) % len(self.stores)]
        yield from self.claim(time)
        yield self.state(self.primary, time, NOTHING)
        versions = sorted(version for version, _ in self.live)
        for start in range(0, len(versions), ITEMS):
            some = tuple(versions[start : start + ITEMS])
            yield ObjectsImported(
                **self._head(self.primary, time),  # type: ignore[arg-type]
                versions=some,
                serves=self.fence,
                source=old,
            )
            yield CopiesDoomed(rg=self.rg, time=time, fence=self.fence, store=old, versions=some)
            yield CopiesErased(**self._head(old, time), versions=some)  # type: ignore[arg-type]
        yield ExportClosed(**self._head(old, time))  # type: ignore[arg-type]

    def state(self, store: Store, time: Micros, holdings: Holdings) -> HoldingsStated:
        return HoldingsStated(
            **self._head(store, time),  # type: ignore[arg-type]
            version=Version(self.version),
            staged_from=None,
            answers=None,
            count=holdings.count,
            digest=holdings.digest_bytes(),
        )

    def _head(self, store: Store, time: Micros) -> dict[str, object]:
        self.said[store] = self.said.get(store, 0) + 1
        number = StatementNumber(self.said[store])
        return {"rg": self.rg, "time": time, "store": store, "boot": Boot(1), "n": number}

    def _take(self) -> tuple[Version, str]:
        place = self.random.randrange(len(self.live))
        self.live[place], self.live[-1] = self.live[-1], self.live[place]
        return self.live.pop()

    def _next(self) -> None:
        self.version += 1


class _Cluster:
    def __init__(self, random: Random) -> None:
        stores = [Store(OsdId(osd), Incarnation(random.getrandbits(62))) for osd in range(OSDS)]
        self._random = random
        self._rgs = [_Rg(RgId(rg), random, stores) for rg in range(RGS)]

    def tell(self, events: int) -> Iterator[Entry]:
        told = 0
        while told < events:
            rg = self._random.choice(self._rgs)
            time = Micros(START + told * 86_400_000_000 // EVENTS_A_DAY)
            for event in rg.act(time):
                told += 1
                yield Entry(Topic.RG, Partition(rg.rg % RGS), rg_key(rg.rg), encode(event))
