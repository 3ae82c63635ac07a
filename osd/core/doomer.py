"""Dooming: the claimed primary says in the log which copies outside placed may go.

Rule: a copy is named only when, by this node's fold, every placed store's own
copy counts; the fold judges it again at the record's own place. This store's
own copies count by the fold also when its disk has lost them: so nothing is
named before that is known and said. Nothing is erased here: the holder does
that, and says so. Under a claim also the map's retirements are repeated, so
that they have a place in the RG's order. Stores are doomed one after the other,
by number: what is doomed of each is bounded by what it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlog.ids import Fence, Store, Version
from eventlog.rg_events import MAX_ITEMS, CopiesDoomed, StoreRetired
from osd.core.effects import Ticket
from projections.plans import Stray, doomable, strays
from projections.replica_group import Folded

if TYPE_CHECKING:
    from osd.core.group import Group


class Doomer:
    """What one RG's primary has to doom."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._scanned_for: Fence | None = None
        """The claim for which the facts were looked through as a whole."""
        self._found: dict[Store, set[Version]] = {}
        self._under_way: Ticket | None = None
        self._said: frozenset[Stray] = frozenset()
        """What the dooming under way names."""
        self._retry_at = 0

    def folded(self, folded: Folded) -> None:
        """Look at the objects that one event changed.

        What is folded while the claim does not fit the map is not looked at: should the
        map come back to it, the facts are looked through again.
        """
        fence = self._group.claims.fence
        if fence is None or self._scanned_for != fence:
            self._scanned_for = None
            return
        for _, after in folded.draft.entries.values():
            if after is not None and after.facts:
                for stray in doomable(after, self._group.placed, self._replicas):
                    self._find(stray)

    def spoke(self) -> None:
        """A dooming or retirement of this process was folded."""
        self._under_way, self._said = None, frozenset()

    def append_failed(self, ticket: Ticket, *, is_unknown: bool) -> None:
        """Say it again after a while; if it may be in the log, under another claim."""
        if ticket != self._under_way:
            return
        unsaid = self._said
        self.spoke()
        if is_unknown:
            self._group.claims.doubt()  # under the next one all is looked through again
            return
        self._retry_at = self._context.now + self._context.settings.retry_ms
        for stray in sorted(unsaid):
            if stray in self._doomable_with(stray.version):
                self._find(stray)

    @property
    def due(self) -> int | None:
        """When a dooming that failed is tried again."""
        return self._retry_at if self._retry_at > self._context.now else None

    def advance(self) -> None:
        """Say the next batch."""
        fence = self._group.claims.fence
        if fence is None or self._under_way is not None or self._context.now < self._retry_at:
            return
        if self._retire(fence) or not self._group.speaker.knows_disk:
            return
        if self._scanned_for != fence:
            self._scan(fence)
        for store in sorted(self._found):
            self._doom(fence, store)
            return

    def to_retire(self) -> list[Store]:
        """Stores of which the map says so, and the RG's log not yet."""
        state, retired = self._group.state, self._context.map.retired
        return [store for store in state.ledgers if store in retired and store not in state.retired]

    def _doomable_with(self, version: Version) -> tuple[Stray, ...]:
        """What may be doomed now of the object that has this version."""
        table = self._group.table
        name = table.name_of(version)
        entry = table.entry(name) if name is not None else None
        return doomable(entry, self._group.placed, self._replicas) if entry is not None else ()

    @property
    def _replicas(self) -> int:
        return self._context.map.replicas

    def _scan(self, fence: Fence) -> None:
        self._scanned_for = fence
        self._found = {}
        group = self._group
        for stray in strays(group.state, group.table, group.placed, self._replicas):
            self._find(stray)

    def _find(self, stray: Stray) -> None:
        if stray not in self._said:
            self._found.setdefault(stray.store, set()).add(stray.version)

    def _doom(self, fence: Fence, store: Store) -> None:
        versions = self._found[store]
        chosen = sorted(versions)[:MAX_ITEMS]
        versions.difference_update(chosen)
        if not versions:
            del self._found[store]
        self._said = frozenset(Stray(store, version) for version in chosen)
        self._under_way = self._context.append(
            CopiesDoomed(
                rg=self._group.rg,
                time=self._context.clock.micros,
                fence=fence,
                store=store,
                versions=tuple(chosen),
            )
        )

    def _retire(self, fence: Fence) -> bool:
        """In the order of the map, so that who had the last copies is the same here as there."""
        retired = self._context.map.retired
        unsaid = self.to_retire()
        if not unsaid:
            return False
        store = min(unsaid, key=lambda store: (retired[store].epoch, store))
        self._under_way = self._context.append(
            StoreRetired(
                rg=self._group.rg,
                time=self._context.clock.micros,
                fence=fence,
                store=store,
                epoch=retired[store].epoch,
                why=retired[store].why,
            )
        )
        return True
