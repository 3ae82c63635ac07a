"""Copies in bulk: what ordinary RGs' events make of their objects' copies.

Rule: rule 4 and rule 5 of `projections.replica_group`, on arrays. Each event
or item touches one object; touches of different objects do not see each other,
so the first touch of every object is one step, then the second, and so on.
Nothing is changed but copies of the rows; an RG in which an item is met that
is rare (a copy of a forgotten version, one object twice in an event) is
marked as not ordinary, and its results are thrown away.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from projections.bulk.arrays import Bools, Longs, Octets, Words, is_any, put_rows, rows_at
from projections.bulk.batch import DELETED, DOOMED, ERASED, IMPORTED, PUT, Batch, Items
from projections.bulk.claims import NOBODY, ClaimBook
from projections.bulk.object_table import (
    LIVE,
    NO_ENTRY,
    STATUS_BITS,
    STATUS_MASK,
    STORE_MASK,
    TOMBSTONE,
    VERSION_SHIFT,
    ObjectTable,
)
from projections.bulk.ordinary import Judged
from projections.rg_state import Status

MAX_ROUNDS = 64
"""An object that is touched more often in a batch is folded event by event."""
_EVENT_BITS = 20
MAX_EVENTS = 1 << _EVENT_BITS

Array = TypeVar("Array", Longs, Words)

_HELD, _DOOMED = int(Status.HELD), int(Status.DOOMED)


class Touches(NamedTuple):
    """Who is touched by what: one array a field, ordered by (row, event)."""

    rows: Longs
    """In the object table."""
    events: Longs
    versions: Longs
    weights: Words
    """Of that version, where it is an operation's."""


class Changes(NamedTuple):
    """Copies that changed: one array a field."""

    events: Longs
    before: Longs
    """The copies' words; 0 is none."""
    after: Longs
    weights: Words
    """By how much those of the store grow."""

    def where(self, is_it: Bools) -> "Changes":
        """Some of them."""
        words = self.events[is_it], self.before[is_it], self.after[is_it]
        return Changes(*words, self.weights[is_it])

    @property
    def stores(self) -> Longs:
        """The codes of the stores that have them, or had."""
        return stores_of(np.where(self.after != 0, self.after, self.before))


def touches(
    batch: Batch, operations: tuple[Longs, Longs, Words], items: dict[int, tuple[Items, Longs]]
) -> Touches:
    """`operations`: events, rows, weights; `items`: with the row of each."""
    events, rows, weights = operations
    said = batch.field((PUT, DELETED), "version")[events]
    parts = list(items.values())
    all_rows = np.concatenate([rows, *(found for _, found in parts)])
    all_events = np.concatenate([events, *(each.at for each, _ in parts)])
    all_versions = np.concatenate([said, *(each.versions for each, _ in parts)])
    none = np.zeros(len(all_rows) - len(rows), np.uint64)
    order = np.argsort(all_rows << _EVENT_BITS | all_events)
    return Touches(
        all_rows[order],
        all_events[order],
        all_versions[order],
        np.concatenate([weights, none])[order],
    )


