"""The command scrub: lets OSDs look at all they have, and says what they found.

Rule: every OSD that is asked scrubs at the same time, each at its own rate.
What was found is waited for until it is repaired, or it is clear that it will
not be. Exit 1 if damage is left, 3 if there is no result of an OSD. Who stops
waiting leaves the scrubs as they are, and is told so; `--stop` ends them.

What is not here: asking and waiting (see `osd.cli.scrubbing`).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from osd.cli import options
from osd.config import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from eventlog.ids import OsdId
    from osd.cli.scrubbing import Report, Scrubbed
    from osd.client.async_client import AsyncClient

NO, SILENT = 1, 3
SHOWN = 20
LAST_S = datetime.max.replace(tzinfo=UTC).timestamp()
T = TypeVar("T")


def scrub(  # noqa: PLR0913, PLR0917 - its options
    osd: Annotated[
        str | None,
        typer.Argument(metavar="OSD", help="Only this one; else all.", show_default=False),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every byte.")] = False,
    rate: options.Rate = None,
    last: Annotated[
        bool,
        typer.Option("--last", help="Begin nothing: show what runs, and what the last ones found."),
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Begin nothing: stop those that run.")
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

    _require_one_wish(begins=deep or rate is not None, last=last, stop=stop)
    wanted = None if osd is None else parse_osd(osd)
    if stop:
        _stop(wanted, log, json=json)
        return
    found = _last(wanted, log) if last else _run(wanted, deadline, log, deep=deep, bytes_s=rate)
    _print(found, json=json)
    if found.left or found.unheld or found.silent:
        raise typer.Exit(NO if found.left or found.unheld else SILENT)


def _require_one_wish(*, begins: bool, last: bool, stop: bool) -> None:
    from eventlog.errors import BadName

    if last + stop + begins > 1:
        raise BadName(
            "--last shows, --stop stops, and --deep and --rate are of a scrub that begins",
            "Give one command for each.",
        )


def _with_osds(
    wanted: "OsdId | None",
    log: str | None,
    work: "Callable[[AsyncClient, Sequence[OsdId]], Awaitable[T]]",
) -> "T":
    from osd.cli.running import with_client
    from osd.client.known import known_osds

    async def do(client: "AsyncClient") -> "T":
        return await work(client, [osd.osd for osd in known_osds(await client.map(), wanted)])

    return with_client(log, do)


def _run(
    wanted: "OsdId | None", deadline: float, log: str | None, *, deep: bool, bytes_s: int | None
) -> "Scrubbed":
    from osd.cli.output import note
    from osd.cli.progress import counter
    from osd.cli.scrubbing import Scrubbing

    async def work(client: "AsyncClient", osds: "Sequence[OsdId]") -> "Scrubbed":
        with counter("scrubbing") as tell:
            scrubbing = Scrubbing(client, osds, deadline, tell, note)
            return await scrubbing.run(deep=deep, bytes_s=bytes_s)

    try:
        return _with_osds(wanted, log, work)
    except KeyboardInterrupt:
        note(
            "what was begun goes on: `osdlog scrub --last` shows it, `osdlog scrub --stop` ends it"
        )
        raise


def _last(wanted: "OsdId | None", log: str | None) -> "Scrubbed":
    from osd.cli.scrubbing import last_found

    return _with_osds(wanted, log, last_found)


def _stop(wanted: "OsdId | None", log: str | None, *, json: bool) -> None:
    from osd.cli.output import note, say_json
    from osd.cli.scrubbing import stop_all

    found = _with_osds(wanted, log, stop_all)
    if json:
        say_json(found)
    else:
        for osd, was_running in found.osds.items():
            note(f"osd.{osd}: {'its scrub was stopped' if was_running else 'no scrub runs'}")
        _say_silent(found.silent)
    if found.silent:
        raise typer.Exit(SILENT)


def _print(found: "Scrubbed", *, json: bool) -> None:
    from osd.cli.output import count, note, say_json, table

    if json:
        say_json(found)
        return
    heads = ("osd", "depth", "copies", "bytes", "bad", "missing", "repaired", "left")
    table(heads, [_row(osd, report) for osd, report in found.osds.items()], numbers=heads[2:])
    if found.plans:
        plan_heads = ("osd", "runs now", "since", "rgs", "rate", "next light", "next deep")
        table(plan_heads, [_plan_row(osd, plan) for osd, plan in found.plans.items()])
    left = [
        (f"osd.{osd}", d["object"], d["version"], d["fault"], d["outcome"])
        for osd, report in found.osds.items()
        for d in report.get("damages", ())  # an export has only their number
        if d["outcome"].startswith(("to be", "no good"))
    ]
    if left:
        left_heads = ("osd", "object", "version", "copy", "what becomes of it")
        table(left_heads, left[:SHOWN], numbers=("version",))
    if len(left) > SHOWN:
        note(f"and {len(left) - SHOWN:,} more")
    for osd, report in found.osds.items():
        if report["trouble"]:
            note(f"osd.{osd}: {report['trouble']}")
    if found.unheld:
        note(f"{count(found.unheld, 'object')} without a good copy; `osdlog audit lost` names them")
    _say_silent(found.silent)


def _say_silent(silent: list[tuple[str, str]]) -> None:
    from osd.cli.output import note

    for osd, why in silent:
        note(f"{osd} gave no result: {why}")


def _row(osd: "OsdId", report: "Report") -> tuple[object, ...]:
    numbers = ("copies", "bytes", "bad", "missing", "repaired", "left")
    return (f"osd.{osd}", report["depth"], *(f"{report[name]:,}" for name in numbers))


def _plan_row(osd: "OsdId", plan: "Report") -> tuple[object, ...]:
    from osd.cli.scrubbing import rate_words

    running, due = plan["running"], plan["due"]
    now: tuple[str, ...] = ("-",) * 4
    if running is not None:
        rgs = f"{running['rgs']['done']} of {running['rgs']['all']}"
        by = f"{running['depth']}, by {running['by']}"
        now = (by, _when(running["began"]), rgs, rate_words(running["bytes_s"]))
    return (f"osd.{osd}", *now, _when(due["light"]), _when(due["deep"]))


def _when(at_s: float | None) -> str:
    """A time in UTC; `never` where the schedule has none that a calendar has."""
    if at_s is None or at_s >= LAST_S:
        return "never"
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%SZ}"


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(scrub)
