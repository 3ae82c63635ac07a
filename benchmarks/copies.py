"""Two copies of every object on three OSDs: writing, recovering, and going on without one.

Rule: everything is as a user has it: durable on two disks before it is
acknowledged, over HTTP on loopback, with default limits, and with the Python
client in one process on the same cores. `COPIES=write,recovery,failover`
picks some. Recovery is from the append of `--out` to the last missing copy.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

import uvloop

from benchmarks.table import Row
from eventlog.codec import Decoder
from eventlog.ids import Offset, OsdId, Partition, Topic, osd_name, rg_of
from eventlog.map_events import MapChange, MapChanged, OsdDown, OsdIn, OsdOut
from osd.client import AsyncClient
from osd.demo.stage import Stage, stage
from osd.demo.telling import Telling
from osd.errors import OutcomeUnknown, Unavailable
from osd.founding import Shape

SMALL, MIDDLE, LARGE = os.urandom(4096), os.urandom(1 << 20), os.urandom(4 << 20)
NAMES = 3_000
SECONDS = 4.0
ROUNDS = 3
SMALL_OBJECTS, LARGE_OBJECTS = 20_000, 500
LIGHT_CLIENTS, LIGHT_PAUSE_S, LIGHT_S = 4, 0.02, 6.0
KILLS = 3
CHOSEN = os.environ.get("COPIES", "write,recovery,failover").split(",")

Call = Callable[[int], Awaitable[object]]


def run() -> list[Row]:
    """Rates, recovery, failover."""
    return uvloop.run(_run())


async def _run() -> list[Row]:
    parts = {"write": _write, "recovery": _recovery, "failover": _failover}
    rows: list[Row] = []
    for name in CHOSEN:
        with tempfile.TemporaryDirectory() as folder:
            async with _two_copies(Path(folder)) as cluster:
                rows += await parts[name](cluster)
    return rows


@asynccontextmanager
async def _two_copies(folder: Path) -> AsyncIterator[Stage]:
    shape = Shape(replicas=2, min_replicas=1)
    async with stage(folder, 3, Telling(), shape=shape) as cluster:
        yield cluster


async def _change(client: AsyncClient, change: MapChange) -> None:
    layout = (await client.map()).layout
    await client.change_map([change], layout=layout, reason="benchmark")


async def _write(cluster: Stage) -> list[Row]:
    client, rows = cluster.client, []

    async def small(n: int) -> None:
        await client.put(f"bench/{n % NAMES}", SMALL)

    async def middle(n: int) -> None:
        await client.put(f"middle/{n % 200}", MIDDLE)

    targets = {
        16: ("> 1,500", "Ceph 16.2: 2,600/s, p99 10 ms"),
        64: ("> 1,500", "Ceph 16.2: 3,300/s, p99 35 ms"),
    }
    for clients, (target, ceph) in targets.items():
        await _closed(clients, small, 1.0)
        runs = [await _closed(clients, small, SECONDS) for _ in range(ROUNDS)]
        rate = median(len(times) / SECONDS for times in runs)
        note = f"{_percentiles(runs)}; {ceph}"
        rows.append(Row(f"PUT 4 KiB, 2 copies, {clients} clients", rate, "/s", target, note))
    runs = [await _closed(16, middle, SECONDS) for _ in range(ROUNDS)]
    rate = median(len(times) * len(MIDDLE) / SECONDS / 1e6 for times in runs)
    note = f"{_percentiles(runs)}; Ceph 16.2: 600 MB/s"
    return [*rows, Row("PUT 1 MiB, 2 copies, 16 clients", rate, "MB/s", "> 250", note)]


async def _closed(clients: int, call: Call, seconds: float, pause_s: float = 0.0) -> list[float]:
    """Seconds of each call of clients that ask again as soon as they are answered."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        n = number * NAMES // clients
        while (start := time.perf_counter()) < end:
            await call(n)
            times.append(time.perf_counter() - start)
            n += 1
            await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one(number))
    return times


def _percentiles(runs: list[list[float]]) -> str:
    cuts = [quantiles(times, n=100) for times in runs]
    p50, p99 = median(cut[49] for cut in cuts), median(cut[98] for cut in cuts)
    return f"p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms"


