"""Clients at work on a cluster that is being disturbed, and what must be true of it afterwards.

Each worker has names of its own and does one thing at a time, so what a read
may give is known: the last that was acknowledged, or one of several where the
outcome of something was not told.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from osd.client import AsyncClient, NotThere
from osd.disk import Copy
from osd.errors import OutcomeUnknown
from osd.rocks import RocksRows

WORKERS = 6
NAMES = 12
"""Of each worker; few, so that most are overwritten and deleted again and again."""
DEADLINE_S = 60.0
SIZES = (10, 1_000, 100_000)

Contents = set[bytes | None]
"""What an object may be; None: not there."""


class Load:
    """What the workers did so far."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.possible: dict[str, Contents] = {}
        self.done = 0
        """Requests that were answered."""
        self.wrong: list[str] = []

    async def until_done(self, more: int) -> None:
        """Until so many more requests were answered."""
        wanted = self.done + more
        while self.done < wanted:
            await asyncio.sleep(0.01)

    async def check(self, client: AsyncClient) -> int:
        """Every object is what it may be, and the list has no others; returns how many there are.

        Asks another client than the one that did the work.
        """
        self.client, there = client, set()
        for name in sorted(self.possible):
            if await self._read(name) is not None:
                there.add(name)
        assert not self.wrong
        assert {row.name async for row in client.list()} == there
        return len(there)

    async def work(self, worker: int, stopping: asyncio.Event) -> None:
        """One worker, request after request."""
        choice = random.Random(worker)
        while not stopping.is_set():
            name = f"{worker}/{choice.randrange(NAMES)}"
            await self._one(name, choice)
            self.done += 1

    async def _one(self, name: str, choice: random.Random) -> None:
        kind = choice.random()
        if kind < 0.5:
            body = choice.randbytes(choice.choice(SIZES))
            await self._change(name, body)
        elif kind < 0.7:
            await self._change(name, None)
        else:
            await self._read(name)

    async def _change(self, name: str, body: bytes | None) -> None:
        before = self.possible.get(name, {None})
        try:
            if body is not None:
                await self.client.put(name, body)
            else:
                await self.client.delete(name)
        except NotThere:
            if None not in before:
                self.wrong.append(f"{name} is not there")
        except OutcomeUnknown:
            self.possible[name] = before | {body}
            return
        self.possible[name] = {body}

    async def _read(self, name: str) -> bytes | None:
        try:
            found: bytes | None = await self.client.get(name)
        except NotThere:
            found = None
        if found not in self.possible.get(name, {None}):
            self.wrong.append(f"{name} is {found[:10] if found else None!r}")
        self.possible[name] = {found}
        return found


class Work(Protocol):
    """What workers do until they are stopped."""

    async def work(self, worker: int, stopping: asyncio.Event) -> None:
        """One worker, request after request."""


AnyWork = TypeVar("AnyWork", bound=Work)


@asynccontextmanager
async def at_work(url: str, begin: Callable[[AsyncClient], AnyWork]) -> AsyncIterator[AnyWork]:
    """Workers with one client; all have finished what they were doing at the end."""
    async with AsyncClient(url, deadline_s=DEADLINE_S) as client:
        load = begin(client)
        stopping = asyncio.Event()
        workers = [asyncio.create_task(load.work(n, stopping)) for n in range(WORKERS)]
        try:
            yield load
        finally:
            stopping.set()
            await asyncio.gather(*workers)


def working(url: str) -> AbstractAsyncContextManager[Load]:
    """Clients at work, each on names of its own."""
    return at_work(url, Load)


async def until_clean(client: AsyncClient) -> None:
    """Until every RG is clean, by its own primary."""
    async with asyncio.timeout(DEADLINE_S):
        while not all(row.said and row.said["state"] == "clean" for row in await client.rgs()):
            await asyncio.sleep(0.1)


class OnDisks(NamedTuple):
    """What is on the disks of a cluster that is stopped, in numbers."""

    copies: int
    unlogged: int
    """Imports that no event names, and staged bodies."""
    bodies: int
    """Rows and files; each copy has one."""


def on_disks(folder: Path) -> OnDisks:
    """Of all OSDs below a cluster's folder."""
    each = [_on_disk(data) for data in folder.glob("osd.*")]
    assert each
    return OnDisks(*(sum(numbers) for numbers in zip(*each, strict=True)))


def _on_disk(data: Path) -> OnDisks:
    rows = RocksRows(data / "rows")
    try:
        copies = [msgspec.msgpack.decode(row, type=Copy) for _, row in rows.scan(b"C")]
        unlogged = sum(1 for kind in (b"I", b"S") for _ in rows.scan(kind))
        bodies = sum(1 for _ in rows.scan(b"B"))
    finally:
        rows.close()
    files = {file.name for file in (data / "blobs").rglob("*") if file.is_file()}
    assert files == {copy.body for copy in copies if isinstance(copy.body, str)}
    return OnDisks(len(copies), unlogged, bodies + len(files))
