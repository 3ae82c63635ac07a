"""Traffic: reads, overwrites and deletes that go on while the cluster is moving.

Rule: every read is compared with what was last acknowledged for that name; no
name is used by two workers, so that this is always certain. Whatever is
refused or given up is a failure.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter

from eventlog.errors import OsdlogError
from osd.client.async_client import AsyncClient

WORKERS = 8
CHANGED_SHARE = 12
"""One name in so many is overwritten at most, and one in so many deleted."""
LARGEST_BYTES = 1 << 20
"""Larger objects are left alone, so that the traffic is of many small things."""


class Traffic:
    """Runs until `stop`; what it did is then in its fields."""

    def __init__(
        self, client: AsyncClient, expected: dict[str, str], names: list[str], seed: int
    ) -> None:
        self._client = client
        self._expected = expected
        self._random = random.Random(seed)  # noqa: S311 - the same story each time
        self._names = names
        self._is_stopping = False
        self.counts: Counter[str] = Counter()
        self.deleted: set[str] = set()
        self.failures: list[str] = []
        self.longest_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        shares = [self._names[worker::WORKERS] for worker in range(WORKERS)]
        self._tasks = [asyncio.create_task(self._work(share)) for share in shares if share]

    async def stop(self) -> None:
        """Let every worker end what it is at."""
        self._is_stopping = True
        await asyncio.gather(*self._tasks)

    @property
    def is_running(self) -> bool:
        """Whether any worker still has names to work on."""
        return not all(task.done() for task in self._tasks)

    @property
    def operations(self) -> int:
        """How many were done."""
        return sum(self.counts.values())

    async def _work(self, names: list[str]) -> None:
        changes = len(names) // CHANGED_SHARE
        left = {"overwrite": changes, "delete": changes}
        living = list(names)
        while not self._is_stopping and living:
            name = self._random.choice(living)
            kind = self._random.choices(("read", "overwrite", "delete"), (6, 2, 1))[0]
            if kind != "read" and left[kind] > 0:
                left[kind] -= 1
            else:
                kind = "read"
            await self._do(kind, name)
            if kind == "delete":
                living.remove(name)

    async def _do(self, kind: str, name: str) -> None:
        began = time.monotonic()
        try:
            if kind == "read":
                await self._read(name)
            elif kind == "overwrite":
                await self._overwrite(name)
            else:
                await self._client.delete(name)
                del self._expected[name]
                self.deleted.add(name)
        except OsdlogError as error:
            self.failures.append(f"{kind} of {name}: {error.what}")
        self.counts[kind] += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began)

    async def _read(self, name: str) -> None:
        data = await self._client.get(name)
        if hashlib.sha256(data).hexdigest() != self._expected[name]:
            self.failures.append(f"read of {name}: other bytes than were acknowledged")

    async def _overwrite(self, name: str) -> None:
        data = f"{name} was overwritten, {self._random.random()}\n".encode()
        await self._client.put(name, data, media_type="text/plain")
        self._expected[name] = hashlib.sha256(data).hexdigest()
