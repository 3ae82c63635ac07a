"""Commands about how the cluster is: status, rg ls, rg show.

Rule: what an OSD does not say is said to be unknown, never guessed. `status`
ends with 0 where all is well and with 1 where it is not.

What is not here: how a status looks (see `osd.cli.glances`).
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import options, usage
from osd.config import DEADLINE_S

if TYPE_CHECKING:
    from osd.client.answers import OsdStatus, RgRow
    from osd.client.async_client import AsyncClient
    from osd.client.cluster_status import ClusterStatus

NO = 1
WATCH_S = 1.0


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again every second, until Ctrl-C.")
    ] = False,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show the cluster at a glance; ends with 0 if it is healthy, else 1, and 3 if none answers."""
    import asyncio

    from osd.cli.glances import Screen
    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> "ClusterStatus":
        with Screen(_heading(client), is_watched=watch, json=json) as screen:
            while True:
                found = await client.cluster_status()
                screen.show(found)
                if not watch:
                    return found
                await asyncio.sleep(WATCH_S)

    found = with_client(log, work)
    _require_some(found.osds)
    if not found.is_healthy:
        raise typer.Exit(NO)


def _heading(client: "AsyncClient") -> str:
    """Where there are only notes: of when."""
    from eventlog.state_file import StateFile
    from osd.client.exporting import made_at

    log = client.log
    return f"as exported at {made_at(log)}" if isinstance(log, StateFile) else ""


def _require_some(osds: "tuple[OsdStatus, ...]") -> None:
    from osd.errors import Unavailable

    if not any(osd.said for osd in osds):
        raise Unavailable(
            "no OSD is up" if osds else "the map has no OSD yet",
            "Start them with `osdlog up`, or each with `osdlog osd --id N --data DIR`;"
            " `osdlog explain` tells from the log alone.",
        )


def rg_ls(json: options.Json = False, log: options.Log = None) -> None:
    """List the RGs, each as its primary sees it."""
    from osd.cli.output import say_json, table
    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> "tuple[RgRow, ...]":
        return await client.rgs()

    rows = with_client(log, work)
    if json:
        for row in rows:
            say_json(row.said or {"rg": row.rg, "state": "unknown", "why": row.why})
        return
    heads = ("rg", "state", "primary", "objects", "bytes", "tombstones", "sources", "note")
    table(heads, map(_rg_row, rows), numbers=("rg", *heads[3:7]))


def _rg_row(row: "RgRow") -> tuple[Any, ...]:
    primary = "-" if row.primary is None else f"osd.{row.primary}"
    if row.said is None:
        return (f"{row.rg:x}", "unknown", primary, *["-"] * 4, row.why or "")
    said = row.said
    numbers = (f"{said['objects']:,}", f"{said['bytes']:,}", said["tombstones"], said["sources"])
    return (f"{row.rg:x}", said["state"], primary, *numbers, "")


def rg_show(
    rg: Annotated[str, typer.Argument(metavar="RG", help="Its hexadecimal number.")],
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show one RG: its claim, its stores, its sources."""
    from eventlog.ids import parse_rg
    from osd.cli.output import pairs, say, say_json, table
    from osd.cli.running import with_client

    number = parse_rg(rg)

    async def work(client: "AsyncClient") -> dict[str, Any]:
        return await client.rg(number)

    said = with_client(log, work, deadline)
    if json:
        say_json(said)
        return
    say(said["explanation"])
    claim = said["claim"]
    pairs(
        [
            ("state", said["state"]),
            ("placed", ", ".join(said["placed_stores"]) or "nowhere"),
            ("claim", f"{claim['fence']} at offset {claim['offset']}" if claim else "none"),
            ("version", said["version"]),
            ("objects", f"{said['objects']:,}, {said['bytes']:,} bytes"),
            ("tombstones", said["tombstones"]),
            ("folded", f"up to offset {said['next_offset']} (exclusive)"),
        ]
    )
    progress = {x["store"]: _progress_words(x) for x in said["replicas"]}
    stores = [
        (s, x["held"], x["doomed"], x["lost"], progress.get(s, "not placed here"))
        for s, x in said["stores"].items()
    ]
    heads = ("store", "held", "doomed", "lost", "note")
    table(heads, stores, numbers=heads[1:4])
    sources = [(x["store"], x["state"], x["remaining"], x["strays"]) for x in said["import_plan"]]
    if sources:
        table(("source", "state", "remaining", "strays"), sources, numbers=("remaining", "strays"))


def _progress_words(replica: dict[str, Any]) -> str:
    """How far a placed store is."""
    from osd.cli.output import count

    if replica["is_complete"]:
        return "complete"
    size = replica["missing_bytes"]
    sized = "" if size is None else f", {size:,} bytes,"
    where = "" if replica["is_up"] else " and down"
    return f"lacks {count(replica['missing_objects'], 'object')}{sized}{where}".rstrip(",")


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(status)
    family = typer.Typer(cls=usage.Group, no_args_is_help=True, help="Replica groups.")
    family.command("ls")(rg_ls)
    family.command("show")(rg_show)
    app.add_typer(family, name="rg")
