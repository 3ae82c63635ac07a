"""Exports: the log, and what every OSD said of itself then, in one file to look at offline.

Rule: the OSDs are asked before the log is copied, so that the log tells of all
that they had folded. What an export answers is what was said then, and from
its log; nothing else is asked, and where only a live OSD could answer, that is
refused with those words.

What is not here: the file (see `eventlog.state_file`), and what the log says of
objects (see `osd.client.export_objects`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec

from eventlog.errors import LogCorrupt, LogReadOnly
from eventlog.ids import Micros, OsdId, RgId, Store, osd_name
from eventlog.log import Log
from eventlog.state_file import StateFile, export
from osd.client.answers import Facts, Listed, OsdStatus, RgRow, ScrubAsked, Stat
from osd.client.cluster_status import (
    CLEAN,
    ClusterStatus,
    followed_places,
    put_together,
)
from osd.client.explaining import Explained, from_log
from osd.client.history_cut import naming_cuts
from osd.client.known import known_rg
from osd.client.map_reader import MapReader, many_comings
from osd.client.placing import Placing
from osd.client.questions import Questions
from osd.errors import Unavailable
from osd.rg_reports import detail, explained, replica, row
from projections.cluster_map import ClusterMap, Osd
from projections.explain import Explanation, Reason
from projections.rg_memory import RgProjection

NOTE = "said"
EXPLAINED = 1_000
"""So many RGs that are not clean are asked for their explanation."""


class OsdNote(msgspec.Struct, frozen=True):
    """What one OSD said."""

    osd: OsdId
    said: Facts | None
    why: str | None


class RgNote(msgspec.Struct, frozen=True):
    """What an RG's primary said of it in numbers."""

    rg: RgId
    primary: OsdId | None
    said: Facts | None
    why: str | None


class Noted(msgspec.Struct, frozen=True):
    """All that was said when the export was made."""

    made_at: Micros
    url: str
    osds: tuple[OsdNote, ...]
    rgs: tuple[RgNote, ...]
    explained: Mapping[str, Facts]
    """What the primaries of RGs that were not clean said of them, by number."""

    def rg_rows(self) -> tuple[RgRow, ...]:
        """As `AsyncClient.rgs` gives them."""
        return tuple(RgRow(rg.rg, rg.primary, rg.said, rg.why) for rg in self.rgs)


class Exported(NamedTuple):
    """An export was made."""

    path: Path
    size: int
    """Bytes."""
    osds: int
    """How many OSDs said something."""


class Offline:
    """Stands where a client's questions to OSDs would.

    What the log or what the OSDs said then answers is answered; all else is refused.
    """

    def __init__(self, log: StateFile) -> None:
        self._log = log

    async def stat(self, name: str, _consistency: str) -> Stat:
        """By the log."""
        from osd.client.export_objects import stat

        return await asyncio.to_thread(stat, self._log, name)

    async def names(self, prefix: str) -> AsyncIterator[Listed]:
        """By the log."""
        from osd.client.export_objects import listed

        for each in await asyncio.to_thread(listed, self._log, prefix):
            yield each

    async def limits(self, osd: Osd) -> Facts:
        """As the OSD said them then."""
        return self._said(osd, "limits")

    async def scrub(self, osd: Osd, ask: ScrubAsked | None = None) -> Facts:
        """What the OSD said of its scrubs then."""
        if ask is not None:
            _refuse_live(self._log)
        return self._said(osd, "scrub")

    def __getattr__(self, name: str) -> NoReturn:
        _refuse_live(self._log)

    def _said(self, osd: Osd, about: str) -> Facts:
        said = next((one for one in noted(self._log).osds if one.osd == osd.osd), None)
        if said is None or said.said is None:
            why = said.why if said is not None else "it was not asked"
            raise Unavailable(
                f"{osd_name(osd.osd)} said nothing when the export was made: {why}",
                "Make another export while it is up: `osdlog export-state FILE`.",
            )
        found: Facts = said.said[about]
        return found


def require_live(log: Log) -> None:
    """Raises `LogReadOnly` where the log is an export: what needs OSDs is not begun."""
    if isinstance(log, StateFile):
        _refuse_live(log)


