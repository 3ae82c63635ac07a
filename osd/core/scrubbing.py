"""Scrubbing: which copies are to be looked at, and what becomes of what was found.

Rule: a window is a look at one RG between two steps, and changes nothing. What
was found of a body is judged when it comes back, by the state of that moment:
the copy may have been replaced, doomed or erased since. A bad copy that counts
is said to be lost, and keeps its bytes; a lost one whose bytes are right after
all is said to be here. Doomed copies are not looked at: they go.

What is not here: reading bytes, and how fast (see `osd.scrub`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

from eventlog.ids import OsdId, RgId, Version
from osd.disk import Body
from projections.rg_state import Fact, Status

if TYPE_CHECKING:
    from osd.core.group import Group

WINDOW = 64
"""Copies looked at in one turn of the loop."""
NOWHERE = ""
"""The body of a copy that has no row."""


class Depth(StrEnum):
    """How thoroughly copies are looked at."""

    LIGHT = "light"
    """Whether rows and files are there, of the size that the log says."""
    DEEP = "deep"
    """Every byte, against the sum that the log has."""


class Check(NamedTuple):
    """A copy to be looked at, and what the log says of it."""

    rg: RgId
    version: Version
    name: str
    size: int
    sha256: bytes
    body: Body
    is_lost: bool


class Window(NamedTuple):
    """Some copies of an RG, in the order of their versions."""

    checks: tuple[Check, ...]
    absent: tuple[Check, ...]
    """Copies that count by the log, and of which there is not even a row."""
    next_after: Version | None
    """Where the next window begins; None after the last."""
    differs: bool
    """Whether the rows of copies, or their sum, are not what the log says. This may also be
    for a moment, while an erasure is not in the log yet."""


class Outcome(StrEnum):
    """What has become of a copy that was found bad or missing."""

    REPAIRED = "repaired"
    OUTDATED = "overwritten, deleted or moved away since"
    WAITING = "to be fetched from another store"
    LOST = "no good copy is left"


class Rhythm(NamedTuple):
    """How often an OSD scrubs by itself, and how fast. 0 hours: never; 0 bytes: no limit."""

    light_hours: float = 24.0
    deep_hours: float = 7 * 24.0
    bytes_s: float = 20e6


def window(group: Group, after: Version, limit: int = WINDOW) -> Window:
    """The next copies to look at, above `after`."""
    me = group.context.me
    facts = list(islice(group.table.facts_of(me, after), limit))
    last = facts[-1][0] if len(facts) == limit else None
    copies = dict(takewhile(lambda copy: last is None or copy[0] <= last, group.disk.copies(after)))
    known = (
        _check(group, version, name, copies[version].body if version in copies else NOWHERE)
        for version, name in facts
        if name is not None
    )
    checks = [check for check in known if check is not None]
    differs = copies.keys() != {version for version, _ in facts}
    if not after:
        differs = differs or group.disk.holdings != group.ledger.holdings
    return Window(
        tuple(check for check in checks if check.body != NOWHERE),
        tuple(check for check in checks if check.body == NOWHERE and not check.is_lost),
        last,
        differs,
    )


def due(rhythm: Rhythm, now_s: float, ended_s: Mapping[Depth, float]) -> Depth | None:
    """What to scrub now, if anything; `ended_s` says when the last of each depth ended."""
    hours = {Depth.DEEP: rhythm.deep_hours, Depth.LIGHT: rhythm.light_hours}
    for depth, interval in hours.items():
        if interval and now_s >= ended_s[depth] + 3_600 * interval:
            return depth
    return None


def first_ended(rhythm: Rhythm, osd: OsdId, now_s: float) -> dict[Depth, float]:
    """What a store that never scrubbed takes for its last, so that not all begin at once."""
    share = (osd * 618 + 500) % 1_000 / 1_000
    hours = {Depth.LIGHT: rhythm.light_hours, Depth.DEEP: rhythm.deep_hours}
    return {depth: now_s - 3_600 * interval * share for depth, interval in hours.items()}


def outcome(group: Group | None, check: Check) -> Outcome:
    """What has become of a copy that was found bad."""
    entry = group.table.entry(check.name) if group is not None else None
    if group is None or entry is None or entry.body is None or entry.version != check.version:
        return Outcome.OUTDATED
    me = group.context.me
    if entry.counts_at(me):
        copy = group.disk.copy_of(check.version)
        is_bad_yet = copy is None or (copy.body == check.body and not check.is_lost)
        return Outcome.WAITING if is_bad_yet else Outcome.REPAIRED
    if not entry.holders():
        return Outcome.LOST
    return Outcome.WAITING if group.is_placed else Outcome.OUTDATED


def is_here(group: Group, version: Version, body: Body) -> bool:
    """Whether that copy is still kept in that body."""
    copy = group.disk.copy_of(version)
    return copy is not None and copy.body == body


def found_bad(group: Group, version: Version, body: Body) -> None:
    """The bytes are damaged, missing or unreadable."""
    if is_here(group, version, body):
        if group.holds(version):
            group.speaker.lost(version, body)
        return
    waiting = group.disk.import_of(version)
    if waiting is not None and waiting.body == body:
        group.custody.bad_import(version, body)


def found_right(group: Group, version: Version, body: Body) -> None:
    """All bytes are as the log says: a copy that was given up counts again."""
    fact = _fact(group, version)
    is_lost = fact is not None and fact.status is Status.LOST
    if is_lost and is_here(group, version, body) and not group.speaker.is_saying(version):
        group.speaker.imported(version, None)


def _check(group: Group, version: Version, name: str, body: Body) -> Check | None:
    entry, fact = group.table.entry(name), _fact(group, version)
    if entry is None or entry.body is None or entry.version != version or fact is None:
        return None
    if fact.status is Status.DOOMED:
        return None
    is_lost = fact.status is Status.LOST
    size, digest = entry.body.size, entry.body.sha256
    return Check(group.rg, version, name, size, digest, body, is_lost)


def _fact(group: Group, version: Version) -> Fact | None:
    name = group.table.name_of(version)
    entry = group.table.entry(name) if name is not None else None
    fact = entry.fact_of(group.context.me) if entry is not None else None
    return fact if fact is not None and fact.version == version else None
