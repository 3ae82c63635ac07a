"""Objects over HTTP: put, get, head, delete, and the copies that nodes give each other.

Rule: a request is refused or sent on before its body is read; a body is read
before the core hears of it; what the core answers is what the client hears.
Every read checks its sum: a small body before anything is sent, a large one
before its last piece, and then the connection breaks. Where the copy here is
found bad before anything is sent, the core is told and asked again: it then
answers from another store's copy, if there is one.

What is not here: what requests may say (`osd.http.requests`), which status
says what (`osd.http.answers`).
"""

import asyncio
from contextlib import aclosing
from hashlib import sha256
from typing import NamedTuple

from aiohttp import web

from eventlog.ids import RgId, Version, rg_of
from osd.blobs import Blob
from osd.bodies import TooLarge, pieces
from osd.core.answers import (
    Answer,
    ConditionFailed,
    Done,
    Known,
    NotFound,
    NotNow,
    OutcomeUnknown,
    Reserved,
)
from osd.core.inputs import Condition, Damaged, Delete, Get, Put, Reserve
from osd.disk import Body, Copy
from osd.errors import BytesDamaged, DiskFailed
from osd.http.answers import (
    About,
    error,
    etag,
    object_headers,
    refusal,
    to_response,
)
from osd.http.requests import (
    Sender,
    asked_copies,
    condition_of,
    consistency_of,
    declaration_of,
    media_type_of,
    metadata_of,
    object_name,
    sender_of,
    sum_of,
)
from osd.http.uploads import SILENCE_SECONDS, Overtaken, Uploads, is_small, whole
from osd.packing import pack
from osd.reports import with_stall
from osd.shell import Served, Shell

ATTEMPTS = 4
"""Reads of one request: each bad copy that was met is told to the core, which avoids it."""


class Target(NamedTuple):
    """The object that a request is about."""

    name: str
    rg: RgId


