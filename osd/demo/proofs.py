"""Proofs: every byte read back, every deletion shown, the log replayed and compared.

Rule: each compares two sources that know nothing of each other: objects with
the files they came from, the log with what OSDs still give out, a replay with
the live nodes.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from typing import NamedTuple

from eventlog.errors import OsdlogError
from eventlog.ids import OsdId, RgId, Version, osd_name, rg_name
from osd.client.pool import in_parallel
from osd.client.replay import Replay
from osd.demo.history import Deletion
from osd.demo.stage import Stage

JOBS = 16
ERASED_S = 30.0
"""How long erasures may take to be confirmed."""
SETTLED_S = 15.0
LOOK_S = 0.1


async def read_back(stage: Stage) -> AsyncGenerator[str | None, None]:
    """For every object: None, or what is wrong with it."""

    async def compare(name: str) -> str | None:
        try:
            data = await stage.client.get(name)
        except OsdlogError as error:
            return f"{name}: {error.what}"
        if hashlib.sha256(data).hexdigest() != stage.expected[name]:
            return f"{name}: other bytes than were put"
        return None

    async for wrong in in_parallel(compare, sorted(stage.expected), JOBS):
        yield wrong


async def deletions(stage: Stage) -> list[Deletion]:
    """What the log says of every deleted object, once all erasures are confirmed."""
    give_up_at = asyncio.get_running_loop().time() + ERASED_S
    names = sorted(stage.deleted)
    while True:
        await asyncio.to_thread(stage.history.read_on)
        found = [stage.history.deletion(name) for name in names]
        if all(map(is_gone, found)) or asyncio.get_running_loop().time() > give_up_at:
            return found
        await asyncio.sleep(LOOK_S)


def is_gone(deletion: Deletion) -> bool:
    """Whether every store that ever had it confirmed that nothing is left."""
    return deletion.is_forgotten and None not in deletion.erased.values()


async def still_given_out(stage: Stage, found: list[Deletion]) -> tuple[int, list[str]]:
    """Ask every OSD for every version of these; how many were asked for, and which were there."""
    osds = sorted((await stage.client.map()).osds)
    asked = [(osd, one, version) for one in found for version in one.versions for osd in osds]

    async def look(question: tuple[OsdId, Deletion, Version]) -> str | None:
        osd, one, version = question
        is_there = await stage.client.has_copy(osd, one.rg, version, one.name)
        return f"{osd_name(osd)} gives out version {version} of {one.name}" if is_there else None

    answers = [answer async for answer in in_parallel(look, asked, JOBS)]
    return len(asked), [answer for answer in answers if answer]


class Compared(NamedTuple):
    """A replay from the log's first record, beside the live primaries."""

    records: int
    rgs: int
    differing: list[str]


async def replay(stage: Stage) -> Compared:
    """Fold the whole log anew and compare every RG with its primary."""
    fresh = Replay(stage.client.log, await stage.client.map())
    records = 0
    give_up_at = asyncio.get_running_loop().time() + SETTLED_S
    while True:
        records += await asyncio.to_thread(_fold, fresh)
        differing = await _differing(stage, fresh)
        if not differing or asyncio.get_running_loop().time() > give_up_at:
            return Compared(records, len(fresh.rgs), differing)
        await asyncio.sleep(LOOK_S)


def _fold(fresh: Replay) -> int:
    return sum(1 for _ in fresh.fold_all())


async def _differing(stage: Stage, fresh: Replay) -> list[str]:
    async def compare(rg: RgId) -> str | None:
        live, replayed = await stage.client.rg_digest(rg), fresh.rg(rg)
        if live["next_offset"] != replayed.next_offset:
            at = f"{live['next_offset']}, the replay at {replayed.next_offset}"
            return f"{rg_name(rg)}: its primary is at offset {at}"
        if live["digest"] != replayed.digest():
            return f"{rg_name(rg)}: its primary's state is another"
        return None

    found = [one async for one in in_parallel(compare, sorted(fresh.rgs), JOBS)]
    return [one for one in found if one is not None]
