"""Ledgers in bulk: what an ordinary RG's events make of the numbers kept of its stores.

Rule: sums are what they were and all that changed, in whatever order; what a
statement says of holdings is compared with the sums as they stood at it. Of the
statements of a store in a batch only the last is kept, as the fold keeps it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from eventlog.ids import (
    Boot,
    Offset,
    Serial,
    StatementNumber,
    Store,
    Version,
)
from projections.bulk.arrays import Bools, Longs, Words, numbered
from projections.bulk.batch import CLOSED, STATED, STATEMENTS, Batch
from projections.bulk.claims import fence_said
from projections.bulk.copies import Changes
from projections.bulk.object_table import STATUS_BITS, STATUS_MASK, STORE_BITS, STORE_MASK
from projections.bulk.ordinary import Judged, Puts
from projections.holdings import Holdings
from projections.rg_state import Ledger, RgState, Stated

_NEVER = -1
_MODULUS = 1 << 64


class _Sums(NamedTuple):
    """Of each pair: what came to its sums, all over or up to some event."""

    statuses: Longs
    counts: Longs
    weights: Words


class Ledgers:
    """The ledgers that change, by (RG, store)."""

    def __init__(
        self,
        batch: Batch,
        states: Sequence[RgState],
        stores: Sequence[Store],
        judged: Judged,
        changes: Changes,
    ) -> None:
        self._batch, self._judged = batch, judged
        self._events = np.flatnonzero(np.isin(batch.kind, STATEMENTS))
        self._changes, self._puts = changes, judged.puts
        said = _pair(batch, self._events, judged.store[self._events])
        changed = _pair(batch, changes.events, changes.stores)
        listed = _pair(batch, self._puts.at, self._puts.stores)
        self._keys, numbers = numbered(np.concatenate([said, changed, listed]))
        ends = np.cumsum([len(said), len(changed)])
        self._said, self._changed, self._listed = np.split(numbers, ends)
        self._rg = (self._keys >> STORE_BITS).tolist()
        self._stores = [stores[code] for code in (self._keys & STORE_MASK).tolist()]
        pairs = zip(self._rg, self._stores, strict=True)
        self._before: list[Ledger] = [states[rg].ledger(store) for rg, store in pairs]

    def judge(self, is_odd: Bools) -> None:
        """An export is closed only where nothing is left, and once in a batch."""
        closings = self._last(CLOSED)
        events = self._events[self._batch.kind[self._events] == CLOSED]
        is_odd[self._batch.rg[events[~np.isin(events, closings)]]] = True
        left = self._sums(closings).counts
        for pair in np.flatnonzero(closings != _NEVER).tolist():
            if self._before[pair].facts + int(left[pair]):
                is_odd[self._rg[pair]] = True

    def after(self, is_ordinary: Bools) -> Iterator[tuple[int, Store, Ledger]]:
        """What is kept of each store, with the number of its RG."""
        total = self._sums(None)
        spoken, stated = self._last(None), self._last(STATED)
        closing, more = self._last(CLOSED), self._last_more()
        named = self._named(None)
        then = self._sums(stated), self._named(stated)
        for pair, before in enumerate(self._before):
            rg = self._rg[pair]
            if not is_ordinary[rg]:
                continue
            held, doomed, lost = (int(row[pair]) for row in total.statuses)
            last = int(spoken[pair])
            yield (
                rg,
                self._stores[pair],
                Ledger(
                    boot=Boot(int(self._judged.boot[last])) if last != _NEVER else before.boot,
                    n=StatementNumber(int(self._judged.n[last])) if last != _NEVER else before.n,
                    held=before.held + held,
                    doomed=before.doomed + doomed,
                    lost=before.lost + lost,
                    holdings=_plus(before.holdings, total, pair),
                    named=_later(before.named, named, pair),
                    stated=self._stated(pair, int(stated[pair]), *then),
                    closed=self._closed(before, int(closing[pair]), int(more[pair])),
                ),
            )

    def _last(self, kind: int | None) -> Longs:
        """The last statement of each pair, of that kind."""
        found = np.full(len(self._keys), _NEVER, np.int64)
        is_it = np.ones(len(self._events), np.bool_)
        if kind is not None:
            is_it = self._batch.kind[self._events] == kind
        np.maximum.at(found, self._said[is_it], self._events[is_it])
        return found

    def _last_more(self) -> Longs:
        found = np.full(len(self._keys), _NEVER, np.int64)
        is_more = self._changes.after != 0
        np.maximum.at(found, self._changed[is_more], self._changes.events[is_more])
        return found

    def _named(self, before: Longs | None) -> Longs:
        """The last put that lists each pair's store; or the last before these events."""
        found = np.full(len(self._keys), _NEVER, np.int64)
        events, pairs = self._puts.at, self._listed
        if before is not None:
            is_it = events < before[pairs]
            events, pairs = events[is_it], pairs[is_it]
        np.maximum.at(found, pairs, self._judged.version[events])
        return found

    def _sums(self, before: Longs | None) -> _Sums:
        """All that changed, or what changed before these events."""
        changes, pairs = self._changes, self._changed
        if before is not None:
            is_it = changes.events < before[pairs]
            changes, pairs = changes.where(is_it), pairs[is_it]
        size = len(self._keys)
        more, less = (
            np.bincount(pairs << STATUS_BITS | words & STATUS_MASK, minlength=size << STATUS_BITS)
            for words in (changes.after, changes.before)
        )
        _, *statuses = (more - less).reshape(size, 1 << STATUS_BITS).T
        weights = np.zeros(size, np.uint64)
        np.add.at(weights, pairs, changes.weights)
        return _Sums(np.array(statuses), np.sum(statuses, axis=0), weights)

    def _stated(self, pair: int, event: int, sums: _Sums, named: Longs) -> Stated | None:
        before = self._before[pair]
        if event == _NEVER:
            return before.stated
        said = _row_of(self._batch, event)
        holdings = _plus(before.holdings, sums, pair)
        claimed: tuple[int, bytes] = said["count"], said["digest"]
        answers, staged_from = said["answers"], said["staged_from"]
        version = Version(said["version"])
        return Stated(
            offset=Offset(said["offset"]),
            version=version,
            answers=fence_said(answers) if answers is not None else None,
            staged_from=Serial(staged_from) if staged_from is not None else None,
            attests=_later(before.named, named, pair) <= version,
            agrees=claimed == (holdings.count, holdings.digest_bytes()),
        )

    def _closed(self, before: Ledger, closing: int, more: int) -> Offset | None:
        if closing > more:
            return Offset(int(self._batch.offset[closing]))
        return None if more != _NEVER else before.closed


def _row_of(batch: Batch, event: int) -> dict[str, Any]:
    events = batch.of(STATED)
    assert events is not None
    (row,) = np.flatnonzero(events.at == event).tolist()
    (said,) = events.table.slice(row, 1).to_pylist()
    found: dict[str, Any] = said
    return found


def _pair(batch: Batch, events: Longs, stores: Longs) -> Longs:
    found: Longs = batch.rg[events] << STORE_BITS | stores
    return found


def _plus(holdings: Holdings, sums: _Sums, pair: int) -> Holdings:
    weight = (holdings.digest + int(sums.weights[pair])) % _MODULUS
    return Holdings(holdings.count + int(sums.counts[pair]), weight)


def _later(before: Version, named: Longs, pair: int) -> Version:
    return Version(int(named[pair])) if named[pair] != _NEVER else before


def store_lists(puts: Puts, is_wanted: Bools) -> Puts:
    """Only those of the wanted events."""
    kept = is_wanted[puts.at]
    return Puts(puts.at[kept], puts.stores[kept])
