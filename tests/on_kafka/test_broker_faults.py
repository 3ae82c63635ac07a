"""The one broker is stopped, killed and started again under clients and an import.

What was acknowledged is there, once; what was not is there or not, and whoever
asked was told that; in the end the disks have what the log says and no more.
"""

import signal
from pathlib import Path

from brokers.broker import Broker
from cli.programs import program, wait_until_gone
from eventlog.ids import OsdId
from faults.load import DEADLINE_S, OnDisks, on_disks, until_clean, working
from osd.client import AsyncClient
from osd.founding import added

REQUESTS = 40
"""Answered between two disturbances."""


async def test_a_broker_comes_and_goes_under_writes_and_an_import(
    frail_broker: Broker, cluster_name: str, tmp_path: Path
) -> None:
    folder, url = tmp_path / "data", frail_broker.url(cluster_name)
    with program("up", "--osds", 2, "--rgs", 8, "--data", folder, "--log", url) as up:
        up.wait_for("the cluster is up")
        async with working(url) as load:
            await load.until_done(REQUESTS)
            frail_broker.stop()
            frail_broker.start()
            await load.until_done(REQUESTS)
            before = await load.client.map()
            await load.client.change_map([added(OsdId(2))], layout=before.layout, reason="room")
            up.wait_for("osd.2 serves")
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
