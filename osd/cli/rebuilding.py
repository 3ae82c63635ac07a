"""Rebuilding an OSD whose disk is lost, from the log and from the other holders.

Rule: there is one way to rebuild: the OSD's folder is emptied, a new store
begins in it, its first boot retires the old one in the map by the operator's
word, the folds are made anew from the log, and the plan refills it. `osdlog
osd --rebuild` does that and serves on; `osdlog rebuild` does it and ends with
a verdict, when all is back that can come back. Neither touches an OSD that
runs, nor gives up last copies unless that is accepted, and `rebuild` none that
would stay empty. Exit 1 of `rebuild` if something cannot come back, or was not
back in time.

What is not here: how it is refilled (see `osd.cli.refilling`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from osd.cli import node_options, options

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from eventlog.ids import OsdId, RgId
    from osd.cli.refilling import Refilled, Waiting
    from osd.client.async_client import AsyncClient
    from osd.client.losses import Loss
    from osd.core.membership import Rebuild
    from osd.process import OsdConfig
    from projections.cluster_map import ClusterMap

NO = 1


class Rebuilt(NamedTuple):
    """What came of it."""

    store: str
    objects: int
    bytes: int
    """Fetched from other stores."""
    waiting: "Sequence[Waiting]"
    """What was not back in time, by RG."""
    out_of_reach: "Sequence[Loss]"
    """Of that, what is only on stores that are down."""
    lost: "Sequence[Loss]"
    """What only this OSD's former disks had."""


