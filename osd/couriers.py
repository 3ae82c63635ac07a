"""Couriers: small bodies on their way to peers, those that come meanwhile together.

Rule: to each peer one request at most is under way; what comes meanwhile goes
with the next, so that a request carries the more bodies the more there are.
Nobody else is waited for. What is not waited for any more is not sent.

What is not here: large bodies, and who counts as having one (see
`osd.replication`).
"""

import asyncio
from collections import deque
from typing import NamedTuple

import aiohttp
import msgspec

from eventlog.ids import Boot, Epoch, Fence, RgId, Serial

TOGETHER_BYTES = 512 * 1024
"""Sent at once; with its head a request is below what a node reads into memory."""
PATIENCE_SECONDS = 2.0
_TIMEOUT = aiohttp.ClientTimeout(total=2 * PATIENCE_SECONDS, sock_connect=PATIENCE_SECONDS)


class Parcel(msgspec.Struct, array_like=True, frozen=True):
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


class _Waiting(NamedTuple):
    parcel: Parcel
    answer: asyncio.Future[bytes]
    """The sum of what is durable there."""


class Couriers:
    """To all peers of one node."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._by_address: dict[str, _Courier] = {}

    def send(self, address: str, parcel: Parcel) -> asyncio.Future[bytes]:
        """Resolved with the body's sum once it is durable there; fails with what went wrong."""
        courier = self._by_address.get(address)
        if courier is None:
            courier = self._by_address[address] = _Courier(self._session, address)
        return courier.send(parcel)


class _Courier:
    """To one address."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._url = f"http://{address}/staged"
        self._waiting: deque[_Waiting] = deque()
        self._under_way: asyncio.Task[None] | None = None

    def send(self, parcel: Parcel) -> asyncio.Future[bytes]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append(_Waiting(parcel, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._set_out)  # with what else comes in this turn of the loop
        return answer

    def _set_out(self) -> None:
        if self._under_way is not None:
            return
        chosen = self._take()
        if chosen:
            self._under_way = asyncio.create_task(self._carry(chosen))
            self._under_way.add_done_callback(self._returned)

    def _returned(self, _task: asyncio.Task[None]) -> None:
        self._under_way = None
        self._set_out()

    def _take(self) -> list[_Waiting]:
        chosen: list[_Waiting] = []
        size = 0
        while self._waiting:
            size += len(self._waiting[0].parcel.data)
            if chosen and size > TOGETHER_BYTES:
                break
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                chosen.append(waiting)
        return chosen

    async def _carry(self, chosen: list[_Waiting]) -> None:
        try:
            said = await self._ask([waiting.parcel for waiting in chosen])
            if len(said) != len(chosen):
                raise aiohttp.ClientError(f"it answered for {len(said)} of {len(chosen)} bodies")
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            _fail(chosen, error)
            return
        except BaseException:
            _fail(chosen, aiohttp.ClientError("the node is stopping"))
            raise
        for waiting, trouble in zip(chosen, said, strict=True):
            if trouble:
                _fail([waiting], aiohttp.ClientError(trouble))
            elif not waiting.answer.done():
                waiting.answer.set_result(waiting.parcel.sha256)

    async def _ask(self, parcels: list[Parcel]) -> list[str]:
        """Why each is not durable there; empty if it is."""
        data = msgspec.msgpack.encode(parcels)
        async with self._session.put(self._url, data=data, timeout=_TIMEOUT) as response:
            content = await response.read()
            if response.status != 201:
                raise aiohttp.ClientError(f"it answered {response.status} {content[:300]!r}")
            return msgspec.json.decode(content, type=list[str])


def _fail(chosen: list[_Waiting], error: Exception) -> None:
    for waiting in chosen:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
            waiting.answer.exception()  # nobody waiting any more is no fault
