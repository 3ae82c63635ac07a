"""Waiting: until a change of the map is carried out, and how far it is meanwhile.

Rule: the change stands from the moment it was accepted. Who stops waiting, by
Ctrl-C or a deadline, leaves it as it is, and is told so. On a terminal one line
is redrawn; as JSON every look is a line; elsewhere a line is said now and then.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from eventlog.errors import BadName
from eventlog.ids import osd_name
from osd.cli.output import (
    bytes_words,
    console,
    count,
    duration_words,
    note,
    say_json,
)
from osd.cli.retiring import note_lost, say_losses
from osd.cli.running import with_client
from osd.client.placing import MAKE_PLACE
from osd.errors import LayoutPassed, Unavailable
from projections.cluster_map import candidates
from projections.explain import NO_PLACE

if TYPE_CHECKING:
    from osd.client.async_client import AsyncClient
    from osd.client.losses import Loss
    from osd.client.settling import Settling
    from projections.cluster_map import ClusterMap
    from projections.progress import Progress

LOOK_S = 0.5
"""Under the calm, so that the most that is to be moved is seen before it begins."""
TELL_S = 10.0
"""Between two lines where none is redrawn."""


class Changed(NamedTuple):
    """A change of the map that was accepted."""

    before: "ClusterMap"
    after: "ClusterMap"
    lost: "Sequence[Loss]" = ()
    """What is given up with stores that it retired."""


Change = Callable[["AsyncClient"], Awaitable[Changed]]


def for_layout(layout: int | None, change: Change) -> Change:
    """If none was named, for the newest: made again whenever the map moves meanwhile.

    As it does when an OSD that was just added starts for the first time. It must mean the
    same whenever it is made.
    """
    if layout is not None:
        return change

    async def until_in_time(client: "AsyncClient") -> Changed:
        while True:
            try:
                return await change(client)
            except LayoutPassed:
                continue

    return until_in_time


def changed(
    change: Change, log: str | None, *, wait: bool, json: bool, deadline: float | None = None
) -> None:
    """Make the change, say so, and wait for its end if wanted; `Unavailable` if too long."""
    if deadline is not None and not wait:
        raise BadName("--deadline ends a wait, and none is wanted", "Add --wait.")
    made: list[ClusterMap] = []

    async def work(client: "AsyncClient") -> None:
        before, after, lost = await change(client)
        made.append(after)
        _say_change(before, after, lost, json=json)
        if wait:
            await _wait(client, before, after, deadline, json=json)

    try:
        with_client(log, work)
    except KeyboardInterrupt:
        for after in made:
            note(
                f"the change stays: epoch {after.epoch}, layout {after.layout}."
                " `osdlog status` shows how far it is, `osdlog map undo` shows what takes it back"
            )
        raise


def progress_line(now: "Settling", progress: "Progress") -> str:
    """How far it is, in one line."""
    from osd.client.settling import CLEAN

    said = moved_words(progress)
    waits = [f"{number} {state}" for state, number in now.states.items() if state != CLEAN]
    if waits:
        said += f"; RGs: {', '.join(waits)}"
    if now.unstarted:
        said += f"; {', '.join(map(osd_name, now.unstarted))} must start"
    return said


def moved_words(progress: "Progress") -> str:
    """`12 of 40 objects, 1.2 MB of 4 MB, 600 kB/s, about 5 s left`."""
    moved, left = progress.moved, progress.remaining
    objects, size = moved.objects + left.objects, moved.size + left.size
    said = (
        f"{moved.objects:,} of {count(objects, 'object')},"
        f" {bytes_words(moved.size)} of {bytes_words(size)}"
    )
    if left.objects and progress.left_s is not None:
        speed = f"{bytes_words(round(progress.bytes_per_s))}/s"
        said += f", {speed}, about {duration_words(progress.left_s)} left"
    return said


async def _wait(
    client: "AsyncClient",
    before: "ClusterMap",
    after: "ClusterMap",
    deadline: float | None,
    *,
    json: bool,
) -> None:
    from projections.progress import Sample, progress_of

    awaited = [osd for osd in after.osds if osd not in before.osds]
    began, samples = time.monotonic(), []
    with shown(json=json) as show:
        while True:
            now = await client.settling(awaited)
            at_ms = round(1_000 * (time.monotonic() - began))
            samples.append(Sample(at_ms, now.remaining))
            progress = progress_of(samples)
            if json:
                say_json(_data(now, progress, at_ms))
            if now.is_settled:
                break
            show(progress_line(now, progress))
            if deadline is not None and at_ms + 1_000 * LOOK_S > 1_000 * deadline:
                raise _too_long(now, progress, deadline)
            await asyncio.sleep(LOOK_S)
    if not json:
        moved = f"{count(progress.moved.objects, 'object')}, {bytes_words(progress.moved.size)}"
        note(f"all RGs are clean, after {duration_words(at_ms / 1_000)}; moved: {moved}")


@contextmanager
def shown(*, json: bool = False) -> Iterator[Callable[[str], None]]:
    """Where a line of progress goes."""
    stderr = console(is_stderr=True)
    if json:
        yield lambda _: None
    elif stderr.is_terminal:
        with stderr.status("looking") as line:
            yield line.update
    else:
        yield Teller(time.monotonic).tell


class Teller:
    """Notes the newest line every `TELL_S`; a short wait needs none."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next_at = clock() + TELL_S

    def tell(self, line: str) -> None:
        """Say it, unless one was said not long ago."""
        if self._clock() >= self._next_at:
            note(f"waiting: {line}")
            self._next_at = self._clock() + TELL_S


