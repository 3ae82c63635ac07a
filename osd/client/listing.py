"""Listing: the names of all OSDs, merged in the order of their UTF-8.

Rule: every primary is asked for the names after the same one, and a page ends
where the first of them had no more room; so no name is left out because its
RG moved between two pages. If the map changed meanwhile the page is asked
again, whoever of this client read the new one first; if an RG has no primary
there is no list, rather than half of one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec

from eventlog.ids import Epoch, RgId, Version, checked_name, rg_name
from osd.client.answers import Listed
from osd.client.map_reader import MapReader
from osd.client.placing import primaries_by
from osd.client.retries import Again, Deadline, Pauses, given_up
from osd.client.transport import NOT_AN_OSD, not_an_osd, read_answer
from osd.errors import Unavailable
from projections.cluster_map import ClusterMap, Osd

PAGE = 1_000
"""Names asked of one OSD at once."""


class _Page(NamedTuple):
    rows: list[Listed]
    is_last: bool


class Listing:
    """Asks all primaries."""

    def __init__(
        self, session: aiohttp.ClientSession, reader: MapReader, deadline_s: float
    ) -> None:
        self._session = session
        self._reader = reader
        self._deadline_s = deadline_s

    async def names(self, prefix: str = "", page: int = PAGE) -> AsyncIterator[Listed]:
        """Every object whose name begins with `prefix`; `BadName` where no name can."""
        if prefix:
            checked_name(prefix)
        after, is_last = "", False
        while not is_last:
            rows, is_last = await self._page(prefix, after, page)
            for row in rows:
                yield row
            after = rows[-1].name if rows else after

    async def _page(self, prefix: str, after: str, size: int) -> _Page:
        deadline, pauses = Deadline(self._deadline_s), Pauses()
        while True:
            by = self._reader.map
            found = await self._ask_all(by, prefix, after, size, deadline)
            newest = await asyncio.to_thread(self._reader.refresh)
            if not isinstance(found, Again):
                if by.epoch == newest.epoch:
                    return found
                found = Again(Unavailable("the map keeps changing", "Ask again when it is quiet."))
            if not await pauses.wait(found.after_ms, deadline):
                raise given_up(found.error, deadline)

    async def _ask_all(
        self, by: ClusterMap, prefix: str, after: str, size: int, deadline: Deadline
    ) -> _Page | Again:
        primaries = primaries_by(by)
        if homeless := [rg for rg, osd in primaries.items() if osd is None]:
            return Again(_incomplete(homeless))
        osds = {osd.osd: osd for osd in primaries.values() if osd is not None}
        path = f"/list?prefix={quote(prefix, safe='')}&after={quote(after, safe='')}&limit={size}"
        answers = await asyncio.gather(
            *(self._ask(osd, path, by.epoch, deadline) for _, osd in sorted(osds.items()))
        )
        pages = []
        for answer in answers:
            if isinstance(answer, Again):
                return answer
            pages.append(answer)
        return _merged(pages, size)

    async def _ask(
        self, osd: Osd, path: str, epoch: Epoch, deadline: Deadline
    ) -> list[Listed] | Again:
        patience_s = max(1, min(deadline.left_ms, 10_000)) / 1_000
        answer = await read_answer(self._session, osd, path, epoch, patience_s)
        if isinstance(answer, Again):
            return answer
        try:
            return [_listed(line) for line in answer.splitlines()]
        except NOT_AN_OSD as error:
            return not_an_osd(osd, error)


def _listed(line: bytes) -> Listed:
    said = msgspec.json.decode(line)
    return Listed(
        name=said["name"],
        rg=RgId(said["rg"]),
        version=Version(said["version"]),
        size=said["size"],
        sha256=said["sha256"],
        copies=said["copies"],
    )


def _merged(pages: list[list[Listed]], size: int) -> _Page:
    """The rows up to where the first full page ends, each name once."""
    full = [page[-1].name.encode() for page in pages if len(page) >= size]
    horizon = min(full, default=None)
    rows = {row.name.encode(): row for page in pages for row in page}
    names = sorted(name for name in rows if horizon is None or name <= horizon)
    return _Page([rows[name] for name in names], horizon is None)


def _incomplete(homeless: list[RgId]) -> Unavailable:
    return Unavailable(
        f"{len(homeless)} RGs have no OSD that is up, {rg_name(homeless[0])} for one",
        "Start the OSDs; `osdlog status` lists them.",
    )
