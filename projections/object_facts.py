"""A draft: what one event changes in an RG's objects, and the sums kept beside them.

Rule: a draft reads the rows as they were before the event and collects what
changes; the numbers in the ledgers move with every fact that moves, in one
place. A tombstone without facts is forgotten; a bare copy is a (store,
version) of a version that is no longer remembered.

What is not here: whether an item is accepted (see `projections.replica_group`).
"""

from msgspec.structs import replace

from eventlog.ids import RgId, Store, Version
from projections.holdings import weight
from projections.rg_state import NO_LEDGER, Entry, Fact, Ledger, Memo, RgRows, RgState, Status


class _Moves:
    """What one event adds to the ledger of a store; what it takes away counts below zero."""

    __slots__ = ("copies", "doomed", "gains", "held", "lost", "named", "weights")

    def __init__(self) -> None:
        self.held = self.doomed = self.lost = 0
        self.copies = 0
        self.weights = 0
        self.gains = False
        """Whether a copy came, after which nothing is closed."""
        self.named: Version | None = None

    def add(self, status: Status, weight: int, sign: int) -> None:
        """One copy more, or one less."""
        if status is Status.HELD:
            self.held += sign
        elif status is Status.DOOMED:
            self.doomed += sign
        else:
            self.lost += sign
        self.copies += sign
        self.weights += sign * weight
        if sign > 0:
            self.gains = True

    def after(self, ledger: Ledger) -> Ledger:
        """The ledger with all of this."""
        return replace(
            ledger,
            held=ledger.held + self.held,
            doomed=ledger.doomed + self.doomed,
            lost=ledger.lost + self.lost,
            holdings=ledger.holdings.moved(self.copies, self.weights),
            named=ledger.named if self.named is None else self.named,
            closed=None if self.gains else ledger.closed,
        )


class Draft:
    """The changes of one event, beside the state and rows they start from."""

    __slots__ = (
        "_live",
        "_moves",
        "_size",
        "_tombstones",
        "_unheld",
        "bare",
        "before",
        "entries",
        "ledgers",
        "memo",
        "rg",
        "rows",
    )

    def __init__(self, rg: RgId, before: RgState, rows: RgRows) -> None:
        self.rg = rg
        self.before = before
        self.rows = rows
        self.entries: dict[str, tuple[Entry | None, Entry | None]] = {}
        """By name: the entry before the event, and after it."""
        self.bare: dict[tuple[Store, Version], bool] = {}
        self.ledgers: dict[Store, Ledger] = dict(before.ledgers)
        """Those before the event, but for what `finish` adds."""
        self.memo: Memo | None = None
        self._moves: dict[Store, _Moves] = {}
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

    def put(self, name: str, before: Entry | None, after: Entry) -> None:
        """Replace the object; one that is neither live nor held by anybody is forgotten.

        `before` is what `entry` gives.
        """
        seen = self.entries.get(name)
        kept = after if is_remembered(after) else None
        self._move_facts(before.facts if before else (), after.facts)
        if before is not None:
            self._count(before, -1)
        if kept is not None:
            self._count(kept, +1)
        self.entries[name] = (seen[0] if seen else before, kept)

    def set_fact(self, name: str, entry: Entry, fact: Fact) -> None:
        """Give the object this fact, in place of what the store had of it."""
        others = tuple(other for other in entry.facts if other.store != fact.store)
        self.put(name, entry, replace(entry, facts=(*others, fact)))

    def add_bare(self, store: Store, version: Version) -> bool:
        """Note a copy of a forgotten version; False where it is known already."""
        if self._has_bare(store, version):
            return False
        self.bare[store, version] = True
        self._tally(Fact(store, version, Status.DOOMED), +1)
        return True

    def drop_bare(self, store: Store, version: Version) -> bool:
        """Forget a bare copy; False where there is none."""
        if not self._has_bare(store, version):
            return False
        self.bare[store, version] = False
        self._tally(Fact(store, version, Status.DOOMED), -1)
        return True

    def name_stores(self, stores: list[Store], version: Version) -> None:
        """Remember that the put of this version listed these stores."""
        for store in stores:
            self._moved(store).named = version

    def finish(self, version: Version | None = None) -> RgState:
        """The state after the event, at a new version if it is an operation."""
        for store, moves in self._moves.items():
            self.ledgers[store] = moves.after(self.ledgers.get(store, NO_LEDGER))
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

    def _moved(self, store: Store) -> _Moves:
        moves = self._moves.get(store)
        if moves is None:
            moves = self._moves[store] = _Moves()
        return moves

    def _count(self, entry: Entry, sign: int) -> None:
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
        self._moved(fact.store).add(fact.status, weight(self.rg, fact.version), sign)


def is_remembered(entry: Entry) -> bool:
    """Whether anything must still be known of it: it lives, or some store may have a copy."""
    return entry.body is not None or bool(entry.facts)


def without_store(entry: Entry, store: Store) -> Entry:
    """The entry with nothing of this store."""
    return replace(entry, facts=tuple(fact for fact in entry.facts if fact.store != store))
