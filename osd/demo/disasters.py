"""Disasters: an OSD is killed, and a disk is lost, while clients go on.

Rule: processes are really killed and folders really removed. Clients notice
nothing but that an answer takes longer; a disk that is lost comes back only
by an explicit word, and from the other copies.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from eventlog.ids import OsdId, RgId, Store, osd_name
from osd.cli.output import bytes_words, count
from osd.demo.placing import placed_stores
from osd.demo.stage import Stage
from osd.demo.traffic import LARGEST_BYTES, Traffic

KILLED, WIPED = OsdId(0), OsdId(1)
LEAST_OPERATIONS = 300
"""The clients go on at least so long, however quickly all is well again."""
SHOWN = 3
LOOK_S = 0.1
REFUSED = "but this directory is a new store"


@asynccontextmanager
async def clients_of(on: Stage, seed: int) -> AsyncIterator[None]:
    """Clients that read, overwrite and delete meanwhile; each of them is to succeed."""
    traffic = Traffic(on.client, on.expected, _small(on), seed)
    traffic.start()
    try:
        yield
        while traffic.operations < LEAST_OPERATIONS and traffic.is_running:
            await asyncio.sleep(LOOK_S)
    finally:
        await traffic.stop()
    on.deleted |= traffic.deleted
    _say(on, traffic)


async def kill(on: Stage) -> None:
    """Kill -9 of one OSD; it comes back with what it had."""
    name = osd_name(KILLED)
    with on.telling.step("an OSD is killed while clients go on") as step:
        known = (await on.client.map()).osds[KILLED]
        began = time.monotonic()
        async with clients_of(on, seed=2):
            on.supervisor.kill(KILLED)
            on.telling.line(f"{name} is killed with kill -9, and started again")
            await on.until_booted(KILLED, known.boot)
            away_s = time.monotonic() - began
            await on.until_clean()
        await on.until_clean()
        step.did = f"{name} away for {away_s:.1f} s, all RGs clean"
        on.telling.check(True, step.did)


async def lose_disk(on: Stage) -> None:
    """The disk of one OSD is gone; it is rebuilt from the other copies."""
    name = osd_name(WIPED)
    with on.telling.step("a disk is lost, and rebuilt") as step:
        before = await on.client.map()
        await asyncio.to_thread(on.history.read_on)
        moved, had = on.history.moved, _held_by(on, placed_stores(before))
        async with clients_of(on, seed=3):
            on.supervisor.kill(WIPED)
            shutil.rmtree(on.supervisor.folder_of(WIPED))
            await on.until_said(REFUSED)
            on.telling.check(True, f"an empty disk is not taken for that of {name}: refused")
            await _rebuild(on)
            await on.until_clean()
        await on.until_clean()
        await asyncio.to_thread(on.history.read_on)
        back = on.history.moved.size - moved.size
        step.did = f"{bytes_words(back)} came back, {bytes_words(had)} were there"
        retired = (await on.client.map()).retired
        on.telling.check(before.osds[WIPED].store in retired, f"{name}'s old store is retired")


async def _rebuild(on: Stage) -> None:
    on.supervisor.rebuild(WIPED, "its disk is lost")
    on.telling.line(f"osdlog osd --rebuild says that the disk of {osd_name(WIPED)} is lost")
    await on.until_booted(WIPED, None)


def _held_by(on: Stage, placed: Mapping[RgId, tuple[Store, ...]]) -> int:
    """Bytes of the RGs that are placed on the OSD."""
    sizes = on.history.sizes()
    return sum(size for rg, size in sizes.items() if WIPED in {store.osd for store in placed[rg]})


def _small(on: Stage) -> list[str]:
    """Names of objects that live and may be read again and again."""
    return sorted(
        name for name, size in on.sizes.items() if size <= LARGEST_BYTES and name in on.expected
    )


def _say(on: Stage, traffic: Traffic) -> None:
    done = ", ".join(f"{count(n, kind)}" for kind, n in sorted(traffic.counts.items()))
    on.telling.line(f"meanwhile {done}; the longest took {1_000 * traffic.longest_s:,.0f} ms")
    for failure in traffic.failures[:SHOWN]:
        on.telling.line(failure)
    failed = f"{len(traffic.failures)} of {count(traffic.operations, 'operation')} failed"
    on.telling.check(not traffic.failures, failed)
