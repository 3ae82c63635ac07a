"""Ordinary RGs: those of whose events in a batch none is void, and none is rare.

Rule: an RG is ordinary iff this is certain of all its events in the batch: each
claim outranks the one before, each operation and dooming is under the standing
claim, versions are dense, each statement is newer than its store's last, and no
store is retired. Whatever else an RG has in a batch, it is not ordinary here,
and is folded event by event; so a doubt costs time and nothing else.

What is not here: items, which are judged when copies change
(`projections.bulk.copies`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eventlog.ids import Store
from projections.bulk.arrays import Bools, Longs, lists, numbered
from projections.bulk.batch import (
    CLAIMED,
    DELETED,
    DOOMED,
    FENCED,
    OTHER,
    PUT,
    STATEMENTS,
    WITH_ITEMS,
    Batch,
)
from projections.bulk.object_table import MAX_STORES, ObjectTable
from projections.rg_state import RgState

_FENCE = (("epoch",), ("round",), ("store", "osd"), ("store", "incarnation"), ("boot",))
_NO_PAIR = -1


class Claims(NamedTuple):
    """Each RG's claim before the batch and after that those in it, RG by RG."""

    fences: Longs
    """Shape (5, claims): epoch, round, OSD, incarnation, boot."""
    stands: Bools
    """Whether it stands; what is before an RG's first claim does not."""
    at_event: Longs
    """Of each event: the claim that precedes it, or is it."""


class Puts(NamedTuple):
    """The stores that puts list."""

    at: Longs
    """The event of each."""
    stores: Longs


class Judged(NamedTuple):
    """What is known of a batch once its RGs are judged."""

    is_ordinary: Bools
    """By the RG's number."""
    claims: Claims
    version: Longs
    """Of the RG after each event, where the RG is ordinary."""
    store: Longs
    """The store of each statement and dooming, by its code."""
    puts: Puts
    boot: Longs
    n: Longs
    """(boot, n) of each statement."""


def judge(batch: Batch, states: Sequence[RgState], objects: ObjectTable) -> Judged | None:
    """Which RGs are ordinary; None where the stores cannot be told apart."""
    is_bad = np.zeros(len(batch.rgs), np.bool_)
    is_bad[batch.rg[batch.kind == OTHER]] = True
    store = _event_stores(batch, objects)
    puts = _put_stores(batch, objects)
    if store is None or puts is None:
        return None
    claims = _claims(batch, states, is_bad)
    version = _versions(batch, states, is_bad)
    boot, n = (batch.field(STATEMENTS, name) for name in ("boot", "n"))
    _judge_statements(batch, states, objects, (store, boot, n), is_bad)
    _judge_retired(batch, states, objects, (store, puts), is_bad)
    _judge_items(batch, version, is_bad)
    return Judged(~is_bad, claims, version, store, puts, boot, n)


def _claims(batch: Batch, states: Sequence[RgState], is_bad: Bools) -> Claims:
    is_claim = batch.kind == CLAIMED
    at_event = batch.rg + np.cumsum(is_claim)
    total = len(batch.rgs) + int(is_claim.sum())
    fences = np.zeros((len(_FENCE), total), np.int64)
    stands = np.ones(total, np.bool_)
    own = np.array([batch.field(FENCED, "fence", *path) for path in _FENCE])
    events = np.flatnonzero(is_claim)
    numbers = at_event[events]
    fences[:, numbers] = own[:, events]
    is_first = np.ones(total, np.bool_)
    is_first[numbers] = False
    firsts = np.flatnonzero(is_first)
    has_none = np.zeros(total, np.bool_)
    for number, state in zip(firsts.tolist(), states, strict=True):
        claim = state.claim
        has_none[number] = claim is None
        stands[number] = state.standing is not None
        if claim is not None:
            fences[:, number] = _parts(claim.fence)
    before = numbers - 1
    higher = (fences[0, numbers] > fences[0, before]) | (
        (fences[0, numbers] == fences[0, before]) & (fences[1, numbers] > fences[1, before])
    )
    is_bad[batch.rg[events[~(higher | has_none[before])]]] = True
    _judge_fences(batch, own, Claims(fences, stands, at_event), is_bad)
    return Claims(fences, stands, at_event)


def _parts(fence: object) -> tuple[int, int, int, int, int]:
    return (fence.epoch, fence.round, fence.store.osd, fence.store.incarnation, fence.boot)  # type: ignore[attr-defined]


def _judge_fences(batch: Batch, own: Longs, claims: Claims, is_bad: Bools) -> None:
    """Operations and doomings are under the claim that stands."""
    events = np.flatnonzero((batch.kind == PUT) | (batch.kind == DELETED) | (batch.kind == DOOMED))
    claim = claims.at_event[events]
    is_right = claims.stands[claim]
    for part in range(len(_FENCE)):
        is_right &= own[part, events] == claims.fences[part, claim]
    is_bad[batch.rg[events[~is_right]]] = True


