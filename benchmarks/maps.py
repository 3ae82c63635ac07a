"""How fast a map change becomes plans on every node, and what botched maps cost.

Rule: three OSD processes with objects on disk; times are from before the
append to the moment when every node says that it derived its plans for that
epoch, asked over HTTP, so they include the asking.
"""

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.table import Row
from eventlog.ids import WEIGHT_ONE, OsdId
from eventlog.map_events import OsdReweighted
from osd.client import AsyncClient
from osd.demo.stage import Stage, stage
from osd.demo.telling import Telling
from osd.founding import Shape

OBJECTS = 2_000
CHANGES = 7
BOTCHED = 10


def run() -> list[Row]:
    """One change at a time, then a burst that ends where it began."""
    return asyncio.run(_run())


async def _run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), 3, Telling(), shape=Shape()) as cluster:
            await _fill(cluster.client)
            burst = await _burst(cluster)
            return [*await _changes(cluster), *burst]


async def _fill(client: AsyncClient) -> None:
    for first in range(0, OBJECTS, 64):
        async with asyncio.TaskGroup() as group:
            for n in range(first, min(OBJECTS, first + 64)):
                group.create_task(client.put(f"object/{n}", bytes([n % 251]) * 4096))


async def _changes(cluster: Stage) -> list[Row]:
    seconds, plans = [], []
    for turn in range(CHANGES):
        start = perf_counter()
        await _reweigh(cluster.client, 3 if turn % 2 else 2)
        plans.append(await _until_planned(cluster.client))
        seconds.append(perf_counter() - start)
        await cluster.until_clean()
    return [
        Row(
            "map change: append to plans derived on every node",
            1e3 * median(seconds),
            "ms",
            "< 100",
            "Ceph 16.2: 2,100 to 2,500 ms to the first pending group",
        ),
        Row("  of that, from the record's read to the plans", median(plans), "ms"),
    ]


async def _burst(cluster: Stage) -> list[Row]:
    await cluster.until_clean()
    before = await _copied(cluster.client)
    start = perf_counter()
    for turn in range(BOTCHED):
        await _reweigh(cluster.client, 2 + turn)
    await _reweigh(cluster.client, 1)
    await _until_planned(cluster.client)
    await cluster.until_clean()
    seconds = perf_counter() - start
    await asyncio.sleep(3)  # longer than the calm: what would be copied would be copied by now
    copied = await _copied(cluster.client) - before
    return [
        Row(
            f"{BOTCHED} botched maps and back, until all RGs are clean",
            seconds,
            "s",
            "< 2",
            "Ceph 16.2: 12.5 s",
        ),
        Row(
            "  objects copied by that",
            copied,
            f"of {OBJECTS:,}",
            "0",
            "Ceph 16.2: 2,500 to 2,800 of 20,500",
        ),
    ]


async def _reweigh(client: AsyncClient, weight: int) -> None:
    change = OsdReweighted(osd=OsdId(0), weight=weight * WEIGHT_ONE)
    layout = (await client.map()).layout
    await client.change_map([change], layout=layout, reason="benchmark")


async def _until_planned(client: AsyncClient) -> float:
    """Wait until every node has planned for the present epoch; the slowest's milliseconds."""
    epoch = (await client.map()).epoch
    while True:
        said = [status.said for status in await client.status()]
        if all(one is not None and one["epoch"] >= epoch for one in said):
            return max(float(one["plan_ms"]) for one in said if one is not None)
        await asyncio.sleep(0.002)


async def _copied(client: AsyncClient) -> int:
    said = [status.said for status in await client.status()]
    return sum(int(one["copied"]["objects"]) for one in said if one is not None)
