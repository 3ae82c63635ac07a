"""PUT and GET of 4 KiB objects: three OSD processes, one embedded log, one copy.

Rule: everything is as a user has it: durable before it is acknowledged, read
linearizably, over HTTP on loopback, with the Python client in one process on
the same cores. `python -m benchmarks throughput`.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import uvloop

from benchmarks.table import Row
from osd.client import AsyncClient
from osd.demo.stage import stage
from osd.demo.telling import Telling
from osd.founding import Shape

BODY = os.urandom(4096)
NAMES = 3_000
SECONDS = 4.0
ROUNDS = 3


class Measured(NamedTuple):
    """One run of clients."""

    per_s: float
    p50_ms: float
    p99_ms: float


def run() -> list[Row]:
    """Rates with 16 and 64 clients."""
    return uvloop.run(_run())


async def _run() -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), 3, Telling(), shape=Shape()) as cluster:
            client = cluster.client
            await _fill(client)
            for clients in (16, 64):
                floor = clients == 16
                puts = [await _drive(client, clients, _put) for _ in range(ROUNDS)]
                rows += _rows(f"PUT 4 KiB, {clients} clients", puts, "> 1,500" if floor else "")
                gets = [await _drive(client, clients, _get) for _ in range(ROUNDS)]
                rows += _rows(f"GET 4 KiB, {clients} clients", gets, "> 3,000" if floor else "")
    return rows


async def put_rows(url: str | None, kind: str) -> list[Row]:
    """PUT with 16 clients on another log, or on one of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), 3, Telling(), url, Shape()) as cluster:
            await _fill(cluster.client)
            puts = [await _drive(cluster.client, 16, _put) for _ in range(ROUNDS)]
    return _rows(f"PUT 4 KiB, 16 clients, log {kind}", puts, "")


async def _fill(client: AsyncClient) -> None:
    """Every name that is read later is there."""
    for first in range(0, NAMES, 64):
        async with asyncio.TaskGroup() as group:
            for n in range(first, min(NAMES, first + 64)):
                group.create_task(client.put(_name(n), BODY))


def _name(n: int) -> str:
    return f"bench/{n % NAMES}"


def _rows(name: str, runs: list[Measured], target: str) -> list[Row]:
    note = (
        f"p50 {median(r.p50_ms for r in runs):.1f} ms, p99 {median(r.p99_ms for r in runs):.1f} ms"
    )
    return [Row(name, median(run.per_s for run in runs), "/s", target, note)]


async def _put(client: AsyncClient, name: str) -> None:
    await client.put(name, BODY)


async def _get(client: AsyncClient, name: str) -> None:
    assert len(await client.get(name)) == len(BODY)


Call = Callable[[AsyncClient, str], Awaitable[None]]


async def _drive(client: AsyncClient, clients: int, call: Call) -> Measured:
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    async def one(number: int) -> None:
        n = number * NAMES // clients
        while (start := time.perf_counter()) < end:
            await call(client, _name(n))
            times.append(time.perf_counter() - start)
            n += 1

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one(number))
    cuts = quantiles(times, n=100)
    return Measured(len(times) / SECONDS, cuts[49] * 1e3, cuts[98] * 1e3)
