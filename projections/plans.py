"""Plans: what a store must import and a primary may doom after a map change.

Rule: a plan is data, a pure function of (placed, the RG's fold); it is
recomputed, never resumed. Nothing here reads a store's disk, a socket or a
clock, and nothing is removed before its replacement is durable and logged.
Long plans are walked lazily in the order of names, once for each number of
copies that objects may have left, so that the scarcest come first and a plan's
length is nobody's memory.
"""

from collections.abc import Iterator
from typing import NamedTuple

from eventlog.ids import Store, Version
from projections.rg_state import Entry, RgRows, RgState, Status
from projections.states import SourceState, source_state, sources


class Wanted(NamedTuple):
    """An object whose copy at the planning store does not count, and who holds one that does."""

    name: str
    version: Version
    size: int
    sha256: bytes
    holders: tuple[Store, ...]


class Stray(NamedTuple):
    """A copy that may be doomed."""

    store: Store
    version: Version


class Source(NamedTuple):
    """A store outside placed that has facts, as its primary sees it."""

    store: Store
    state: SourceState
    remaining: frozenset[Version]
    """Its held versions that are not yet counted at every placed store."""
    strays: frozenset[Version]
    """Its other facts."""


def want(name: str, entry: Entry, store: Store) -> Wanted | None:
    """What `store` must import of this object: nothing if its copy counts or none does."""
    if entry.body is None or entry.counts_at(store):
        return None
    holders = entry.holders()
    if not holders:
        return None
    return Wanted(name, entry.version, entry.body.size, entry.body.sha256, holders)


def lacking(state: RgState, store: Store) -> int:
    """How many objects `store` lacks of which another store has a copy that counts."""
    return state.live - state.ledger(store).held - state.unheld


def scarcities(state: RgState, store: Store) -> range:
    """How many counted copies the objects that `store` lacks may have, fewest first.

    By the ledgers' sums alone: an object of which any copy counts is lacked at no more of the
    other stores than they lack altogether.
    """
    others = [x.held for other, x in state.ledgers.items() if other != store and x.held]
    missing = sum(state.live - held for held in others)
    return range(max(1, len(others) - missing), len(others) + 1)


def imports(state: RgState, rows: RgRows, store: Store, copies: int) -> Iterator[Wanted]:
    """What `store` must import and has at most so many counted copies, by name."""
    if lacking(state, store) <= 0:
        return
    for name, entry in rows.names():
        wanted = want(name, entry, store)
        if wanted is not None and len(wanted.holders) <= copies:
            yield wanted


def doomable(entry: Entry, placed: tuple[Store, ...], replicas: int) -> tuple[Stray, ...]:
    """Copies of this object that may be doomed: every placed store's own copy counts."""
    if len(placed) != replicas or not all(map(entry.counts_at, placed)):
        return ()
    return tuple(
        Stray(fact.store, fact.version)
        for fact in entry.facts
        if fact.store not in placed and fact.status is not Status.DOOMED
    )


def strays(
    state: RgState, rows: RgRows, placed: tuple[Store, ...], replicas: int
) -> Iterator[Stray]:
    """Every copy outside placed that may be doomed now, source by source."""
    for store in sources(state, placed):
        for _, name in rows.facts_of(store):
            entry = rows.entry(name) if name is not None else None
            if entry is not None:
                yield from (s for s in doomable(entry, placed, replicas) if s.store == store)


def import_plan(state: RgState, rows: RgRows, placed: tuple[Store, ...]) -> tuple[Source, ...]:
    """The sources of an RG with their sets, for people and tests; as long as its strays."""
    return tuple(_source(state, rows, store, placed) for store in sources(state, placed))


def _source(state: RgState, rows: RgRows, store: Store, placed: tuple[Store, ...]) -> Source:
    remaining: set[Version] = set()
    others: set[Version] = set()
    for version, name in rows.facts_of(store):
        entry = rows.entry(name) if name is not None else None
        is_needed = (
            entry is not None and entry.counts_at(store) and not all(map(entry.counts_at, placed))
        )
        (remaining if is_needed else others).add(version)
    shown = source_state(state.ledger(store), state.standing, bool(remaining))
    return Source(store, shown, frozenset(remaining), frozenset(others))
