"""Which events, of many in columns, are not valid: what `eventlog.rg_events` checks one by one.

Rule: the two agree; a test shows each the same wrong events. What Avro can
say and an event cannot be is found here, before anybody counts on it.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from eventlog.avro_cursor import Bools, Longs
from eventlog.rg_events import MAX_ITEMS

Columns = Mapping[str, pa.Array]


def invalid(event: str, columns: Columns) -> Bools:
    """Which of these events could not have been built; `event` is its schema's name."""
    found = np.zeros(len(columns["rg"]), np.bool_)
    for check in _CHECKS[event]:
        found |= check(columns)
    return found


def _below(name: str, least: int) -> Callable[[Columns], Bools]:
    return lambda columns: _longs(columns[name]) < least


def _round_below_one(columns: Columns) -> Bools:
    return _longs(columns["fence"].field("round")) < 1


def _no_name(columns: Columns) -> Bools:
    return np.equal(_lengths_of_texts(columns["object"]), 0)


def _replicas(columns: Columns) -> Bools:
    replicas, least = _longs(columns["replicas"]), _longs(columns["min_replicas"])
    return (least < 1) | (least > replicas) | (_lengths(columns["placed"]) > replicas)


def _not_ascending(columns: Columns) -> Bools:
    """1 to 1,000 versions, from 1 on, each above the one before."""
    lists = columns["versions"]
    lengths, values = _lengths(lists), _longs(lists.values)
    steps = np.diff(values, prepend=0)
    firsts = _offsets(lists)[:-1][lengths > 0]
    steps[firsts] = values[firsts]
    bad_items = np.concatenate([[0], np.cumsum(steps < 1)])
    ends = _offsets(lists)
    has_bad = bad_items[ends[1:]] > bad_items[ends[:-1]]
    return has_bad | (lengths < 1) | (lengths > MAX_ITEMS)


def _twice(name: str) -> Callable[[Columns], Bools]:
    """A store that is listed twice."""

    def check(columns: Columns) -> Bools:
        lists = columns[name]
        osd, incarnation = _stores(lists.values)
        ends, lengths = _offsets(lists)[1:], _lengths(lists)
        end, owner = np.repeat(ends, lengths), np.repeat(np.arange(len(lists)), lengths)
        found = np.zeros(len(lists), np.bool_)
        here = np.arange(len(owner))
        for distance in range(1, lengths.max(initial=0)):
            here = here[here + distance < end[here]]
            there = here + distance
            is_same = (osd[here] == osd[there]) & (incarnation[here] == incarnation[there])
            found[owner[here[is_same]]] = True
        return found

    return check


def _own_store_missing(columns: Columns) -> Bools:
    """The primary's own store must be among a put's."""
    lists = columns["stores"]
    owner = np.repeat(np.arange(len(lists)), _lengths(lists))
    osd, incarnation = _stores(lists.values)
    own_osd, own_incarnation = _stores(columns["fence"].field("store"))
    is_own = (osd == own_osd[owner]) & (incarnation == own_incarnation[owner])
    missing = np.ones(len(lists), np.bool_)
    missing[owner[is_own]] = False
    return missing


def _stores(array: pa.Array) -> tuple[Longs, Longs]:
    return _longs(array.field("osd")), _longs(array.field("incarnation"))


def _longs(array: pa.Array) -> Longs:
    found: Longs = array.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return found


def _offsets(array: pa.Array) -> Longs:
    return _longs(array.offsets)


def _lengths(array: pa.Array) -> Longs:
    return np.diff(_offsets(array))


def _lengths_of_texts(array: pa.Array) -> Longs:
    """Bytes of each text; a view begins with its length."""
    views = np.frombuffer(array.buffers()[1], np.int32)
    found: Longs = views[array.offset * 4 :][: len(array) * 4 : 4].astype(np.int64)
    return found


_OPERATION = (_below("version", 1), _no_name)
_STATEMENT = (_below("boot", 1), _below("n", 1))

_CHECKS: Mapping[str, tuple[Callable[[Columns], Bools], ...]] = {
    "CopiesDoomed": (_not_ascending,),
    "CopiesErased": (*_STATEMENT, _not_ascending),
    "CopiesLost": (*_STATEMENT, _not_ascending),
    "ExportClosed": _STATEMENT,
    "HoldingsStated": (*_STATEMENT, _below("count", 0), _below("version", 0)),
    "ObjectDeclaredLost": _OPERATION,
    "ObjectDeleted": _OPERATION,
    "ObjectPut": (*_OPERATION, _below("size", 0), _own_store_missing, _twice("stores")),
    "ObjectsImported": (*_STATEMENT, _not_ascending),
    "RgClaimed": (_round_below_one, _replicas, _twice("placed")),
    "StoreRetired": (),
}
