"""The one broker is stopped, killed and started again under clients and an import.

What was acknowledged is there, once; what was not is there or not, and whoever
asked was told that; in the end the disks have what the log says and no more.
"""

import asyncio
import signal
from pathlib import Path

import aiohttp

from brokers.broker import Broker
from cli.programs import program, wait_until_gone
from eventlog.ids import OsdId
from faults.load import DEADLINE_S, Load, OnDisks, on_disks, until_clean, working
from osd.client import AsyncClient
from osd.founding import added

REQUESTS = 40
"""Answered between two disturbances."""
OBJECTS = 120
"""More than are imported in the moment that it takes to kill a broker."""


async def test_a_broker_comes_and_goes_under_writes_and_an_import(
    frail_broker: Broker, cluster_name: str, tmp_path: Path
) -> None:
    folder, url = tmp_path / "data", frail_broker.url(cluster_name)
    with program("up", "--osds", 2, "--rgs", 8, "--data", folder, "--log", url) as up:
        up.wait_for("the cluster is up")
        async with working(url) as load:
            await load.until_done(REQUESTS)
            await put_many(load)
            frail_broker.stop()
            frail_broker.start()
            await load.until_done(REQUESTS)
            before = await load.client.map()
            await load.client.change_map([added(OsdId(2))], layout=before.layout, reason="room")
            address = up.wait_for(r"osd\.2 serves at (\S+)")[1]
            await until_copying(address)
            frail_broker.kill()
            frail_broker.start()
            await load.until_done(REQUESTS)
        async with AsyncClient(url, deadline_s=DEADLINE_S) as client:
            await until_clean(client)
            there = await load.check(client)
            assert {row.primary for row in await client.rgs()} == {0, 1, 2}
        up.send(signal.SIGINT)
        assert up.end() == 130
    wait_until_gone(folder)
    assert on_disks(folder) == OnDisks(copies=there, unlogged=0, bodies=there)


async def put_many(load: Load) -> None:
    bodies = {f"many/{number}": b"%d" % number * 500 for number in range(OBJECTS)}
    await asyncio.gather(*(load.client.put(name, body) for name, body in bodies.items()))
    load.possible |= {name: {body} for name, body in bodies.items()}


async def until_copying(address: str) -> None:
    """Until this OSD has imported some objects."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(DEADLINE_S):
        while True:
            async with http.get(f"http://{address}/status") as reply:
                if (await reply.json())["copied"]["objects"]:
                    return
            await asyncio.sleep(0.01)