class Objects:
    """The handlers of `/objects/NAME` and `/copies/RG/VERSION`."""

    def __init__(self, shell: Shell, uploads: Uploads) -> None:
        self._shell = shell
        self._uploads = uploads

    async def put(self, request: web.BaseRequest, segment: str) -> web.StreamResponse:
        """Store the body."""
        target = self._target(segment)
        headers = request.headers
        sender = sender_of(headers)
        expected = sum_of(headers)
        metadata, media_type = metadata_of(headers), media_type_of(headers)
        condition = condition_of(headers, target.rg)
        declined = self._decline(request, target, sender)
        if declined is not None:
            return declined
        reserved = await self._reserve(request, target, sender)
        if not isinstance(reserved, Reserved | None):
            return self._answer(request, target, reserved)
        with self._uploads.coming(request, target.rg, target.name):
            try:
                body, staging = await self._uploads.take(request, target.name, reserved, expected)
            except TooLarge:
                return self._uploads.too_large()
            except Overtaken as overtaken:
                return self._answer(request, target, overtaken.answer)
            answer = await self._shell.ask(
                Put(
                    ticket=self._shell.ticket(),
                    rg=target.rg,
                    name=target.name,
                    epoch=sender.epoch,
                    deadline=self._deadline(sender),
                    payload=body.payload,
                    size=body.size,
                    sha256=body.sha256,
                    media_type=media_type,
                    metadata=metadata,
                    request=sender.request,
                    actor=sender.actor,
                    condition=condition,
                    staging=staging,
                )
            )
        return self._answer(request, target, answer)

    async def delete(self, request: web.BaseRequest, segment: str) -> web.StreamResponse:
        """Remove the object."""
        target = self._target(segment)
        sender = sender_of(request.headers)
        answer = await self._shell.ask(
            Delete(
                ticket=self._shell.ticket(),
                rg=target.rg,
                name=target.name,
                epoch=sender.epoch,
                deadline=self._deadline(sender),
                request=sender.request,
                actor=sender.actor,
                condition=condition_of(request.headers, target.rg),
            )
        )
        return self._answer(request, target, answer)

    async def declare_lost(self, request: web.BaseRequest, segment: str) -> web.StreamResponse:
        """Give up the object's last version; refused while a good copy is known."""
        target = self._target(segment)
        sender = sender_of(request.headers)
        answer = await self._shell.ask(
            Delete(
                ticket=self._shell.ticket(),
                rg=target.rg,
                name=target.name,
                epoch=sender.epoch,
                deadline=self._deadline(sender),
                actor=sender.actor,
                condition=condition_of(request.headers, target.rg),
                declaration=declaration_of(request.headers),
            )
        )
        return self._answer(request, target, answer)

    async def get(self, request: web.BaseRequest, segment: str) -> web.StreamResponse:
        """Give the object, or for HEAD what it is."""
        target = self._target(segment)
        headers = request.headers
        sender = sender_of(headers)
        condition = condition_of(headers, target.rg)
        asked = Get(
            ticket=self._shell.ticket(),
            rg=target.rg,
            name=target.name,
            epoch=sender.epoch,
            deadline=self._deadline(sender),
            consistency=consistency_of(headers),
            is_head=request.method == "HEAD",
        )
        answer = await self._shell.ask(asked)
        for _ in range(ATTEMPTS):
            if not isinstance(answer, Served) or _is_right(answer):
                break
            self._damaged(target.rg, answer.found.entry.version, answer.found.body)
            answer = await self._shell.ask(asked._replace(ticket=self._shell.ticket()))
        else:
            answer = NotNow("copies of it are bad; they are fetched again if any store has it")
        if isinstance(answer, Served):
            return await self._serve(request, target, answer, condition)
        if isinstance(answer, Known) and not condition.admits(answer.entry.version):
            return self._unmet(target, answer.entry.version, condition)
        if isinstance(answer, NotFound) and not condition.admits(None):
            answer = ConditionFailed(None)
        return self._answer(request, target, answer)

    async def copy(
        self, request: web.BaseRequest, rg: RgId, version: Version, name: str
    ) -> web.StreamResponse:
        """Give another node the bytes that are here, whatever the log says of them."""
        copy = self._shell.copy(rg, version)
        if copy is None or copy.name != name:
            return error(404, f"no copy of version {version} is here", "Ask another holder.")
        content = self._shell.content(rg, copy.body)
        if content is None or not _has_sum(content, copy.size, copy.sha256):
            self._damaged(rg, version, copy.body)
            return error(404, f"the copy of version {version} is damaged", "Ask another holder.")
        headers = {"Osdlog-Sha256": copy.sha256.hex(), "Content-Length": str(copy.size)}
        return await self._send(request, Target(name, rg), version, content, headers, copy)

    async def copies(self, request: web.BaseRequest, rg: RgId) -> web.StreamResponse:
        """Give another node several small copies at once; each is checked by who asks."""
        asked = asked_copies(await whole(request))
        return web.Response(body=pack(self._small_copy(rg, *each) for each in asked))

    def _small_copy(self, rg: RgId, version: Version, name: str) -> bytes | None:
        copy = self._shell.copy(rg, version)
        if copy is None or copy.name != name or isinstance(copy.body, str):
            return None
        content = self._shell.content(rg, copy.body)
        if isinstance(content, bytes) and sha256(content).digest() == copy.sha256:
            return content
        self._damaged(rg, version, copy.body)
        return None

    def _target(self, segment: str) -> Target:
        name = object_name(segment)
        return Target(name, rg_of(name, self._shell.node.context.map.rg_count or 1))

    def _deadline(self, sender: Sender) -> int:
        return self._shell.now_ms() + sender.patience_ms

    def _decline(
        self, request: web.BaseRequest, target: Target, sender: Sender
    ) -> web.Response | None:
        """The response to a put whose body is not even to be read, or None."""
        size = request.content_length
        if size is not None and size > self._uploads.limit:
            return self._uploads.too_large()
        answer = self._shell.node.reception.admit(target.rg, sender.epoch)
        if answer is not None:
            return to_response(answer, self._about(request, target.rg))
        full = self._shell.gauge.refusal(size or 0)
        return refusal(full, self._shell.node.context.map.epoch) if full else None

    async def _reserve(
        self, request: web.BaseRequest, target: Target, sender: Sender
    ) -> Answer | Served | None:
        """Where the body may be staged beside here; None of a small one of which this is all.

        A large one comes under a claim even then: proofs of deletion ask only the stores that
        claims name.
        """
        if self._shell.node.context.map.replicas == 1 and is_small(request):
            return None
        return await self._shell.ask(
            Reserve(self._shell.ticket(), target.rg, sender.epoch, self._deadline(sender))
        )

    async def _serve(
        self, request: web.BaseRequest, target: Target, served: Served, condition: Condition
    ) -> web.StreamResponse:
        entry, content = served.found.entry, served.content
        assert entry.body is not None
        assert content is not None
        if not condition.admits(entry.version):
            if isinstance(content, Blob):
                content.file.close()
            return self._unmet(target, entry.version, condition)
        headers = object_headers(target.rg, entry)
        headers["Osdlog-Epoch"] = str(self._shell.node.context.map.epoch)
        copy = Copy(target.name, entry.body.size, entry.body.sha256, served.found.body)
        return await self._send(request, target, entry.version, content, headers, copy)

    async def _send(
        self,
        request: web.BaseRequest,
        target: Target,
        version: Version,
        content: bytes | Blob,
        headers: dict[str, str],
        copy: Copy,
    ) -> web.StreamResponse:
        """The bytes; those of a file are checked on their way."""
        if isinstance(content, bytes):
            return web.Response(body=content, headers=headers)
        response = web.StreamResponse(headers=headers)
        try:
            async with aclosing(pieces(content, copy.size, copy.sha256)) as checked:
                await response.prepare(request)
                async for piece in checked:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        await response.write(piece)
        except (DiskFailed, TimeoutError) as error:
            if isinstance(error, BytesDamaged):
                self._damaged(target.rg, version, copy.body)
            if request.transport is not None:  # it was all but sent; whoever asks again gets it
                request.transport.abort()
        return response

    def _damaged(self, rg: RgId, version: Version, body: Body) -> None:
        self._shell.feed(Damaged(rg, version, body))

    def _answer(
        self, request: web.BaseRequest, target: Target, answer: Answer | Served
    ) -> web.Response:
        assert not isinstance(answer, Served)
        copies = self._copies(target, answer) if isinstance(answer, Done) else 1
        if isinstance(answer, NotNow | OutcomeUnknown):
            answer = answer._replace(why=with_stall(self._shell, answer.why, target.rg))
        return to_response(answer, self._about(request, target.rg), copies)

    def _about(self, request: web.BaseRequest, rg: RgId) -> About:
        return About(self._shell.node.context.map.epoch, rg, request.raw_path)

    def _copies(self, target: Target, done: Done) -> int:
        """How many copies of it count, as far as it is still the current version."""
        table = self._shell.table(target.rg)
        entry = table.entry(target.name) if table is not None else None
        return len(entry.holders()) if entry and entry.version == done.version else 1

    def _unmet(self, target: Target, version: Version, condition: Condition) -> web.Response:
        headers = {
            "ETag": etag(target.rg, version),
            "Osdlog-Version": str(version),
            "Osdlog-Epoch": str(self._shell.node.context.map.epoch),
        }
        if condition.match is None or version in condition.match:
            return web.Response(status=304, headers=headers)  # so If-None-Match failed
        what = f"the object is at version {version}, not as the condition wants"
        return error(412, what, "Read the object again, then decide.", headers)


def _is_right(served: Served) -> bool:
    """Whether it may be sent: all bytes of a small one are right, a file has its size."""
    body, content = served.found.entry.body, served.content
    assert body is not None
    return content is not None and _has_sum(content, body.size, body.sha256)


def _has_sum(content: bytes | Blob, size: int, digest: bytes) -> bool:
    if isinstance(content, bytes):
        return len(content) == size and sha256(content).digest() == digest
    if content.size != size:
        content.file.close()
    return content.size == size
