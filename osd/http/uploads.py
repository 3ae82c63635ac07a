"""Uploads: the body of a request, received here and at the peers of its reservation.

Rule: a small body is whole in memory, a large one a durable file, and either
has the sum that its sender says. What is not taken leaves nothing behind. A
large one that no put can name any more, for the RG was claimed anew, is given
up at its next chunk: else its sender could keep this store from saying that
nothing of the RG is left, for as long as it likes.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
from functools import partial

from aiohttp import StreamReader, web

from eventlog.ids import Fence, RgId, Serial
from osd.blobs import SMALL_BODY_BYTES, BlobId
from osd.bodies import Received, next_chunk, receive, small
from osd.core.answers import NotNow, Reserved
from osd.core.inputs import Staging
from osd.errors import Refused
from osd.http.answers import json_response
from osd.replication import Outgoing
from osd.shell import Shell

SILENCE_SECONDS = 60.0
"""An upload of which nothing comes for so long is given up."""

Overtaking = Callable[[], NotNow | None]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Overtaken(Exception):
    """Nobody can use the body any more."""

    def __init__(self, answer: NotNow) -> None:
        super().__init__(answer.why)
        self.answer = answer


class Uploads:
    """Of one node; `limit` is the most bytes that a body may have."""

    def __init__(self, shell: Shell, limit: int) -> None:
        self._shell = shell
        self.limit = limit

    async def take(
        self,
        request: web.BaseRequest,
        name: str,
        reserved: Reserved | None,
        expected: bytes | None,
    ) -> tuple[Received, Staging | None]:
        """The body, durable here and with who else has it.

        Raises `TooLarge`, `Overtaken`, `Refused`, `DiskError`, and what the connection does; so
        does `receive`.
        """
        if reserved is None:
            return await self._receive(request, expected, _never), None
        async with self._shell.outgoing(reserved, name, _announced(request)) as outgoing:
            overtaken = self._overtaken(reserved.rg, reserved.fence)
            body = await self._receive(request, expected, overtaken, outgoing)
            return body, await outgoing.finish(body)

    async def receive(self, request: web.BaseRequest, rg: RgId, fence: Fence) -> Received:
        """What the RG's primary sends under that claim."""
        return await self._receive(request, None, self._overtaken(rg, fence))

    def _overtaken(self, rg: RgId, fence: Fence) -> Overtaking:
        return partial(self._shell.node.reception.overtaken, rg, fence)

    async def _receive(
        self,
        request: web.BaseRequest,
        expected: bytes | None,
        overtaken: Overtaking,
        outgoing: Outgoing | None = None,
    ) -> Received:
        if "Expect" in request.headers:
            await request.writer.write(_CONTINUE)
            request.writer.output_size = 0
        if is_small(request):
            body = small(await whole(request))
        else:
            async with aclosing(_patient_chunks(request.content, overtaken, outgoing)) as chunks:
                body = await receive(chunks, self._shell.blobs, self.limit)
        if expected is not None and body.sha256 != expected:
            await self._drop(body)
            raise Refused(
                f"the body's SHA-256 is {body.sha256.hex()}, not {expected.hex()}",
                "It was damaged on the way, or the sum is of other bytes: send it again.",
            )
        return body

    def coming(
        self,
        request: web.BaseRequest,
        rg: RgId,
        name: str,
        staging: tuple[Fence, Serial] | None = None,
    ) -> AbstractContextManager[None]:
        """While the body comes, and until the core has taken or refused it."""
        return nullcontext() if is_small(request) else self._shell.arriving(rg, name, staging)

    def too_large(self) -> web.Response:
        """The response to a body over the limit."""
        return json_response(
            {
                "error": f"the body is over the limit of {self.limit:,} bytes",
                "hint": "Store it in parts; no object of this node has more bytes.",
            },
            status=413,
        )

    async def _drop(self, body: Received) -> None:
        if isinstance(body.payload, str):
            unlink, blob = self._shell.blobs.unlink, BlobId(body.payload)
            await asyncio.get_running_loop().run_in_executor(None, unlink, [blob])


def is_small(request: web.BaseRequest) -> bool:
    """Whether its body is known to be small, so that it is never a file."""
    size = _announced(request)
    return size is not None and size <= SMALL_BODY_BYTES


def _announced(request: web.BaseRequest) -> int | None:
    """The body's size where that is known; a request that announces none has an empty body."""
    return request.content_length if request.body_exists else 0


async def whole(request: web.BaseRequest) -> bytes:
    """A body that is small; raises `TimeoutError` where it does not come."""
    if request.content.is_eof():  # as most do, it came with its head
        return await request.read()
    async with asyncio.timeout(SILENCE_SECONDS):
        return await request.read()


def _never() -> None:
    """Of a body that is small, and so comes whole."""


async def _patient_chunks(
    stream: StreamReader, overtaken: Overtaking, outgoing: Outgoing | None
) -> AsyncGenerator[bytes]:
    while True:
        async with asyncio.timeout(SILENCE_SECONDS):
            chunk = await next_chunk(stream)
        if not chunk:
            return
        if answer := overtaken():
            raise Overtaken(answer)
        if outgoing is not None:
            await outgoing.write(chunk)
        yield chunk
