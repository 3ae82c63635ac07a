"""A body that still comes is no row yet: who states its holdings meanwhile says that it comes."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.codec import Decoder
from eventlog.ids import Fence, Offset, OsdId, Partition, RgId, Topic, Version, write_fence
from eventlog.map_events import ReplicasSet, RgPinned
from eventlog.open import open_log
from eventlog.rg_events import ExportClosed, HoldingsStated, RgClaimed
from node.osds import Cluster, OsdProcess, until

SETTINGS = {"calm_ms": 20, "retry_ms": 50, "hint_ms": 100, "settle_ms": 100}
LARGE = bytes(range(256)) * 16 * 1024
HALF = len(LARGE) // 2

Pair = tuple[OsdProcess, OsdProcess]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    return cluster


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[Pair]:
    """Two OSDs that hold the one RG, the first as its primary."""
    with cluster.osd(0, settings=SETTINGS) as first, cluster.osd(1, settings=SETTINGS) as second:
        pin = RgPinned(rg=RgId(0), osds=(OsdId(0), OsdId(1)))
        cluster.change(ReplicasSet(replicas=2, min_replicas=1), pin)
        until(lambda: first.put("first", b"").status == 201)
        yield first, second


def events(cluster: Cluster) -> list[object]:
    with open_log(cluster.url) as log:
        decode = Decoder(log).decode
        return [decode(record) for record in log.read(Topic.RG, Partition(0), Offset(0))]


def fence(cluster: Cluster) -> Fence:
    return [event.fence for event in events(cluster) if isinstance(event, RgClaimed)][-1]


def stated(cluster: Cluster, osd: OsdProcess, since: int) -> list[HoldingsStated]:
    """What it has stated at that version or later."""
    number = osd.config["osd"]
    said = [event for event in events(cluster) if isinstance(event, HoldingsStated)]
    return [event for event in said if event.store.osd == number and event.version >= since]


def ask_for_holdings(cluster: Cluster, osd: OsdProcess) -> None:
    store = cluster.map().osds[OsdId(osd.config["osd"])].store
    body = json.dumps({"store": str(store), "rgs": [0]}).encode()
    assert osd.request("PUT", "/holdings", body).status == 200


@contextlib.contextmanager
def half_sent(osd: OsdProcess, path: str, headers: dict[str, str]) -> Iterator[socket.socket]:
    """A request of whose body one half came, and has become a file."""
    host, port = osd.address.split(":")
    lines = [f"PUT {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(LARGE)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((host, int(port))) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode() + LARGE[:HALF])
        until(osd.files)
        yield line


def test_nobody_gets_a_body_before_a_claim_names_it(cluster: Cluster) -> None:
    """Or no proof would ever ask this disk, should the process die here."""
    with cluster.osd(0, settings=SETTINGS) as osd, half_sent(osd, "/objects/a", {}):
        assert fence(cluster).store == cluster.map().osds[OsdId(0)].store


def deleted(primary: OsdProcess, name: str) -> Version:
    """Of an object that was put and is no more."""
    assert primary.put(name, b"bytes").status == 201
    return Version(int(primary.delete(name).headers["Osdlog-Version"]))


def test_a_body_that_a_peer_still_gets_is_no_clean_disk(cluster: Cluster, pair: Pair) -> None:
    first, second = pair
    sender = {"Osdlog-Fence": write_fence(fence(cluster)), "Osdlog-Boot": "1"}
    with half_sent(second, "/staged/0/77?name=a", sender):
        version = deleted(first, "a")
        ask_for_holdings(cluster, second)
        said = until(lambda: stated(cluster, second, version))
        assert {event.staged_from for event in said} == {0}
        assert second.files()
    until(lambda: stated(cluster, second, version)[-1].staged_from is None)
    assert second.files() == []


def trickled(line: socket.socket) -> bytes:
    """What comes back, if anything does, after one byte more."""
    with contextlib.suppress(ConnectionError):  # it may be closed once it is answered
        line.sendall(b"x")
    with contextlib.suppress(BlockingIOError):
        return line.recv(1_000, socket.MSG_DONTWAIT)
    return b""


@pytest.mark.parametrize("is_staged", [False, True], ids=["primary", "replica"])
def test_a_body_that_no_put_can_name_any_more_does_not_hold_up_who_leaves(
    cluster: Cluster, pair: Pair, is_staged: bool
) -> None:
    """However slowly its sender sends on."""
    first, second = pair
    leaving, staying = (second, first) if is_staged else (first, second)
    sender = {"Osdlog-Fence": write_fence(fence(cluster)), "Osdlog-Boot": "1"} if is_staged else {}
    path = "/staged/0/77?name=a" if is_staged else "/objects/a"
    with half_sent(leaving, path, sender) as line:
        keep_on(cluster, staying)
        assert_given_up(line)
        until(lambda: leaving.config["osd"] in closed(cluster))
    assert leaving.files() == []


def test_nor_does_one_of_which_one_copy_was_to_be_kept(cluster: Cluster, pair: Pair) -> None:
    first, second = pair
    keep_on(cluster, first)
    until(lambda: second.config["osd"] in closed(cluster))
    with half_sent(first, "/objects/a", {}) as line:
        keep_on(cluster, second)
        assert_given_up(line)
        until(lambda: first.config["osd"] in closed(cluster))
    assert first.files() == []


def keep_on(cluster: Cluster, osd: OsdProcess) -> None:
    """One copy of everything, there."""
    pin = RgPinned(rg=RgId(0), osds=(OsdId(osd.config["osd"]),))
    cluster.change(pin, ReplicasSet(replicas=1, min_replicas=1))


def closed(cluster: Cluster) -> set[int]:
    """The OSDs that have said that nothing of the RG is left there."""
    return {event.store.osd for event in events(cluster) if isinstance(event, ExportClosed)}


def assert_given_up(line: socket.socket) -> None:
    answer = until(lambda: trickled(line))
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"the RG was claimed anew while the body was on its way" in answer
