"""All that a cluster began with is replaced under load, by plain commands, down to one OSD."""

import asyncio
import hashlib
import random
import signal
import time
from pathlib import Path

from cli.programs import PATIENCE_S, osd_processes, osdlog, program, wait_until_gone
from faults.load import DEADLINE_S, OnDisks, on_disks, until_clean
from faults.shared_load import sharing
from osd.client import AsyncClient

REQUESTS = 20
"""Answered between two changes of the map."""
KEPT = 20
"""Objects that nobody touches."""


class Story:
    """Commands about one cluster, while clients go on."""

    def __init__(self, log: str, folder: Path) -> None:
        self._log = log
        self._folder = folder

    async def run(self, *words: object, code: int = 0) -> str:
        """One command; what it printed."""
        done = await asyncio.to_thread(osdlog, *words, log=self._log)
        assert done.code == code, done.out + done.err
        return done.out

    async def apply(self, changes: str, reason: str) -> None:
        """One change of the map."""
        await self.run("map", "apply", *changes.split(), "--reason", reason)

    async def retire(self, osd: int) -> None:
        """As soon as its disk is safe to destroy; then its process ends by itself."""
        until = time.monotonic() + PATIENCE_S
        audit = ("audit", "retire", f"osd.{osd}")
        while (done := await asyncio.to_thread(osdlog, *audit, log=self._log)).code:
            assert time.monotonic() < until, done.out
        assert f"Yes: osd.{osd} is safe to destroy." in done.lines
        await self.apply(f"--retire {osd}", "replaced")
        while osd in osd_processes(self._folder):
            assert time.monotonic() < until
            await asyncio.sleep(0.05)


async def test_every_osd_is_replaced_and_one_is_left(tmp_path: Path) -> None:
    folder, choice = tmp_path / "data", random.Random(5)
    bodies = {
        f"kept/{n}": choice.randbytes(choice.choice((10, 1_000, 200_000))) for n in range(KEPT)
    }
    with program("up", "--osds", 2, "--rgs", 4, "--data", folder) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        story = Story(log, folder)
        async with AsyncClient(log, deadline_s=DEADLINE_S) as client, sharing(log) as shared:
            sums = {}
            for name, body in bodies.items():
                await client.put(name, body)
                sums[name] = hashlib.sha256(body).digest()
            for changes, reason in (
                ("--replicas 2", "two copies of each object"),
                ("--add 2 --add 3", "new machines"),
                ("--remove 0 --remove 1", "the old ones leave"),
            ):
                await story.apply(changes, reason)
                await shared.until_done(REQUESTS)
            await story.retire(0)
            await story.retire(1)
            await story.apply("--add 4 --out 2", "one is drained, one comes")
            await shared.until_done(REQUESTS)
            await story.apply("--replicas 1 --min-replicas 1", "one copy is enough again")
            await story.apply("--remove 2 --remove 3", "one OSD is enough")
            await shared.until_done(REQUESTS)
            await story.retire(2)
            await story.retire(3)
            await shared.until_done(REQUESTS)
        async with AsyncClient(log, deadline_s=DEADLINE_S) as client:
            await until_clean(client)
            await shared.read_all(client)
            found = {name: hashlib.sha256(await client.get(name)).digest() for name in bodies}
            left = [row.name async for row in client.list()]
        assert found == sums
        assert list(shared.history.faults()) == []
        assert "every deletion is proven" in await story.run("audit", "deletions")
        assert set(osd_processes(folder)) == {4}
        up.send(signal.SIGINT)
        assert up.end() == 130
    wait_until_gone(folder)
    assert on_disks(folder) == OnDisks(copies=len(left), unlogged=0, bodies=len(left))
