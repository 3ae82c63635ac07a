"""One replica group of a made log: what its stores and its primary say, in the order of a cluster.

Rule: nothing here is void, and every statement of holdings agrees: what the audit costs is measured
on a log in which all is well.
"""

from collections.abc import Iterator, Sequence
from random import Random

from eventlog.ids import (
    Boot,
    Epoch,
    Fence,
    Micros,
    Offset,
    RgId,
    Round,
    Serial,
    StatementNumber,
    Store,
    Version,
)
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
from projections.holdings import NOTHING, Holdings

ITEMS = 500
ERASED_AT_ONCE = 4
LATE = 0.02
"""Share of puts of which one store makes its copy later."""
STATED = 0.01
"""Share of deletes after which somebody asks all stores what they have."""
BOOT = Boot(1)
ACTORS = (None, "alice", "bob")


class MadeRg:
    """One RG, and what its log has said."""

    def __init__(self, rg: RgId, random: Random) -> None:
        self.rg = rg
        self.live: list[tuple[Version, str]] = []
        self._random = random
        self._placed: tuple[Store, ...] = ()
        self._epoch = Epoch(0)
        self._version = 0
        self._said: dict[Store, int] = {}
        self._holdings = NOTHING
        """Of every placed store; they all have the same."""
        self._doomed: list[Version] = []
        """Of deleted objects, not yet erased anywhere."""

    def place(self, placed: tuple[Store, ...], epoch: Epoch, time: Micros) -> Iterator[RgEvent]:
        """The first store takes over; who is new gets all, who is not placed gives up all."""
        if placed == self._placed:
            return
        yield from self._erase(time)
        before, self._placed, self._epoch = self._placed, placed, epoch
        yield self._claimed(time)
        fresh = [store for store in placed if store not in before]
        former = [store for store in before if store not in placed]
        versions = sorted(version for version, _ in self.live)
        for start in range(0, len(versions), ITEMS):
            some = tuple(versions[start : start + ITEMS])
            for store in fresh:
                yield self._imported(store, some, before[0], time)
            for store in former:
                yield self._doomings(store, some, time)
                yield CopiesErased(**self._head(store, time), versions=some)  # type: ignore[arg-type]
        for store in former:
            yield ExportClosed(**self._head(store, time))  # type: ignore[arg-type]

    def put(self, name: str, time: Micros) -> Iterator[RgEvent]:
        """A new object, or a new version of one that `take` has given."""
        version = self._next()
        self.live.append((version, name))
        self._holdings = self._holdings.plus(self.rg, version)
        is_late = self._random.random() < LATE
        stores = self._placed[:1] if is_late else self._placed
        yield self._put(name, version, stores, time)
        for store in self._placed[len(stores) :]:
            yield self._imported(store, (version,), self._placed[0], time)

    def overwrite(self, time: Micros) -> Iterator[RgEvent]:
        """Some object gets a new version."""
        old, name = self._take()
        self._holdings = self._holdings.minus(self.rg, old)
        version = self._next()
        self.live.append((version, name))
        self._holdings = self._holdings.plus(self.rg, version)
        yield self._put(name, version, self._placed, time)

    def delete(self, time: Micros) -> Iterator[RgEvent]:
        """Some object goes; its copies are erased a few at a time."""
        old, name = self._take()
        yield ObjectDeleted(
            rg=self.rg,
            time=time,
            fence=self._fence,
            serial=Serial(self._version + 1),
            object=name,
            version=self._next(),
            request=None,
            actor="carol",
        )
        self._doomed.append(old)
        if len(self._doomed) == ERASED_AT_ONCE:
            yield from self._erase(time)
        if self._random.random() < STATED:
            yield from self._state(time)

    @property
    def _fence(self) -> Fence:
        return Fence(self._epoch, Round(1), self._placed[0], BOOT)

    def _claimed(self, time: Micros) -> RgClaimed:
        return RgClaimed(
            rg=self.rg,
            time=time,
            fence=self._fence,
            placed=self._placed,
            replicas=len(self._placed),
            min_replicas=1,
            rules=1,
            next_offset=Offset(0),
            digest=bytes(8),
        )

    def _put(self, name: str, version: Version, stores: Sequence[Store], time: Micros) -> ObjectPut:
        return ObjectPut(
            rg=self.rg,
            time=time,
            fence=self._fence,
            serial=Serial(version),
            object=name,
            version=version,
            size=self._random.getrandbits(22),
            sha256=self._random.randbytes(32),
            media_type="image/jpeg",
            metadata={},
            stores=tuple(stores),
            request=None,
            actor=self._random.choice(ACTORS),
        )

    def _imported(
        self, store: Store, versions: tuple[Version, ...], source: Store, time: Micros
    ) -> ObjectsImported:
        return ObjectsImported(
            **self._head(store, time),  # type: ignore[arg-type]
            versions=versions,
            serves=self._fence,
            source=source,
        )

    def _doomings(self, store: Store, versions: tuple[Version, ...], time: Micros) -> CopiesDoomed:
        return CopiesDoomed(
            rg=self.rg, time=time, fence=self._fence, store=store, versions=versions
        )

    def _erase(self, time: Micros) -> Iterator[RgEvent]:
        some = tuple(sorted(self._doomed))
        self._doomed = []
        for version in some:
            self._holdings = self._holdings.minus(self.rg, version)
        for store in self._placed if some else ():
            yield CopiesErased(**self._head(store, time), versions=some)  # type: ignore[arg-type]

    def _state(self, time: Micros) -> Iterator[RgEvent]:
        holdings: Holdings = self._holdings
        for store in self._placed:
            yield HoldingsStated(
                **self._head(store, time),  # type: ignore[arg-type]
                version=Version(self._version),
                staged_from=None,
                answers=None,
                count=holdings.count,
                digest=holdings.digest_bytes(),
            )

    def _head(self, store: Store, time: Micros) -> dict[str, object]:
        self._said[store] = self._said.get(store, 0) + 1
        number = StatementNumber(self._said[store])
        return {"rg": self.rg, "time": time, "store": store, "boot": BOOT, "n": number}

    def _take(self) -> tuple[Version, str]:
        place = self._random.randrange(len(self.live))
        self.live[place], self.live[-1] = self.live[-1], self.live[place]
        return self.live.pop()

    def _next(self) -> Version:
        self._version += 1
        return Version(self._version)
