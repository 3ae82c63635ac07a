"""Reports over HTTP: status, RGs, facts, lists, counters.

Rule: a list and an object's facts are as the log stood when they were asked
for; the others are what this node knows now. Each is read within one turn of
the loop, RG by RG, so that a long one holds up nobody else.
"""

import asyncio
from collections.abc import Iterable

import msgspec
from aiohttp import web

from eventlog.ids import Epoch, rg_of
from osd import fact_reports, reports
from osd.core.answers import Answer, NotNow, UpToDate
from osd.core.group import Group
from osd.core.inputs import Barrier
from osd.http.answers import About, error, json_response, not_followed, to_response
from osd.http.requests import object_name, parameter, query_of, rg_in_path, sender_of
from osd.scrub import Scrubber
from osd.shell import Served, Shell

LIST_LIMIT = 1_000
MAX_LIST_LIMIT = 10_000


class Reports:
    """The handlers of all that is not an object or a copy."""

    def __init__(self, shell: Shell, scrubber: Scrubber) -> None:
        self._shell = shell
        self._scrubber = scrubber

    async def alive(self, _request: web.BaseRequest, _query: str) -> web.Response:
        """Who answers here."""
        return self._json(reports.alive(self._shell))

    async def status(self, _request: web.BaseRequest, _query: str) -> web.Response:
        """This node at a glance."""
        scrub = self._scrubber.report(is_long=False)
        return self._json(reports.status(self._shell) | {"scrub": scrub})

    async def metrics(self, _request: web.BaseRequest, _query: str) -> web.Response:
        """Counters as text."""
        return web.Response(text=reports.metrics(self._shell, self._scrubber.report(is_long=False)))

    async def rgs(self, _request: web.BaseRequest, _query: str) -> web.Response:
        """Every RG followed here."""
        return self._json(reports.rgs(self._shell))

    async def rg(self, _request: web.BaseRequest, rest: str) -> web.Response:
        """One RG, or its digest."""
        segment, _, part = rest.partition("/")
        rg = rg_in_path(segment, self._shell.node.context.map.rg_count)
        if part not in ("", "digest", "copies"):
            return error(404, f"there is no {part[:200]} of an RG", "See docs/http.md.")
        group = self._shell.node.groups.get(rg)
        if group is None:
            return not_followed(rg, self._epoch)
        if part == "copies":
            return self._lines(fact_reports.copies(group))
        return self._json(reports.digest(group) if part else reports.rg(self._shell, group))

    async def digests(self, request: web.BaseRequest, _query: str) -> web.StreamResponse:
        """What every store has of every RG followed here, in numbers, RG by RG as it is sent."""
        response = web.StreamResponse(headers={"Osdlog-Epoch": str(self._epoch)})
        response.content_type = "application/jsonl"
        await response.prepare(request)
        for rg in sorted(self._shell.node.groups):
            group = self._shell.node.groups.get(rg)
            if group is not None:
                await response.write(msgspec.json.encode(fact_reports.digests(group)) + b"\n")
                await asyncio.sleep(0)
        await response.write_eof()
        return response

    async def facts(self, request: web.BaseRequest, segment: str) -> web.Response:
        """Every fact about one object."""
        name = object_name(segment)
        answer = await self._barrier(request)
        rg = rg_of(name, self._shell.node.context.map.rg_count or 1)
        if not isinstance(answer, UpToDate):
            return to_response(answer, About(self._epoch, rg, request.raw_path))
        table = self._shell.table(rg)
        if table is None:
            return not_followed(rg, self._epoch)
        found = reports.facts(table, name)
        if found is None:
            return error(404, f"nothing is known of {name!r}", "`osdlog ls` lists the names.")
        return self._json(found)

    async def list(self, request: web.BaseRequest, query: str) -> web.Response:
        """Names in order, of the RGs of which this node is primary."""
        asked = query_of(query)
        limit = parameter(asked, "limit", LIST_LIMIT, MAX_LIST_LIMIT)
        listing = reports.Listing(asked.get("prefix", ""), asked.get("after", ""), limit)
        answer = await self._barrier(request)
        if isinstance(answer, UpToDate):
            answer = await self._fill(listing, answer) if limit else answer
        if not isinstance(answer, UpToDate):
            return to_response(answer, About(self._epoch, rg_of("", 1), request.raw_path))
        return self._lines(listing.rows())

    async def _fill(self, listing: reports.Listing, up_to_date: UpToDate) -> Answer:
        for rg in up_to_date.rgs:
            group: Group | None = self._shell.node.groups.get(rg)
            if group is None or not group.is_primary:
                return NotNow("an RG went to another OSD while it was listed")
            if group.stuck is not None:
                return NotNow(group.why_waiting())
            listing.add(group.table)
            await asyncio.sleep(0)
        return up_to_date

    async def _barrier(self, request: web.BaseRequest) -> Answer:
        sender = sender_of(request.headers)
        shell = self._shell
        if not await shell.epochs.reached(sender.epoch, sender.patience_ms / 1_000):
            return NotNow(
                f"the map is read to epoch {self._epoch} here, not to the sender's {sender.epoch}:"
                " the log is slow, or the two read different logs"
            )
        deadline = shell.now_ms() + sender.patience_ms
        answer = await shell.ask(Barrier(shell.ticket(), deadline))
        assert not isinstance(answer, Served)
        return answer

    @property
    def _epoch(self) -> Epoch:
        return self._shell.node.context.map.epoch

    def _lines(self, rows: Iterable[object]) -> web.Response:
        return web.Response(
            body=b"".join(msgspec.json.encode(row) + b"\n" for row in rows),
            content_type="application/jsonl",
            headers={"Osdlog-Epoch": str(self._epoch)},
        )

    def _json(self, content: object) -> web.Response:
        return json_response(content, headers={"Osdlog-Epoch": str(self._epoch)})
