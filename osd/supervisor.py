"""The supervisor: one process for each OSD of a cluster on one machine.

Rule: no OSD outlives its supervisor: each holds one end of a pipe, and stops
when the other end is gone, however that came. Which OSDs there are is the
map's word: one that is added while the supervisor runs is started too. That a
process ended by itself is said in the map, so that nobody waits for it. The
word that a disk is lost stands until the map has another store for its OSD:
a start that came to nothing has not spent it, and no other disk is emptied.

What is not here: one OSD's process (see `osd.keeper`), and how the folder of a
cluster comes to be (see `osd.folder`).
"""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from eventlog.errors import LogError, LogUnavailable
from eventlog.ids import OsdId, Store, osd_name
from eventlog.map_events import OsdDown
from eventlog.open import open_log
from osd.client.map_reader import MapReader
from osd.client.map_writer import change_map
from osd.core.scrubbing import Rhythm
from osd.errors import DirectoryRefused, OutcomeUnknown, Refused
from osd.keeper import Home, Keeper, Say, Started, Supervision
from osd.monitor import Monitor, Patience
from projections.cluster_map import Osd

LOOK_S = 0.2
"""How often the map is looked at for new OSDs."""
AUTHOR = "osdlog up"
PATIENCE = Patience(grace_s=20.0)
"""A process that ended is marked at once; this is for one that stands still."""


RHYTHM = Rhythm()


class Lost(NamedTuple):
    """A disk that is lost, by somebody's word."""

    store: Store | None
    why: str


class Supervisor:
    """Runs the OSDs that live below one folder, from `async with` to its end."""

    def __init__(
        self,
        url: str,
        folder: Path,
        say: Say,
        rhythm: Rhythm = RHYTHM,
        *,
        purges: bool = False,
    ) -> None:
        self._folder = folder
        self._rhythm = rhythm
        self._purges = purges
        self._say = say
        self._log = open_log(url)
        self._reader = MapReader(self._log)
        self._keepers: dict[OsdId, Keeper] = {}
        self._lost: dict[OsdId, Lost] = {}
        """What is to be rebuilt and is not yet."""
        self._elsewhere: set[OsdId] = set()
        """Those of the map that have no folder here."""
        self._theirs, self._ours = os.pipe()
        self._monitor = Monitor(self._log, say, PATIENCE, "of osdlog up")
        self._monitoring: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.look()
            self._require_some()
        except BaseException:
            await self.stop()
            raise
        self._watching = asyncio.create_task(self._watch())
        self._monitoring = asyncio.create_task(self._monitor.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def caution(self) -> str:
        """What should be known of how safely the log is kept, if anything."""
        return self._log.caution

    @property
    def osds(self) -> tuple[OsdId, ...]:
        """Those that are kept running here."""
        return tuple(sorted(self._keepers))

    def folder_of(self, osd: OsdId) -> Path:
        """Where an OSD's data is."""
        return self._folder / osd_name(osd)

    def kill(self, osd: OsdId) -> None:
        """Kill an OSD's process, as a power failure does; it is started again."""
        self._keepers[osd].kill()

    def rebuild(self, osd: OsdId, reason: str) -> None:
        """Its disk is lost: the next start, which is now, begins a new store."""
        self._lost[osd] = Lost(self._reader.map.osds[osd].store, reason)
        self._keepers[osd].hurry()

    async def look(self) -> None:
        """Start every OSD of the map that lives here and is not kept yet."""
        now = await asyncio.to_thread(self._reader.refresh)
        by = Supervision(self._say, self._words, self._ended)
        for _, osd in sorted(now.osds.items()):
            if osd.osd in self._keepers:
                continue
            if self._lives_here(osd):
                self._keepers[osd.osd] = Keeper(self._home(osd.osd), by)
            elif osd.osd not in self._elsewhere:
                self._elsewhere.add(osd.osd)
                missing = self.folder_of(osd.osd)
                self._say(f"{osd_name(osd.osd)} is not started: there is no folder {missing}")

    def _home(self, osd: OsdId) -> Home:
        folder = self.folder_of(osd)
        return Home(osd, folder, self._log.url, self._theirs, self._rhythm, self._purges)

    async def ready(self) -> None:
        """Until each OSD that is kept has served once."""
        await asyncio.gather(*(keeper.ready() for keeper in self._keepers.values()))

    async def run(self) -> None:
        """Until cancelled; raises when the map cannot be read any more."""
        assert self._watching is not None, "the supervisor is entered first"
        assert self._monitoring is not None
        await asyncio.gather(self._watching, self._monitoring)

    async def stop(self) -> None:
        """Stop every OSD, wait for all, and give everything back."""
        tasks = [task for task in (self._watching, self._monitoring) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(keeper.stop() for keeper in self._keepers.values()))
        if self._keepers:
            self._say("all OSDs have stopped")
        os.close(self._ours)
        os.close(self._theirs)
        self._log.close()

    def _require_some(self) -> None:
        if not self._keepers:
            raise DirectoryRefused(
                f"no OSD of the cluster at {self._log.url} lives in {self._folder}",
                "Name the folder that holds them, or add one: osdlog map apply --add ID.",
            )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except LogUnavailable as error:
                self._say(f"new OSDs cannot be seen now: {error.what}")

    def _lives_here(self, osd: Osd) -> bool:
        """An OSD that never started lives wherever it is started first."""
        return osd.store is None or self.folder_of(osd.osd).is_dir()

    async def _words(self, osd: OsdId) -> tuple[str, ...]:
        """What an OSD's next start says besides."""
        if osd not in self._lost:
            return ()
        try:
            now = await asyncio.to_thread(self._reader.refresh)
        except LogError:
            return ()  # it may be rebuilt already, and then must not be emptied again
        lost, known = self._lost[osd], now.osds.get(osd)
        if known is None or known.store != lost.store:
            del self._lost[osd]
            return ()
        return ("--rebuild", "--reason", lost.why)

    async def _ended(self, osd: OsdId, started: Started | None) -> bool:
        """A process ended by itself: say so in the map. Whether the map still has that OSD."""
        try:
            now = await asyncio.to_thread(self._reader.refresh)
        except LogError:
            return True  # its next start tells what is wrong with the log
        known = now.osds.get(osd)
        if known is not None and started is not None and known.boot == started.boot:
            await asyncio.to_thread(self._mark_down, known)
        return known is not None

    def _mark_down(self, osd: Osd) -> None:
        if osd.store is None or not osd.is_up:
            return
        down = OsdDown(store=osd.store, boot=osd.boot, why="its process ended")
        try:
            change_map(self._log, [down], None, "watched over its process", AUTHOR)
        except Refused:
            return  # it has said so itself meanwhile
        except OutcomeUnknown as error:  # its next boot tells the map more than this would
            self._say(f"{osd_name(osd.osd)} may not be marked down: {error.what}")
        except LogError as error:
            self._say(f"{osd_name(osd.osd)} could not be marked down: {error.what}")
