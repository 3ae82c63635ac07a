"""Commands about how the cluster is: status, rg ls, rg show.

Rule: what an OSD does not say is said to be unknown, never guessed.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import options
from osd.config import DEADLINE_S

if TYPE_CHECKING:
    from osd.client.answers import OsdStatus, RgRow
    from osd.client.async_client import AsyncClient

WATCH_S = 1.0


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again every second.")] = False,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show how the cluster is: its health, its RGs, its OSDs."""
    import asyncio

    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> None:
        while True:
            osds = await client.status()
            rgs = await client.rgs()
            if watch and not json:
                _clear()
            _show(osds, rgs, json=json)
            if not watch:
                _require_some(osds)
                return
            await asyncio.sleep(WATCH_S)

    with_client(log, work)


def _clear() -> None:
    import sys

    from osd.cli.output import say

    if sys.stdout.isatty():
        sys.stdout.write("\x1b[H\x1b[2J")
    else:
        say("")


def _require_some(osds: "tuple[OsdStatus, ...]") -> None:
    from osd.errors import Unavailable

    if not any(osd.said for osd in osds):
        raise Unavailable(
            "no OSD is up" if osds else "the map has no OSD yet",
            "Start them with `osdlog up`, or each with `osdlog osd --id N --data DIR`.",
        )


def _show(osds: "tuple[OsdStatus, ...]", rgs: "tuple[RgRow, ...]", *, json: bool) -> None:
    from osd.cli.output import say, say_json, table

    states = Counter(row.said["state"] if row.said else "unknown" for row in rgs)
    answering = sum(osd.said is not None for osd in osds)
    is_healthy = answering == len(osds) and set(states) <= {"clean"}
    if json:
        health = {"healthy": is_healthy, "rgs": dict(sorted(states.items()))}
        say_json(health | {"osds": [_osd_json(osd) for osd in osds]})
        return
    word = "healthy" if is_healthy else "not healthy"
    say(
        f"{word}: {answering} of {len(osds)} OSDs answer, {states['clean']} of {len(rgs)} RGs clean"
    )
    say("RGs: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    heads = ("osd", "state", "epoch", "rgs", "objects", "bytes", "copies", "strays", "note")
    table(heads, map(_osd_row, osds), numbers=heads[2:8])


def _osd_json(osd: "OsdStatus") -> dict[str, Any]:
    return {"osd": osd.osd.osd, "in_map": osd.osd, "said": osd.said, "why": osd.why}


def _osd_row(osd: "OsdStatus") -> tuple[Any, ...]:
    name = f"osd.{osd.osd.osd}"
    by_map = "up" if osd.osd.is_up else "down"
    if osd.said is None:
        return (name, by_map, *["-"] * 6, osd.why or "")
    said = osd.said
    numbers = (said["epoch"], said["rgs"], f"{said['objects']:,}", f"{said['bytes']:,}")
    by_operator = "leaving" if osd.osd.is_leaving else "" if osd.osd.is_in else "out"
    notes = (_stall_words(said["log"]["stalled"]) or by_operator, _disk_words(said), _left(said))
    note = ", ".join(filter(None, notes))
    return (name, by_map, *numbers, f"{said['copies']:,}", f"{said['strays']:,}", note)


def _disk_words(said: dict[str, Any]) -> str:
    disk = said["disk"]
    if not disk["is_nearly_full"]:
        return ""
    stops = "" if disk["takes_imports"] else ", takes no imports"
    stops = stops if disk["takes_puts"] else ", takes deletes only"
    return f"disk nearly full: {disk['free']:,} bytes left{stops}"


def _left(said: dict[str, Any]) -> str:
    missing = said["missing"]
    return f"still imports {missing['objects']:,} objects" if missing["objects"] else ""


def _stall_words(stalled: dict[str, Any] | None) -> str:
    if stalled is None:
        return ""
    since = datetime.fromtimestamp(stalled["since"], UTC).isoformat(timespec="seconds")
    return f"stalled since {since} at {stalled['position']}: {stalled['why']}"


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
    if replica["is_complete"]:
        return "complete"
    size = replica["missing_bytes"]
    sized = "" if size is None else f", {size:,} bytes,"
    where = "" if replica["is_up"] else " and down"
    return f"lacks {replica['missing_objects']:,} objects{sized}{where}".rstrip(",")


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(status)
    family = typer.Typer(no_args_is_help=True, help="Replica groups.")
    family.command("ls")(rg_ls)
    family.command("show")(rg_show)
    app.add_typer(family, name="rg")
