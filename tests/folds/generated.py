"""Histories of one RG made by chance: mostly sensible, often wrong, as a real log may be.

Rule: every choice is made by the `Random` that is handed in, so that a seed
repeats a history and hypothesis can shrink one. A history is folded while it
is made, so that the next version and the standing fence are common in it.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from eventlog.ids import Boot, Fence, Offset, Store, Version
from eventlog.rg_events import RgEvent
from folds.building import (
    RG,
    claimed,
    closed,
    declared_lost,
    deleted,
    doomed,
    erased,
    fence,
    imported,
    lost,
    put,
    retired,
    stated,
    store,
)
from projections.rg_memory import RgProjection
from projections.rg_state import Status
from projections.states import View

STORES = (store(1), store(2), store(3), store(1, 2))
"""The last one is the second disk of osd.1."""

NAMES = ("a", "b", "ab", "é", "\U00010348")
REQUESTS = (None, None, None, "r1", "r2", "r3")
BOOTS = (1, 2)


def history(random: Random, length: int = 40) -> list[RgEvent]:
    """So many events, right and wrong ones."""
    maker = _Maker(random)
    return [maker.next_event() for _ in range(length)]


def histories(length: int = 40) -> st.SearchStrategy[list[RgEvent]]:
    """For hypothesis: histories of up to so many events."""
    return st.builds(history, st.randoms(use_true_random=False), st.integers(1, length))


class Seat(NamedTuple):
    """An onlooker of an RG: what its map says, while the log goes on."""

    me: Store
    placed: tuple[Store, ...]
    acting: tuple[Store, ...]
    replicas: int

    def view(self, projection: RgProjection, mine: Fence | None) -> View:
        """All that its state is derived from."""
        return View(self.me, self.placed, self.acting, self.replicas, projection.state, mine)


def seat(random: Random) -> Seat:
    """One store's part, as some map may give it."""
    placed = tuple(random.sample(STORES, random.randint(1, 3)))
    acting = tuple(one for one in placed if random.random() < 0.8)
    return Seat(random.choice(STORES), placed, acting, len(placed) + (random.random() < 0.2))


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._projection = RgProjection(RG)
        self._fences: list[Fence] = [fence(1)]
        self._makers: dict[Callable[[], RgEvent], float] = {
            self._claimed: 3,
            self._put: 8,
            self._deleted: 3,
            self._declared_lost: 1,
            self._doomed: 6,
            self._retired: 0.4,
            self._stated: 2,
            self._imported: 8,
            self._erased: 5,
            self._lost: 2,
            self._closed: 2,
        }

    def next_event(self) -> RgEvent:
        kinds, weights = list(self._makers), list(self._makers.values())
        make = self._random.choices(kinds, weights)[0]
        if self._projection.state.standing is None and self._is_by_chance(0.6):
            make = self._claimed
        event = make()
        self._projection.fold(event, self._projection.next_offset)
        return event

    def _claimed(self) -> RgEvent:
        last = self._fences[-1]
        step = self._random.choice([(1, 1), (1, 1), (0, last.round + 1), (0, last.round), (-1, 9)])
        by = self._random.choice(STORES)
        others = [one for one in STORES if one != by]
        placed = [by, *self._random.sample(others, self._random.choice([0, 0, 1, 2]))]
        self._random.shuffle(placed)
        epoch = max(1, last.epoch + step[0])
        claim = fence(epoch, step[1], by, self._random.choice(BOOTS))
        self._fences.append(claim)
        return claimed(claim, *placed, replicas=len(placed) + self._is_by_chance(0.1))

    def _put(self) -> RgEvent:
        by = self._fence()
        others = [one for one in STORES if one != by.store and self._is_by_chance(0.3)]
        request = self._random.choice(REQUESTS)
        return put(by, self._version(), self._name(), by.store, *others, request=request)

    def _deleted(self) -> RgEvent:
        request = self._random.choice(REQUESTS)
        return deleted(self._fence(), self._version(), self._name(), request=request)

    def _declared_lost(self) -> RgEvent:
        return declared_lost(self._fence(), self._version(), self._name(), self._some_version())

    def _doomed(self) -> RgEvent:
        by, where = self._fence(), self._random.choice(STORES)
        claim = self._projection.state.standing
        if claim is not None and self._is_by_chance(0.8):
            outside = [one for one in STORES if one not in claim.placed]
            where = self._random.choice(outside) if outside else where
        return doomed(by, where, *self._versions_at(where))

    def _retired(self) -> RgEvent:
        return retired(self._fence(), self._random.choice(STORES))

    def _stated(self) -> RgEvent:
        by, boot, n = self._statement()
        has = [version for version, _ in self._projection.facts_of(by)]
        said = has if self._is_by_chance(0.7) else self._versions_at(by)
        version = self._projection.state.version - self._is_by_chance(0.2)
        is_claimed = self._projection.state.claim is not None
        answers = self._fence() if is_claimed and self._is_by_chance(0.7) else None
        return stated(by, n, max(0, version), *said, answers=answers, boot=boot)

    def _imported(self) -> RgEvent:
        by, boot, n = self._statement()
        lacking = [
            entry.version
            for _, entry in self._projection.names()
            if entry.body is not None and not entry.counts_at(by)
        ]
        chosen = {version for version in lacking if self._is_by_chance(0.7)}
        if not chosen or self._is_by_chance(0.4):
            chosen.add(self._some_version())
        return imported(by, n, *sorted(chosen), boot=boot)

    def _erased(self) -> RgEvent:
        by, boot, n = self._statement()
        return erased(by, n, *self._versions_at(by, Status.DOOMED), boot=boot)

    def _lost(self) -> RgEvent:
        by, boot, n = self._statement()
        said = lost(by, n, *self._versions_at(by), gone=self._is_by_chance(0.4))
        return replace(said, boot=Boot(boot))

    def _closed(self) -> RgEvent:
        by, boot, n = self._statement()
        return replace(closed(by, n), boot=Boot(boot))

    def _fence(self) -> Fence:
        claim = self._projection.state.claim
        if claim is None or self._is_by_chance(0.08):
            return self._random.choice(self._fences)
        return claim.fence

    def _version(self) -> int:
        return self._some_version() if self._is_by_chance(0.04) else self._next_version()

    def _next_version(self) -> int:
        return self._projection.state.version + 1

    def _some_version(self) -> Version:
        return Version(self._random.randint(1, self._next_version() + 1))

    def _name(self) -> str:
        return self._random.choice(NAMES)

    def _statement(self) -> tuple[Store, int, int]:
        """A store, and its next (boot, n) or an older one."""
        holders = self._projection.state.holders
        by = self._random.choice(holders if holders and self._is_by_chance(0.6) else STORES)
        ledger = self._projection.state.ledger(by)
        if self._is_by_chance(0.08):
            return by, self._random.choice(BOOTS), max(1, ledger.n + self._random.choice([0, 1]))
        if self._is_by_chance(0.1):
            return by, ledger.boot + 1, 1
        return by, max(1, ledger.boot), ledger.n + 1

    def _versions_at(self, where: Store, status: Status | None = None) -> list[int]:
        """Versions that a statement about this store may list: mostly those it has."""
        found = {
            version
            for version, name in self._projection.facts_of(where)
            if self._is_by_chance(0.8) and self._has_status(where, name, status)
        }
        if not found or self._is_by_chance(0.1):
            found.add(self._some_version())
        return sorted(found)

    def _has_status(self, where: Store, name: str | None, status: Status | None) -> bool:
        if status is None or name is None or self._is_by_chance(0.1):
            return True
        entry = self._projection.entry(name)
        fact = entry.fact_of(where) if entry else None
        return fact is not None and fact.status is status

    def _is_by_chance(self, likelihood: float) -> bool:
        return self._random.random() < likelihood


def fold_all(events: list[RgEvent]) -> RgProjection:
    """The RG after these events, from offset 0."""
    projection = RgProjection(RG)
    for at, event in enumerate(events):
        projection.fold(event, Offset(at))
    return projection
