"""The stage: a cluster of the demo's own, and what must be true of its objects.

Rule: `expected` changes only by what the cluster acknowledged. Whatever ends
the demo, no process is left, and no folder unless it is to be kept.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from eventlog.ids import Boot, OsdId, osd_name
from osd.client.async_client import AsyncClient
from osd.demo.history import History
from osd.demo.placing import placed_stores
from osd.demo.telling import Telling
from osd.errors import DirectoryRefused, Refused, Unavailable
from osd.folder import Asked, claimed, cluster_in
from osd.founding import Shape, founded
from osd.supervisor import Supervisor
from projections.cluster_map import ClusterMap

AUTHOR = "osdlog demo"
TWO_COPIES = Shape(replicas=2, min_replicas=2)
"""Of each object; a put is done when as many are durable, so that any one disk may be lost."""
PATIENCE_S = 120.0
"""How long the clients go on asking: while a disk is rebuilt, some puts wait for its OSD."""
CLEAN_S = 120.0
"""How long the RGs may take to become clean."""
LOOK_S = 0.1


class Stage:
    """What every step of the story works with."""

    def __init__(
        self,
        client: AsyncClient,
        supervisor: Supervisor,
        history: History,
        telling: Telling,
        said: list[str],
    ) -> None:
        self.client = client
        self.supervisor = supervisor
        self.history = history
        self.telling = telling
        self.said = said
        """What the OSDs' supervisor said, line by line."""
        self.expected: dict[str, str] = {}
        """SHA-256 of every object that lives."""
        self.sizes: dict[str, int] = {}
        """Bytes of every object that went in."""
        self.deleted: set[str] = set()

    async def until_clean(self) -> None:
        """Until every RG is clean, by its own primary and by the log. Raises `Unavailable`."""
        give_up_at = asyncio.get_running_loop().time() + CLEAN_S
        while unclean := await self._unclean():
            if asyncio.get_running_loop().time() > give_up_at:
                raise Unavailable(
                    f"after {CLEAN_S:g} s not all RGs are clean: {unclean[0]} for one",
                    "Keep the cluster with --keep DIR and look at it: osdlog up, osdlog explain.",
                )
            await asyncio.sleep(LOOK_S)

    async def until_said(self, words: str) -> None:
        """Until the supervisor says something with these words in it. Raises `Unavailable`."""
        give_up_at = asyncio.get_running_loop().time() + CLEAN_S
        while not any(words in line for line in self.said):
            if asyncio.get_running_loop().time() > give_up_at:
                raise Unavailable(f"nobody said {words!r}", "Run the demo again.")
            await asyncio.sleep(LOOK_S)

    async def until_booted(self, osd: OsdId, above: Boot | None) -> ClusterMap:
        """Until it is up by a later boot, or where none is named by another store's."""
        before = (await self.client.map()).osds[osd]

        def has_booted(now: ClusterMap) -> bool:
            mine = now.osds[osd]
            is_new = mine.boot > above if above is not None else mine.store != before.store
            return is_new and mine.is_up

        return await self._until(has_booted, f"{osd_name(osd)} is not up again")

    async def _unclean(self) -> list[str]:
        rows = await self.client.rgs()
        unclean = [
            f"rg {row.rg:x} ({row.said['state'] if row.said else row.why})"
            for row in rows
            if row.said is None or row.said["state"] != "clean"
        ]
        if unclean:
            return unclean
        placed = placed_stores(await self.client.map())
        await asyncio.to_thread(self.history.read_on)
        return [f"rg {rg:x} (by the log)" for rg in self.history.unsettled(placed)]

    async def until_up(self, osds: list[OsdId]) -> ClusterMap:
        """Until these are in the map and up."""

        def are_up(now: ClusterMap) -> bool:
            return all(osd in now.osds and now.osds[osd].is_up for osd in osds)

        return await self._until(are_up, "not all new OSDs are up")

    async def _until(self, is_so: Callable[[ClusterMap], bool], why: str) -> ClusterMap:
        """The first map of which that is so; what the supervisor said is the error's end."""
        give_up_at = asyncio.get_running_loop().time() + CLEAN_S
        while not is_so(now := await self.client.map()):
            if asyncio.get_running_loop().time() > give_up_at:
                raise _in_vain(why, self.said)
            await asyncio.sleep(LOOK_S)
        return now


def _in_vain(why: str, said: list[str]) -> Unavailable:
    last = f"; the last that was said: {said[-1]}" if said else ""
    return Unavailable(
        f"after {CLEAN_S:g} s {why}{last}",
        "Run the demo again, with --keep DIR to look at the folder afterwards.",
    )


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """Where the cluster lives: the folder to keep, or a temporary one."""
    if keep is not None:
        if keep.is_dir() and any(keep.iterdir()):
            raise DirectoryRefused(f"{keep} is not empty", "Name a new folder to keep.")
        with claimed(keep):
            yield keep
        return
    temporary = Path(tempfile.mkdtemp(prefix="osdlog-demo-"))
    try:
        with claimed(temporary):
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@asynccontextmanager
async def stage(
    data: Path, osds: int, telling: Telling, log: str | None = None, shape: Shape = TWO_COPIES
) -> AsyncIterator[Stage]:
    """A new cluster of so many OSDs, up and running, on that log or on a file of its own."""
    if log is not None and founded(log):
        raise Refused(f"there is a cluster at {log} already", "Name a log for the demo alone.")
    url = cluster_in(data, log, Asked(osds, *shape), AUTHOR)
    said: list[str] = []
    is_starting = True

    def say(line: str) -> None:
        said.append(line)
        if is_starting:
            telling.line(line)

    async with Supervisor(url, data, say) as supervisor:
        try:
            async with asyncio.timeout(CLEAN_S):
                await supervisor.ready()
        except TimeoutError as error:
            raise _in_vain("not all OSDs serve", said) from error
        is_starting = False
        async with AsyncClient(url, actor=AUTHOR, deadline_s=PATIENCE_S) as client:
            history = History(client.log, await client.map())
            yield Stage(client, supervisor, history, telling, said)
