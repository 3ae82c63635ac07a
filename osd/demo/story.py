"""The story: what a newcomer sees osdlog do, in ten steps.

Rule: nothing is staged: real processes, real files, the same client and the
same commands as everywhere. Every claim is checked, and one failed check
fails the story.
"""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from shlex import quote

from eventlog.errors import OsdlogError
from eventlog.ids import OsdId, osd_name
from eventlog.map_events import OsdOut
from osd.cli.output import bytes_words, count
from osd.cli.progress import bar
from osd.client.trees import SourceFile
from osd.demo import disasters, proofs
from osd.demo.botches import botches, mended
from osd.demo.disasters import clients_of
from osd.demo.history import Deletion
from osd.demo.placing import placed_elsewhere
from osd.demo.source import files_of, put_all
from osd.demo.stage import Stage, folder, stage
from osd.demo.telling import Telling
from osd.errors import Refused
from osd.founding import added
from projections.cluster_map import ClusterMap

NEW_OSDS = 2
SHOWN = 3
TOLERANCE = 1.05
SLACK_BYTES = 1 << 20
"""How much more than the maps want may be moved: a read may fetch what then moves on."""


async def tell(path: Path | None, keep: Path | None, osds: int, log: str | None = None) -> bool:
    """Tell it all; whether every check was passed."""
    source, files = files_of(path)
    telling = Telling()
    telling.title(
        "osdlog: an object store in which nothing is true unless the log says so",
        f"{count(len(files), 'file')}, {_size(files)}, from {source}",
    )
    with folder(keep) as data:
        try:
            await _acts(data, files, osds, log, telling)
        except OsdlogError as error:
            telling.check(False, f"{error.what}. {error.hint}")
    telling.end(_farewell(keep, log))
    return telling.is_well


def _farewell(keep: Path | None, log: str | None) -> str:
    if keep is None:
        gone = "The cluster is removed" if log is None else "The OSDs are removed, the log stays"
        return f"{gone}. To keep one and go on with it: osdlog demo --keep DIR"
    where = "" if log is None else f" --log {quote(log)}"
    return f"The cluster is kept. To go on with it: osdlog up --data {quote(str(keep))}{where}"


async def _acts(
    data: Path, files: list[SourceFile], osds: int, log: str | None, telling: Telling
) -> None:
    async with AsyncExitStack() as opened:
        with telling.step(f"{count(osds, 'OSD')} come up") as step:
            on = await opened.enter_async_context(stage(data, osds, telling, log))
            now = await on.client.map()
            step.did = (
                f"{count(osds, 'OSD')}, one log, {now.rg_count} RGs, {now.replicas} copies each"
            )
        await _import(on, files)
        await _expand(on, osds)
        await disasters.kill(on)
        await disasters.lose_disk(on)
        await _botch(on, osds)
        await _look_clean(on)
        await _read_back(on)
        await _show_deleted(on)
        await _replay(on)


async def _import(on: Stage, files: list[SourceFile]) -> None:
    size = sum(file.size for file in files)
    with on.telling.step("a real directory goes in") as step:
        with bar("importing", len(files), size) as shown:
            async with aclosing(put_all(on, files)) as done:
                async for file in done:
                    shown.step(file.size)
        on.telling.check(len(on.expected) == len(files), f"{count(len(files), 'object')} put")
        step.did = f"{count(len(files), 'object')}, {bytes_words(size)}"
    rate = f"{len(files) / step.seconds:,.0f} objects/s, {bytes_words(int(size / step.seconds))}/s"
    on.telling.line(rate)


async def _expand(on: Stage, osds: int) -> None:
    new = [OsdId(osds + number) for number in range(NEW_OSDS)]
    names = ", ".join(map(osd_name, new))
    with on.telling.step("two OSDs are added while clients go on") as step:
        before = await on.client.map()
        await asyncio.to_thread(on.history.read_on)
        moved, sizes = on.history.moved, on.history.sizes()
        async with clients_of(on, seed=1):
            changes = [added(osd) for osd in new]
            await on.client.change_map(changes, layout=before.layout, reason="more room")
            on.telling.line(f"{names} added to the map; they start, and RGs move to them")
            after = await on.until_up(new)
            await on.until_clean()
        await on.until_clean()
        await asyncio.to_thread(on.history.read_on)
        wanted = placed_elsewhere(before, after, sizes)
        step.did = _say_moved(on, on.history.moved.size - moved.size, wanted)


def _say_moved(on: Stage, moved: int, wanted: int) -> str:
    """What clients overwrite or delete meanwhile need not be moved."""
    said = f"moved {bytes_words(moved)}; the maps place {bytes_words(wanted)} elsewhere"
    on.telling.check(moved <= wanted * TOLERANCE + SLACK_BYTES, said)
    return said


