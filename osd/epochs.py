"""Epochs: who waits for the map to be read as far as one.

Rule: a wait ends when a map of that epoch or a later one is read, or with its patience.
All of it is used on the loop's thread.
"""

import asyncio
from typing import NamedTuple

from eventlog.ids import Epoch


class _Waiter(NamedTuple):
    epoch: Epoch
    reached: asyncio.Future[None]


class Epochs:
    """Of one node."""

    def __init__(self) -> None:
        self._last = Epoch(0)
        self._waiters: list[_Waiter] = []

    def read_to(self, epoch: Epoch) -> None:
        """The map is read to this epoch."""
        self._last = epoch
        for waiter in self._waiters:
            if waiter.epoch <= epoch and not waiter.reached.done():
                waiter.reached.set_result(None)

    async def reached(self, epoch: Epoch, patience_s: float) -> bool:
        """Whether the map is read to that epoch, now or before the patience ends."""
        if epoch <= self._last:
            return True
        waiter = _Waiter(epoch, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await asyncio.wait((waiter.reached,), timeout=patience_s)
        finally:
            self._waiters = [other for other in self._waiters if other is not waiter]
        return waiter.reached.done()