def rebuild(  # noqa: PLR0913, PLR0917 - its options
    context: typer.Context,
    osd: Annotated[str, typer.Option("--osd", metavar="N", help="Which OSD.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Its folder: it is emptied.")],
    accept_loss: options.AcceptLoss = False,
    reason: options.WhyRebuilt = options.DISK_LOST,
    deadline: options.WaitDeadline = None,
    host: node_options.Host = node_options.HOST,
    port: node_options.Port = 0,
    advertise: node_options.Advertise = None,
    scrub_every: node_options.ScrubEvery = 24.0,
    deep_every: node_options.DeepScrubEvery = 168.0,
    scrub_rate: node_options.ScrubRate = 20.0,
    purge: node_options.Purge = False,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Rebuild an OSD whose disk is lost, and say what cannot come back."""
    from eventlog.ids import parse_osd
    from osd.cli.output import say_json
    from osd.cli.retiring import note_lost
    from osd.config import log_url
    from osd.process import OsdConfig

    url, number = log_url(log), parse_osd(osd)
    word, lost = require_rebuildable(
        url, number, reason, accept_loss=accept_loss, json=json, is_refilled=True
    )
    note_lost(lost)
    config = OsdConfig(
        osd=number,
        data=data,
        log=url,
        host=host,
        port=port,
        advertise=advertise,
        rebuild=word,
        rhythm=node_options.rhythm(scrub_every, deep_every, scrub_rate),
        purges=purge,
    )
    start = node_options.start_command(context, number, data)
    found = _rebuilt(config, deadline, start)
    if json:
        say_json(found)
    else:
        _say(found, number, start)
    if found.waiting or found.lost:
        raise typer.Exit(NO)


def _say(found: Rebuilt, osd: "OsdId", start: str) -> None:
    from osd.cli.output import count, note
    from osd.cli.retiring import say_losses

    note(_came_back(found, osd))
    if found.waiting:
        _say_waiting(found.waiting)
    if found.out_of_reach:
        note(f"only on stores that are down: {count(len(found.out_of_reach), 'object')}")
        say_losses(found.out_of_reach)
    if found.lost:
        note(f"{count(len(found.lost), 'object')} cannot come back:")
        say_losses(found.lost)
    note(f"next: {start}")


def _say_waiting(waiting: "Sequence[Waiting]") -> None:
    from osd.cli.output import count, note, table

    note(f"not back yet: {count(sum(one.objects for one in waiting), 'object')}")
    told = [one for one in waiting if one.why]
    rows = [
        ("all" if one.rg is None else f"{one.rg:x}", one.objects, " ".join(one.who), one.why)
        for one in told
    ]
    table(("rg", "objects", "must act", "why"), rows, numbers=("rg", "objects"))
    if len(waiting) > len(told):
        note(f"and of {count(len(waiting) - len(told), 'RG')} more")


def require_rebuildable(
    url: str,
    osd: "OsdId",
    reason: str,
    *,
    accept_loss: bool,
    json: bool,
    is_refilled: bool = False,
) -> "tuple[Rebuild, Sequence[Loss]]":
    """The operator's word, and what is lost by it.

    `Refused` for an OSD that runs, or that has last copies, or if it is to be
    refilled at once and the map gives it nothing.
    """
    from osd.cli.running import with_client
    from osd.client.async_client import user
    from osd.core.membership import Rebuild

    async def look(client: "AsyncClient") -> "Sequence[Loss]":
        now = await client.map()
        await _require_dead(client, now, osd)
        if is_refilled:
            await _require_placed(client, now, osd)
        return await _require_acceptable(client, now, osd, accept_loss=accept_loss, json=json)

    lost = with_client(url, look)
    return Rebuild(user() or "unknown", reason), lost


async def _require_dead(client: "AsyncClient", now: "ClusterMap", osd: "OsdId") -> None:
    from osd.client.known import known_osd
    from osd.errors import Refused

    known = known_osd(now, osd)
    if known.address is None:
        return
    said = await client.alive(known)
    if said is not None and said["store"] == str(known.store):
        raise Refused(
            f"osd.{osd} runs, at {known.address}: a disk in use is not rebuilt",
            f"Stop it first if its disk is lost; `osdlog scrub {osd}` repairs single copies.",
        )


async def _require_placed(client: "AsyncClient", now: "ClusterMap", osd: "OsdId") -> None:
    """Whom a monitor marked out for being dead, it puts in again once the new disk serves."""
    from eventlog.map_events import OsdOut
    from osd.cli.refilling import why_unplaced
    from osd.core.membership import MONITOR
    from osd.errors import Refused

    known = now.osds[osd]
    unplaced = why_unplaced(known)
    if unplaced is None:
        return
    if not known.is_leaving and not known.is_in:
        history = await client.map_history()
        [*_, last] = (one.event for one in history if OsdOut(osd=osd) in one.event.changes)
        if last.author.startswith(MONITOR):
            return
    raise Refused(f"{unplaced.what}: its new disk would stay empty", unplaced.hint)


async def _require_acceptable(
    client: "AsyncClient", now: "ClusterMap", osd: "OsdId", *, accept_loss: bool, json: bool
) -> "Sequence[Loss]":
    import asyncio

    from osd.cli.retiring import require_acceptable

    store = now.osds[osd].store
    if store is None:
        return ()
    gone = frozenset({store})
    return await asyncio.to_thread(
        require_acceptable, client.log, now, gone, accept_loss=accept_loss, json=json
    )


def _rebuilt(config: "OsdConfig", deadline: float | None, start: str) -> Rebuilt:
    """Run the OSD until all is back that another store has; then look what is not."""
    from eventlog.errors import LogUnavailable
    from osd.cli.output import note
    from osd.cli.refilling import refilled
    from osd.cli.running import until_stopped, with_client
    from osd.cli.waiting import shown
    from osd.process import serve

    with shown() as show:
        found = serve(until_stopped(refilled(config, deadline, start, show)))

    async def look(client: "AsyncClient") -> Rebuilt:
        lost, away = await _not_back(client, config.osd, {one.rg for one in found.waiting})
        return Rebuilt(found.store, found.objects, found.bytes, found.waiting, away, lost)

    try:
        return with_client(config.log, look)
    except LogUnavailable:
        note(f"{_came_back(found, config.osd)}; whether anything is lost is not known")
        note(f"next: {start}")
        raise


def _came_back(found: "Refilled | Rebuilt", osd: "OsdId") -> str:
    from osd.cli.output import count

    back = f"{count(found.objects, 'object')}, {count(found.bytes, 'byte')} came back"
    return f"osd.{osd} is {found.store} now: {back}"


async def _not_back(
    client: "AsyncClient", osd: "OsdId", rgs: "Collection[RgId | None]"
) -> "tuple[Sequence[Loss], Sequence[Loss]]":
    """What is lost and was last held by this OSD's disks alone; and what of these RGs is away."""
    import asyncio

    from osd.cli.retiring import read_losses

    now = await client.map()
    others = (one for one in now.osds.values() if one.osd != osd and not one.is_up)
    down = frozenset(one.store for one in others if one.store is not None)
    found = await asyncio.to_thread(read_losses, client.log, now, down)
    lost = [loss for loss in found.lost if {store.osd for store in loss.holders} == {osd}]
    return lost, [loss for loss in found.would_be if loss.rg in rgs]


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(rebuild)
