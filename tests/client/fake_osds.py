"""OSDs that answer what a test tells them: real HTTP servers, and a real log whose map names them.

A script maps a method to answers that are given one after the other; the last
one stays.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiohttp import web

from eventlog.ids import Boot, Incarnation, OsdId, Store
from eventlog.map_events import OsdBooted
from eventlog.open import open_log
from osd.client.map_writer import change_map
from osd.founding import Shape, added, found

Headers = Mapping[str, str]


NO_HEADERS: Headers = {}


class Reply(NamedTuple):
    """One answer. `breaks`: the connection ends after so many bytes of the body."""

    status: int = 200
    headers: Headers = NO_HEADERS
    body: bytes = b""
    breaks: int | None = None


class Asked(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: Headers
    body: bytes | None
    """None where the answer was given before the body was read."""


Script = dict[str, list[Reply]]


class FakeOsd:
    """Answers by its script, and remembers what it was asked."""

    def __init__(self, osd: int) -> None:
        self.osd = OsdId(osd)
        self.script: Script = {}
        self.asked: list[Asked] = []
        self.port = 0
        self.refuses_early = False
        """Answer without reading the body."""
        self.before_reply: Callable[[Asked], object] = lambda _: None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["FakeOsd"]:
        server = web.Server(self._answer, access_log=None, auto_decompress=False)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = None if self.refuses_early else await self._read(request)
        asked = Asked(request.method, request.raw_path, dict(request.headers), body)
        self.asked.append(asked)
        self.before_reply(asked)
        replies = self.script[request.method]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply.breaks is not None:
            return await self._break(request, reply)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def _read(self, request: web.BaseRequest) -> bytes:
        if "Expect" in request.headers:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        return b"".join([chunk async for chunk in request.content.iter_any()])

    async def _break(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        assert request.transport is not None
        if reply.breaks:
            response = web.StreamResponse(status=reply.status, headers=reply.headers)
            await response.prepare(request)
            await response.write(reply.body[: reply.breaks])
        request.transport.close()
        return web.Response()


def made_cluster(path: Path, osds: Sequence[int], rgs: int = 8) -> str:
    """A log with a cluster of these OSDs, none of them up; its address."""
    url = f"sqlite:{path / 'log.sqlite'}"
    found(url, Shape(rgs), [added(OsdId(osd)) for osd in osds], "made for a test", "test")
    return url


def boot(url: str, osd: FakeOsd, boot_number: int = 1) -> None:
    """Say in the map that this OSD is up at its address."""
    store = Store(osd.osd, Incarnation(100 + osd.osd))
    booted = OsdBooted(store=store, boot=Boot(boot_number), address=osd.address, replaces=None)
    with open_log(url) as log:
        change_map(log, [booted], None, "boot", f"osd.{osd.osd}")


@asynccontextmanager
async def one_osd(path: Path) -> AsyncIterator[tuple[str, FakeOsd]]:
    """A cluster of one OSD that is up."""
    url = await asyncio.to_thread(made_cluster, path, [0])
    async with FakeOsd(0).listening() as osd:
        await asyncio.to_thread(boot, url, osd)
        yield url, osd


def stored(rg: int = 1, version: int = 1) -> Reply:
    """The answer to a put that was done."""
    tag = f'"{rg}.{version}"'
    said = {"rg": rg, "version": version, "etag": tag, "copies": 1}
    return Reply(201, {"Content-Type": "application/json"}, msgspec.json.encode(said))


def served(data: bytes, sha256: str | None = None, breaks: int | None = None) -> Reply:
    """The answer to a get, with the right sum or another."""
    headers = {
        "ETag": '"1.1"',
        "Osdlog-Rg": "1",
        "Osdlog-Version": "1",
        "Osdlog-Sha256": sha256 or hashlib.sha256(data).hexdigest(),
        "Content-Type": "text/plain",
        "Content-Length": str(len(data)),
        "Last-Modified": "Sun, 22 Nov 2026 10:09:06 GMT",
        "Osdlog-Meta-colour": "gr%C3%BCn",
    }
    return Reply(200, headers, data, breaks)


def no(status: int, what: str, hint: str = "Do this.", **headers: str) -> Reply:
    """An answer that is not a yes."""
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, said, msgspec.json.encode({"error": what, "hint": hint}))
