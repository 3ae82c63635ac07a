"""How long a map plan takes for a large cluster, from its RG statistics.

Rule: what is timed is everything from (map, change, RG statistics) to the plan
with its concerns and its sums by OSD and by RG: two placements of all RGs from
nothing but the map among it.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
from msgspec.structs import replace

from benchmarks.table import Row
from eventlog.ids import WEIGHT_ONE, Epoch, Incarnation, Layout, OsdId, Store
from projections.cluster_map import ClusterMap, Osd
from projections.map_plan import Disk, Survey, make_plan, table_of
from projections.plan_concerns import concerns
from projections.rg_stats import Copies, RgStats, placed_copies

OSD_COUNT = 1_000
RG_COUNT = 100_000
OBJECTS = 100_000_000
REPLICAS = 3
RUNS = 5
ASKED = "< 2"

Place = Callable[[int], tuple[str, str]]


def run() -> list[Row]:
    """Ten racks of ten hosts; then a host for each OSD, which is the most to draw."""
    racked = _cluster(lambda osd: (f"host-{osd // 10}", f"rack-{osd // 100}"))
    flat = _cluster(lambda osd: (f"host-{osd}", "rack-1"))
    shape = f"{OSD_COUNT:,} OSDs, {RG_COUNT:,} RGs, {REPLICAS} replicas"
    return [
        *_rows(f"{shape}, 10 racks of 10 hosts", racked),
        *_rows(f"{shape}, every OSD its own host", flat),
    ]


def _rows(name: str, before: ClusterMap) -> list[Row]:
    survey = _survey(before)
    heavier = _with(before, 500, weight=2 * WEIGHT_ONE)
    out = _with(before, 500, is_in=False)
    added = _plus(before, OSD_COUNT)
    rows = []
    for change, after in {"one heavier": heavier, "one out": out, "one added": added}.items():
        seconds = []
        for _ in range(RUNS):
            start = perf_counter()
            plan = make_plan(before, after, survey)
            concerns(plan, survey.stats)
            moved = sum(1 for _ in plan.rgs())
            seconds.append(perf_counter() - start)
        note = f"{moved:,} RGs, {plan.moved.objects:,} objects move"
        rows.append(Row(f"{name}: {change}", median(seconds), "s", ASKED, note))
    return rows


def _cluster(place: Place) -> ClusterMap:
    osds = {OsdId(n): _osd(n, *place(n)) for n in range(OSD_COUNT)}
    return ClusterMap(
        cluster="bench",
        rg_count=RG_COUNT,
        partitions=RG_COUNT // 16,
        replicas=REPLICAS,
        epoch=Epoch(9),
        layout=Layout(9),
        osds=osds,
    )


def _osd(number: int, host: str, rack: str) -> Osd:
    store = Store(OsdId(number), Incarnation(number + 1))
    return Osd(osd=OsdId(number), weight=WEIGHT_ONE, host=host, rack=rack, store=store, is_up=True)


def _with(before: ClusterMap, number: int, **changed: object) -> ClusterMap:
    osd = replace(before.osds[OsdId(number)], **changed)
    return replace(before, osds={**before.osds, osd.osd: osd})


def _plus(before: ClusterMap, number: int) -> ClusterMap:
    new = replace(_osd(number, "host-new", "rack-1"), store=None)
    return replace(before, osds={**before.osds, new.osd: new})


def _survey(cluster_map: ClusterMap) -> Survey:
    chance = np.random.default_rng(1)
    objects = chance.multinomial(OBJECTS, np.full(RG_COUNT, 1 / RG_COUNT)).astype(np.int64)
    sizes = objects * 65_536
    nothing = np.empty(0, np.int64)
    stats = RgStats(objects, sizes, Copies(nothing, nothing, nothing, nothing))
    copies = placed_copies(stats, table_of(cluster_map).rows)
    disks = {osd: Disk(10**14, 5 * 10**13, 10**10) for osd in cluster_map.osds}
    return Survey(RgStats(objects, sizes, copies), disks)
