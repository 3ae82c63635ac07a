"""Commands about the cluster map: show, log, apply, bump.

Rule: a change is made for the layout that its author saw, and is refused if
the map has moved on. All changes of one command are one event.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from osd.cli import options

if TYPE_CHECKING:
    from osd.client.answers import MapRecord
    from osd.client.async_client import AsyncClient
    from projections.cluster_map import ClusterMap, Osd

Ids = list[str] | None
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the log.")]
LayoutNumber = Annotated[
    int | None,
    typer.Option("--layout", metavar="N", help="The layout it is made for; else the newest."),
]


def _ids(name: str, what: str, metavar: str = "ID") -> object:
    return typer.Option(name, metavar=metavar, help=what, show_default=False)


def show(json: options.Json = False, log: options.Log = None) -> None:
    """Show the map as it is now."""
    from osd.cli.output import note, say_json, table
    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> "ClusterMap":
        return await client.map()

    found = with_client(log, work)
    if json:
        say_json(found)
        return
    note(
        f"cluster {found.cluster}: epoch {found.epoch}, layout {found.layout},"
        f" {found.rg_count} RGs, replicas {found.replicas}"
    )
    rows = [_osd_row(osd) for _, osd in sorted(found.osds.items())]
    heads = ("osd", "state", "weight", "host/rack", "address", "store", "boot")
    table(heads, rows, numbers=("weight", "boot"))
    for store, retirement in sorted(found.retired.items()):
        note(f"retired: {store} at epoch {retirement.epoch} by {retirement.by}: {retirement.why}")
    for rg, osds in sorted(found.pins.items()):
        note(f"pinned: rg {rg:x} to {', '.join(f'osd.{osd}' for osd in osds)}")


def _osd_row(osd: "Osd") -> tuple[object, ...]:
    from eventlog.telling import weight_words

    words = ["up" if osd.is_up else "down", "in" if osd.is_in else "out"]
    state = " ".join([*words, "leaving"] if osd.is_leaving else words)
    store = f"{osd.store.incarnation:016x}" if osd.store else "-"
    place = f"{osd.host}/{osd.rack}"
    weight = weight_words(osd.weight)
    return (f"osd.{osd.osd}", state, weight, place, osd.address or "-", store, osd.boot or "-")


def history(json: options.Json = False, log: options.Log = None) -> None:
    """Show every event of the map, and why some of them are void."""
    from eventlog.open import open_log
    from osd.cli.output import say_json
    from osd.client.map_reader import MapReader
    from osd.config import log_url

    with open_log(log_url(log)) as opened:
        for record, _ in MapReader(opened).maps():
            if json:
                say_json(record)
            else:
                _say_event(record)


def _say_event(record: "MapRecord") -> None:
    from eventlog.telling import tell_change
    from osd.cli.output import say

    event = record.event
    when = datetime.fromtimestamp(event.time / 1_000_000, UTC).isoformat(" ", "seconds")
    place = "void" if record.refusal else f"epoch {record.epoch}"
    reason = f": {event.reason}" if event.reason else ""
    say(f"{place}  map/0@{record.offset}  {when[:19]}Z  {event.author}{reason}")
    for change in event.changes:
        say(f"    {tell_change(change)}")
    if record.refusal:
        say(f"    void: {record.refusal.why}")


def apply(  # noqa: PLR0913, PLR0917 - its options
    add: Annotated[Ids, _ids("--add", "Add an OSD.", "ID[:WEIGHT][@HOST[/RACK]]")] = None,
    remove: Annotated[Ids, _ids("--remove", "Let an OSD leave: its data moves away.")] = None,
    out: Annotated[Ids, _ids("--out", "Place nothing on it; it stays a source.")] = None,
    into: Annotated[Ids, _ids("--in", "Place data on it again.")] = None,
    up: Annotated[Ids, _ids("--up", "Say that it answers.")] = None,
    down: Annotated[Ids, _ids("--down", "Say that it does not answer.")] = None,
    weight: Annotated[Ids, _ids("--weight", "Give it another weight.", "ID:WEIGHT")] = None,
    pin: Annotated[Ids, _ids("--pin", "Place an RG on these OSDs.", "RG:ID,ID")] = None,
    unpin: Annotated[Ids, _ids("--unpin", "Place an RG as all others.", "RG")] = None,
    retire: Annotated[Ids, _ids("--retire", "Its disk is gone and may not return.")] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Retire also what holds last copies.")
    ] = False,
    replicas: Annotated[int | None, typer.Option("--replicas", metavar="N", min=1)] = None,
    min_replicas: Annotated[int | None, typer.Option("--min-replicas", metavar="N", min=1)] = None,
    layout: LayoutNumber = None,
    reason: Reason = "",
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Change the map: all that is said here at once, or nothing of it."""
    from osd.cli.change_words import Words
    from osd.cli.running import with_client

    words = Words(
        add=add or (),
        remove=remove or (),
        out=out or (),
        into=into or (),
        up=up or (),
        down=down or (),
        weight=weight or (),
        pin=pin or (),
        unpin=unpin or (),
        retire=retire or (),
        replicas=replicas,
        min_replicas=min_replicas,
    )

    async def work(client: "AsyncClient") -> "tuple[ClusterMap, ClusterMap]":
        return await _apply(client, words, layout, reason, accept_loss=accept_loss)

    _say_change(*with_client(log, work), json=json)