async def _recovery(cluster: Stage) -> list[Row]:
    client = cluster.client
    await _fill(client, "small", SMALL_OBJECTS, SMALL, 64)
    await _fill(client, "large", LARGE_OBJECTS, LARGE, 8)
    await cluster.until_clean()
    quiet = await _recovered(client, OsdOut(osd=OsdId(2)))
    await _change(client, OsdIn(osd=OsdId(2)))
    await cluster.until_clean()

    async def light(n: int) -> None:
        if n % 2:
            await client.get(f"small/{n}")
        else:
            await client.put(f"light/{n % 200}", SMALL)

    idle = await _closed(LIGHT_CLIENTS, light, LIGHT_S, LIGHT_PAUSE_S)
    recovering = asyncio.create_task(_recovered(client, OsdOut(osd=OsdId(2))))
    busy: list[float] = []
    while not recovering.done():
        busy += await _closed(LIGHT_CLIENTS, light, 0.2, LIGHT_PAUSE_S)
    loaded = await recovering
    idle_ms, busy_ms = (1e3 * quantiles(times, n=100)[98] for times in (idle, busy))
    what = f"{quiet[2]:,} objects, {quiet[3] / 1e9:.2f} GB"
    ceph = "Ceph 16.2: 14,400 objects, 1.54 GB in 12.5 s, from 2.1 s on"
    return [
        Row("recovery after --out", quiet[1], "s", "< 12.5", f"{what}; {ceph}"),
        Row("  first copy after", quiet[0], "s", "< 2.1"),
        Row("  with clients", loaded[1], "s", "", f"{len(busy):,} requests meanwhile"),
        Row("client p99 meanwhile", busy_ms, "ms", f"< {3 * idle_ms:.1f}", f"idle {idle_ms:.1f}"),
    ]


async def _fill(client: AsyncClient, prefix: str, count: int, body: bytes, at_once: int) -> None:
    left = iter(range(count))

    async def one() -> None:
        for n in left:
            await client.put(f"{prefix}/{n}", body)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one())


async def _recovered(client: AsyncClient, change: MapChange) -> tuple[float, float, int, int]:
    """Seconds to the first copy and to the last, and how many objects and bytes came."""
    objects, size, _ = await _copied(client)
    start = time.perf_counter()
    await _change(client, change)
    epoch, first = (await client.map()).epoch, 0.0
    while True:
        now, sized, is_done = await _copied(client, epoch)
        first = first or (time.perf_counter() - start if now > objects else 0.0)
        if first and is_done:
            return first, time.perf_counter() - start, now - objects, sized - size
        await asyncio.sleep(0.05)


async def _copied(client: AsyncClient, epoch: int = 0) -> tuple[int, int, bool]:
    """Objects and bytes fetched so far, and whether nothing is missing by that epoch."""
    said = [status.said for status in await client.status() if status.said is not None]
    is_done = all(one["epoch"] >= epoch and one["missing"]["objects"] == 0 for one in said)
    objects = sum(int(one["copied"]["objects"]) for one in said)
    return objects, sum(int(one["copied"]["bytes"]) for one in said), is_done


async def _failover(cluster: Stage) -> list[Row]:
    client = cluster.client
    await _fill(client, "small", 2_000, SMALL, 32)
    spans = []
    for turn in range(KILLS):
        victim = OsdId(turn % 3)
        spans.append(await _after_kill(cluster, victim))
        await cluster.until_up([OsdId(osd) for osd in range(3)])
        await cluster.until_clean()
    note = "from the map event to the first acknowledged write in an RG that it led"
    return [Row("write after the kill of a primary", 1e3 * median(spans), "ms", "< 500", note)]


async def _after_kill(cluster: Stage, victim: OsdId) -> float:
    """Seconds from the event that marks it down to the first acknowledged write."""
    client = cluster.client
    rows = {row.rg: row.primary for row in await client.rgs()}
    names = (f"failover/{n}" for n in range(10_000))
    name = next(it for it in names if rows[rg_of(it, len(rows))] == victim)
    await client.put(name, SMALL)
    os.kill(_pid(cluster.supervisor.folder_of(victim)), signal.SIGKILL)
    async with AsyncClient(client.log.url, deadline_s=0.1) as impatient:
        while True:
            with suppress(Unavailable, OutcomeUnknown):
                await impatient.put(name, SMALL)
                acknowledged = time.time()
                break
    return acknowledged - await asyncio.to_thread(_marked_down, cluster, victim)


def _pid(folder: Path) -> int:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"\0--data\0{folder}\0" in process.read_text():
                return int(process.parent.name)
    raise AssertionError(f"no process of {folder}")


def _marked_down(cluster: Stage, victim: OsdId) -> float:
    """When the last event that marked it down was appended; seconds since 1970."""
    log, found = cluster.client.log, 0
    decode = Decoder(log).decode
    for record in log.read(Topic.MAP, Partition(0), Offset(0)):
        event = decode(record)
        assert isinstance(event, MapChanged)
        for change in event.changes:
            if isinstance(change, OsdDown) and change.store.osd == victim:
                found = event.time
    assert found, osd_name(victim)
    return found / 1e6
