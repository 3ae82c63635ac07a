"""A draft: what one event changes in an RG's objects, and the sums kept beside them.

Rule: a draft reads the rows as they were before the event and collects what
changes; the numbers in the ledgers move with every fact that moves, in one
place. A tombstone without facts is forgotten; a bare copy is a (store,
version) of a version that is no longer remembered.

What is not here: whether an item is accepted (see `projections.replica_group`).
"""

from msgspec.structs import replace

from eventlog.ids import RgId, Store, Version
from projections.rg_state import Entry, Fact, Ledger, Memo, RgRows, RgState, Status


class Draft:
    """The changes of one event, beside the state and rows they start from."""

    def __init__(self, rg: RgId, before: RgState, rows: RgRows) -> None:
        self.rg = rg
        self.before = before
        self.rows = rows
        self.entries: dict[str, tuple[Entry | None, Entry | None]] = {}
        """By name: the entry before the event, and after it."""
        self.bare: dict[tuple[Store, Version], bool] = {}
        self.ledgers: dict[Store, Ledger] = dict(before.ledgers)
        self.memo: Memo | None = None
        self._live = before.live
        self._tombstones = before.tombstones
        self._size = before.size
        self._unheld = before.unheld

    def entry(self, name: str) -> Entry | None:
        """The object as this draft has it so far."""
        if name in self.entries:
            return self.entries[name][1]
        return self.rows.entry(name)

    def name_of(self, version: Version) -> str | None:
        """The object a version belongs to, before this event."""
        return self.rows.name_of(version)

    def put(self, name: str, after: Entry) -> None:
        """Replace the object; one that is neither live nor held by anybody is forgotten."""
        before = self.entry(name)
        first = self.entries[name][0] if name in self.entries else before
        kept = after if is_remembered(after) else None
        self._move_facts(before.facts if before else (), after.facts)
        self._count(before, -1)
        self._count(kept, +1)
        self.entries[name] = (first, kept)

    def set_fact(self, name: str, entry: Entry, fact: Fact) -> None:
        """Give the object this fact, in place of what the store had of it."""
        others = tuple(other for other in entry.facts if other.store != fact.store)
        self.put(name, replace(entry, facts=(*others, fact)))

    def add_bare(self, store: Store, version: Version) -> bool:
        """Note a copy of a forgotten version; False where it is known already."""
        if self._has_bare(store, version):
            return False
        self.bare[store, version] = True
        ledger = self._ledger(store)
        self.ledgers[store] = replace(
            ledger,
            doomed=ledger.doomed + 1,
            holdings=ledger.holdings.plus(self.rg, version),
            closed=None,
        )
        return True

    def drop_bare(self, store: Store, version: Version) -> bool:
        """Forget a bare copy; False where there is none."""
        if not self._has_bare(store, version):
            return False
        self.bare[store, version] = False
        ledger = self._ledger(store)
        self.ledgers[store] = replace(
            ledger,
            doomed=ledger.doomed - 1,
            holdings=ledger.holdings.minus(self.rg, version),
        )
        return True

    def name_stores(self, stores: list[Store], version: Version) -> None:
        """Remember that the put of this version listed these stores."""
        for store in stores:
            self.ledgers[store] = replace(self._ledger(store), named=version)

    def finish(self, version: Version | None = None) -> RgState:
        """The state after the event, at a new version if it is an operation."""
        return replace(
            self.before,
            version=self.before.version if version is None else version,
            live=self._live,
            tombstones=self._tombstones,
            size=self._size,
            unheld=self._unheld,
            ledgers=self.ledgers,
        )

    def _has_bare(self, store: Store, version: Version) -> bool:
        if (store, version) in self.bare:
            return self.bare[store, version]
        return self.rows.is_bare(store, version)

    def _ledger(self, store: Store) -> Ledger:
        found = self.ledgers.get(store)
        return found if found is not None else self.before.ledger(store)

    def _count(self, entry: Entry | None, sign: int) -> None:
        if entry is None:
            return
        if entry.body is None:
            self._tombstones += sign
        else:
            self._live += sign
            self._size += sign * entry.body.size
            self._unheld += sign * entry.is_unheld

    def _move_facts(self, before: tuple[Fact, ...], after: tuple[Fact, ...]) -> None:
        for fact in before:
            if fact not in after:
                self._tally(fact, -1)
        for fact in after:
            if fact not in before:
                self._tally(fact, +1)

    def _tally(self, fact: Fact, sign: int) -> None:
        ledger = self._ledger(fact.store)
        holdings = ledger.holdings
        moved = (
            holdings.plus(self.rg, fact.version)
            if sign > 0
            else holdings.minus(self.rg, fact.version)
        )
        self.ledgers[fact.store] = replace(
            ledger,
            held=ledger.held + sign * (fact.status is Status.HELD),
            doomed=ledger.doomed + sign * (fact.status is Status.DOOMED),
            lost=ledger.lost + sign * (fact.status is Status.LOST),
            holdings=moved,
            closed=None if sign > 0 else ledger.closed,
        )


def is_remembered(entry: Entry) -> bool:
    """Whether anything must still be known of it: it lives, or some store may have a copy."""
    return entry.body is not None or bool(entry.facts)


def without_store(entry: Entry, store: Store) -> Entry:
    """The entry with nothing of this store."""
    return replace(entry, facts=tuple(fact for fact in entry.facts if fact.store != store))
