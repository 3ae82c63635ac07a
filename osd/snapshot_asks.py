"""Snapshots that this node asks others for, when RGs come here.

Rule: a few are fetched at a time, however many RGs come together, since each is whole in memory
and may be large; and none is fetched, or looked at, for which nobody waits any more: the RG is
then folded from the log.

What is not here: who waits and how long (see `osd.core.handover`), and what can be believed (see
`osd.snapshots`).
"""

import asyncio
from collections.abc import Callable

from eventlog.errors import LogError
from eventlog.ids import RgId, Serial
from eventlog.log import Log
from osd.core.effects import AskSnapshot
from osd.counters import Counters
from osd.fetches import Fetcher
from osd.snapshots import believed
from projections.snapshots import Doubt, Snapshot

AT_ONCE = 4
"""So many times `MAX_SNAPSHOT_BYTES`, and so many worker threads, they take at the most."""


class SnapshotAsks:
    """Of one node, on its loop; `is_awaited` says whether an RG still waits."""

    def __init__(
        self,
        fetcher: Fetcher,
        log: Log,
        counters: Counters,
        is_awaited: Callable[[RgId], bool],
    ) -> None:
        self._fetcher = fetcher
        self._log = log
        self._counters = counters
        self._is_awaited = is_awaited
        self._places = asyncio.Semaphore(AT_ONCE)

    async def ask(self, wanted: AskSnapshot) -> tuple[Snapshot | None, Serial | None]:
        """The first of which there is no doubt, and the serial that was said with it.

        None where there is none, or nobody waits.
        """
        async with self._places:
            for address in wanted.addresses:
                found, above = await self._from(address, wanted.rg)
                if found is not None:
                    return found, above
        return None, None

    async def _from(self, address: str, rg: RgId) -> tuple[Snapshot | None, Serial | None]:
        if not self._is_awaited(rg):
            return None, None
        data, above = await self._fetcher.snapshot(address, rg)
        if data is None or not self._is_awaited(rg):
            return None, None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._believed, data, rg), above

    def _believed(self, data: bytes, rg: RgId) -> Snapshot | None:
        """In a thread: it may ask the log."""
        try:
            found = believed(data, rg, self._log)
        except LogError:
            return None  # who follows the log will say it
        if isinstance(found, Doubt):
            self._counters.doubts += 1
            return None
        return found
