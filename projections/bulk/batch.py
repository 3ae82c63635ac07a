"""A batch: many events of many RGs in arrays, RG by RG, each RG's in its order.

Rule: an event is a number from 0 on, in the order by (RG, offset); RGs are
numbers too, from 0 on, as they stand in `rgs`. Whatever array is about events
of one kind says in `at` which events they are.

What is not here: what the events do.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from eventlog.ids import RgId
from projections.bulk.arrays import Bools, Longs, lists, longs

PUT, DELETED, CLAIMED, DOOMED, STATED, IMPORTED, ERASED, CLOSED, OTHER = range(9)
_KINDS = {
    "ObjectPut": PUT,
    "ObjectDeleted": DELETED,
    "RgClaimed": CLAIMED,
    "CopiesDoomed": DOOMED,
    "HoldingsStated": STATED,
    "ObjectsImported": IMPORTED,
    "CopiesErased": ERASED,
    "ExportClosed": CLOSED,
}
FENCED = (PUT, DELETED, CLAIMED, DOOMED)
STATEMENTS = (STATED, IMPORTED, ERASED, CLOSED)
WITH_ITEMS = (IMPORTED, ERASED, DOOMED)

_MAX_TABLE = 1 << 22
_OFFSET_BITS = 40


class Events(NamedTuple):
    """Those of one kind."""

    table: pa.Table
    at: Longs
    """Which events of the batch they are, in the table's order."""


class Items(NamedTuple):
    """What events of one kind list, all of one event side by side."""

    at: Longs
    """The event of each."""
    versions: Longs


class Batch:
    """Events of several kinds, in one order."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self.tables = dict(tables)
        names = sorted(tables)
        all_rgs = np.concatenate([longs(tables[name], "rg") for name in names])
        offsets = np.concatenate([longs(tables[name], "offset") for name in names])
        kinds = np.concatenate(
            [np.full(len(tables[name]), _KINDS.get(name, OTHER), np.int64) for name in names]
        )
        self.rgs, number = _numbered(all_rgs)
        order = np.argsort(number << _OFFSET_BITS | offsets)
        self.rg = number[order]
        """The number of each event's RG."""
        self.offset = offsets[order]
        self.kind = kinds[order]
        self.first = np.searchsorted(self.rg, np.arange(len(self.rgs) + 1))
        """Where each RG's events begin, and where the last one's end."""
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        ends = np.cumsum([0, *(len(tables[name]) for name in names)]).tolist()
        self._events = {
            _KINDS.get(name, OTHER): Events(tables[name], place[start:end])
            for name, start, end in zip(names, ends[:-1], ends[1:], strict=True)
            if name in _KINDS
        }

    def __len__(self) -> int:
        return len(self.rg)

    def of(self, kind: int) -> Events | None:
        """The events of a kind, if there are any."""
        return self._events.get(kind)

    def sum_before(self, is_it: Bools) -> Longs:
        """How many such events precede each one in its RG, itself among them."""
        total = np.cumsum(is_it)
        before = np.concatenate([[0], total])[self.first[:-1]]
        found: Longs = total - before[self.rg]
        return found

    def rg_ids(self) -> list[RgId]:
        """The RGs by their numbers."""
        return [RgId(rg) for rg in self.rgs.tolist()]

    def field(self, kinds: tuple[int, ...], name: str, *fields: str) -> Longs:
        """A number of each event of these kinds; 0 of all others."""
        found = np.zeros(len(self), np.int64)
        for kind in kinds:
            if events := self._events.get(kind):
                found[events.at] = longs(events.table, name, *fields)
        return found

    def items(self, kind: int, is_wanted: Bools) -> Items:
        """What the wanted events of this kind list, in the order of the events."""
        events = self._events.get(kind)
        if events is None:
            nothing = np.zeros(0, np.int64)
            return Items(nothing, nothing)
        values, lengths = lists(events.table, "versions")
        order = np.argsort(events.at)
        order = order[is_wanted[events.at[order]]]
        starts, sizes = (np.cumsum(lengths) - lengths)[order], lengths[order]
        place = np.arange(sizes.sum()) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)
        return Items(np.repeat(events.at[order], sizes), values.to_numpy()[place])


def _numbered(rgs: Longs) -> tuple[Longs, Longs]:
    """The different RGs in order, and the number of each event's."""
    if rgs.min() >= 0 and rgs.max() < _MAX_TABLE:
        is_there = np.zeros(int(rgs.max()) + 1, np.bool_)
        is_there[rgs] = True
        found = np.flatnonzero(is_there)
        return found, (np.cumsum(is_there) - 1)[rgs]
    found = np.unique(rgs)
    return found, np.searchsorted(found, rgs)
