"""Scrubs as they are watched: OSDs that are asked for one, up to what came of it.

Rule: at one OSD one scrub runs. Where another that does as much runs already, or
a deep one takes the place of this, that one is waited for, and it is said so.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from eventlog.ids import OsdId, osd_name
from osd.cli.output import bytes_words
from osd.client.async_client import AsyncClient
from osd.errors import Unavailable

LOOK_S = 0.2

Report = dict[str, Any]
Silent = list[tuple[str, str]]
"""OSDs of which there is no result, and why."""
T = TypeVar("T")


class Scrubbed(NamedTuple):
    """What came of it."""

    osds: dict[OsdId, Report]
    silent: Silent
    unheld: int
    """Objects that have no good copy anywhere, whoever found that out."""
    plans: dict[OsdId, Report]
    """Which scrub runs at an OSD, and when others are due; only where that was asked."""

    @property
    def left(self) -> int:
        """Copies that are still bad or missing."""
        return sum(report["left"] for report in self.osds.values())


class Stopped(NamedTuple):
    """At which OSDs a scrub ran, up to now."""

    osds: dict[OsdId, bool]
    silent: Silent


def rate_words(bytes_s: float) -> str:
    """`20.0 MB/s`."""
    return f"{bytes_words(round(bytes_s))}/s" if bytes_s else "no limit"


async def last_found(client: AsyncClient, osds: Sequence[OsdId]) -> Scrubbed:
    """Of each OSD the last scrub, of whatever depth, and what runs now."""
    said, silent = await _of_each(osds, client.scrub_report)
    last = {osd: list(report["last"].values()) for osd, report in said.items()}
    found = {
        osd: max(ended, key=lambda report: report["ended"]) for osd, ended in last.items() if ended
    }
    plans = {osd: {key: report[key] for key in ("running", "due")} for osd, report in said.items()}
    return Scrubbed(found, silent, await _unheld(client), plans)


async def stop_all(client: AsyncClient, osds: Sequence[OsdId]) -> Stopped:
    """End what runs."""
    said, silent = await _of_each(osds, client.stop_scrub)
    return Stopped({osd: report["was_running"] for osd, report in said.items()}, silent)


class Scrubbing:
    """OSDs that scrub, from the first question to the last."""

    def __init__(
        self,
        client: AsyncClient,
        osds: Sequence[OsdId],
        patience_s: float,
        tell: Callable[[int, int], None],
        note: Callable[[str], None],
    ) -> None:
        self._client = client
        self._osds = osds
        self._patience_s = patience_s
        self._tell = tell
        self._note = note
        self._rgs: dict[OsdId, tuple[int, int]] = {}
        """How many RGs each has looked at, and how many it has."""

    async def run(self, *, deep: bool, bytes_s: int | None) -> Scrubbed:
        """What all of them found."""

        async def one(osd: OsdId) -> Report:
            return await self._scrub(osd, deep=deep, bytes_s=bytes_s)

        found, silent = await _of_each(self._osds, one)
        return Scrubbed(found, silent, await _unheld(self._client), {})

    async def _scrub(self, osd: OsdId, *, deep: bool, bytes_s: int | None) -> Report:
        said = await self._client.scrub(osd, deep=deep, bytes_s=bytes_s)
        mine = said["running"]
        if not said["is_begun"]:
            stop = f"`osdlog scrub {osd} --stop` stops it"
            self._note(f"{osd_name(osd)}: {_words(mine)} runs already and is waited for; {stop}")
        while (running := said["running"]) is not None:
            if running["began"] != mine["began"]:
                if _ended(said, mine) is not None or running["depth"] != "deep":
                    break
                self._note(f"{osd_name(osd)}: {_words(running)} took its place and is waited for")
                mine = running
            self._show(osd, running["rgs"])
            await asyncio.sleep(LOOK_S)
            said = await self._client.scrub_report(osd)
        return await self._repaired(osd, said, mine)

    async def _repaired(self, osd: OsdId, said: Report, mine: Report) -> Report:
        """What it found, once that is repaired or never will be."""
        give_up_at = time.monotonic() + self._patience_s
        while (found := _ended(said, mine)) is not None:
            if not found["waiting"] or time.monotonic() >= give_up_at:
                self._show(osd, found["rgs"])
                return found
            await asyncio.sleep(LOOK_S)
            said = await self._client.scrub_report(osd)
        raise Unavailable("its scrub was stopped before its end", "Begin it again: osdlog scrub.")

    def _show(self, osd: OsdId, rgs: dict[str, int]) -> None:
        self._rgs[osd] = (rgs["done"], rgs["all"])
        self._tell(sum(d for d, _ in self._rgs.values()), sum(n for _, n in self._rgs.values()))


async def _of_each(
    osds: Sequence[OsdId], ask: Callable[[OsdId], Awaitable[T]]
) -> tuple[dict[OsdId, T], Silent]:
    """All at the same time."""

    async def one(osd: OsdId) -> T | Unavailable:
        try:
            return await ask(osd)
        except Unavailable as error:
            return error

    answers = list(zip(osds, await asyncio.gather(*map(one, osds)), strict=True))
    found = {osd: answer for osd, answer in answers if not isinstance(answer, Unavailable)}
    silent = [(osd_name(osd), no.what) for osd, no in answers if isinstance(no, Unavailable)]
    return found, silent


async def _unheld(client: AsyncClient) -> int:
    return sum(row.said["unheld"] for row in await client.rgs() if row.said is not None)


def _words(running: Report) -> str:
    asked = "of the schedule" if running["by"] == "schedule" else f"that {running['by']} asked for"
    return f"a {running['depth']} scrub {asked} ({rate_words(running['bytes_s'])})"


def _ended(said: Report, scrub: Report) -> Report | None:
    """What is said of that scrub, or of a deep one since, if either came to its end."""
    last: dict[str, Report] = said["last"]
    own = next((report for report in last.values() if report["began"] == scrub["began"]), None)
    deep = last.get("deep")
    return own or (deep if deep is not None and deep["began"] > scrub["began"] else None)
