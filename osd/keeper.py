"""A keeper: keeps one OSD's process running, and says what becomes of it.

Rule: the process holds the reading end of its supervisor's pipe, and is in a
session of its own, so that Ctrl-C in a terminal reaches only the supervisor,
which stops it in order. One that ended by itself is started again as long as
the map has the OSD: soon if it ran for long, else after a pause that grows,
since each start is three records in a log that is kept for ever.
Whatever else goes wrong is said, and is no reason to keep it no longer.

What is not here: which OSDs are kept (see `osd.supervisor`).
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from eventlog.ids import Boot, OsdId, osd_name
from osd.core.scrubbing import Rhythm

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
PAUSE_GROWTH = 2.0
LINE_BYTES = 64 * 1024
"""Of what an OSD says more is not kept until its line is whole."""
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
    rhythm: Rhythm = Rhythm()
    """How often it scrubs, and how fast."""
    purges: bool = False
    """See `osd.purging`."""

    @property
    def command(self) -> tuple[str, ...]:
        """What is run."""
        osd, alive = str(self.osd), str(self.alive)
        program = (sys.executable, "-m", "osd.cli", "osd", "--json", "--watch-parent", alive)
        home = ("--id", osd, "--data", str(self.folder), "--log", self.log)
        return (*program, *home, *self._scrubs, *(("--purge",) if self.purges else ()))

    @property
    def _scrubs(self) -> tuple[str, ...]:
        light, deep, bytes_s = self.rhythm
        said = {"--scrub-every": light, "--deep-scrub-every": deep, "--scrub-rate": bytes_s / 1e6}
        return tuple(word for name, number in said.items() for word in (name, repr(number)))


class Supervision(NamedTuple):
    """What a keeper asks of who supervises it."""

    say: Say
    words: Callable[[OsdId], Awaitable[tuple[str, ...]]]
    """What the start that comes now says besides."""
    ended: Callable[[OsdId, Started | None], Awaitable[bool]]
    """Told that a process ended by itself; whether its OSD is to be kept on."""


class Keeper:
    """Runs from its making until `stop`."""

    def __init__(self, home: Home, by: Supervision) -> None:
        self._home = home
        self._name = osd_name(home.osd)
        self._by = by
        self._process: Process | None = None
        self._is_stopping = False
        self._is_kept = True
        self._pause_s = 0.0
        """The last one, while no process ran for long."""
        self._is_wanted = asyncio.Event()
        """Set to start it now, without a pause."""
        self._served = asyncio.Event()
        """Set when the OSD has served once."""
        self._keeping = asyncio.create_task(self._keep())

    async def ready(self) -> None:
        """Until the OSD has served once, or is kept no more."""
        served = asyncio.create_task(self._served.wait())
        await asyncio.wait((served, self._keeping), return_when="FIRST_COMPLETED")
        served.cancel()

    def kill(self) -> None:
        """As a power failure does; it is started again."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def hurry(self) -> None:
        """Its next start is now, without a pause."""
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
            self._by.say(f"{self._name} does not stop, and is killed")
            self._process.kill()
            await asyncio.wait((self._keeping,))

    async def _keep(self) -> None:
        while self._is_kept and not self._is_stopping:
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - whatever it is, the OSD is to run
                self._by.say(f"{self._name} was not looked after: {type(error).__name__}: {error}")
                await self._pause(self._longer_s)

    async def _turn(self) -> None:
        """One process, and the pause before the next."""
        began = time.monotonic()
        started = await self._run()
        if self._is_stopping:
            return
        if not await self._by.ended(self._home.osd, started):
            self._by.say(f"{self._name} is not in the map any more")
            self._is_kept = False
            return
        was_well = started and time.monotonic() - began > LONGEST_PAUSE_S
        await self._pause(FIRST_PAUSE_S if was_well else self._longer_s)

    @property
    def _longer_s(self) -> float:
        return min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, self._pause_s * PAUSE_GROWTH))

    async def _pause(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._by.say(f"{self._name} is started again in {pause_s:g} s")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_wanted.wait(), pause_s)
        self._is_wanted.clear()

    async def _run(self) -> Started | None:
        """One process, from start to end; what it said when it served."""
        words = await self._by.words(self._home.osd)
        process = await asyncio.create_subprocess_exec(
            *map(os.fsencode, self._home.command + words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            pass_fds=(self._home.alive,),
            start_new_session=True,
        )
        self._process = process
        try:
            if self._is_stopping:
                process.terminate()
            started, _ = await asyncio.gather(self._listen(process), self._pass_on(process))
            code = await process.wait()
        finally:
            await self._end(process)
        if not self._is_stopping:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._by.say(f"{self._name} {how}")
        return started

    async def _end(self, process: Process) -> None:
        """No process is left behind that nobody listens to."""
        self._process = None
        if process.returncode is None:
            process.kill()
            await process.wait()

    async def _listen(self, process: Process) -> Started | None:
        assert process.stdout is not None
        started = None
        async for line in lines_of(process.stdout):
            try:
                started = msgspec.json.decode(line, type=Started)
            except msgspec.MsgspecError:
                self._pass(line)
                continue
            self._served.set()
            self._by.say(f"{self._name} serves at {started.address}")
        return started

    async def _pass_on(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in lines_of(process.stderr):
            self._pass(line)

    def _pass(self, line: bytes) -> None:
        self._by.say(f"{self._name}: {line.decode(errors='replace').rstrip()}")


async def lines_of(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Each line as it comes, one that is very long in parts: no length is an error here."""
    begun = b""
    while piece := await stream.read(LINE_BYTES):
        *whole, begun = (begun + piece).split(b"\n")
        for line in whole:
            yield line
        if len(begun) >= LINE_BYTES:
            yield begun
            begun = b""
    if begun:
        yield begun
