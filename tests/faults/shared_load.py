"""Clients that share objects, and the history of what each of them did and saw.

Here nobody knows what a read may give: that is judged afterwards, by the search
for an order that explains all (`simulation.linearizability`).
"""

import asyncio
import random
import time
from contextlib import AbstractAsyncContextManager

from faults.load import at_work
from osd.client import AsyncClient, ConditionFailed, NotThere
from osd.errors import OutcomeUnknown
from simulation.history import History
from simulation.object_model import Delete, Did, Look, Put

SHARED_NAMES = [f"shared/{n}" for n in range(4)]


class SharedLoad:
    """What the workers did so far."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.history = History()
        self.done = 0
        """Requests that were answered."""
        self._puts = 0

    async def until_done(self, more: int) -> None:
        """Until so many more requests were answered."""
        wanted = self.done + more
        while self.done < wanted:
            await asyncio.sleep(0.01)

    async def work(self, worker: int, stopping: asyncio.Event) -> None:
        """One worker, request after request."""
        choice = random.Random(worker)
        while not stopping.is_set():
            name, kind = choice.choice(SHARED_NAMES), choice.random()
            if kind < 0.4:
                await self._put(name, if_none_match="*" if kind < 0.1 else None)
            elif kind < 0.55:
                await self._delete(name)
            else:
                await self._read(self.client, name)
            self.done += 1

    async def read_all(self, client: AsyncClient) -> None:
        """Read every object once more."""
        for name in SHARED_NAMES:
            await self._read(client, name)

    async def _put(self, name: str, if_none_match: str | None) -> None:
        self._puts += 1
        value, began = str(self._puts), time.monotonic_ns()
        try:
            stored = await self.client.put(name, value.encode(), if_none_match=if_none_match)
        except (OutcomeUnknown, ConditionFailed):  # a try before may yet come to something
            self.history.note(name, began, None, Put(value, None))
        else:
            self._note(name, began, Put(value, stored.version))

    async def _delete(self, name: str) -> None:
        began = time.monotonic_ns()
        try:
            await self.client.delete(name)
        except (OutcomeUnknown, NotThere):
            self.history.note(name, began, None, Delete(None))
        else:
            self._note(name, began, Delete(None))

    async def _read(self, client: AsyncClient, name: str) -> None:
        began = time.monotonic_ns()
        try:
            value = (await client.get(name)).decode()
        except NotThere:
            self._note(name, began, Look(None))
        else:
            self._note(name, began, Look(None, value))

    def _note(self, name: str, began: int, did: Did) -> None:
        self.history.note(name, began, time.monotonic_ns(), did)


def sharing(url: str) -> AbstractAsyncContextManager[SharedLoad]:
    """Clients at work on the same objects."""
    return at_work(url, SharedLoad)
