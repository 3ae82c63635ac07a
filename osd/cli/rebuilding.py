"""Rebuilding an OSD whose disk is lost, from the log and from the other holders.

Rule: there is one way to rebuild: the OSD's folder is emptied, a new store
begins in it, its first boot retires the old one in the map by the operator's
word, the folds are made anew from the log, and the plan refills it. `osdlog
osd --rebuild` does that and serves on; `osdlog rebuild` does it and ends with
a verdict, when all is back that can come back. Neither touches an OSD that
runs, nor gives up last copies unless that is accepted. Exit 1 of `rebuild` if
something cannot come back.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from osd.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventlog.ids import OsdId
    from osd.client.async_client import AsyncClient
    from osd.client.losses import Loss
    from osd.core.membership import Rebuild
    from osd.process import OsdConfig, Ready
    from projections.cluster_map import ClusterMap

NO = 1
LOOK_S = 0.2


class Rebuilt(NamedTuple):
    """What came of it."""

    store: str
    objects: int
    bytes: int
    """Fetched from other stores."""
    lost: "Sequence[Loss]"
    """What only this OSD's former disks had."""


def rebuild(
    osd: Annotated[str, typer.Option("--osd", metavar="N", help="Which OSD.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Its folder: it is emptied.")],
    accept_loss: options.AcceptLoss = False,
    reason: options.WhyRebuilt = options.DISK_LOST,
    host: Annotated[str, typer.Option("--host", help="Where it answers meanwhile.")] = "127.0.0.1",
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Rebuild an OSD whose disk is lost, and say what cannot come back."""
    from eventlog.ids import parse_osd
    from osd.cli.output import count, note, say_json
    from osd.cli.progress import counter
    from osd.cli.retiring import say_losses
    from osd.cli.running import run, until_stopped
    from osd.config import log_url
    from osd.process import OsdConfig

    url, number = log_url(log), parse_osd(osd)
    word = require_rebuildable(url, number, reason, accept_loss=accept_loss)
    config = OsdConfig(osd=number, data=data, log=url, host=host, rebuild=word)
    with counter("rebuilding") as tell:
        found = run(until_stopped(_rebuild(config, tell)))
    if json:
        say_json(found)
    else:
        note(
            f"osd.{number} is {found.store} now: {count(found.objects, 'object')},"
            f" {found.bytes:,} bytes came back"
        )
        if found.lost:
            note(f"{count(len(found.lost), 'object')} cannot come back:")
            say_losses(found.lost)
        note(f"next: osdlog osd --id {number} --data {data}")
    if found.lost:
        raise typer.Exit(NO)


def require_rebuildable(url: str, osd: "OsdId", reason: str, *, accept_loss: bool) -> "Rebuild":
    """The operator's word; `Refused` for an OSD that runs, or that has last copies."""
    from osd.cli.running import with_client
    from osd.client.async_client import user
    from osd.core.membership import Rebuild

    async def look(client: "AsyncClient") -> None:
        now = await client.map()
        await _require_dead(client, now, osd)
        await _require_acceptable(client, now, osd, accept_loss=accept_loss)

    with_client(url, look)
    return Rebuild(user() or "unknown", reason)


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


async def _require_acceptable(
    client: "AsyncClient", now: "ClusterMap", osd: "OsdId", *, accept_loss: bool
) -> None:
    import asyncio

    from osd.cli.retiring import name_lost, require_acceptable

    store = now.osds[osd].store
    if store is not None:
        gone = frozenset({store})
        name_lost(
            await asyncio.to_thread(
                require_acceptable, client.log, now, gone, accept_loss=accept_loss
            )
        )


async def _rebuild(config: "OsdConfig", tell: "Callable[[int, int], None]") -> Rebuilt:
    """Run the OSD until all is back that another store has; then stop it."""
    import asyncio

    from osd.client.async_client import AsyncClient
    from osd.process import run_osd

    stopping, is_ready = asyncio.Event(), asyncio.Event()
    said: list[Ready] = []

    def on_ready(ready: "Ready") -> None:
        said.append(ready)
        is_ready.set()

    running = asyncio.create_task(run_osd(config, on_ready, stopping))
    waiting = asyncio.create_task(is_ready.wait())
    await asyncio.wait((running, waiting), return_when="FIRST_COMPLETED")
    waiting.cancel()
    if running.done():
        running.result()
    try:
        async with AsyncClient(config.log) as client:
            objects, size = await _until_whole(client, config.osd, tell, running)
            lost = await _lost_with(client, config.osd)
    finally:
        stopping.set()
        await running
    return Rebuilt(said[0].store, objects, size, lost)


async def _until_whole(
    client: "AsyncClient",
    osd: "OsdId",
    tell: "Callable[[int, int], None]",
    running: "object",
) -> tuple[int, int]:
    """Objects and bytes that were fetched, once nothing more can be."""
    import asyncio

    assert isinstance(running, asyncio.Task)
    while not running.done():
        status = next(one for one in await client.status() if one.osd.osd == osd)
        said = status.said
        if said is not None and said["phase"] == "running" and not said["behind"]:
            done, lacking = said["copies"], said["importable"]
            tell(done, done + lacking)
            if not lacking:
                return said["copied"]["objects"], said["copied"]["bytes"]
        await asyncio.sleep(LOOK_S)
    running.result()
    raise AssertionError("an OSD ends when it is told to, or with an error")


async def _lost_with(client: "AsyncClient", osd: "OsdId") -> "Sequence[Loss]":
    """What is lost, and was last held by disks of this OSD alone."""
    import asyncio

    from osd.client.losses import find_losses

    lost = (await asyncio.to_thread(find_losses, client.log, await client.map())).lost
    return [loss for loss in lost if {store.osd for store in loss.holders} == {osd}]


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(rebuild)