async def _botch(on: Stage, osds: int) -> None:
    with on.telling.step("ten botched maps, then the right one") as step:
        before = await on.client.map()
        await asyncio.to_thread(on.history.read_on)
        moved, sizes = on.history.moved, on.history.sizes()
        began, obeyed = time.monotonic(), 0
        now = before
        for botch in botches(before):
            after = await on.client.change_map(
                botch.changes, layout=now.layout, reason=botch.reason
            )
            obeyed += placed_elsewhere(now, after, sizes)
            now = after
        is_refused = await _is_stale_refused(on, before)
        heavier = [OsdId(osds + number) for number in range(NEW_OSDS)]
        changes = mended(before, now, heavier)
        right = await on.client.change_map(changes, layout=now.layout, reason="as it was meant")
        burst_ms = 1_000 * (time.monotonic() - began)
        on.telling.line(f"11 maps in {burst_ms:,.0f} ms, layouts {before.layout} to {right.layout}")
        on.telling.line(f"each obeyed, they would have moved {bytes_words(obeyed)}")
        on.telling.check(is_refused, f"a change made for layout {before.layout} was refused")
        await on.until_clean()
        await asyncio.to_thread(on.history.read_on)
        wanted = placed_elsewhere(before, right, sizes)
        step.did = _say_moved(on, on.history.moved.size - moved.size, wanted)


async def _is_stale_refused(on: Stage, before: ClusterMap) -> bool:
    try:
        await on.client.change_map(
            [OsdOut(osd=OsdId(0))], layout=before.layout, reason="made for an older map"
        )
    except Refused:
        return True
    return False


async def _look_clean(on: Stage) -> None:
    with on.telling.step("all RGs are clean") as step:
        await on.until_clean()
        rows = await on.client.rgs()
        clean = sum(row.said is not None and row.said["state"] == "clean" for row in rows)
        by_osd = Counter(osd_name(row.primary) for row in rows if row.primary is not None)
        on.telling.line(", ".join(f"{n} on {osd}" for osd, n in sorted(by_osd.items())))
        step.did = f"{clean} of {len(rows)} RGs clean"
        on.telling.check(clean == len(rows), step.did)


async def _read_back(on: Stage) -> None:
    with on.telling.step("every object is read back") as step:
        wrong, number = [], len(on.expected)
        with bar("reading", number, 0) as shown:
            async with aclosing(proofs.read_back(on)) as results:
                async for result in results:
                    shown.step(0)
                    wrong += [result] if result else []
        for line in wrong[:SHOWN]:
            on.telling.line(line)
        step.did = f"{number - len(wrong):,} of {count(number, 'object')} as put, by SHA-256"
        on.telling.check(not wrong, step.did)
        listed = [row.name async for row in on.client.list()]
        is_all = listed == sorted(on.expected, key=str.encode)
        on.telling.check(is_all, f"the list has these {len(listed):,} names and no others")


async def _show_deleted(on: Stage) -> None:
    with on.telling.step("deleted objects are gone") as step:
        found = await proofs.deletions(on)
        on.telling.table(
            ("object", "deleted at", "erased, by the log, at"),
            [(one.name, str(one.position), _erasures(one)) for one in found[:SHOWN]],
        )
        gone = sum(map(proofs.is_gone, found))
        stores = sum(len(one.erased) for one in found)
        copies = count(stores, "copy", "copies")
        said = f"{gone} of {len(found)}: each of {copies} confirmed erased, or its disk retired"
        on.telling.check(gone == len(found) == len(on.deleted), said)
        asked, there = await proofs.still_given_out(on, found)
        for line in there[:SHOWN]:
            on.telling.line(line)
        on.telling.check(
            not there, f"asked of every OSD: {asked - len(there):,} of {asked:,} times 404"
        )
        step.did = f"{count(gone, 'object')} gone, {count(stores, 'confirmation')} in the log"


def _erasures(one: Deletion) -> str:
    places = [
        f"{position} by {osd_name(store.osd)}" + (", its disk retired" * (store in one.retired))
        for store, position in one.erased.items()
    ]
    return "; ".join(places)


async def _replay(on: Stage) -> None:
    with on.telling.step("the log is replayed from zero") as step:
        found = await proofs.replay(on)
        for line in found.differing[:SHOWN]:
            on.telling.line(line)
        same = found.rgs - len(found.differing)
        step.did = f"{count(found.records, 'record')}; {same} of {found.rgs} RGs as on the nodes"
        on.telling.check(not found.differing, step.did)


def _size(files: list[SourceFile]) -> str:
    return bytes_words(sum(file.size for file in files))
