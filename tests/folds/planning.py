"""Clusters, changes of them and RG statistics, for tests of plans; by hand and by chance."""

from collections.abc import Mapping

from hypothesis import strategies as st
from msgspec.structs import replace

from eventlog.ids import WEIGHT_ONE, Epoch, Layout, OsdId, RgId, Store
from folds.building import store
from projections.cluster_map import ClusterMap, Osd
from projections.map_plan import table_of
from projections.rg_stats import RgStat, RgStats, stats_of

RGS = 16


def osd(number: int, place: str = "", weight: int = 1, **said: object) -> Osd:
    """An OSD that is up and in; `place` is HOST/RACK, by default a host of its own."""
    host, _, rack = (place or f"h{number}/r1").partition("/")
    made = Osd(
        osd=OsdId(number),
        weight=weight * WEIGHT_ONE,
        host=host,
        rack=rack,
        store=store(number),
        is_up=True,
    )
    return replace(made, **said)


def cluster_of(*osds: Osd, replicas: int = 1, min_replicas: int = 1) -> ClusterMap:
    """A map of these OSDs."""
    return ClusterMap(
        cluster="c1",
        rg_count=RGS,
        partitions=RGS,
        replicas=replicas,
        min_replicas=min_replicas,
        epoch=Epoch(5),
        layout=Layout(5),
        osds={one.osd: one for one in osds},
    )


def with_osds(before: ClusterMap, *osds: Osd, **said: object) -> ClusterMap:
    """The map with these in the place of others of their number."""
    return replace(before, osds={**before.osds, **{one.osd: one for one in osds}}, **said)


def placed_stats(cluster_map: ClusterMap, sizes: Mapping[int, int]) -> RgStats:
    """Each RG has as many objects, of so many bytes in all, on all its OSDs and nowhere else."""
    table = table_of(cluster_map)
    stores: dict[int, Store] = {
        one.osd: one.store for one in cluster_map.osds.values() if one.store is not None
    }
    return stats_of(
        cluster_map,
        (
            RgStat(RgId(rg), rg + 1, size, {stores[it]: rg + 1 for it in table.placed(RgId(rg))})
            for rg, size in sizes.items()
        ),
    )


@st.composite
def osds(draw: st.DrawFn, number: int) -> Osd:
    """An OSD in one of few hosts and racks; it may be out, leaving, never started or rebuilt."""
    is_leaving = draw(st.integers(0, 7)) == 0
    place = f"h{draw(st.integers(0, 3))}/r{draw(st.integers(0, 1))}"
    return osd(
        number,
        place,
        0 if is_leaving else draw(st.integers(0, 3)),
        is_leaving=is_leaving,
        is_in=draw(st.integers(0, 5)) > 0,
        is_up=draw(st.booleans()),
        store=draw(st.sampled_from((None, *[store(number)] * 4, store(number, 2)))),
    )


@st.composite
def maps(draw: st.DrawFn) -> ClusterMap:
    """A cluster of up to six OSDs, with pins."""
    numbers = draw(st.sets(st.integers(0, 5), min_size=1))
    replicas = draw(st.integers(1, 3))
    made = cluster_of(*(draw(osds(number)) for number in sorted(numbers)), replicas=replicas)
    may_be_pinned = [one.osd for one in made.osds.values() if one.is_candidate]
    if not may_be_pinned:
        return made
    lists = st.lists(
        st.sampled_from(may_be_pinned), unique=True, min_size=1, max_size=replicas
    ).map(tuple)
    pins = draw(st.dictionaries(st.integers(0, RGS - 1).map(RgId), lists, max_size=4))
    return replace(made, pins=pins)


@st.composite
def stats(draw: st.DrawFn, cluster_map: ClusterMap) -> RgStats:
    """Any part of any RG on any OSD."""
    stores = [one.store for one in cluster_map.osds.values() if one.store is not None]
    rows = []
    for rg in range(RGS):
        objects = draw(st.integers(0, 9))
        held = {one: draw(st.integers(0, objects)) for one in stores}
        rows.append(RgStat(RgId(rg), objects, objects * draw(st.integers(0, 10**12)), held))
    return stats_of(cluster_map, rows)