class Copies:
    """The touched objects' copies, changed round by round."""

    def __init__(
        self,
        batch: Batch,
        judged: Judged,
        objects: ObjectTable,
        touched: Touches,
        book: ClaimBook,
        has_bare: Bools,
    ) -> None:
        self._batch, self._judged, self._objects = batch, judged, objects
        self._touched, self._book, self._has_bare = touched, book, has_bare
        is_first = np.diff(touched.rows, prepend=-1) != 0
        self.rows = touched.rows[is_first]
        self._local = np.cumsum(is_first) - 1
        firsts = np.flatnonzero(is_first)
        self._round = np.arange(len(is_first)) - firsts[self._local]
        self.rg: Longs = batch.rg[touched.events[firsts]]
        """The number of each object's RG."""
        self.kind: Octets = objects.kind[self.rows]
        self.version: Longs = objects.version[self.rows]
        self.weight: Words = objects.weight[self.rows]
        self.words: Longs = rows_at(objects.words, self.rows)
        self.weights: Words = rows_at(objects.weights, self.rows)
        self.operation: Longs = np.full(len(self.rows), -1, np.int64)
        """The event of its last operation in the batch."""
        self.is_odd: Bools = np.zeros(len(batch.rgs), np.bool_)
        """RGs that turned out not to be ordinary."""
        self._found: list[Changes] = []
        self._puts = _Lists(batch, judged)
        self._placed = np.zeros((0, 0), np.int64), np.zeros(0, np.bool_)

    def run(self) -> Changes:
        """All rounds; what changed."""
        self._judge_touches()
        is_kept = ~self.is_odd[self._batch.rg[self._touched.events]]
        order = np.flatnonzero(is_kept)
        rounds = self._round[order].astype(np.uint8)
        order = order[np.argsort(rounds, kind="stable")]
        ends = np.cumsum(np.bincount(rounds, minlength=1)).tolist()
        kinds = self._batch.kind[self._touched.events]
        for start, end in zip([0, *ends], ends, strict=False):
            some = order[start:end]
            kind = kinds[some]
            for number, step in _STEPS.items():
                chosen = some[kind == number]
                if len(chosen):
                    step(self, chosen)
        return _joined(self._found)

    def _judge_touches(self) -> None:
        """No object is touched twice by one event, or very often."""
        rows, events = self._touched.rows, self._touched.events
        is_twice = (np.diff(rows, prepend=-1) == 0) & (np.diff(events, prepend=-1) == 0)
        self.is_odd[self._batch.rg[events[is_twice | (self._round >= MAX_ROUNDS)]]] = True

    def _put(self, some: Longs) -> None:
        local, events = self._local[some], self._touched.events[some]
        version, weight = self._touched.versions[some], self._touched.weights[some]
        after, weights = self._all_doomed(local), rows_at(self.weights, local)
        for index, store in self._puts.columns(events):
            made = version[index] << VERSION_SHIFT | store << STATUS_BITS | _HELD
            place = _place_of(after, index, store)
            there = after.reshape(-1)[place]
            if ((there != 0) & (stores_of(there) != store)).any():
                self._widen()
                after, weights = _wider(after), _wider(weights)
                place = _place_of(after, index, store)
            after.reshape(-1)[place] = made
            weights.reshape(-1)[place] = weight[index]
        self._change(local, events, after, weights)
        self.kind[local] = LIVE
        self._operate(local, events, version, weight)

    def _delete(self, some: Longs) -> None:
        local, events = self._local[some], self._touched.events[some]
        after = self._all_doomed(local)
        self._change(local, events, after, rows_at(self.weights, local))
        self.kind[local] = np.where(is_any(after != 0), TOMBSTONE, NO_ENTRY)
        self._operate(local, events, self._touched.versions[some], self._touched.weights[some])

    def _operate(self, local: Longs, events: Longs, version: Longs, weight: Words) -> None:
        self.version[local], self.weight[local] = version, weight
        self.operation[local] = events

    def _import(self, some: Longs) -> None:
        local, events, version = self._known(some)
        store = self._judged.store[events]
        after, weights = rows_at(self.words, local), rows_at(self.weights, local)
        is_own = after >> VERSION_SHIFT == version[:, None]
        is_current = (self.version[local] == version) & (self.kind[local] == LIVE)
        # What a delete made has no weight here.
        self._give_up(events[~is_current & ~is_any(is_own)])
        weight = np.where(is_current, self.weight[local], (weights * is_own).max(axis=1))
        place = _place_of(after, np.arange(len(local)), store)
        there = after.reshape(-1)[place]
        is_own_place = (there != 0) & (stores_of(there) == store)
        if ((there != 0) & ~is_own_place).any():
            self._widen()
            self._import(some)
            return
        status = np.where(is_current, _HELD, _DOOMED)
        made = version << VERSION_SHIFT | store << STATUS_BITS | status
        index = np.flatnonzero(~is_own_place | (there >> VERSION_SHIFT <= version))
        after.reshape(-1)[place[index]] = made[index]
        weights.reshape(-1)[place[index]] = weight[index]
        self._change(local, events, after, weights)

    def _doom(self, some: Longs) -> None:
        local, events = self._local[some], self._touched.events[some]
        version, store = self._touched.versions[some], self._judged.store[events]
        after = rows_at(self.words, local)
        placed, is_full = self._book.placed(events, self._objects)
        place = _place_of(after, np.arange(len(local)), store)
        there = after.reshape(-1)[place]
        is_it = (there != 0) & (stores_of(there) == store) & (there >> VERSION_SHIFT == version)
        is_it &= (there & STATUS_MASK != _DOOMED) & is_full
        is_it &= ~is_any(placed == store[:, None])
        is_held = (after & STATUS_MASK) == _HELD
        for column in placed.T:
            counts = is_any(is_held & (stores_of(after) == column[:, None]))
            is_it &= counts | (column == NOBODY)
        index = np.flatnonzero(is_it)
        after.reshape(-1)[place[index]] = there[index] & ~STATUS_MASK | _DOOMED
        self._change(local, events, after, rows_at(self.weights, local))

    def _erase(self, some: Longs) -> None:
        local, events, version = self._known(some, has_bare=self._has_bare)
        store = self._judged.store[events]
        after, weights = rows_at(self.words, local), rows_at(self.weights, local)
        place = _place_of(after, np.arange(len(local)), store)
        there = after.reshape(-1)[place]
        goes = (there != 0) & (stores_of(there) == store) & (there >> VERSION_SHIFT <= version)
        gone = place[goes]
        after.reshape(-1)[gone] = 0
        weights.reshape(-1)[gone] = 0
        self._change(local, events, after, weights)
        is_over = (self.kind[local] == TOMBSTONE) & ~is_any(after != 0)
        self.kind[local[is_over]] = NO_ENTRY

    def _known(self, some: Longs, has_bare: Bools | None = None) -> tuple[Longs, Longs, Longs]:
        """Those whose version is remembered; the others are void, or copies of what is not."""
        local, events = self._local[some], self._touched.events[some]
        version = self._touched.versions[some]
        is_own = is_any(rows_at(self.words, local) >> VERSION_SHIFT == version[:, None])
        is_known = (self.kind[local] != NO_ENTRY) & ((self.version[local] == version) | is_own)
        if is_known.all():
            return local, events, version
        unknown = events[~is_known]
        if has_bare is not None:
            unknown = unknown[has_bare[self._batch.rg[unknown]]]
        self._give_up(unknown)
        return local[is_known], events[is_known], version[is_known]

    def _give_up(self, events: Longs) -> None:
        self.is_odd[self._batch.rg[events]] = True

    def _all_doomed(self, local: Longs) -> Longs:
        before = rows_at(self.words, local)
        after: Longs = np.where(before != 0, before & ~STATUS_MASK | _DOOMED, 0)
        return after

    def _widen(self) -> None:
        self.words, self.weights = _wider(self.words), _wider(self.weights)
        if self._objects.words.shape[1] < self.words.shape[1]:
            self._objects.widen()

    def _change(self, local: Longs, events: Longs, after: Longs, weights: Words) -> None:
        """Take what the copies of these objects are now, and note what is different."""
        before, before_weights = rows_at(self.words, local), rows_at(self.weights, local)
        at = np.flatnonzero(before != after)
        growth = weights.reshape(-1)[at] - before_weights.reshape(-1)[at]
        self._found.append(
            Changes(
                events[at // self.words.shape[1]],
                before.reshape(-1)[at],
                after.reshape(-1)[at],
                growth,
            )
        )
        put_rows(self.words, local, after)
        put_rows(self.weights, local, weights)


_STEPS: dict[int, Callable[[Copies, Longs], None]] = {
    PUT: Copies._put,
    DELETED: Copies._delete,
    IMPORTED: Copies._import,
    DOOMED: Copies._doom,
    ERASED: Copies._erase,
}


class _Lists:
    """The stores of each put."""

    def __init__(self, batch: Batch, judged: Judged) -> None:
        at, self._stores = judged.puts
        self._start = np.zeros(len(batch), np.int64)
        self._length = np.zeros(len(batch), np.int64)
        is_first = np.diff(at, prepend=-1) != 0
        firsts = np.flatnonzero(is_first)
        self._start[at[firsts]] = firsts
        self._length[at[firsts]] = np.diff(firsts, append=len(at))

    def columns(self, events: Longs) -> list[tuple[Longs, Longs]]:
        """The first store of each, then the second of those that have one, and so on."""
        start, length = self._start[events], self._length[events]
        found = []
        for place in range(int(length.max(initial=0))):
            index = np.flatnonzero(length > place)
            found.append((index, self._stores[start[index] + place]))
        return found


def stores_of(words: Longs) -> Longs:
    """The store's code in each word."""
    found: Longs = words >> STATUS_BITS & STORE_MASK
    return found


def _place_of(words: Longs, rows: Longs, store: Longs) -> Longs:
    """Where in all words the store's copy is, or an empty place, or if there is none, any."""
    slot, own = np.zeros(len(rows), np.int64), np.full(len(rows), -1, np.int64)
    for number in reversed(range(words.shape[1])):
        there = words[rows, number]
        slot[there == 0] = number
        own[(there != 0) & (stores_of(there) == store)] = number
    found: Longs = rows * words.shape[1] + np.where(own >= 0, own, slot)
    return found


def _wider(array: Array) -> Array:
    found: Array = np.hstack([array, np.zeros_like(array)])
    return found


def _joined(found: list[Changes]) -> Changes:
    nothing = np.zeros(0, np.int64)
    none = Changes(nothing, nothing, nothing, nothing.astype(np.uint64))
    return Changes(*map(np.concatenate, zip(none, *found, strict=True)))
