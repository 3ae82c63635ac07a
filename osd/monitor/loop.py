"""The monitor's loop: ask every OSD, judge, append what the map should have.

Rule: an OSD answers for itself with its store and boot; who answers with
others has not answered, nor has one that says that it cannot use its disk or
the log. A log that cannot be reached is waited for: without it there is no
verdict. What is read of the past is as old as the log says, by whichever clock
is ahead; what was not there in a former round has happened since.

What is not here: who is down (see `osd.monitor.judge`).
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence

import aiohttp
import msgspec

from eventlog.errors import LogError, LogUnavailable
from eventlog.ids import Boot
from eventlog.log import Log
from eventlog.map_events import OsdIn, OsdOut
from eventlog.telling import tell_change
from osd.client.answers import MapRecord
from osd.client.map_reader import MapReader
from osd.client.map_writer import change_map
from osd.core.membership import MONITOR
from osd.errors import OutcomeUnknown, Refused
from osd.monitor.judge import Judge, Patience, Process, Verdict
from projections.cluster_map import ClusterMap, Osd

Say = Callable[[str], None]


DEFAULT = Patience()


class _Alive(msgspec.Struct):
    store: str
    boot: Boot
    trouble: object = None


class Monitor:
    """Watches over the OSDs of one log's map, in `run`."""

    def __init__(self, log: Log, say: Say, patience: Patience = DEFAULT, name: str = "") -> None:
        self._log = log
        self._say = say
        self._patience = patience
        self._author = f"{MONITOR} {name}".rstrip()
        self._judge = Judge(patience)
        self._reader = MapReader(log)
        self._doubt: str | None = None
        self._read_at: float | None = None
        """When the map was read to its end, by the judge's clock."""

    async def run(self) -> None:
        """Until cancelled; raises what makes the log useless for good."""
        timeout = aiohttp.ClientTimeout(total=self._patience.probe_s)
        meant = {"Osdlog-Cluster": self._log.identity.cluster}
        async with aiohttp.ClientSession(timeout=timeout, headers=meant) as session:
            while True:
                began = time.monotonic()
                try:
                    await self._round(session)
                except LogUnavailable as error:
                    self._say(f"no verdict without the log: {error.what}")
                pause = self._patience.probe_s - (time.monotonic() - began)
                await asyncio.sleep(max(pause, 0.0))

    async def _round(self, session: aiohttp.ClientSession) -> None:
        now = await asyncio.to_thread(self._read)
        asked = [osd for _, osd in sorted(now.osds.items()) if osd.store and osd.address]
        answers = await asyncio.gather(*(_ask(session, osd) for osd in asked))
        answered = [process for process in answers if process is not None]
        for verdict in self._judge.judge(now, answered, time.monotonic()):
            await asyncio.to_thread(self._pass, verdict, now)
        if self._judge.doubt not in (None, self._doubt):
            self._say(f"{self._judge.doubt}")
        self._doubt = self._judge.doubt

    def _read(self) -> ClusterMap:
        began, before = time.monotonic(), self._read_at
        records = [record for record, _ in self._reader.maps()]
        now, today = time.monotonic(), time.time_ns() // 1_000
        oldest = math.inf if before is None else now - before
        take_note(self._judge, records, now, today, oldest)
        self._read_at = began
        return self._reader.map

    def _pass(self, verdict: Verdict, now: ClusterMap) -> None:
        """Append a verdict; that another monitor came first is as good."""
        moves = isinstance(verdict.change, OsdOut | OsdIn)
        layout = now.layout if moves else None
        try:
            change_map(self._log, [verdict.change], layout, verdict.reason, self._author)
        except (Refused, OutcomeUnknown):
            return  # the next round sees what the map says
        except LogError as error:
            self._say(f"a verdict was not appended: {error.what}")
        else:
            self._say(f"{tell_change(verdict.change)}: {verdict.reason}")


def take_note(
    judge: Judge, records: Sequence[MapRecord], now: float, today: int, oldest: float = math.inf
) -> None:
    """Tell the judge of accepted events: each is as old as the log says, by the latest time known.

    `now` is seconds of the judge's clock, `today` microseconds since 1970. None happened more than
    `oldest` seconds ago.
    """
    latest = max([today, *(record.appended for record in records)])
    for record in records:
        if record.refusal is None:
            age = (latest - record.appended) / 1_000_000
            judge.read(record.event, now - min(age, oldest))


async def _ask(session: aiohttp.ClientSession, osd: Osd) -> Process | None:
    """The process that answers there, if it is the one of the map."""
    try:
        async with session.get(f"http://{osd.address}/alive") as response:
            said = msgspec.json.decode(await response.read(), type=_Alive)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, msgspec.MsgspecError):
        return None  # a ValueError: nobody can be asked at such an address
    if said.trouble is not None:
        return None
    if (said.store, said.boot) != (str(osd.store), osd.boot) or osd.store is None:
        return None
    return (osd.store, osd.boot)
