"""What the map alone says: where RGs are placed, and how little a change of it must move.

Rule: computed from the two maps and the sizes of the RGs, whatever was done
on the way.
"""

from collections.abc import Mapping

from eventlog.ids import OsdId, RgId, Store
from projections.cluster_map import ClusterMap, candidates
from projections.placement import PlacementTable, place_all


def least_moved(before: ClusterMap, after: ClusterMap, sizes: Mapping[RgId, int]) -> int:
    """Bytes of the RGs that are placed on another OSD by the second map."""
    old, new = _table(before), _table(after)
    return sum(size * len(set(new.placed(rg)) - set(old.placed(rg))) for rg, size in sizes.items())


def placed_stores(cluster_map: ClusterMap) -> dict[RgId, tuple[Store, ...]]:
    """Where the map places each RG."""
    table = _table(cluster_map)
    rgs = map(RgId, range(cluster_map.rg_count))
    return {rg: _stores(cluster_map, table.placed(rg)) for rg in rgs}


def _stores(cluster_map: ClusterMap, osds: tuple[OsdId, ...]) -> tuple[Store, ...]:
    stores = (cluster_map.osds[osd].store for osd in osds)
    return tuple(store for store in stores if store is not None)


def _table(cluster_map: ClusterMap) -> PlacementTable:
    return place_all(
        candidates(cluster_map), cluster_map.rg_count, cluster_map.replicas, cluster_map.pins
    )