def _too_long(now: "Settling", progress: "Progress", deadline: float) -> Unavailable:
    return Unavailable(
        f"not all RGs are clean after {deadline:g} s: {progress_line(now, progress)}",
        "The change stays. `osdlog status` shows how far it is, `osdlog map undo` shows what takes"
        " it back.",
    )


def _data(now: "Settling", progress: "Progress", at_ms: int) -> dict[str, Any]:
    return {
        "ms": at_ms,
        "settled": now.is_settled,
        "moved": {"objects": progress.moved.objects, "bytes": progress.moved.size},
        "remaining": {"objects": now.remaining.objects, "bytes": now.remaining.size},
        "bytes_per_s": round(progress.bytes_per_s),
        "left_s": progress.left_s,
        "rgs": now.states,
        "unstarted": now.unstarted,
    }


def _say_change(
    before: "ClusterMap", after: "ClusterMap", lost: "Sequence[Loss]", *, json: bool
) -> None:
    note_lost(lost)
    if json:
        found = {"epoch": after.epoch, "layout": after.layout}
        say_json(found | ({"lost": lost} if lost else {}))
    else:
        say_losses(lost)
        note(_what_changed(before, after))
    is_awaited = any(osd.is_in and osd.weight and osd.store is None for osd in after.osds.values())
    if not candidates(after) and not is_awaited:
        note(
            f"caution: {count(after.rg_count, 'RG')} are placed nowhere: {NO_PLACE}; nothing can be"
            f" stored, and none becomes clean. {MAKE_PLACE}"
        )


def _what_changed(before: "ClusterMap", after: "ClusterMap") -> str:
    if before.layout == after.layout:
        return f"epoch {after.epoch}; the layout stays {after.layout}{_until_when(before, after)}"
    return f"epoch {after.epoch}, layout {after.layout}; `osdlog status` shows what moves"


def _until_when(before: "ClusterMap", after: "ClusterMap") -> str:
    """Data moves to an OSD from its first boot on."""
    new = sorted(osd.osd for osd in after.osds.values() if osd.osd not in before.osds)
    if not new:
        return ": no data moves"
    return f" until {' and '.join(map(osd_name, new))} start{'s' if len(new) == 1 else ''}"
