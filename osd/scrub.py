"""The scrubber: reads what this disk has, now and then and on demand, at a bounded rate.

Rule: it only reads; what is said of a bad copy, and where a good one comes
from, the core decides. One scrub runs at a time, RG by RG in the order of
their numbers; a deep one takes the place of a light one at once, and one that
is stopped reads nothing more; an RG at which the node fails is left out. After a restart it
goes on with the RG at which it was, from that RG's first copy. What it
remembers is in one small file, written now and then; where that is lost or
damaged, scrubbing begins anew.

What is not here: which copies to look at and what was lost (see
`osd.core.scrubbing`), and HTTP.
"""

import asyncio
import logging
import time
from contextlib import aclosing, suppress
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from eventlog.ids import RgId, Version
from osd.blobs import Blob
from osd.bodies import pieces
from osd.core.inputs import Damaged, Miscounted, Sound
from osd.core.scrubbing import (
    Check,
    Depth,
    Outcome,
    Rhythm,
    due,
    first_ended,
    is_here,
    outcome,
    window,
)
from osd.data_dir import is_an_osds
from osd.durable import write_durably
from osd.errors import BytesDamaged, DiskError
from osd.shell import Shell

LOOK_S = 5.0
"""How often it is asked whether a scrub is due."""
SAVE_S = 30.0
CATCH_UP_S = 10.0
"""An RG that is not read to the log's end for so long is left out."""
SCHEDULE = "schedule"
"""Who began a scrub that was due."""
TRACKED = 10_000
"""Of so many bad copies it is known what became of them; more are taken as not repaired."""

_log = logging.getLogger(__name__)


class Fault(StrEnum):
    """What was wrong with a copy."""

    BAD = "bad"
    MISSING = "missing"


class Damage(msgspec.Struct, frozen=True):
    """A copy that was found bad or missing."""

    check: Check
    fault: Fault


class Scrub(msgspec.Struct):
    """One scrub, as far as it is."""

    depth: Depth
    by: str
    began: float
    """Seconds since 1970, as all times here."""
    bytes_s: float
    """0: no limit."""
    ended: float | None = None
    next_rg: int = 0
    rgs: int = 0
    copies: int = 0
    size: int = 0
    """Bytes read."""
    bad: int = 0
    missing: int = 0
    left_out: int = 0
    """RGs that could not be looked at."""
    trouble: str = ""
    """Why the last of them could not."""
    damages: list[Damage] = []


class Memory(msgspec.Struct):
    """What outlives the process."""

    ended: dict[Depth, float]
    """When the last one ended, or one of the schedule was stopped: the next is counted from it."""
    last: dict[Depth, Scrub] = {}
    running: Scrub | None = None


