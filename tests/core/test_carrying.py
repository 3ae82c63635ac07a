"""What a node asks of others: requests that they take, and an end to all that was asked for."""

from pathlib import Path

import msgspec
import pytest

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
    Version,
)
from osd.blobs import BlobFiles
from osd.bodies import Gauge
from osd.core.effects import Fetch, Hint, Lacked, Ticket
from osd.couriers import Couriers, Parcel, Settlement
from osd.fetches import Fetcher
from osd.process import address_of

LARGEST = 2**63 - 1
STORE = Store(OsdId(LARGEST), Incarnation(2**64 - 1))
FENCE = Fence(Epoch(LARGEST), Round(LARGEST), STORE, Boot(LARGEST))
NOWHERE = "::1:8080"
"""No address at all: nobody knows where the host ends."""


def parcel(name: str, data: bytes) -> Parcel:
    places = (Boot(LARGEST), RgId(LARGEST), Epoch(LARGEST), FENCE, Serial(LARGEST))
    return Parcel(*places, name, bytes(32), data)


@pytest.mark.parametrize("name", ["", "a" * 300, "ü" * 500, "😀" * 256])
def test_a_parcel_adds_no_more_to_a_message_than_it_says(name: str) -> None:
    one = parcel(name, b"x" * 20)
    assert len(msgspec.msgpack.encode([one])) <= one.size


async def test_an_address_that_is_none_ends_what_is_asked_there(tmp_path: Path) -> None:
    store = Store(OsdId(1), Incarnation(1))
    fetcher = Fetcher(BlobFiles(tmp_path / "blobs"), Gauge(tmp_path), "a")
    try:
        lacked = tuple(Lacked(f"{n}", Version(n), 1, b"") for n in (1, 2))
        fetched = await fetcher.fetch(Fetch(Ticket(7), RgId(0), lacked, ((store, NOWHERE),)))
        assert (fetched.ticket, fetched.got) == (7, ())
        assert fetched.why.startswith(f"{store}: ")
        assert not fetched.is_own_disk
        await fetcher.hint(Hint(NOWHERE, RgId(0), Epoch(1)))
        assert await fetcher.snapshot(NOWHERE, RgId(0)) == (None, None)
        couriers = Couriers(fetcher.session)
        with pytest.raises(ValueError, match="::1"):
            await couriers.send(NOWHERE, Settlement(RgId(0), FENCE, Serial(1), Offset(0)))
    finally:
        await fetcher.close()


async def test_a_disk_that_takes_nothing_is_no_fault_of_the_sources(tmp_path: Path) -> None:
    store = Store(OsdId(1), Incarnation(1))
    fetcher = Fetcher(BlobFiles(tmp_path / "blobs"), Gauge(tmp_path / "gone"), "a")
    try:
        asked = Fetch(Ticket(7), RgId(0), (Lacked("a", Version(1), 1, b""),), ((store, NOWHERE),))
        fetched = await fetcher.fetch(asked)
        assert fetched.is_own_disk
        assert (
            fetched.why == f"cannot ask how full {tmp_path / 'gone'} is: No such file or directory"
        )
    finally:
        await fetcher.close()


def test_what_is_settled_adds_no_more_to_a_message_than_it_says() -> None:
    one = Settlement(RgId(LARGEST), FENCE, Serial(LARGEST), Offset(LARGEST))
    assert len(msgspec.msgpack.encode([one])) <= one.size


def test_an_address_has_its_host_in_brackets_where_that_has_colons() -> None:
    assert address_of("127.0.0.1", 80) == "127.0.0.1:80"
    assert address_of("host", 80) == "host:80"
    assert address_of("::1", 80) == address_of("[::1]", 80) == "[::1]:80"
