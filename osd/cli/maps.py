"""Commands about the cluster map: show, log, apply, bump; plan and undo have their own module.

Rule: a change is made for the layout that its author saw, and is refused if
the map has moved on. All changes of one command are one event.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from osd.cli import options, usage
from osd.cli.change_options import with_changes
from osd.cli.planning import plan, undo
from osd.cli.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osd.cli.waiting import Change, Changed
    from osd.client.answers import MapRecord
    from osd.client.async_client import AsyncClient
    from osd.client.losses import Loss
    from projections.cluster_map import ClusterMap, Osd


NAMED = 10
"""RGs that are named; the rest are counted."""


def show(json: options.Json = False, log: options.Log = None) -> None:
    """Show the map as it is now."""
    from osd.cli.output import count, say, say_json, table
    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> "ClusterMap":
        return await client.map()

    found = with_client(log, work)
    if json:
        say_json(found)
        return
    at_least = f", min_replicas {found.min_replicas}" if found.replicas > 1 else ""
    say(
        f"cluster {found.cluster}: epoch {found.epoch}, layout {found.layout},"
        f" {count(found.rg_count, 'RG')}, replicas {found.replicas}{at_least}"
    )
    rows = [_osd_row(osd) for _, osd in sorted(found.osds.items())]
    heads = ("osd", "state", "weight", "host/rack", "address", "store", "boot")
    table(heads, rows, numbers=("weight", "boot"))
    for store, retirement in sorted(found.retired.items()):
        say(f"retired: {store} at epoch {retirement.epoch} by {retirement.by}: {retirement.why}")
    for osds, rgs in _pins(found).items():
        say(f"pinned: {', '.join(rgs)} to {', '.join(f'osd.{osd}' for osd in osds)}")


def _pins(found: "ClusterMap") -> dict[tuple[int, ...], list[str]]:
    """The RGs that are pinned to the same OSDs, together; the first of them are named."""
    pins: dict[tuple[int, ...], list[str]] = {}
    for rg, osds in sorted(found.pins.items()):
        pins.setdefault(osds, []).append(f"rg {rg:x}")
    for rgs in pins.values():
        if len(rgs) > NAMED:
            rgs[NAMED:] = [f"{len(rgs) - NAMED:,} more"]
    return pins


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


@with_changes
def apply(  # noqa: PLR0913, PLR0917 - its options
    words: Words,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Retire also what holds last copies.")
    ] = False,
    layout: options.Layout = None,
    wait: options.Wait = False,
    deadline: options.WaitDeadline = None,
    reason: options.Reason = "",
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Change the map: all that is said here at once, or nothing of it.

    Of OSDs and RGs each option may be given any number of times.
    """
    from osd.cli.waiting import changed

    change = change_by(words, layout, reason, accept_loss=accept_loss, json=json)
    changed(change, log, wait=wait, json=json, deadline=deadline)


def change_by(
    words: Words, layout: int | None, reason: str, *, accept_loss: bool, json: bool
) -> "Change":
    """What makes the change; not again where the same words may mean another disk or process."""
    from osd.cli.waiting import for_layout

    async def change(client: "AsyncClient") -> "Changed":
        return await _apply(client, words, layout, reason, accept_loss=accept_loss, json=json)

    return change if words.is_of_now else for_layout(layout, change)


async def _apply(
    client: "AsyncClient",
    words: Words,
    layout: int | None,
    reason: str,
    *,
    accept_loss: bool,
    json: bool,
) -> "Changed":
    import asyncio

    from eventlog.ids import Layout
    from eventlog.map_events import StoreWrittenOff
    from osd.cli.change_words import changes_of
    from osd.cli.pin_words import homes_for
    from osd.cli.retiring import require_acceptable
    from osd.cli.waiting import Changed
    from osd.client.async_client import user

    homes = await homes_for(client, words.pin)
    before, author = await client.map(), user() or "unknown"
    changes = changes_of(words, before, author, reason, homes)
    retired = frozenset(c.store for c in changes if isinstance(c, StoreWrittenOff))
    lost: Sequence[Loss] = ()
    if retired:
        log = client.log
        lost = await asyncio.to_thread(
            require_acceptable, log, before, retired, accept_loss=accept_loss, json=json
        )
    made_for = before.layout if layout is None else Layout(layout)
    after = await client.change_map(changes, layout=made_for, reason=reason, author=author)
    return Changed(before, after, lost)


def bump(
    to: Annotated[
        int, typer.Option("--to", metavar="N", min=1, max=options.MOST, help="The epoch to reach.")
    ],
    layout: options.Layout = None,
    reason: options.Reason = "",
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Raise the epoch: heals RGs that were claimed under a map that is gone."""
    from eventlog.ids import Layout
    from eventlog.map_events import EpochBumped
    from osd.cli.waiting import Changed, changed, for_layout

    async def change(client: "AsyncClient") -> "Changed":
        before = await client.map()
        made_for = before.layout if layout is None else Layout(layout)
        bumped = EpochBumped(to=to)
        return Changed(before, await client.change_map([bumped], layout=made_for, reason=reason))

    changed(for_layout(layout, change), log, wait=False, json=json)


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    family = typer.Typer(cls=usage.Group, no_args_is_help=True, help="The cluster map.")
    family.command()(show)
    family.command("log")(history)
    family.command()(plan)
    family.command()(apply)
    family.command()(undo)
    family.command()(bump)
    app.add_typer(family, name="map")