async def _apply(
    client: "AsyncClient", words: object, layout: int | None, reason: str, *, accept_loss: bool
) -> "tuple[ClusterMap, ClusterMap]":
    import asyncio

    from eventlog.ids import Layout
    from eventlog.map_events import StoreWrittenOff
    from osd.cli.change_words import Words, changes_of
    from osd.cli.retiring import require_no_loss
    from osd.client.async_client import user

    assert isinstance(words, Words)
    before, author = await client.map(), user() or "unknown"
    changes = changes_of(words, before, author, reason)
    retired = frozenset(c.store for c in changes if isinstance(c, StoreWrittenOff))
    if retired and not accept_loss:
        await asyncio.to_thread(require_no_loss, client.log, before, retired)
    made_for = before.layout if layout is None else Layout(layout)
    after = await client.change_map(changes, layout=made_for, reason=reason, author=author)
    return before, after


def bump(
    to: Annotated[int, typer.Option("--to", metavar="N", help="The epoch to reach.")],
    layout: LayoutNumber = None,
    reason: Reason = "",
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Raise the epoch: heals RGs that were claimed under a map that is gone."""
    from eventlog.ids import Layout
    from eventlog.map_events import EpochBumped
    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> "tuple[ClusterMap, ClusterMap]":
        before = await client.map()
        made_for = before.layout if layout is None else Layout(layout)
        change = EpochBumped(to=to)
        return before, await client.change_map([change], layout=made_for, reason=reason)

    _say_change(*with_client(log, work), json=json)


def _say_change(before: "ClusterMap", after: "ClusterMap", *, json: bool) -> None:
    from osd.cli.output import note, say_json

    if json:
        say_json({"epoch": after.epoch, "layout": after.layout})
    elif before.layout == after.layout:
        note(f"epoch {after.epoch}; the layout stays {after.layout}{_until_when(before, after)}")
    else:
        note(f"epoch {after.epoch}, layout {after.layout}; `osdlog status` shows what moves")


def _until_when(before: "ClusterMap", after: "ClusterMap") -> str:
    """Data moves to an OSD from its first boot on."""
    from eventlog.ids import osd_name

    new = sorted(osd.osd for osd in after.osds.values() if osd.osd not in before.osds)
    if not new:
        return ": no data moves"
    return f" until {' and '.join(map(osd_name, new))} start{'s' if len(new) == 1 else ''}"


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    family = typer.Typer(no_args_is_help=True, help="The cluster map.")
    family.command()(show)
    family.command("log")(history)
    family.command()(apply)
    family.command()(bump)
    app.add_typer(family, name="map")