def _refuse_live(log: StateFile) -> NoReturn:
    raise LogReadOnly(
        f"{log.url} is an export made at {made_at(log)}: it has no OSDs that could be asked",
        "`osdlog explain`, `locate`, `history`, `ls`, `stat`, `sql`, `audit`, `replay` answer from"
        " its log.",
    )


async def export_state(
    path: Path, log: Log, questions: Questions, step: Callable[[int], None]
) -> Exported:
    """Ask everybody, then write the file. Raises what `eventlog.state_file.export` does."""
    osds = await questions.status()
    rows = await questions.rgs()
    said = [
        one
        for one in rows
        if one.said is not None and one.primary is not None and one.said["state"] != CLEAN
    ]
    explained: dict[str, Facts] = {}
    for one in said[:EXPLAINED]:
        assert one.primary is not None
        answer = await questions.rg_at(one.primary, one.rg)
        if not isinstance(answer, str):
            explained[str(one.rg)] = answer
    noted = Noted(
        Micros(time.time_ns() // 1_000),
        log.url,
        tuple(OsdNote(osd.osd.osd, osd.said, osd.why) for osd in osds),
        tuple(RgNote(*one) for one in rows),
        explained,
    )
    notes = {NOTE: msgspec.json.encode(noted)}
    size = await asyncio.to_thread(_write, path, log, notes, step)
    return Exported(path, size, sum(osd.said is not None for osd in osds))


def _write(path: Path, log: Log, notes: Mapping[str, bytes], step: Callable[[int], None]) -> int:
    with naming_cuts(log, followed_places(log)):
        return export(path, log, notes, step)


def noted(log: StateFile) -> Noted:
    """What was said when it was made."""
    found = log.note(NOTE)
    try:
        return msgspec.json.decode(found or b"", type=Noted)
    except msgspec.MsgspecError as error:
        raise LogCorrupt(
            f"what the OSDs said cannot be read in {log.url}: {error}",
            "Another version of this program may have made it; its log can be read all the same.",
        ) from error


def made_at(log: StateFile) -> str:
    """When, in UTC."""
    at = noted(log).made_at / 1_000_000
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds")[:19] + "Z"


def status(log: StateFile) -> ClusterStatus:
    """The cluster as it was then."""
    reader = MapReader(log)
    placing = Placing(reader)
    osds = statuses(log, reader.refresh())
    ends = log.end_offsets(followed_places(log))
    comings = many_comings(reader, noted(log).made_at / 1_000_000)
    return put_together(placing.map, osds, placing.leaderless(), ends, comings)


def statuses(log: StateFile, cluster_map: ClusterMap) -> tuple[OsdStatus, ...]:
    """What each OSD of the map said then."""
    said = {one.osd: one for one in noted(log).osds}
    silent = OsdNote(OsdId(0), None, "it was not asked")
    return tuple(
        OsdStatus(osd, said.get(osd.osd, silent).said, said.get(osd.osd, silent).why)
        for _, osd in sorted(cluster_map.osds.items())
    )


def explain(log: StateFile, rg: RgId, step: Callable[[int], None] = lambda _: None) -> Explained:
    """From its log, and in its primary's words where that was not clean then."""
    told = from_log(log, rg, step)
    said = noted(log).explained.get(str(rg))
    if said is None:
        return told
    why = Explanation(said["explanation"], Reason(said["reason"]), tuple(said["who_acts"]))
    primary = osd_name(told.story.acting[0].osd) if told.story.acting else told.seen_by
    return told._replace(why=why, seen_by=primary, said=said)


def rg_report(log: StateFile, rg: RgId) -> dict[str, Any]:
    """One RG as `AsyncClient.rg` reports it, from the log."""
    told = explain(log, known_rg(MapReader(log).refresh(), rg))
    view, projection = told.story.view, told.story.projection
    said = detail(view, projection, view.mine, projection.next_offset)
    replicas = [replica(view, store, _missing(projection, store)) for store in view.placed]
    return row(rg, view) | {"replicas": replicas} | said | explained(told.why)


def _missing(projection: RgProjection, store: Store) -> int:
    """Bytes of live objects whose copy at the store does not count."""
    return sum(
        entry.body.size
        for _, entry in projection.names()
        if entry.body is not None and not entry.counts_at(store)
    )
