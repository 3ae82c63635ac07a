"""Objects: put, get, stat and delete one, whatever the cluster is going through.

Rule: wrong bytes are never handed out: what is read is compared with the sum
that the log has. One call has one request id, however often it is asked.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import aiohttp
import msgspec

from eventlog.ids import RgId, Version, checked_name
from osd.client.answers import PutResult, Stat
from osd.client.bodies import Body
from osd.client.headers import (
    ALWAYS,
    META,
    PLAIN,
    Conditions,
    Description,
    Headers,
    reading,
    request_id,
    why,
)
from osd.client.map_reader import MapReader
from osd.client.placing import Placing
from osd.client.retries import Again, Deadline, Effect, until_served
from osd.client.sinks import Sink
from osd.client.transport import (
    GRACE_S,
    NOT_AN_OSD,
    WORLD_FAILED,
    no_answer,
    not_an_osd,
    object_path,
    unreachable,
    url_of,
)
from osd.errors import DiskFailed
from projections.cluster_map import Osd

EXPECT_OVER_BYTES = 64 * 1024
"""Larger bodies are sent once the OSD has said that it takes them."""
ATTEMPT_MS = 10_000
"""How long one OSD is asked to try."""
SLOW_DISK_BYTES_S = 20e6

T = TypeVar("T")
Take = Callable[[aiohttp.ClientResponse, "Patience"], Awaitable[T]]


class Patience:
    """How long an OSD may stay silent: it ends an attempt in which nothing comes from it."""

    def __init__(self, timeout: asyncio.Timeout, silence_s: float) -> None:
        self._timeout = timeout
        self._silence_s = silence_s

    def renew(self, longer_s: float = 0.0) -> None:
        """Something moved; what comes next may take so much longer."""
        now = asyncio.get_running_loop().time()
        self._timeout.reschedule(now + self._silence_s + longer_s)

    def suspend(self) -> None:
        """The OSD is not waited for until something moves."""
        self._timeout.reschedule(None)


class _Call(NamedTuple):
    """One request about one object, to be asked of whichever OSD is its primary."""

    method: str
    name: str
    headers: Headers
    deadline: Deadline
    body: Body | None = None
    part: str = ""
    """Of the object, after its path."""

    @property
    def effect(self) -> Effect:
        """What an attempt may do."""
        if self.method in ("GET", "HEAD"):
            return Effect.NONE
        return Effect.ONCE if "Idempotency-Key" in self.headers else Effect.UNNAMED

    @property
    def sync_s(self) -> float:
        """How long the OSD may need to make the body durable, in silence."""
        return self.body.size / SLOW_DISK_BYTES_S if self.body is not None else 0.0

    def failed(self, osd: Osd, error: BaseException) -> Again:
        """What it means that an attempt raised this."""
        if self.body is not None and self.body.fault is not None:
            raise self.body.fault from error
        return unreachable(osd, error)

    def data(self, patience: Patience) -> bytes | AsyncIterator[bytes] | None:
        """The body, renewing the patience with every piece."""
        read = self.body.read() if self.body is not None else None
        return self._renewing(read, patience) if isinstance(read, AsyncIterator) else read

    async def _renewing(
        self, chunks: AsyncIterator[bytes], patience: Patience
    ) -> AsyncIterator[bytes]:
        patience.suspend()
        async for chunk in chunks:
            patience.renew()
            yield chunk
            patience.suspend()
        patience.renew(self.sync_s)


class Objects:
    """Requests about single objects, through one session."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        reader: MapReader,
        own: Headers,
        deadline_s: float,
    ) -> None:
        self._session = session
        self._reader = reader
        self._placing = Placing(reader)
        self._deadline_s = deadline_s
        self._own = own

    async def put(
        self,
        name: str,
        body: Body,
        about: Description = PLAIN,
        conditions: Conditions = ALWAYS,
        request: str | None = None,
    ) -> PutResult:
        """Store an object."""
        headers = self._changing(conditions, request) | about.headers
        headers["Content-Length"] = str(body.size)
        if body.sha256 is not None:
            headers["Osdlog-Sha256"] = body.sha256
        return await self._run(self._call("PUT", name, headers, body), _put_result)

    async def delete(
        self, name: str, conditions: Conditions = ALWAYS, request: str | None = None
    ) -> None:
        """Remove an object; `NotThere` where there is none."""
        await self._run(self._call("DELETE", name, self._changing(conditions, request)), _drained)

    async def declare_lost(self, name: str, reason: str, *, accept_loss: bool) -> None:
        """Give up an object's last version; `Refused` while a good copy is known.

        The event has no request id, so `OutcomeUnknown` where a second attempt finds it gone.
        """
        headers = self._own | why(reason)
        if accept_loss:
            headers["Osdlog-Accept-Loss"] = "1"
        call = self._call("POST", name, headers)._replace(part="/lost")
        await self._run(call, _drained)

    async def stat(self, name: str, consistency: str) -> Stat:
        """What is known of an object but for its bytes."""

        async def take(response: aiohttp.ClientResponse, _: Patience) -> Stat:
            return stat_of(name, response.headers)

        return await self._run(self._call("HEAD", name, reading(consistency)), take)

    async def get(self, name: str, sink: Sink, consistency: str) -> Stat:
        """Pour an object into the sink, and finish it once the sum is right."""

        async def take(response: aiohttp.ClientResponse, patience: Patience) -> Stat:
            stat = stat_of(name, response.headers)
            sink.begin()
            digest = hashlib.sha256()
            async for chunk in response.content.iter_any():
                digest.update(chunk)
                patience.suspend()
                await sink.write(chunk)
                patience.renew()
            if digest.hexdigest() != stat.sha256:
                raise _damaged(stat, digest.hexdigest())
            return stat

        stat = await self._run(self._call("GET", name, reading(consistency)), take)
        await sink.finish()  # in no attempt: it may be slow, and is never done twice
        return stat

    def _changing(self, conditions: Conditions, request: str | None) -> Headers:
        return self._own | conditions.headers | request_id(request)

    def _call(self, method: str, name: str, headers: Headers, body: Body | None = None) -> _Call:
        return _Call(method, checked_name(name), headers, Deadline(self._deadline_s), body)

    async def _run(self, call: _Call, take: Take[T]) -> T:
        async def attempt(osd: Osd) -> T | Again:
            attempt_ms = max(1, min(ATTEMPT_MS, call.deadline.left_ms))
            silence_s = attempt_ms / 1_000 + GRACE_S
            try:
                async with asyncio.timeout(silence_s) as timeout:
                    patience = Patience(timeout, silence_s)
                    async with self._request(call, osd, attempt_ms, patience) as response:
                        if response.status < 300:
                            return await take(response, patience)
                        found = no_answer(osd, response, await response.read(), call.name)
            except WORLD_FAILED as error:
                return call.failed(osd, error)
            except NOT_AN_OSD as error:
                return not_an_osd(osd, error)
            if isinstance(found, Again):
                return found
            raise found

        rg = self._placing.rg_of(call.name)
        return await until_served(
            self._reader, self._placing, rg, call.deadline, attempt, call.effect
        )

    def _request(
        self, call: _Call, osd: Osd, attempt_ms: int, patience: Patience
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        call.headers["Osdlog-Epoch"] = str(self._placing.epoch)
        call.headers["Osdlog-Deadline-Ms"] = str(attempt_ms)
        return self._session.request(
            call.method,
            url_of(osd, object_path(call.name) + call.part),
            data=call.data(patience),
            headers=call.headers,
            allow_redirects=False,
            expect100=call.body is not None and call.body.size > EXPECT_OVER_BYTES,
        )


async def _put_result(response: aiohttp.ClientResponse, _: Patience) -> PutResult:
    said: dict[str, Any] = msgspec.json.decode(await response.read())
    return PutResult(
        rg=RgId(said["rg"]),
        version=Version(said["version"]),
        etag=said["etag"],
        copies=said["copies"],
        is_repeated=response.headers.get("Osdlog-Repeated") == "1",
    )


async def _drained(response: aiohttp.ClientResponse, _: Patience) -> None:
    await response.read()


def stat_of(name: str, headers: Mapping[str, str]) -> Stat:
    """What the headers of an object say of it."""
    prefix = META.lower()
    return Stat(
        name=name,
        rg=RgId(int(headers["Osdlog-Rg"])),
        version=Version(int(headers["Osdlog-Version"])),
        etag=headers["ETag"],
        size=int(headers["Content-Length"]),
        sha256=headers["Osdlog-Sha256"],
        media_type=headers.get("Content-Type"),
        metadata={
            key[len(prefix) :].lower(): unquote(value)
            for key, value in headers.items()
            if key.lower().startswith(prefix)
        },
        modified=headers.get("Last-Modified"),
        held_by=tuple(headers.get("Osdlog-Held-By", "").split()),
    )


def _damaged(stat: Stat, found: str) -> DiskFailed:
    return DiskFailed(
        f"{stat.name} version {stat.version} should have SHA-256 {stat.sha256}, but {found} came",
        "Nothing was kept of it. Ask again; if it stays so, look at `osdlog explain` of the name.",
    )
