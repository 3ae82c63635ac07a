"""A keeper: keeps one OSD's process running, and says what becomes of it.

Rule: the process holds the reading end of its supervisor's pipe, and is in a
session of its own, so that Ctrl-C in a terminal reaches only the supervisor,
which stops it in order. One that ended by itself is started again as long as
the map has the OSD: soon if it was killed, after a pause that grows if it
gave up, since each start is three records in a log that is kept for ever.

What is not here: which OSDs are kept (see `osd.supervisor`).
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from eventlog.ids import Boot, OsdId, osd_name

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
PAUSE_GROWTH = 2.0
GAVE_UP = 3
"""The exit code of an OSD that an error stopped, which the next start may well meet again."""
STOP_S = 15.0
"""How long an OSD may take to stop before it is killed."""

Say = Callable[[str], None]


class Started(msgspec.Struct, frozen=True):
    """What an OSD's process says once it serves."""

    osd: OsdId
    address: str
    store: str
    boot: Boot


class Home(NamedTuple):
    """Where an OSD lives, and how its process is to know that its supervisor does."""

    osd: OsdId
    folder: Path
    log: str
    alive: int

    @property
    def command(self) -> tuple[str, ...]:
        """What is run."""
        osd, alive = str(self.osd), str(self.alive)
        program = (sys.executable, "-m", "osd.cli", "osd", "--json", "--watch-parent", alive)
        return (*program, "--id", osd, "--data", str(self.folder), "--log", self.log)


class Keeper:
    """Runs from its making until `stop`."""

    def __init__(
        self, home: Home, say: Say, ended: Callable[[OsdId, Started | None], Awaitable[bool]]
    ) -> None:
        self._home = home
        self._name = osd_name(home.osd)
        self._say = say
        self._ended = ended
        self._process: Process | None = None
        self._is_stopping = False
        self._words: tuple[str, ...] = ()
        """What the next start says besides."""
        self._is_wanted = asyncio.Event()
        """Set to start it now, without a pause."""
        self._served = asyncio.Event()
        """Set when the OSD has served once."""
        self._keeping = asyncio.create_task(self._keep())

    async def ready(self) -> None:
        """Until the OSD has served once, or is kept no more; raises what ended that."""
        served = asyncio.create_task(self._served.wait())
        await asyncio.wait((served, self._keeping), return_when="FIRST_COMPLETED")
        served.cancel()
        if self._keeping.done():
            self._keeping.result()

    def kill(self) -> None:
        """As a power failure does; it is started again."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def rebuild(self, reason: str) -> None:
        """Its disk is lost: the next start, which is now, begins a new store."""
        self._words = ("--rebuild", "--reason", reason)
        self._is_wanted.set()

    async def stop(self) -> None:
        """Stop the process, in order if it can, and wait for its end."""
        self._is_stopping = True
        if self._process is None:
            self._keeping.cancel()
        elif self._process.returncode is None:
            self._process.terminate()
        _, late = await asyncio.wait((self._keeping,), timeout=STOP_S)
        if late and self._process is not None:
            self._say(f"{self._name} does not stop, and is killed")
            self._process.kill()
            await asyncio.wait((self._keeping,))

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._is_stopping:
            began = time.monotonic()
            started, code = await self._run()
            if self._has_to_stop():
                return
            if not await self._ended(self._home.osd, started):
                self._say(f"{self._name} is not in the map any more")
                return
            was_well = code != GAVE_UP or time.monotonic() - began > LONGEST_PAUSE_S
            grown_s = min(LONGEST_PAUSE_S, pause_s * PAUSE_GROWTH)
            pause_s = FIRST_PAUSE_S if started and was_well else grown_s
            self._say(f"{self._name} is started again in {pause_s:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_wanted.wait(), pause_s)
            self._is_wanted.clear()

    def _has_to_stop(self) -> bool:
        return self._is_stopping

    async def _run(self) -> tuple[Started | None, int]:
        """One process, from start to end; what it said when it served, and its exit code."""
        words, self._words = self._words, ()
        process = await asyncio.create_subprocess_exec(
            *map(os.fsencode, self._home.command + words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            pass_fds=(self._home.alive,),
            start_new_session=True,
        )
        self._process = process
        if self._has_to_stop():
            process.terminate()
        started, _ = await asyncio.gather(self._listen(process), self._pass_on(process))
        code = await process.wait()
        self._process = None
        if not self._is_stopping:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._say(f"{self._name} {how}")
        return started, code

    async def _listen(self, process: Process) -> Started | None:
        assert process.stdout is not None
        started = None
        async for line in process.stdout:
            try:
                started = msgspec.json.decode(line, type=Started)
            except msgspec.MsgspecError:
                self._say(f"{self._name}: {line.decode(errors='replace').rstrip()}")
                continue
            self._served.set()
            self._say(f"{self._name} serves at {started.address}")
        return started

    async def _pass_on(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._say(f"{self._name}: {line.decode(errors='replace').rstrip()}")
