"""Replication: a body goes to the RG's other stores while it is received.

Rule: a body goes to every peer of the reservation piece by piece as it comes,
one that is known to be small at its end, by courier. A peer that takes no
piece for a while is given up, and holds up nobody else. A peer counts if it
answers that the body is durable there, with the sum that it has here, at most
`PATIENCE_SECONDS` after the body is durable here. A reservation whose put is
never asked for is released, however that comes.

What is not here: what becomes of the bodies (see `osd.core.reservations` and
`osd.core.stagings`).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from eventlog.ids import Epoch, write_fence
from osd.bodies import Received
from osd.broken_connections import why_broken
from osd.core.answers import Peer, Reserved
from osd.core.inputs import Staging
from osd.couriers import PATIENCE_SECONDS, Couriers, Declined, NoRoom, Parcel

QUEUED_PIECES = 4
NO_ROOM = 507
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE_SECONDS)


class _Answer(msgspec.Struct):
    sha256: str


class _No(msgspec.Struct):
    error: str


class Outgoing:
    """One body on its way, of that size if it is known.

    `async with` gives the reservation back if it comes to nothing.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        couriers: Couriers,
        reserved: Reserved,
        name: str,
        size: int | None,
        epoch: Epoch,
        release: Callable[[Reserved], None],
    ) -> None:
        self._session = session
        self._couriers = couriers
        self._name = name
        self._epoch = epoch
        self._reserved = reserved
        self._size = size
        self._release = release
        self._is_handed_over = False
        self._lanes: list[_Lane] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for lane in self._lanes:
            lane.cancel()
        if not self._is_handed_over:
            self._release(self._reserved)

    async def write(self, piece: bytes) -> None:
        """Give the peers the next bytes of a body that comes in pieces."""
        if not self._lanes:
            self._start()
        for lane in self._lanes:
            await lane.write(piece)

    async def finish(self, body: Received) -> Staging:
        """Who has it, once it is durable here; from now on its put must be asked for."""
        if isinstance(body.payload, bytes) and not self._lanes:
            self._lanes = [
                self._by_courier(peer, body.payload, body.sha256) for peer in self._peers
            ]
        for lane in self._lanes:
            await lane.end()
        if self._lanes:
            await asyncio.wait([lane.task for lane in self._lanes], timeout=PATIENCE_SECONDS)
        troubles = {lane.peer.store: lane.trouble(body.sha256) for lane in self._lanes}
        full = tuple(lane.peer.store for lane in self._lanes if lane.has_no_room)
        self._is_handed_over = True
        return Staging(
            fence=self._reserved.fence,
            serial=self._reserved.serial,
            peers=tuple(store for store, trouble in troubles.items() if not trouble),
            trouble="; ".join(f"{store}: {why}" for store, why in troubles.items() if why),
            full=full,
        )

    @property
    def _peers(self) -> tuple[Peer, ...]:
        return self._reserved.peers

    def _by_courier(self, peer: Peer, data: bytes, sha256: bytes) -> "_Lane":
        rg, fence, serial, _ = self._reserved
        parcel = Parcel(peer.boot, rg, self._epoch, fence, serial, self._name, sha256, data)
        lane = _Lane(peer)
        lane.task = self._couriers.send(peer.address, parcel)
        return lane

    def _start(self) -> None:
        for peer in self._peers:
            lane = _Lane(peer)
            lane.task = asyncio.create_task(self._send(peer, lane.pieces()))
            self._lanes.append(lane)

    async def _send(self, peer: Peer, data: AsyncGenerator[bytes]) -> bytes:
        """The sum of what is durable there."""
        rg, fence, serial, _ = self._reserved
        path = f"staged/{rg:x}/{serial}?name={quote(self._name, safe='')}"
        url = URL(f"http://{peer.address}/{path}", encoded=True)
        headers = {
            "Osdlog-Fence": write_fence(fence),
            "Osdlog-Epoch": str(self._epoch),
            "Osdlog-Boot": str(peer.boot),
        }
        if self._size is not None:  # else it goes in HTTP's chunks, each with a head of its own
            headers["Content-Length"] = str(self._size)
        putting = self._session.put(url, data=data, headers=headers, timeout=_TIMEOUT)
        async with putting as response:
            content = await response.read()
            if response.status != 201:
                raise _declined(response.status, content)
            return bytes.fromhex(msgspec.json.decode(content, type=_Answer).sha256)


class _Lane:
    """The way to one peer."""

    task: asyncio.Future[bytes]

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUED_PIECES)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """What is written, up to the end; an empty piece ends it."""
        while piece := await self._queue.get():
            yield piece

    async def write(self, piece: bytes) -> None:
        """Queue the piece, or give the peer up if there is no room for too long."""
        if self.task.done():
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS if self._queue.full() else None):
                await self._queue.put(piece)
        except TimeoutError:
            self.cancel()

    async def end(self) -> None:
        """Nothing more comes; what went by courier is whole already."""
        if isinstance(self.task, asyncio.Task):
            await self.write(b"")

    def cancel(self) -> None:
        """Give the peer up, unless it has answered."""
        self.task.cancel()

    def trouble(self, sha256: bytes) -> str:
        """Why the peer does not count; empty if it does."""
        self.cancel()
        if not self.task.done() or self.task.cancelled():
            return f"it was not durable there within {PATIENCE_SECONDS:g} s"
        if (error := self.task.exception()) is not None:
            return _reason(error)
        return "" if self.task.result() == sha256 else "other bytes arrived there"

    @property
    def has_no_room(self) -> bool:
        """Whether the peer answered that its disk is full."""
        is_answered = self.task.done() and not self.task.cancelled()
        return is_answered and isinstance(self.task.exception(), NoRoom)


def _declined(status: int, content: bytes) -> Declined:
    try:
        why = msgspec.json.decode(content, type=_No).error
    except msgspec.MsgspecError:
        why = f"it answered {status}"
    return NoRoom(why) if status == NO_ROOM else Declined(why)


def _reason(error: BaseException) -> str:
    match error:
        case Declined():
            return str(error)
        case TimeoutError():
            return "it does not answer in time"
        case OSError():
            return f"it does not answer: {why_broken(error)}"
        case _:
            return why_broken(error)
