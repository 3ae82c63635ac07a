"""The command scrub: lets OSDs look at all they have, and says what they found.

Rule: every OSD that is asked scrubs at the same time, each at its own rate.
What was found is waited for until it is repaired, or it is clear that it will
not be. Exit 1 if damage is left, 3 if an OSD did not answer.
"""

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from osd.cli import options
from osd.config import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventlog.ids import OsdId
    from osd.client.async_client import AsyncClient

NO, SILENT = 1, 3
LOOK_S = 0.2
SHOWN = 20

Report = dict[str, Any]


class Scrubbed(NamedTuple):
    """What came of it."""

    osds: "dict[OsdId, Report]"
    silent: list[tuple[str, str]]
    """OSDs that did not answer, and why."""
    unheld: int
    """Objects that have no good copy anywhere, whoever found that out."""

    @property
    def left(self) -> int:
        """Copies that are still bad or missing."""
        return sum(report["left"] for report in self.osds.values())


def scrub(
    osd: Annotated[
        str | None, typer.Argument(metavar="[OSD]", help="Only this one.", show_default=False)
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every byte.")] = False,
    rate: options.Rate = None,
    last: Annotated[
        bool, typer.Option("--last", help="Begin nothing: show what the last ones found.")
    ] = False,
    deadline: Annotated[
        float,
        typer.Option("--deadline", metavar="SECONDS", min=0, help="How long to wait for repairs."),
    ] = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Compare what the OSDs have on disk with what the log says, and repair it."""
    from eventlog.ids import parse_osd
    from osd.cli.progress import counter
    from osd.cli.running import with_client

    wanted = None if osd is None else parse_osd(osd)

    async def work(client: "AsyncClient") -> Scrubbed:
        osds = await _osds(client, wanted)
        if last:
            return await _last(client, osds)
        with counter("scrubbing") as tell:
            scrubbing = _Scrubbing(client, osds, deadline, tell)
            return await scrubbing.run(deep=deep, bytes_s=rate)

    found = with_client(log, work)
    _print(found, json=json)
    if found.left or found.unheld or found.silent:
        raise typer.Exit(NO if found.left or found.unheld else SILENT)


async def _osds(client: "AsyncClient", wanted: "OsdId | None") -> "list[OsdId]":
    from osd.client.known import known_osds

    return [osd.osd for osd in known_osds(await client.map(), wanted)]


async def _last(client: "AsyncClient", osds: "Sequence[OsdId]") -> Scrubbed:
    """Of each OSD the last scrub, of whatever depth."""
    from osd.errors import Unavailable

    found: dict[OsdId, Report] = {}
    silent = []
    for osd in osds:
        try:
            last = (await client.scrub_report(osd))["last"]
        except Unavailable as error:
            silent.append((f"osd.{osd}", error.what))
            continue
        if last:
            found[osd] = max(last.values(), key=lambda report: report["ended"])
    return Scrubbed(found, silent, await _unheld(client))


async def _unheld(client: "AsyncClient") -> int:
    return sum(row.said["unheld"] for row in await client.rgs() if row.said is not None)


class _Scrubbing:
    """OSDs that scrub, from the first question to the last."""

    def __init__(
        self,
        client: "AsyncClient",
        osds: "Sequence[OsdId]",
        patience_s: float,
        tell: "Callable[[int, int], None]",
    ) -> None:
        self._client = client
        self._osds = osds
        self._patience_s = patience_s
        self._tell = tell
        self._rgs: dict[OsdId, tuple[int, int]] = {}
        """How many RGs each has looked at, and how many it has."""

    async def run(self, *, deep: bool, bytes_s: int | None) -> Scrubbed:
        import asyncio

        from osd.errors import Unavailable

        async def one(osd: "OsdId") -> "Report | str":
            try:
                return await self._scrub(osd, deep=deep, bytes_s=bytes_s)
            except Unavailable as error:
                return error.what

        answers = await asyncio.gather(*map(one, self._osds))
        each = dict(zip(self._osds, answers, strict=True))
        found = {osd: answer for osd, answer in each.items() if not isinstance(answer, str)}
        silent = [(f"osd.{osd}", why) for osd, why in each.items() if isinstance(why, str)]
        return Scrubbed(found, silent, await _unheld(self._client))

    async def _scrub(self, osd: "OsdId", *, deep: bool, bytes_s: int | None) -> Report:
        import asyncio
        import time

        said = await self._client.scrub(osd, deep=deep, bytes_s=bytes_s)
        began = said["running"]["began"]
        while said["running"] is not None and said["running"]["began"] == began:
            self._show(osd, said["running"]["rgs"])
            await asyncio.sleep(LOOK_S)
            said = await self._client.scrub_report(osd)
        give_up_at = time.monotonic() + self._patience_s
        while (mine := _begun(said, began, osd))["waiting"] and time.monotonic() < give_up_at:
            await asyncio.sleep(LOOK_S)
            said = await self._client.scrub_report(osd)
        self._show(osd, mine["rgs"])
        return mine

    def _show(self, osd: "OsdId", rgs: dict[str, int]) -> None:
        self._rgs[osd] = (rgs["done"], rgs["all"])
        self._tell(sum(d for d, _ in self._rgs.values()), sum(n for _, n in self._rgs.values()))


def _begun(said: Report, began: float, osd: "OsdId") -> Report:
    """What is said of the scrub that was begun then."""
    from osd.errors import Unavailable

    for report in said["last"].values():
        if report["began"] == began:
            found: Report = report
            return found
    raise Unavailable(
        f"the scrub of osd.{osd} was stopped before its end", "Begin it again: osdlog scrub."
    )


def _print(found: Scrubbed, *, json: bool) -> None:
    from osd.cli.output import count, note, say_json, table

    if json:
        say_json(found._asdict())
        return
    heads = ("osd", "depth", "copies", "bytes", "bad", "missing", "repaired", "left")
    table(heads, [_row(osd, report) for osd, report in found.osds.items()], numbers=heads[2:])
    left = [
        (f"osd.{osd}", d["object"], d["version"], d["fault"], d["outcome"])
        for osd, report in found.osds.items()
        for d in report["damages"]
        if d["outcome"].startswith(("to be", "no good"))
    ]
    if left:
        table(("osd", "object", "version", "copy", "what becomes of it"), left[:SHOWN])
    if len(left) > SHOWN:
        note(f"and {len(left) - SHOWN:,} more")
    for osd, report in found.osds.items():
        if report["trouble"]:
            note(f"osd.{osd}: {report['trouble']}")
    if found.unheld:
        note(f"{count(found.unheld, 'object')} without a good copy; `osdlog audit lost` names them")
    for osd_, why in found.silent:
        note(f"{osd_} was not asked: {why}")


def _row(osd: "OsdId", report: Report) -> tuple[object, ...]:
    numbers = ("copies", "bytes", "bad", "missing", "repaired", "left")
    return (f"osd.{osd}", report["depth"], *(f"{report[name]:,}" for name in numbers))


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(scrub)
