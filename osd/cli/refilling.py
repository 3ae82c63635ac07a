"""Refilling: an OSD runs until its new disk has all that it can get, or nobody waits longer.

Rule: it is done when the map, as it is now, gives the OSD its part, and it
lacks nothing of which another store has a good copy. What does not move is
explained: who must act. A log that does not answer is waited for, as the OSD
itself does. However the wait ends, the OSD has stopped before that is said.

What is not here: whether an OSD may be rebuilt, and what was lost with its
former disk (see `osd.cli.rebuilding`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from eventlog.errors import LogUnavailable
from eventlog.ids import OsdId, RgId, osd_name, rg_name
from osd.cli.output import note
from osd.cli.waiting import moved_words
from osd.client.answers import Facts
from osd.client.async_client import AsyncClient
from osd.client.cluster_status import RUNNING
from osd.client.known import known_osd
from osd.errors import Unavailable
from osd.process import OsdConfig, Ready, run_osd
from projections.cluster_map import Osd
from projections.explain import OPERATOR, Reason
from projections.progress import WINDOW_MS, Sample, progress_of
from projections.rg_stats import Amount

LOOK_S = 0.2
STILL_S = 3.0
"""When nothing has moved for so long, it is asked why; and again after as long."""
EXPLAINED = 20
"""RGs: each takes two questions."""

_PRIMARY_KNOWS = {
    Reason.STOPPED,
    Reason.LOG_STALLED,
    Reason.HOLDER_DOWN,
    Reason.MAP_BEHIND,
    Reason.CLAIM_AWAITED,
    Reason.RETIREMENT_AWAITED,
}
"""Why nobody can import anything of an RG: a replica does not see it."""


class Waiting(NamedTuple):
    """What is not back, and why."""

    rg: RgId | None
    """None: it is about all of them."""
    objects: int
    why: str = ""
    """Nothing where nobody was asked."""
    who: tuple[str, ...] = ()
    """Who must act."""


class Refilled(NamedTuple):
    """How far it came."""

    store: str
    objects: int
    bytes: int
    """Fetched from other stores."""
    waiting: Sequence[Waiting]
    """Nothing, once all is back."""


class Unplaced(NamedTuple):
    """Why the map gives an OSD nothing, and what ends that."""

    what: str
    hint: str


def why_unplaced(osd: Osd) -> Unplaced | None:
    """None for one that is given its part."""
    number, name = osd.osd, osd_name(osd.osd)
    if osd.is_leaving:
        back = f"`osdlog map apply --add {number}` takes it back"
        gone = f"`osdlog map apply --retire {number}` gives up its disk"
        return Unplaced(f"{name} is leaving, and is given nothing", f"{back}, {gone}.")
    if not osd.is_in:
        back = f"`osdlog map apply --in {number}` puts it in."
        return Unplaced(f"{name} is out, and is given nothing", back)
    if not osd.weight:
        weight = f"`osdlog map apply --weight {number}:1` gives it its part."
        return Unplaced(f"{name} has no weight, and is given nothing", weight)
    return None


async def refilled(
    config: OsdConfig, deadline_s: float | None, start: str, show: Callable[[str], None]
) -> Refilled:
    """Run the OSD until it has its part, at the longest for so long; `start` is how to go on.

    Raises what stopped the OSD, and `Unavailable` where it does not even serve.
    """
    until = None if deadline_s is None else time.monotonic() + deadline_s
    serves: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    try:
        async with AsyncClient(config.log) as client, _running(config, serves) as running:
            await asyncio.wait((running, serves), timeout=deadline_s, return_when="FIRST_COMPLETED")
            if serves.done():
                refill = _Refill(client, serves.result(), until, show)
                return await refill.until_whole(running)
    except (asyncio.CancelledError, LogUnavailable, Unavailable):
        name = osd_name(config.osd)
        if serves.done():
            note(f"{name} is {serves.result().store} now, and goes on with: {start}")
        else:
            note(f"{name} did not serve yet: rebuild it again")
        raise
    raise Unavailable(
        f"{osd_name(config.osd)} does not serve after {deadline_s:g} s",
        "Rebuild it again once the log answers, or with a later --deadline.",
    )


@asynccontextmanager
async def _running(
    config: OsdConfig, serves: asyncio.Future[Ready]
) -> AsyncIterator[asyncio.Task[None]]:
    """The OSD, stopped at the end. Raises what stopped it before."""
    stopping = asyncio.Event()
    running = asyncio.create_task(run_osd(config, serves.set_result, stopping))
    try:
        yield running
    finally:
        stopping.set()
        await running


class _Look(NamedTuple):
    """The OSD at one moment."""

    osd: Osd
    said: Facts | None
    """None while it is not known yet what it lacks by the map as it is now."""

    @property
    def lacking(self) -> Amount:
        """What others have and it has not; bytes as far as they are counted."""
        if self.said is None:
            return Amount()
        return Amount(self.said["importable"], self.said["missing"]["bytes"] or 0)

    @property
    def copied(self) -> Amount:
        if self.said is None:
            return Amount()
        return Amount(self.said["copied"]["objects"], self.said["copied"]["bytes"])

    @property
    def is_whole(self) -> bool:
        return self.said is not None and not self.lacking.objects and not why_unplaced(self.osd)


class _Refill:
    """One OSD being watched."""

    def __init__(
        self,
        client: AsyncClient,
        ready: Ready,
        until: float | None,
        show: Callable[[str], None],
    ) -> None:
        self._client = client
        self._ready = ready
        self._until = until
        self._show = show
        self._samples: list[Sample] = []
        """The most that was lacking, then the last few."""
        self._before: tuple[bool, Amount, Amount] | None = None
        self._moved_at = time.monotonic()
        self._why = ""

    async def until_whole(self, running: asyncio.Task[None]) -> Refilled:
        """Until nothing more can be fetched, or time is up."""
        while not running.done():
            is_late = self._until is not None and time.monotonic() >= self._until
            try:
                if (found := await self._found(is_late=is_late)) is not None:
                    return found
            except (LogUnavailable, Unavailable) as error:
                if is_late:
                    raise
                self._show(f"{osd_name(self._ready.osd)} cannot be looked at: {error.what}")
            await asyncio.sleep(LOOK_S)
        running.result()
        raise AssertionError("an OSD ends when it is told to, or with an error")

    async def _found(self, *, is_late: bool) -> Refilled | None:
        """How far it came, if that is to be the end; else it is shown."""
        look = await self._look()
        if look.is_whole:
            return Refilled(self._ready.store, *look.copied, ())
        if is_late:
            waiting = await self._waiting(look, EXPLAINED)
            return Refilled(self._ready.store, *look.copied, waiting)
        await self._tell(look)
        return None

    async def _look(self) -> _Look:
        now = await self._client.map()
        osd = known_osd(now, self._ready.osd)
        [said] = [one.said for one in await self._client.status() if one.osd.osd == osd.osd]
        is_known = (
            said is not None
            and said["phase"] == RUNNING
            and said["epoch"] >= now.epoch
            and not said["behind"]
        )
        return _Look(osd, said if is_known else None)

    async def _tell(self, look: _Look) -> None:
        """How far it is; where nothing moves, also why."""
        now, me = time.monotonic(), osd_name(self._ready.osd)
        at = (look.said is None, look.lacking, look.copied)
        if at != self._before:
            self._before, self._moved_at, self._why = at, now, ""
        elif now >= self._moved_at + STILL_S:
            self._moved_at = now
            waiting = await self._waiting(look, 1)
            self._why = f"; {waiting[0].why}" if waiting else ""
        done = "reads the log" if look.said is None else f"has {self._progress(look.lacking, now)}"
        self._show(f"{me} {done}{self._why}")

    def _progress(self, lacking: Amount, now: float) -> str:
        at_ms = round(now * 1_000)
        top = self._samples[0].remaining if self._samples else lacking
        most = Amount(max(top.objects, lacking.objects), max(top.size, lacking.size))
        recent = [one for one in self._samples[1:] if one.at_ms > at_ms - WINDOW_MS]
        self._samples = [Sample(0, most), *recent, Sample(at_ms, lacking)]
        return moved_words(progress_of(self._samples))

    async def _waiting(self, look: _Look, limit: int) -> Sequence[Waiting]:
        """What is not back; of the first RGs also why."""
        if unplaced := why_unplaced(look.osd):
            return [Waiting(None, 0, f"{unplaced.what}: {unplaced.hint}", (OPERATOR,))]
        me = osd_name(self._ready.osd)
        if look.said is None:
            return [Waiting(None, 0, f"{me} has not read all of the log yet.", (me,))]
        rows = [(row["rg"], self._lacked(row)) for row in await self._client.rgs_at(look.osd)]
        lacking = [Waiting(rg, objects) for rg, objects in sorted(rows) if objects]
        return [*[await self._explained(one) for one in lacking[:limit]], *lacking[limit:]]

    def _lacked(self, row: Facts) -> int:
        """Objects of an RG that others have and this OSD has not."""
        mine = [one for one in row["replicas"] if one["osd"] == self._ready.osd]
        return sum(one["missing_objects"] - row["unheld"] for one in mine)

    async def _explained(self, waiting: Waiting) -> Waiting:
        rg, me = waiting.rg, self._ready.osd
        assert rg is not None
        said = await self._client.rg_at(me, rg)
        if isinstance(said, str):
            return waiting._replace(why=f"{osd_name(me)} gives no answer: {said}")
        leader = OsdId(next(iter(said["acting"]), me))
        if said["reason"] == Reason.IMPORTING and leader != me:
            told = await self._client.rg_at(leader, rg)
            if isinstance(told, str):
                name = osd_name(leader)
                why = f"{name} leads {rg_name(rg)}, and gives no answer: {told}."
                return waiting._replace(why=why, who=(name,))
            said = told if Reason(told["reason"]) in _PRIMARY_KNOWS else said
        return waiting._replace(why=said["explanation"], who=tuple(said["who_acts"]))