class Scrubber:
    """Works from `start` to `close`."""

    def __init__(self, shell: Shell, path: Path, rhythm: Rhythm) -> None:
        self._shell = shell
        self._path = path
        self._rhythm = rhythm
        self._memory = self._load()
        self._task: asyncio.Task[None] | None = None
        self._saved_at = 0.0
        self._free_at = 0.0
        """When the next byte may be read; of the monotonic clock."""

    def start(self) -> None:
        """Go on where an earlier process was, and scrub whenever that is due."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop at once, and remember how far it is."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with suppress(DiskError):
            self._save()

    def ask(self, depth: Depth, by: str, bytes_s: float | None) -> bool:
        """Scrub everything now; False where a scrub that does as much runs already."""
        running = self._memory.running
        if running is not None and (running.depth is Depth.DEEP or depth is Depth.LIGHT):
            return False
        rate = self._rhythm.bytes_s if bytes_s is None else bytes_s
        self._begin(Scrub(depth, by, time.time(), rate))
        return True

    def stop(self) -> bool:
        """Give up the scrub that runs; False where none does.

        One of the schedule is due again after the usual time, as if it had ended.
        """
        given_up = self._memory.running
        if given_up is not None and given_up.by == SCHEDULE:
            self._is_over(given_up.depth, time.time())
        self._begin(None)
        with suppress(DiskError):
            self._save()
        return given_up is not None

    def report(self, *, is_long: bool = True) -> dict[str, Any]:
        """What runs, what the last scrubs found, and what became of it."""
        memory, hours = self._memory, self._rhythm
        every = {Depth.LIGHT: hours.light_hours, Depth.DEEP: hours.deep_hours}
        return {
            "running": memory.running and self._said(memory.running, is_long=is_long),
            "last": {d.value: self._said(s, is_long=is_long) for d, s in memory.last.items()},
            "due": {d.value: memory.ended[d] + 3_600 * h if h else None for d, h in every.items()},
            "bytes_s": hours.bytes_s,
        }

    def _said(self, scrub: Scrub, *, is_long: bool) -> dict[str, Any]:
        groups = self._shell.node.groups
        found = [(d, outcome(groups.get(d.check.rg), d.check)) for d in scrub.damages]
        left = [(d, o) for d, o in found if o in (Outcome.WAITING, Outcome.LOST)]
        said = {
            "depth": scrub.depth.value,
            "by": scrub.by,
            "began": scrub.began,
            "ended": scrub.ended,
            "bytes_s": scrub.bytes_s,
            "rgs": {"done": scrub.rgs, "all": len(groups), "left_out": scrub.left_out},
            "copies": scrub.copies,
            "bytes": scrub.size,
            "bad": scrub.bad,
            "missing": scrub.missing,
            "repaired": sum(o is Outcome.REPAIRED for _, o in found),
            "waiting": sum(o is Outcome.WAITING for _, o in left),
            "left": len(left) + scrub.bad + scrub.missing - len(found),
            "trouble": scrub.trouble,
        }
        return said | ({"damages": [_damage(d, o) for d, o in found]} if is_long else {})

    def _begin(self, scrub: Scrub | None) -> None:
        """Work at this one alone, or at none: what was under way ends where it waits."""
        self._memory.running, self._free_at = scrub, 0.0
        if self._task is not None:
            self._task.cancel()
            self.start()

    async def _run(self) -> None:
        while True:
            if self._memory.running is not None:
                await self._scrub(self._memory.running)
            depth = due(self._rhythm, time.time(), self._memory.ended)
            if depth is not None:
                self._memory.running = Scrub(depth, SCHEDULE, time.time(), self._rhythm.bytes_s)
            else:
                await asyncio.sleep(LOOK_S)

    async def _scrub(self, scrub: Scrub) -> None:
        """From where it is to its end; it is cancelled where another takes its place."""
        while True:
            groups = self._shell.node.groups
            rg = min((rg for rg in groups if rg >= scrub.next_rg), default=None)
            if rg is None:
                self._end(scrub)
                return
            scrub.next_rg = rg
            self._save_now_and_then()
            try:
                await self._scrub_rg(scrub, rg)
            except DiskError as error:
                _leave_out(scrub, rg, error.what)
            except Exception:  # noqa: BLE001 - one RG must not take the others with it
                _log.exception("scrubbing failed: rg %x", rg)
                _leave_out(scrub, rg, "the node failed at this; see its output")
            scrub.next_rg = rg + 1

    def _end(self, scrub: Scrub) -> None:
        scrub.ended = time.time()
        self._memory.running = None
        self._memory.last[scrub.depth] = scrub
        self._is_over(scrub.depth, scrub.ended)
        with suppress(DiskError):
            self._save()

    def _is_over(self, depth: Depth, at: float) -> None:
        """For the schedule; a deep one looks at all that a light one does."""
        self._memory.ended[Depth.LIGHT] = self._memory.ended[depth] = at

    async def _scrub_rg(self, scrub: Scrub, rg: RgId) -> None:
        if not await self._is_caught_up(rg):
            _leave_out(scrub, rg, "it is not read to the end of the log")
            return
        after: Version | None = Version(0)
        while after is not None:
            group = self._shell.node.groups.get(rg)
            if group is None:
                return
            seen = window(group, after)
            if seen.differs:
                self._shell.feed(Miscounted(rg))
            for check in seen.absent:
                scrub.missing += 1
                _note(scrub, Damage(check, Fault.MISSING))
            for check in seen.checks:
                await self._look(scrub, check)
            after = seen.next_after
        scrub.rgs += 1

    async def _look(self, scrub: Scrub, check: Check) -> None:
        """Read one copy, and tell the core what it must know."""
        fault = await self._fault(scrub, check)
        group = self._shell.node.groups.get(check.rg)
        if group is None or not is_here(group, check.version, check.body):
            return  # it was replaced or erased meanwhile
        scrub.copies += 1
        about = (check.rg, check.version, check.body)
        if fault is None and check.is_lost:
            self._shell.feed(Sound(*about))
        elif fault is not None:
            self._shell.feed(Damaged(*about))
            scrub.bad += fault is Fault.BAD
            scrub.missing += fault is Fault.MISSING
            _note(scrub, Damage(check, fault))

    async def _fault(self, scrub: Scrub, check: Check) -> Fault | None:
        content = self._shell.content(check.rg, check.body)
        if content is None:
            await asyncio.sleep(0)
            return Fault.MISSING
        is_deep = scrub.depth is Depth.DEEP
        if isinstance(content, bytes):
            await self._pace(scrub, len(content))
            is_right = len(content) == check.size
            is_right = is_right and (not is_deep or sha256(content).digest() == check.sha256)
        elif not is_deep or content.size != check.size:
            content.file.close()
            await asyncio.sleep(0)
            is_right = content.size == check.size
        else:
            is_right = await self._is_file_right(scrub, check, content)
        is_known_bad = check.is_lost and not is_deep  # only all of its bytes would tell otherwise
        return None if is_right and not is_known_bad else Fault.BAD

    async def _is_file_right(self, scrub: Scrub, check: Check, blob: Blob) -> bool:
        left = check.size
        try:
            async with aclosing(pieces(blob, check.size, check.sha256)) as read:
                async for piece in read:
                    left -= len(piece)
                    await self._pace(scrub, len(piece))
        except BytesDamaged:
            await self._pace(scrub, left)  # the last piece was read too, and is given to nobody
            return False
        return True

    async def _pace(self, scrub: Scrub, size: int) -> None:
        """Wait until so much may have been read."""
        scrub.size += size
        now = time.monotonic()
        cost_s = size / scrub.bytes_s if scrub.bytes_s else 0.0
        self._free_at = max(now, self._free_at) + cost_s
        await asyncio.sleep(self._free_at - now)

    async def _is_caught_up(self, rg: RgId) -> bool:
        give_up_at = time.monotonic() + CATCH_UP_S
        while time.monotonic() < give_up_at:
            group = self._shell.node.groups.get(rg)
            if group is None or group.is_caught_up:
                return True
            await asyncio.sleep(0.1)
        return False

    def _load(self) -> Memory:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Memory)
        except (OSError, msgspec.MsgspecError):
            osd = self._shell.node.context.me.osd
            return Memory(first_ended(self._rhythm, osd, time.time()))

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved_at >= SAVE_S:
            with suppress(DiskError):
                self._save()

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if not is_an_osds(self._path.parent):
            return  # what is written where its disk was mounted would be taken for an OSD's
        write_durably(self._path, msgspec.json.encode(self._memory))


def _leave_out(scrub: Scrub, rg: RgId, why: str) -> None:
    scrub.left_out += 1
    scrub.trouble = f"rg {rg:x} was left out: {why}"


def _note(scrub: Scrub, damage: Damage) -> None:
    if len(scrub.damages) < TRACKED:
        scrub.damages.append(damage)


def _damage(damage: Damage, became: Outcome) -> dict[str, Any]:
    check = damage.check
    return {
        "object": check.name,
        "rg": check.rg,
        "version": check.version,
        "size": check.size,
        "fault": damage.fault.value,
        "outcome": became.value,
    }
