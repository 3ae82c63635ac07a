"""Questions: what OSDs know, asked without changing anything but what they say of it.

Rule: what concerns one RG is asked of its primary, and again if it moved;
what concerns the cluster is asked of every OSD once, and who is silent is
named instead of waited for.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from eventlog.ids import Epoch, OsdId, RgId, Store, Version, checked_name, osd_name
from eventlog.log import Log
from osd.client.answers import Facts, OsdStatus, RgRow, ScrubAsked
from osd.client.cluster_status import (
    ClusterStatus,
    followed_places,
    is_marked_down,
    put_together,
)
from osd.client.errors import NotThere
from osd.client.known import known_rg, why_no_disk
from osd.client.map_reader import MapReader, many_comings
from osd.client.placing import Placing
from osd.client.retries import Again, Deadline, until_served
from osd.client.transport import decoded, object_path, read_answer, tell
from osd.errors import Refused, Unavailable
from projections.cluster_map import Osd

STATUS_S = 3.0
"""How long an OSD is given to say how it is."""


class Questions:
    """Asked through one session."""

    def __init__(
        self, session: aiohttp.ClientSession, reader: MapReader, deadline_s: float
    ) -> None:
        self._session = session
        self._reader = reader
        self._placing = Placing(reader)
        self._deadline_s = deadline_s

    async def facts(self, name: str) -> Facts:
        """Every fact about one object."""
        rg = self._placing.rg_of(checked_name(name))
        return await self._of_primary(rg, f"{object_path(name)}/facts")

    async def rg(self, rg: RgId) -> Facts:
        """One RG as its primary sees it."""
        return await self._of_primary(self._checked(rg), f"/rgs/{rg:x}", _require_primary)

    def primary(self, rg: RgId) -> OsdId | None:
        """Who leads the RG by the map as it was read last, if anybody up does."""
        osd = self._placing.primary(rg)
        return None if osd is None else osd.osd

    async def rg_at(self, osd: OsdId, rg: RgId) -> Facts | str:
        """One RG as this OSD sees it, primary or not; else why there is no answer."""
        known = self._placing.map.osds.get(osd)
        if known is None:
            return "it is not in the map"
        if known.address is None:
            return why_no_disk(self._placing.map, osd)
        try:
            answer = await self._facts_at(known, f"/rgs/{rg:x}", Epoch(0))
        except Refused as error:
            return error.what
        return answer.error.what if isinstance(answer, Again) else answer

    async def is_marked_down(self, osd: OsdId) -> bool:
        """Whether it runs and answers, though the map has it down."""
        known = self._placing.map.osds.get(osd)
        if known is None or known.is_up:
            return False
        now = self._placing.map
        return is_marked_down(await self._status(known), now.epoch)

    async def rg_digest(self, rg: RgId) -> Facts:
        """The digest of the RG's fold at its primary."""
        return await self._of_primary(self._checked(rg), f"/rgs/{rg:x}/digest")

    async def status(self) -> tuple[OsdStatus, ...]:
        """What every OSD says of itself."""
        await asyncio.to_thread(self._reader.refresh)
        osds = [osd for _, osd in sorted(self._placing.map.osds.items())]
        return tuple(await asyncio.gather(*map(self._status, osds)))

    async def cluster_status(self, log: Log) -> ClusterStatus:
        """The cluster at a glance: one question to each OSD, and one to the log."""
        ends = await asyncio.to_thread(log.end_offsets, followed_places(log))
        osds = await self.status()
        leaderless = await asyncio.to_thread(self._placing.leaderless)
        comings = many_comings(self._reader, time.time())
        return put_together(self._placing.map, osds, leaderless, ends, comings)

    async def rgs(self) -> tuple[RgRow, ...]:
        """Every RG as its primary sees it."""
        await asyncio.to_thread(self._reader.refresh)
        primaries = self._placing.primaries()
        osds = {osd.osd: osd for osd in primaries.values() if osd is not None}
        answers = await asyncio.gather(*(self._rgs_at(osd) for osd in osds.values()))
        said = dict(zip(osds, answers, strict=True))
        return tuple(_row(rg, osd, said) for rg, osd in primaries.items())

    async def rgs_at(self, osd: Osd) -> list[Facts]:
        """Every RG that the OSD follows, as it sees it. Raises `Unavailable`."""
        answer = await self._rgs_at(osd)
        if isinstance(answer, Again):
            raise answer.error
        return list(answer.values())

    async def digests(self, osd: Osd) -> list[Facts]:
        """What the OSD says of every RG it follows, in numbers. Raises `Unavailable`."""
        return await self._rows_of(osd, "/digests")

    async def copies(self, osd: Osd, rg: RgId) -> list[Facts]:
        """Every copy that the OSD's fold, and its disk, has of an RG. Raises `Unavailable`."""
        return await self._rows_of(osd, f"/rgs/{rg:x}/copies")

    async def alive(self, osd: Osd) -> Facts | None:
        """Which process answers for the OSD; None where none does."""
        found = await self._facts_at(osd, "/alive", Epoch(0))
        return None if isinstance(found, Again) else found

    async def scrub(self, osd: Osd, ask: ScrubAsked | None = None) -> Facts:
        """What the OSD says of its scrubs; asks it first to begin one. Raises `Unavailable`."""
        if ask is None:
            found = await self._facts_at(osd, "/scrub", Epoch(0))
        else:
            path = f"/scrub?depth={ask.depth}" + (
                "" if ask.bytes_s is None else f"&bytes_s={ask.bytes_s}"
            )
            headers = {"Osdlog-Actor": quote(ask.actor, safe=" @.")}
            answer = await tell(self._session, osd, "POST", path, headers, STATUS_S)
            found = answer if isinstance(answer, Again) else decoded(osd, answer, dict[str, Any])
        if isinstance(found, Again):
            raise found.error
        return found

    async def stop_scrub(self, osd: Osd) -> Facts:
        """Let the OSD give up the scrub that runs. Raises `Unavailable`."""
        answer = await tell(self._session, osd, "DELETE", "/scrub", {}, STATUS_S)
        found = answer if isinstance(answer, Again) else decoded(osd, answer, dict[str, Any])
        if isinstance(found, Again):
            raise found.error
        return found

    async def _rows_of(self, osd: Osd, path: str) -> list[Facts]:
        answer = await self._ask(osd, path, Epoch(0))
        if isinstance(answer, Again):
            raise answer.error
        rows = decoded(osd, b"[" + b",".join(answer.splitlines()) + b"]", list[dict[str, Any]])
        if isinstance(rows, Again):
            raise rows.error
        return rows

    async def limits(self, osd: Osd) -> Facts:
        """What the OSD's background work may use, and uses. Raises `Unavailable`."""
        answer = await self._facts_at(osd, "/limits", Epoch(0))
        if isinstance(answer, Again):
            raise answer.error
        return answer

    async def set_limits(self, osd: Osd, limits: Mapping[str, int]) -> Facts:
        """Set those that are named; the rest stays. Raises `Refused`, `Unavailable`."""
        put = msgspec.json.encode(limits)
        answer = await read_answer(self._session, osd, "/limits", Epoch(0), STATUS_S, put=put)
        facts = answer if isinstance(answer, Again) else decoded(osd, answer, dict[str, Any])
        if isinstance(facts, Again):
            raise facts.error
        return facts

    async def want_holdings(self, store: Store, rgs: Sequence[RgId]) -> None:
        """Let the store state in the log what it has of these RGs. Raises `Unavailable`."""
        osd = self._placing.map.osds.get(store.osd)
        if osd is None or osd.address is None or osd.store != store:
            raise Unavailable(f"{store} is not in the map", "Retire it if it is gone for good.")
        put = msgspec.json.encode({"store": str(store), "rgs": rgs})
        answer = await read_answer(self._session, osd, "/holdings", Epoch(0), STATUS_S, put=put)
        if isinstance(answer, Again):
            raise answer.error

    async def has_copy(self, osd: OsdId, rg: RgId, version: Version, name: str) -> bool:
        """Whether the OSD gives out these bytes. Raises `Unavailable`."""
        known = self._placing.map.osds.get(osd)
        if known is None or known.address is None:
            raise Unavailable(f"{osd_name(osd)} has no address", "Start it first.")
        path = f"/copies/{rg:x}/{version}?name={quote(name, safe='')}"
        try:
            answer = await self._ask(known, path)
        except NotThere:
            return False
        if isinstance(answer, Again):
            raise answer.error
        return True

    async def _of_primary(
        self, rg: RgId, path: str, check: Callable[[Osd, Facts], Facts | Again] | None = None
    ) -> Facts:
        async def attempt(osd: Osd) -> Facts | Again:
            answer = await self._facts_at(osd, path)
            return answer if isinstance(answer, Again) or check is None else check(osd, answer)

        deadline = Deadline(self._deadline_s)
        return await until_served(self._reader, self._placing, rg, deadline, attempt)

    async def _facts_at(self, osd: Osd, path: str, epoch: Epoch | None = None) -> Facts | Again:
        answer = await self._ask(osd, path, epoch)
        return answer if isinstance(answer, Again) else decoded(osd, answer, dict[str, Any])

    async def _rgs_at(self, osd: Osd) -> dict[int, Facts] | Again:
        answer = await self._ask(osd, "/rgs")
        if isinstance(answer, Again):
            return answer
        rows = decoded(osd, answer, list[dict[str, Any]])
        return rows if isinstance(rows, Again) else {row["rg"]: row for row in rows}

    async def _status(self, osd: Osd) -> OsdStatus:
        if osd.address is None:
            return OsdStatus(osd, None, why_no_disk(self._placing.map, osd.osd))
        found = await self._facts_at(osd, "/status", Epoch(0))
        if isinstance(found, Again):
            return OsdStatus(osd, None, found.error.what)
        return OsdStatus(osd, found, None)

    async def _ask(self, osd: Osd, path: str, epoch: Epoch | None = None) -> bytes | Again:
        """By the map as this client has it, unless an older one will do."""
        least = self._placing.epoch if epoch is None else epoch
        return await read_answer(self._session, osd, path, least, STATUS_S)

    def _checked(self, rg: RgId) -> RgId:
        return known_rg(self._placing.map, rg)


def _require_primary(osd: Osd, said: Facts) -> Facts | Again:
    if said["is_primary"]:
        return said
    name = osd_name(osd.osd)
    return Again(Unavailable(f"{name} is not the primary of {said['name']} yet", "Ask again."))


def _row(rg: RgId, osd: Osd | None, said: dict[OsdId, dict[int, Facts] | Again]) -> RgRow:
    if osd is None:
        return RgRow(rg, None, None, "no OSD that it is placed on is up")
    answer = said[osd.osd]
    if isinstance(answer, Again):
        return RgRow(rg, osd.osd, None, answer.error.what)
    if rg not in answer or not answer[rg]["is_primary"]:
        return RgRow(rg, osd.osd, None, f"{osd_name(osd.osd)} has not read the map yet")
    return RgRow(rg, osd.osd, answer[rg], None)