def _versions(batch: Batch, states: Sequence[RgState], is_bad: Bools) -> Longs:
    is_operation = (batch.kind == PUT) | (batch.kind == DELETED)
    start = np.array([state.version for state in states], np.int64)
    version: Longs = start[batch.rg] + batch.sum_before(is_operation)
    said = batch.field((PUT, DELETED), "version")
    is_bad[batch.rg[is_operation & (said != version)]] = True
    return version


def _judge_items(batch: Batch, version: Longs, is_bad: Bools) -> None:
    """Items name versions that there are."""
    for kind in WITH_ITEMS:
        events = batch.of(kind)
        if events is not None:
            values, lengths = lists(events.table, "versions")
            last = values.to_numpy()[np.cumsum(lengths) - 1]
            is_bad[batch.rg[events.at[last > version[events.at]]]] = True


def _event_stores(batch: Batch, objects: ObjectTable) -> Longs | None:
    kinds = (*STATEMENTS, DOOMED)
    has_store = np.isin(batch.kind, kinds)
    found = np.zeros(len(batch), np.int64)
    osd, incarnation = (batch.field(kinds, "store", part)[has_store] for part in _STORE)
    codes = _codes(osd, incarnation, objects)
    if codes is None:
        return None
    found[has_store] = codes
    return found


_STORE = ("osd", "incarnation")


def _put_stores(batch: Batch, objects: ObjectTable) -> Puts | None:
    events = batch.of(PUT)
    if events is None:
        nothing = np.zeros(0, np.int64)
        return Puts(nothing, nothing)
    values, lengths = lists(events.table, "stores")
    osd, incarnation = (values.field(part).to_numpy().astype(np.int64) for part in _STORE)
    codes = _codes(osd, incarnation, objects)
    return Puts(np.repeat(events.at, lengths), codes) if codes is not None else None


def _codes(osd: Longs, incarnation: Longs, objects: ObjectTable) -> Longs | None:
    """Stores by their codes; None where two of them look alike."""
    known, number = numbered(incarnation ^ (osd * np.int64(0x1E3779B97F4A7C15)))
    first = np.zeros(len(known), np.int64)
    first[number] = np.arange(len(number))  # any of each
    if (osd[first][number] != osd).any() or (incarnation[first][number] != incarnation).any():
        return None
    if len(known) + len(objects.stores) > MAX_STORES:
        return None
    stores = zip(osd[first].tolist(), incarnation[first].tolist(), strict=True)
    codes = np.array([objects.store_code(Store(o, i)) for o, i in stores], np.int64)
    return codes[number] if len(codes) else np.zeros(0, np.int64)


def _judge_statements(
    batch: Batch,
    states: Sequence[RgState],
    objects: ObjectTable,
    said: tuple[Longs, Longs, Longs],
    is_bad: Bools,
) -> None:
    """Each statement's (boot, n) exceeds that of the one before of its store."""
    store, boot, n = said
    events = np.flatnonzero(np.isin(batch.kind, STATEMENTS))
    pair = batch.rg[events] << 20 | store[events]
    order = np.argsort(pair, kind="stable")
    events, pair = events[order], pair[order]
    is_first = np.diff(pair, prepend=_NO_PAIR) != 0
    last_boot, last_n = np.roll(boot[events], 1), np.roll(n[events], 1)
    for at in np.flatnonzero(is_first).tolist():
        rg, code = int(pair[at]) >> 20, int(pair[at]) & MAX_STORES
        ledger = states[rg].ledger(objects.stores[code])
        last_boot[at], last_n[at] = ledger.boot, ledger.n
    is_newer = (boot[events] > last_boot) | ((boot[events] == last_boot) & (n[events] > last_n))
    is_bad[batch.rg[events[~is_newer]]] = True


def _judge_retired(
    batch: Batch,
    states: Sequence[RgState],
    objects: ObjectTable,
    said: tuple[Longs, Puts],
    is_bad: Bools,
) -> None:
    """No event names a store that is retired."""
    retired: Mapping[int, list[int]] = {
        rg: [objects.store_code(store) for store in state.retired]
        for rg, state in enumerate(states)
        if state.retired
    }
    if not retired:
        return
    gone = np.array([rg << 20 | code for rg, codes in retired.items() for code in codes])
    store, puts = said
    speaking = np.isin(batch.kind, STATEMENTS)
    named = np.concatenate(
        [(batch.rg << 20 | store)[speaking], batch.rg[puts.at] << 20 | puts.stores]
    )
    is_bad[named[np.isin(named, gone)] >> 20] = True
