"""Couriers: small bodies, and what is settled, on their way to peers over one kept connection each.

Rule: what is sent in one turn of the loop goes in one message, at once; each
message has a number, and its answer names it, so nobody waits for an earlier
answer. A connection that breaks, or is silent for `SILENCE_SECONDS` to a ping,
fails all that is under way on it; the next thing sent makes another. What is not
waited for any more is not sent.

What is not here: large bodies, and who counts as having one (see
`osd.replication`); and the peer's side (see `osd.http.parcels`).
"""

import asyncio
from collections import deque
from typing import NamedTuple

import aiohttp
import msgspec

from eventlog.ids import Boot, Epoch, Fence, Offset, RgId, Serial
from osd.broken_connections import why_broken

TOGETHER_BYTES = 512 * 1024
"""In one message."""
MESSAGE_BYTES = 1024 * 1024
"""More than a message has with its head, and the most that a peer takes."""
HEAD_BYTES = 256
"""What a parcel says beside its name and its body takes less."""
PATIENCE_SECONDS = 2.0
SILENCE_SECONDS = 2.0
FAILED = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""What asking a peer may raise. A ValueError: nobody can be asked at such an address."""
_TIMEOUT = aiohttp.ClientTimeout(total=PATIENCE_SECONDS, sock_connect=PATIENCE_SECONDS)


class Declined(aiohttp.ClientError):
    """The peer says why this is not done there."""


class NoRoom(Declined):
    """Its disk has no room for the body."""


class Parcel(msgspec.Struct, array_like=True, frozen=True, tag="body"):
    """A small body for one peer."""

    boot: Boot
    """The process that it is meant for."""
    rg: RgId
    epoch: Epoch
    fence: Fence
    serial: Serial
    name: str
    sha256: bytes
    data: bytes

    @property
    def size(self) -> int:
        """At least what it adds to a message."""
        return HEAD_BYTES + 4 * len(self.name) + len(self.data)


class Settlement(msgspec.Struct, array_like=True, frozen=True, tag="settled"):
    """What is settled at the primary; see `osd.core.inputs.Settled`."""

    rg: RgId
    fence: Fence
    below: Serial
    next_offset: Offset

    sha256 = b""
    size = HEAD_BYTES


Sent = Parcel | Settlement


class Delivery(msgspec.Struct, array_like=True, frozen=True):
    """A message to a peer."""

    number: int
    items: list[Sent]


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """Its answer, once all is durable there or refused."""

    number: int
    troubles: list[str]
    """Of each item why it is not done; empty if it is."""
    full: tuple[int, ...] = ()
    """Of which of them, by their place, that is that the disk has no room."""


class _Waiting(NamedTuple):
    item: Sent
    answer: asyncio.Future[bytes]
    """The sum of what is durable there; nothing where no body was sent."""


class Couriers:
    """To all peers of one node."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._by_address: dict[str, _Courier] = {}

    def send(self, address: str, item: Sent) -> asyncio.Future[bytes]:
        """Resolved with the body's sum once that is done there; fails with what went wrong."""
        courier = self._by_address.get(address)
        if courier is None:
            courier = self._by_address[address] = _Courier(self._session, address)
        return courier.send(item)

    async def close(self) -> None:
        """Hang up; what is under way fails."""
        for courier in self._by_address.values():
            await courier.close()


class _Courier:
    """To one address."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._url = f"http://{address}/parcels"
        self._waiting: deque[_Waiting] = deque()
        self._sent: dict[int, list[_Waiting]] = {}
        """By number, what is not answered yet."""
        self._number = 0
        self._stirred = asyncio.Event()
        self._connected: asyncio.Task[None] | None = None

    def send(self, item: Sent) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, answer))
        self._stirred.set()
        if self._connected is None:
            self._connected = asyncio.create_task(self._connect())
        return answer

    async def close(self) -> None:
        if self._connected is not None:
            self._connected.cancel()
            await asyncio.gather(self._connected, return_exceptions=True)
        self._fail(aiohttp.ClientError("the node is stopping"))

    async def _connect(self) -> None:
        """Send and hear until the connection breaks; then all that is not answered fails."""
        error: Exception = aiohttp.ClientError("the node is stopping")
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS) as opening,
                self._session.ws_connect(
                    self._url, heartbeat=2 * SILENCE_SECONDS, max_msg_size=MESSAGE_BYTES
                ) as line,
            ):
                opening.reschedule(None)
                await self._exchange(line)
        except (*FAILED, msgspec.MsgspecError) as broken:
            error = broken
        except Exception as mistake:  # noqa: BLE001 - whatever it is, who waits is told
            error = aiohttp.ClientError(repr(mistake))
        finally:
            self._connected = None
            self._fail(error)

    async def _exchange(self, line: aiohttp.ClientWebSocketResponse) -> None:
        """Until one of both directions ends; raises why."""
        both = [asyncio.create_task(way) for way in (self._hear(line), self._send_on(line))]
        try:
            ended, _ = await asyncio.wait(both, return_when="FIRST_COMPLETED")
            await ended.pop()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _hear(self, line: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await line.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                raise _broken(message)
            self._answered(msgspec.msgpack.decode(message.data, type=Receipt))

    async def _send_on(self, line: aiohttp.ClientWebSocketResponse) -> None:
        while await self._stirred.wait():
            self._stirred.clear()
            while chosen := self._take():
                self._number += 1
                self._sent[self._number] = chosen
                items = [waiting.item for waiting in chosen]
                await line.send_bytes(msgspec.msgpack.encode(Delivery(self._number, items)))

    def _take(self) -> list[_Waiting]:
        chosen: list[_Waiting] = []
        size = 0
        while self._waiting:
            size += self._waiting[0].item.size
            if chosen and size > TOGETHER_BYTES:
                break
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                chosen.append(waiting)
        return chosen

    def _answered(self, receipt: Receipt) -> None:
        sent = self._sent.get(receipt.number, [])
        if not sent or len(sent) != len(receipt.troubles):
            raise aiohttp.ClientError(
                f"it answered for {len(receipt.troubles)} of {len(sent)} things sent"
            )
        del self._sent[receipt.number]
        for place, (waiting, trouble) in enumerate(zip(sent, receipt.troubles, strict=True)):
            if trouble:
                why = NoRoom if place in receipt.full else Declined
                _fail([waiting], why(trouble))
            elif not waiting.answer.done():
                waiting.answer.set_result(waiting.item.sha256)

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        sent, self._sent = self._sent, {}
        for each in (*sent.values(), list(waiting)):
            _fail(each, error)


def _broken(message: aiohttp.WSMessage) -> aiohttp.ClientError:
    match message.type:
        case aiohttp.WSMsgType.ERROR:
            return aiohttp.ClientError(why_broken(message.data))
        case aiohttp.WSMsgType.TEXT:
            return aiohttp.ClientError("it does not answer as an OSD does")
        case _:
            return aiohttp.ClientError("the connection was closed there")


def _fail(chosen: list[_Waiting], error: Exception) -> None:
    for waiting in chosen:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
            waiting.answer.exception()  # nobody waiting any more is no fault
