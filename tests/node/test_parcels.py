"""Small bodies over a kept connection: nobody waits for an earlier answer, a break fails all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

import aiohttp
import msgspec
import pytest
from aiohttp import web

from eventlog.ids import (
    Boot,
    Epoch,
    Fence,
    Incarnation,
    Offset,
    OsdId,
    RgId,
    Round,
    Serial,
    Store,
)
from osd.couriers import (
    MESSAGE_BYTES,
    Couriers,
    Declined,
    Delivery,
    NoRoom,
    Parcel,
    Receipt,
    Sent,
    Settlement,
)

FENCE = Fence(Epoch(1), Round(1), Store(OsdId(0), Incarnation(1)), Boot(1))

Line = web.WebSocketResponse
Peer = Callable[[Line, Delivery], Awaitable[None]]


def parcel(serial: int, data: bytes = b"body") -> Parcel:
    name, digest = f"object-{serial}", sha256(data).digest()
    return Parcel(Boot(1), RgId(0), Epoch(1), FENCE, Serial(serial), name, digest, data)


def settlement(below: int) -> Settlement:
    return Settlement(RgId(0), FENCE, Serial(below), Offset(7))


def serial_of(item: Sent) -> int:
    return item.serial if isinstance(item, Parcel) else item.below


@asynccontextmanager
async def sent_to(peer: Peer, *, is_deaf: bool = False) -> AsyncIterator[tuple[Couriers, str]]:
    """Couriers, and the address of a peer that does this with what it is sent."""

    async def receive(request: web.BaseRequest) -> web.StreamResponse:
        line = Line()
        await line.prepare(request)
        while is_deaf:
            await asyncio.sleep(0.1)
        async for message in line:
            await peer(line, msgspec.msgpack.decode(message.data, type=Delivery))
        return line

    runner = web.ServerRunner(web.Server(receive), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        couriers = Couriers(session)
        host, port = runner.addresses[0]
        yield couriers, f"{host}:{port}"
        await couriers.close()
    await runner.cleanup()


async def answer(line: Line, delivery: Delivery, trouble: str = "") -> None:
    receipt = Receipt(delivery.number, [trouble for _ in delivery.items])
    await line.send_bytes(msgspec.msgpack.encode(receipt))


def test_what_comes_in_one_turn_goes_together_and_nobody_waits_for_an_earlier_answer() -> None:
    seen: list[list[int]] = []
    held: list[Delivery] = []

    async def peer(line: Line, delivery: Delivery) -> None:
        seen.append([serial_of(item) for item in delivery.items])
        held.append(delivery)
        if len(held) == 2:
            for each in reversed(held):
                await answer(line, each)

    async def run() -> None:
        async with sent_to(peer) as (couriers, address):
            first = [couriers.send(address, parcel(1)), couriers.send(address, settlement(2))]
            while not seen:
                await asyncio.sleep(0.001)
            later = couriers.send(address, parcel(3))
            body = sha256(b"body").digest()
            assert await asyncio.gather(*first, later) == [body, b"", body]

    asyncio.run(run())
    assert seen == [[1, 2], [3]]


def test_a_full_disk_is_told_from_any_other_no() -> None:
    async def peer(line: Line, delivery: Delivery) -> None:
        troubles = ["no room" for _ in delivery.items]
        await line.send_bytes(msgspec.msgpack.encode(Receipt(delivery.number, troubles, (1,))))

    async def run() -> None:
        async with sent_to(peer) as (couriers, address):
            sent = [couriers.send(address, parcel(serial)) for serial in (1, 2, 3)]
            kinds = [type(no) for no in await asyncio.gather(*sent, return_exceptions=True)]
            assert kinds == [Declined, NoRoom, Declined]

    asyncio.run(run())


def test_a_no_is_of_its_body_alone() -> None:
    async def peer(line: Line, delivery: Delivery) -> None:
        troubles = ["fenced" if serial_of(item) == 1 else "" for item in delivery.items]
        await line.send_bytes(msgspec.msgpack.encode(Receipt(delivery.number, troubles)))

    async def run() -> None:
        async with sent_to(peer) as (couriers, address):
            refused, kept = couriers.send(address, parcel(1)), couriers.send(address, parcel(2))
            assert await kept == sha256(b"body").digest()
            with pytest.raises(Declined, match="fenced"):
                await refused

    asyncio.run(run())


@pytest.mark.parametrize("said", [b"\xc1", msgspec.msgpack.encode(Receipt(1, []))])
def test_what_makes_no_sense_breaks_the_connection_and_the_next_body_makes_another(
    said: bytes,
) -> None:
    async def peer(line: Line, delivery: Delivery) -> None:
        if serial_of(delivery.items[0]) == 1:
            await line.send_bytes(said)
        else:
            await answer(line, delivery)

    async def run() -> None:
        async with sent_to(peer) as (couriers, address):
            with pytest.raises((aiohttp.ClientError, msgspec.MsgspecError)):
                await couriers.send(address, parcel(1))
            assert await couriers.send(address, parcel(2)) == sha256(b"body").digest()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("text", "it does not answer as an OSD does"),
        (bytes(MESSAGE_BYTES + 1), "what answers there does not speak as an OSD does"),
    ],
    ids=["text", "too much"],
)
def test_what_broke_the_connection_is_told(said: str | bytes, why: str) -> None:
    async def peer(line: Line, delivery: Delivery) -> None:
        await (line.send_str(said) if isinstance(said, str) else line.send_bytes(said))

    async def run() -> None:
        async with sent_to(peer) as (couriers, address):
            with pytest.raises(aiohttp.ClientError, match=why):
                await couriers.send(address, parcel(1))

    asyncio.run(run())


def test_a_peer_that_falls_silent_fails_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process stands still: the connection stays, and no ping is answered."""
    monkeypatch.setattr("osd.couriers.SILENCE_SECONDS", 0.05)

    async def run() -> None:
        async with sent_to(answer, is_deaf=True) as (couriers, address):
            with pytest.raises(aiohttp.ClientError, match="it takes too long"):
                await couriers.send(address, parcel(1))

    asyncio.run(run())


def test_who_is_not_there_or_hangs_up_fails_what_is_under_way() -> None:
    async def peer(line: Line, delivery: Delivery) -> None:
        await line.close()

    async def run() -> None:
        async with sent_to(peer) as (couriers, address):
            with pytest.raises(aiohttp.ClientError, match="closed there"):
                await couriers.send(address, parcel(1))
            with pytest.raises(aiohttp.ClientError):
                await couriers.send("127.0.0.1:1", parcel(1))

    asyncio.run(run())


def test_a_node_that_stops_fails_what_is_under_way() -> None:
    async def peer(line: Line, delivery: Delivery) -> None:
        pass

    async def run() -> None:
        async with sent_to(peer) as (couriers, address):
            under_way = couriers.send(address, parcel(1))
            await asyncio.sleep(0)
            await couriers.close()
            with pytest.raises(aiohttp.ClientError, match="the node is stopping"):
                await under_way

    asyncio.run(run())
