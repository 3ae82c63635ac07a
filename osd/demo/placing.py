"""What the map alone says: where RGs are placed, and how much of them another map places elsewhere.

Rule: computed from the two maps and the sizes of the RGs, whatever was done
on the way. That is what the placement wants moved, and not the least that any
placement would (see `projections.map_plan`).
"""

from collections.abc import Mapping

from eventlog.ids import OsdId, RgId, Store
from projections.cluster_map import ClusterMap
from projections.map_plan import table_of
from projections.map_sequence import steps_of
from projections.rg_stats import RgStat, stats_of


def placed_elsewhere(before: ClusterMap, after: ClusterMap, sizes: Mapping[RgId, int]) -> int:
    """Bytes of the RGs that are placed on another OSD by the second map."""
    one_each = (RgStat(rg, 1, size, {}) for rg, size in sizes.items())
    return steps_of([before, after], stats_of(before, one_each), None).whole.moved.size


def placed_stores(cluster_map: ClusterMap) -> dict[RgId, tuple[Store, ...]]:
    """Where the map places each RG."""
    table = table_of(cluster_map)
    rgs = map(RgId, range(cluster_map.rg_count))
    return {rg: _stores(cluster_map, table.placed(rg)) for rg in rgs}


def _stores(cluster_map: ClusterMap, osds: tuple[OsdId, ...]) -> tuple[Store, ...]:
    stores = (cluster_map.osds[osd].store for osd in osds)
    return tuple(store for store in stores if store is not None)
