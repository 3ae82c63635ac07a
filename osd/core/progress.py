"""Progress: how far each placed store of an RG is with having all of it, in objects and bytes.

Rule: objects are counted by the fold. Bytes are counted here, from moments at
which they are known without looking: a store that has nothing has none, and
one that has everything has all. Where a process starts in between, the RG is
walked once, when somebody asks, unless it is too large for that.

What is not here: which objects are lacked (see `projections.plans`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from eventlog.ids import Store
from projections.object_facts import Draft
from projections.rg_state import Entry, RgState
from projections.states import is_complete

if TYPE_CHECKING:
    from osd.core.group import Group

WALKED_OBJECTS = 20_000
"""By one report: an RG that has more is not walked, and other RGs are by the next report."""


class Left(NamedTuple):
    """What a store lacks."""

    objects: int
    size: int | None
    """Bytes; None where nobody has counted them."""


NOTHING_LEFT = Left(0, 0)


class Walk:
    """How many objects may still be looked at in this turn: clients wait meanwhile."""

    def __init__(self) -> None:
        self._left = WALKED_OBJECTS

    def may_take(self, objects: int) -> bool:
        """Whether an RG of so many may be walked; it then is."""
        is_taken = objects <= self._left
        self._left -= objects if is_taken else 0
        return is_taken


class Progress:
    """Of one RG."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._held: dict[Store, int] = {}
        """Bytes of the counted copies of stores that have some but not all."""

    def left(self, store: Store, walk: Walk) -> Left:
        """What the store still lacks; `walk` is shared by what asks of many RGs in one turn."""
        state = self._group.state
        objects = state.live - state.ledger(store).held
        if objects == 0:
            return NOTHING_LEFT
        held = self._known(state, store)
        if held is None and walk.may_take(state.live):
            held = self._held[store] = self._walked(store)
        return Left(objects, None if held is None else state.size - held)

    def map_changed(self) -> None:
        """Only what is placed is followed."""
        placed = self._group.placed
        self._held = {store: size for store, size in self._held.items() if store in placed}

    def folded(self, draft: Draft, after: RgState) -> None:
        """An event was folded: follow it for the stores that are on their way."""
        for store in self._group.placed:
            if is_complete(after, store):
                self._held.pop(store, None)
                continue
            held = self._known(draft.before, store)
            if held is not None:
                entries = draft.entries.values()
                moved = sum(_at(now, store) - _at(was, store) for was, now in entries)
                self._held[store] = held + moved

    def _known(self, state: RgState, store: Store) -> int | None:
        if is_complete(state, store):
            return state.size
        if state.ledger(store).held == 0:
            return 0
        return self._held.get(store)

    def _walked(self, store: Store) -> int:
        return sum(_at(entry, store) for _, entry in self._group.table.names())


def _at(entry: Entry | None, store: Store) -> int:
    """Bytes of the store's copy that count."""
    return entry.body.size if entry and entry.body and entry.counts_at(store) else 0
