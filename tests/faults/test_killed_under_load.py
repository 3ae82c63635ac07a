"""OSDs that are killed, or stand still for a while, under clients that go on."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.programs import Program, osd_processes, program, wait_until_gone
from eventlog.errors import LogUnavailable
from eventlog.ids import WEIGHT_ONE, OsdId
from eventlog.map_events import OsdReweighted
from faults.load import DEADLINE_S, Load, OnDisks, on_disks, until_clean, working
from faults.shared_load import SHARED_NAMES, sharing
from node.osds import until
from osd.client import AsyncClient

OSDS = 3
KILLS = 9
STANDSTILLS = 3
SHARED_KILLS = 12
REQUESTS = 60
"""Answered between two disturbances."""


class Running(NamedTuple):
    """`osdlog up`, which starts again what was killed."""

    folder: Path
    log: str
    up: Program
    copies: int = 1
    """Of each object."""

    def signal(self, osd: int, number: signal.Signals) -> None:
        """To the OSD's process, as soon as there is one."""
        os.kill(until(lambda: osd_processes(self.folder).get(osd)), number)

    async def check(self, load: Load) -> None:
        """All that was acknowledged is there, all is clean, and the disks have nothing else."""
        async with AsyncClient(self.log, deadline_s=DEADLINE_S) as client:
            await until_clean(client)
            there = await load.check(client)
        self.up.send(signal.SIGINT)
        assert self.up.end() == 130
        wait_until_gone(self.folder)
        copies = self.copies * there
        assert on_disks(self.folder) == OnDisks(copies=copies, unlogged=0, bodies=copies)


@pytest.fixture
def running(tmp_path: Path, copies: int) -> Iterator[Running]:
    folder, words = tmp_path / "data", ("--osds", OSDS, "--rgs", 16, "--replicas", copies)
    with program("up", *words, "--data", folder) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        yield Running(folder, log, up, copies)


@pytest.fixture
def copies() -> int:
    """One, where a test does not ask for more."""
    return 1


@pytest.mark.parametrize("copies", [1, 2])
async def test_osds_are_killed_one_after_another(running: Running) -> None:
    async with working(running.log) as load:
        for turn in range(KILLS):
            await load.until_done(REQUESTS)
            running.signal(turn % OSDS, signal.SIGKILL)
        await load.until_done(REQUESTS)
    await running.check(load)


async def test_the_map_changes_while_an_osd_stands_still(running: Running) -> None:
    """It is late, not dead: what it then says under an older map does no harm."""
    async with working(running.log) as load:
        for turn in range(STANDSTILLS):
            await load.until_done(REQUESTS)
            running.signal(turn, signal.SIGSTOP)
            try:
                await change_weights(load.client, OsdId((turn + 1) % OSDS))
            finally:
                running.signal(turn, signal.SIGCONT)
        await load.until_done(REQUESTS)
    await running.check(load)


@pytest.mark.parametrize("copies", [1, 2])
async def test_what_many_clients_saw_of_the_same_objects_is_linearizable(running: Running) -> None:
    """They put, delete and read the same few objects while OSDs are killed and the map changes."""
    choice = random.Random(1)
    async with sharing(running.log) as shared:
        for turn in range(SHARED_KILLS):
            await shared.until_done(REQUESTS)
            running.signal(choice.randrange(OSDS), signal.SIGKILL)
            if turn % 4 == 3:
                await change_weights(shared.client, OsdId(choice.randrange(OSDS)))
        await shared.until_done(REQUESTS)
        before = set(shared.history.calls)
    async with AsyncClient(running.log, deadline_s=DEADLINE_S) as client:
        await until_clean(client)
        await shared.read_all(client)
    assert set(shared.history.calls) == before == set(SHARED_NAMES)
    assert shared.done > REQUESTS * SHARED_KILLS
    assert list(shared.history.faults()) == []


async def change_weights(client: AsyncClient, osd: OsdId) -> None:
    """Two changes that move data; the second as if the first had been a slip."""
    for weight in (4 * WEIGHT_ONE, WEIGHT_ONE // 2):
        before = await client.map()
        try:
            await client.change_map(
                [OsdReweighted(osd=osd, weight=weight)], layout=before.layout, reason="a try"
            )
        except LogUnavailable:
            return  # it stands still with its turn at the log in hand


async def test_the_whole_cluster_is_killed_at_once(running: Running) -> None:
    """What `up` was asked to do, and did not say it did, may have happened or not."""
    with ExitStack() as started:
        async with working(running.log) as load:
            await load.until_done(REQUESTS)
            for osd in range(OSDS):
                running.signal(osd, signal.SIGKILL)
            running.up.send(signal.SIGKILL)
            running.up.end()
            wait_until_gone(running.folder)
            again = started.enter_context(program("up", "--data", running.folder))
            again.wait_for("the cluster is up")
            await load.until_done(REQUESTS)
        await running._replace(up=again).check(load)
