"""RG statistics: how much each RG has, and which OSD holds how much of it, for all RGs at once.

Rule: only copies that count are counted, and only those on the present store
of an OSD of the map. What a store has of a part of an RG's objects is counted
in objects; its bytes are the same part of the RG's.

What is not here: where the numbers come from, and where RGs are placed.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from eventlog.ids import OsdId, RgId, Store
from projections.cluster_map import ClusterMap
from projections.placement_rows import MISSING
from projections.ranking import Numbers

Counts = npt.NDArray[np.int64]

_OSD_BITS = 30
"""An OSD's number has at most nine digits."""


class Amount(NamedTuple):
    """So many objects, and their bytes."""

    objects: int = 0
    size: int = 0


class RgStat(NamedTuple):
    """One RG as its fold says."""

    rg: RgId
    objects: int
    """That live."""
    size: int
    """Their bytes, one copy each."""
    held: Mapping[Store, int]
    """How many of them each store has in a copy that counts."""


class Copies(msgspec.Struct, frozen=True, eq=False):
    """Copies of RGs on OSDs: four columns, each (RG, OSD) at most once, ascending."""

    rgs: Counts
    osds: Counts
    objects: Counts
    sizes: Counts

    @property
    def keys(self) -> Counts:
        """(RG, OSD) as one number."""
        return keys_of(self.rgs, self.osds)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Copies":
        """Some of the rows."""
        return Copies(self.rgs[chosen], self.osds[chosen], self.objects[chosen], self.sizes[chosen])

    @property
    def total(self) -> Amount:
        """Of all rows."""
        return Amount(int(self.objects.sum()), int(self.sizes.sum()))

    def by_osd(self) -> dict[OsdId, Amount]:
        """What each OSD has; those with nothing are left out."""
        return {OsdId(osd): amount for osd, amount in _summed(self.osds, self)}

    def by_rg(self) -> dict[RgId, Amount]:
        """What there is of each RG; those with nothing are left out."""
        return {RgId(rg): amount for rg, amount in _summed(self.rgs, self)}


class RgStats(msgspec.Struct, frozen=True, eq=False):
    """All RGs: objects and bytes of each, one copy, and the copies there are."""

    objects: Counts
    sizes: Counts
    copies: Copies

    @property
    def rg_count(self) -> int:
        """How many RGs there are."""
        return len(self.objects)


def stats_of(cluster_map: ClusterMap, rows: Iterable[RgStat]) -> RgStats:
    """What the rows say; an RG without a row is empty."""
    objects = np.zeros(cluster_map.rg_count, np.int64)
    sizes = np.zeros(cluster_map.rg_count, np.int64)
    stores = {osd.store: osd.osd for osd in cluster_map.osds.values() if osd.store is not None}
    held = []
    for row in rows:
        objects[row.rg], sizes[row.rg] = row.objects, row.size
        for store, count in row.held.items():
            if count and row.objects and store in stores:
                part = min(count, row.objects)
                held.append((row.rg, stores[store], part, row.size * part // row.objects))
    columns = np.array(sorted(held), np.int64).reshape(-1, 4).T
    return RgStats(objects, sizes, Copies(*columns))


def stats_with(stats: RgStats, copies: Copies) -> RgStats:
    """As if these were all copies: of no RG is there more than they have together."""
    there = np.zeros(stats.rg_count, np.int64)
    np.add.at(there, copies.rgs, copies.objects)
    objects = np.minimum(stats.objects, there)
    among = np.maximum(stats.objects, 1)
    each, rest = np.divmod(stats.sizes, among)
    return RgStats(objects, each * objects + rest * objects // among, copies)


def placed_copies(stats: RgStats, rows: Numbers) -> Copies:
    """The copies there are once every RG is whole on the OSDs of its row."""
    rgs, places = np.nonzero((rows != MISSING) & (stats.objects > 0)[:, np.newaxis])
    osds = rows[rgs, places].astype(np.int64)
    order = np.argsort(keys_of(rgs, osds), kind="stable")
    rgs, osds = rgs[order], osds[order]
    return Copies(rgs, osds, stats.objects[rgs], stats.sizes[rgs])


def keys_of(rgs: Counts, osds: Counts) -> Counts:
    """(RG, OSD) as one number, ordered as the pair."""
    keys: Counts = (rgs << _OSD_BITS) | osds
    return keys


def _summed(column: Counts, copies: Copies) -> list[tuple[int, Amount]]:
    numbers, index = np.unique(column, return_inverse=True)
    objects, sizes = np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.int64)
    np.add.at(objects, index, copies.objects)
    np.add.at(sizes, index, copies.sizes)
    pairs = zip(objects.tolist(), sizes.tolist(), strict=True)
    return list(zip(numbers.tolist(), (Amount(*pair) for pair in pairs), strict=True))
