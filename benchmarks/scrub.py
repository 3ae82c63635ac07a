"""How fast one OSD process looks at all it has, at no limit and with no client.

Rule: a light scrub compares facts, rows and files, so objects a second is what
counts; a deep one reads every byte and its sum, so it is bytes a second. What
was put just before is still in the machine's memory: a slow disk takes longer.
`python -m benchmarks scrub`.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.table import Row
from eventlog.ids import OsdId
from osd.client import AsyncClient
from osd.demo.stage import stage
from osd.demo.telling import Telling
from osd.founding import Shape

SMALL, SMALL_BYTES = 20_000, 4096
LARGE, LARGE_BYTES = 200, 4 * 1024 * 1024
CLIENTS = 64
ONLY = OsdId(0)


def run() -> list[Row]:
    """Both depths over small objects, and a deep one over large ones."""
    return [*uvloop.run(_rows(SMALL, SMALL_BYTES)), *uvloop.run(_rows(LARGE, LARGE_BYTES))]


async def _rows(number: int, size: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), 1, Telling(), shape=Shape(replicas=1)) as cluster:
            await _fill(cluster.client, number, os.urandom(size))
            light = await _scrub(cluster.client, is_deep=False)
            deep = await _scrub(cluster.client, is_deep=True)
    what = f"{number:,} objects of {size // 1024:,} KiB"
    return [
        Row(f"light scrub, {what}", light["copies"] / _seconds(light), "objects/s", "", ""),
        Row(
            f"deep scrub, {what}",
            deep["bytes"] / _seconds(deep) / 1e6,
            "MB/s",
            "",
            f"{deep['copies'] / _seconds(deep):,.0f} objects/s",
        ),
    ]


async def _fill(client: AsyncClient, number: int, body: bytes) -> None:
    async def some(first: int) -> None:
        for n in range(first, number, CLIENTS):
            await client.put(f"scrubbed/{n}", body)

    async with asyncio.TaskGroup() as group:
        for first in range(CLIENTS):
            group.create_task(some(first))


async def _scrub(client: AsyncClient, *, is_deep: bool) -> Any:
    """One scrub from its begin to its end, as the OSD tells it."""
    await client.scrub(ONLY, deep=is_deep, bytes_s=0)
    while (said := await client.scrub_report(ONLY))["running"]:
        await asyncio.sleep(0.05)
    last = said["last"]["deep" if is_deep else "light"]
    assert last["bad"] + last["missing"] == 0
    return last


def _seconds(scrub: Any) -> float:
    return float(scrub["ended"] - scrub["began"])
