"""Parcels: small bodies, and what is settled, that primaries send over connections that they keep.

Rule: a delivery is answered once each of its items is done and durable here or refused;
meanwhile the next is taken, so that no delivery waits for another. What says
nothing that is understood ends its connection. Who stops hears no more, and
answers first what it has taken.

What is not here: the sender (see `osd.couriers`), and when a body is taken or
dropped (see `osd.core.stagings`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256

import msgspec
from aiohttp import WSCloseCode, web

from osd.core.answers import Answer, Kept, NotNow
from osd.core.inputs import Settled, Stage
from osd.couriers import MESSAGE_BYTES, Parcel, Receipt, Sent, Settlement
from osd.errors import DiskFull, Refused
from osd.http.answers import error
from osd.http.requests import delivery_of
from osd.shell import Served, Shell

STAGE_MS = 2_000
"""A primary waits no longer than this for a body to be durable here."""
MAX_REASON_BYTES = 120
"""Of why a connection ends; WebSockets carry little more."""
HANG_UP_SECONDS = 1.0
"""So long the other side may take to say that it has heard of the end."""

_Begun = asyncio.Future[Answer | Served] | DiskFull | str
"""Or why not."""


class Parcels:
    """The handler of `/parcels`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._lines: set[web.WebSocketResponse] = set()
        self._answering: set[asyncio.Task[None]] = set()

    async def receive(self, request: web.BaseRequest, _query: str) -> web.StreamResponse:
        """Take what one primary sends, until it hangs up or this node stops."""
        line = web.WebSocketResponse(
            timeout=HANG_UP_SECONDS, compress=False, max_msg_size=MESSAGE_BYTES
        )
        if not line.can_prepare(request):
            hint = "Only nodes send parcels; docs/http.md says what others may ask."
            return error(426, "parcels come over a WebSocket", hint, {"Upgrade": "websocket"})
        await line.prepare(request)
        self._lines.add(line)
        try:
            async for message in line:
                self._take(line, message.data)
        except Refused as refused:
            reason = refused.what.encode()[:MAX_REASON_BYTES]
            await line.close(code=WSCloseCode.INVALID_TEXT, message=reason)
        finally:
            self._lines.discard(line)
            await line.close()
        return line

    async def hang_up(self) -> None:
        """Answer what was taken, and end all connections."""
        lines, self._lines = self._lines, set()
        if self._answering:
            await asyncio.wait(set(self._answering), timeout=STAGE_MS / 1_000)
        await asyncio.gather(*(line.close() for line in lines))

    def _take(self, line: web.WebSocketResponse, message: bytes | str) -> None:
        """Begin what a message wants; raises `Refused` where that makes no sense."""
        delivery = delivery_of(message if isinstance(message, bytes) else b"")
        begun = [self._begin(item) for item in delivery.items]
        answering = asyncio.create_task(_answer(line, delivery.number, begun))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    def _begin(self, item: Sent) -> _Begun:
        if isinstance(item, Settlement):
            ticket = self._shell.ticket()
            settled = Settled(ticket, item.rg, item.fence, item.below, item.next_offset)
            return self._shell.begin(settled)
        self._shell.counters.parcels += 1
        if full := self._shell.gauge.refusal(len(item.data)):
            return full
        return self._stage(item)

    def _stage(self, parcel: Parcel) -> _Begun:
        if sha256(parcel.data).digest() != parcel.sha256:
            return "other bytes arrived there"
        stage = Stage(
            ticket=self._shell.ticket(),
            boot=parcel.boot,
            rg=parcel.rg,
            epoch=parcel.epoch,
            deadline=self._shell.now_ms() + STAGE_MS,
            fence=parcel.fence,
            serial=parcel.serial,
            name=parcel.name,
            payload=parcel.data,
            size=len(parcel.data),
            sha256=parcel.sha256,
        )
        return self._shell.begin(stage)


async def _answer(line: web.WebSocketResponse, number: int, begun: Sequence[_Begun]) -> None:
    troubles = [await _word(each) for each in begun]
    full = tuple(place for place, each in enumerate(begun) if isinstance(each, DiskFull))
    with suppress(ConnectionError, RuntimeError):  # it hung up meanwhile, and asks again
        await line.send_bytes(msgspec.msgpack.encode(Receipt(number, troubles, full)))


async def _word(begun: _Begun) -> str:
    """Why it is not kept; nothing if it is."""
    if isinstance(begun, str):
        return begun
    if isinstance(begun, DiskFull):
        return begun.what
    answer = await begun
    if isinstance(answer, Kept):
        return ""
    return answer.why if isinstance(answer, NotNow) else "it is not up to take it"
