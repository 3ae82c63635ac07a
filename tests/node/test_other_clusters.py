"""Two clusters that mistake each other: an OSD has the address that another cluster's had."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from client.fake_osds import made_cluster
from eventlog.ids import Boot, Epoch, Fence, Incarnation, Offset, OsdId, RgId, Round, Serial, Store
from eventlog.map_events import OsdBooted
from eventlog.open import open_log
from node.osds import RGS, Cluster, OsdProcess
from osd.blobs import BlobFiles
from osd.bodies import Gauge
from osd.client import AsyncClient
from osd.client.map_writer import change_map
from osd.core.effects import Fetch, Lacked, Ticket
from osd.couriers import Couriers, Settlement
from osd.errors import Unavailable
from osd.fetches import Fetcher

STORE = Store(OsdId(0), Incarnation(7))
LARGE = b"mine" * 500_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    made.add(0)
    return made


@pytest.fixture(scope="module")
def osd(cluster: Cluster) -> Iterator[OsdProcess]:
    with cluster.osd(0) as started:
        yield started


@asynccontextmanager
async def other_client(path: Path, osd: OsdProcess) -> AsyncIterator[AsyncClient]:
    """Of a cluster whose map has an OSD of its own where this one answers."""
    url = made_cluster(path, [0], RGS)
    with open_log(url) as log:
        booted = OsdBooted(store=STORE, boot=Boot(1), address=osd.address, replaces=None)
        change_map(log, [booted], None, "boot", "osd.0")
    async with AsyncClient(url, deadline_s=0.3) as client:
        yield client


Ask = Callable[[AsyncClient], Coroutine[Any, Any, object]]


async def names(client: AsyncClient) -> list[str]:
    return [row.name async for row in client.list()]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.put("a", b"mine"),
        lambda client: client.put("a", LARGE),
        lambda client: client.get("a"),
        lambda client: client.delete("a"),
        lambda client: client.facts("a"),
        names,
    ],
)
async def test_an_osd_of_another_cluster_does_nothing(
    cluster: Cluster, osd: OsdProcess, tmp_path: Path, ask: Ask
) -> None:
    osd.put("a", b"theirs")
    async with other_client(tmp_path, osd) as client:
        theirs, mine = cluster.map().cluster, (await client.map()).cluster
        with pytest.raises(Unavailable) as caught:
            await ask(client)
    said = f"the OSD at this address is of cluster {theirs}, not of {mine} (asked for 0.3 s)"
    assert caught.value.what == said
    assert "osdlog map show" in caught.value.hint
    assert osd.get("a").body == b"theirs"


async def test_who_is_asked_how_it_is_says_that_it_is_another_clusters(
    osd: OsdProcess, tmp_path: Path
) -> None:
    async with other_client(tmp_path, osd) as client:
        (status,) = await client.status()
    assert status.said is None
    assert "the OSD at this address is of cluster" in (status.why or "")


def test_the_same_cluster_and_none_are_served(cluster: Cluster, osd: OsdProcess) -> None:
    assert osd.put("b", b"x", Osdlog_Cluster=cluster.map().cluster).status == 201
    assert osd.get("b").body == b"x"
    reply = osd.get("b", Osdlog_Cluster="x" * 300)
    assert (reply.status, reply.headers["Retry-After-Ms"]) == (503, "1000")
    assert reply.error.endswith(f"not of {'x' * 40}")


async def test_nodes_of_two_clusters_give_each_other_nothing(
    cluster: Cluster, osd: OsdProcess, tmp_path: Path
) -> None:
    put = osd.put("c", b"theirs").json
    lacked = (Lacked("c", put["version"], 6, b""),)
    fence = Fence(Epoch(1), Round(1), STORE, Boot(1))
    for meant in (cluster.map().cluster, "another"):
        fetcher = Fetcher(BlobFiles(tmp_path / "blobs"), Gauge(tmp_path), meant)
        couriers = Couriers(fetcher.session)
        try:
            fetch = Fetch(Ticket(1), put["rg"], lacked, ((STORE, osd.address),))
            fetched = await fetcher.fetch(fetch)
            settled = couriers.send(osd.address, Settlement(RgId(0), fence, Serial(1), Offset(0)))
            (answer,) = await asyncio.gather(settled, return_exceptions=True)
        finally:
            await couriers.close()
            await fetcher.close()
        if meant == "another":
            assert fetched.why.endswith("it answered 503")
            assert isinstance(answer, aiohttp.WSServerHandshakeError)
            assert answer.status == 503
        else:
            assert fetched.why.endswith("other bytes than the log says")
            assert not isinstance(answer, aiohttp.WSServerHandshakeError)
