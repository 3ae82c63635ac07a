"""Lists of all OSDs, merged: nothing left out, nothing twice, or no list at all."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from aiohttp import web

from client.fake_osds import FakeOsd, boot, made_cluster
from eventlog.ids import rg_of
from osd.client import AsyncClient
from osd.client.listing import Listing
from osd.client.map_reader import MapReader
from osd.client.transport import new_session
from osd.errors import Unavailable

RGS = 8


class ListingOsd(FakeOsd):
    """Has names, and lists them as an OSD does; the others' names are not its own."""

    def __init__(self, osd: int, names: list[str]) -> None:
        super().__init__(osd)
        self.names = names
        self.once: Callable[[], None] | None = None
        """To be done when it is asked first."""

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        once, self.once = self.once, None
        if once is not None:
            once()
        query = parse_qs(urlsplit(request.raw_path).query, keep_blank_values=True)
        prefix, after, limit = query["prefix"][0], query["after"][0], int(query["limit"][0])
        chosen = sorted(
            n for n in self.names if n.startswith(prefix) and n.encode() > after.encode()
        )
        rows = [
            {
                "name": name,
                "rg": rg_of(name, RGS),
                "version": 1,
                "size": 0,
                "sha256": "",
                "copies": 1,
            }
            for name in chosen
        ]
        body = b"".join(msgspec.json.encode(row) + b"\n" for row in rows[:limit])
        return web.Response(body=body, headers={"Osdlog-Epoch": "99"})


def _is_after(name: str, after: str) -> bool:
    return name.encode() > after.encode()


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
async def test_lists_are_merged_in_order_whatever_the_page(tmp_path: Path, page: int) -> None:
    url = made_cluster(tmp_path, [0, 1], RGS)
    names = [*"abcdefgh", "ü", "z", "é", "\N{GRINNING FACE}", "a/b c"]
    async with (
        ListingOsd(0, names[::2]).listening() as first,
        ListingOsd(1, names[1::2]).listening() as second,
        new_session("a") as session,
    ):
        boot(url, first)
        boot(url, second)
        async with AsyncClient(url) as client:
            reader = MapReader(client.log)
            reader.refresh()
            listing = Listing(session, reader, deadline_s=5)
            found = [row.name async for row in listing.names("", page)]
            with_prefix = [row.name async for row in client.list("a")]
    assert found == sorted(names, key=str.encode)
    assert with_prefix == ["a", "a/b c"]


async def test_a_map_that_another_request_read_meanwhile_is_no_quiet_one(tmp_path: Path) -> None:
    url = made_cluster(tmp_path, [0, 1], RGS)
    leads_all = ListingOsd(0, ["a", "c"])
    async with (
        leads_all.listening() as first,
        ListingOsd(1, ["b", "d"]).listening() as second,
        new_session("a") as session,
    ):
        boot(url, first)
        async with AsyncClient(url) as client:
            reader = MapReader(client.log)
            reader.refresh()

            def another_request() -> None:
                boot(url, second)
                reader.refresh()

            leads_all.once = another_request
            listing = Listing(session, reader, deadline_s=5)
            found = [row.name async for row in listing.names()]
    assert found == ["a", "b", "c", "d"]


async def test_there_is_no_half_of_a_list(tmp_path: Path) -> None:
    url = made_cluster(tmp_path, [0, 1], RGS)
    async with ListingOsd(0, ["a"]).listening() as first, FakeOsd(1).listening() as second:
        boot(url, first)
        boot(url, second)
    async with AsyncClient(url, deadline_s=0.3) as client:
        with pytest.raises(Unavailable, match="does not answer"):
            _ = [row async for row in client.list()]


async def test_an_rg_without_a_primary_is_named(tmp_path: Path) -> None:
    url = made_cluster(tmp_path, [0], RGS)
    async with AsyncClient(url, deadline_s=0.3) as client:
        with pytest.raises(Unavailable, match="8 RGs have no OSD that is up, rg 0 for one"):
            _ = [row async for row in client.list()]
