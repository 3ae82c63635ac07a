"""Many RGs come together: snapshots and hints go out a few at a time, over real connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from contracts.logs import IDENTITY
from eventlog.ids import Epoch, RgId
from eventlog.memory import MemoryLog
from osd.blobs import BlobFiles
from osd.bodies import Gauge
from osd.core.effects import AskSnapshot, Hint
from osd.counters import Counters
from osd.fetches import HINTS_AT_ONCE, Fetcher
from osd.snapshot_asks import AT_ONCE, SnapshotAsks

RGS = [RgId(number) for number in range(100)]


class Source:
    """An OSD that keeps everybody waiting until it is let go on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = asyncio.Event()
        self.address = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        await self.go_on.wait()
        return web.Response(body=b"no snapshot at all")


@asynccontextmanager
async def source() -> AsyncIterator[Source]:
    made = Source()
    runner = web.ServerRunner(web.Server(made.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.address = "{}:{}".format(*runner.addresses[0])
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def fetching(folder: Path) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(BlobFiles(folder), Gauge(folder), "a")
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def asked_at_once(source: Source, expected: int) -> int:
    """How many ask together, once there are as many as expected and no more would come."""
    async with asyncio.timeout(60):
        while len(source.asked) < expected:
            await asyncio.sleep(0.01)
    for _ in range(100):
        await asyncio.sleep(0)
    return len(source.asked)


async def test_snapshots_that_nobody_waits_for_any_more_are_not_fetched(tmp_path: Path) -> None:
    waiting = set(RGS)
    counters = Counters()
    async with source() as there, fetching(tmp_path) as fetcher:
        asks = SnapshotAsks(fetcher, MemoryLog(IDENTITY), counters, waiting.__contains__)
        all_ = asyncio.gather(*(asks.ask(AskSnapshot(rg, (there.address,))) for rg in RGS))
        assert await asked_at_once(there, AT_ONCE) == AT_ONCE
        waiting -= set(RGS[1:-1])
        there.go_on.set()
        assert await all_ == [(None, None)] * len(RGS)
    assert there.asked == [f"/snapshots/{rg:x}" for rg in (*RGS[:AT_ONCE], RGS[-1])]
    assert counters.doubts == 2, "what came too late is not looked at"


async def test_hints_go_a_few_at_a_time_and_one_of_an_rg(tmp_path: Path) -> None:
    async with source() as there, fetching(tmp_path) as fetcher:
        hints = [Hint(there.address, rg, Epoch(7)) for rg in RGS]
        all_ = asyncio.gather(*(fetcher.hint(hint) for hint in (*hints, *hints)))
        assert await asked_at_once(there, HINTS_AT_ONCE) == HINTS_AT_ONCE
        there.go_on.set()
        await all_
        assert sorted(there.asked) == sorted(f"/hints/{rg:x}" for rg in RGS)
        await fetcher.hint(hints[0])
        assert len(there.asked) == len(RGS) + 1
