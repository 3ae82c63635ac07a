"""Several copies on real processes: who has a body before its put is answered, and who not."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from eventlog.ids import OsdId, RgId
from eventlog.map_events import OsdDown, ReplicasSet, RgPinned
from node.osds import Cluster, OsdProcess, until
from osd.client import Client

SMALL, LARGE = b"a small body", bytes(range(256)) * 8 * 1024
SETTINGS = {"calm_ms": 20, "retry_ms": 50, "hint_ms": 100, "settle_ms": 100}
ONLY_RG = RgId(0)

Trio = tuple[OsdProcess, OsdProcess, OsdProcess]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1, 2)
    return cluster


@pytest.fixture
def trio(cluster: Cluster) -> Iterator[Trio]:
    """Three OSDs that hold the one RG, the first as its primary."""
    with ExitStack() as running:
        osds = [running.enter_context(cluster.osd(osd, settings=SETTINGS)) for osd in range(3)]
        keep(cluster, replicas=3, at_least=2)
        until(lambda: osds[0].put("first", SMALL).status == 201)
        yield osds[0], osds[1], osds[2]


def keep(cluster: Cluster, replicas: int, at_least: int) -> None:
    pin = RgPinned(rg=ONLY_RG, osds=tuple(OsdId(osd) for osd in range(replicas)))
    cluster.change(ReplicasSet(replicas=replicas, min_replicas=at_least), pin)


def mark_down(cluster: Cluster, osd: int) -> None:
    known = cluster.map().osds[OsdId(osd)]
    assert known.store is not None
    cluster.change(OsdDown(store=known.store, boot=known.boot, why="test"))


def bodies_taken(osd: OsdProcess) -> int:
    """Those that came by themselves, and those that came over a kept connection."""
    said = dict(
        line.rsplit(" ", 1) for line in osd.request("GET", "/metrics").body.decode().splitlines()
    )
    alone = said.get('osdlog_requests_total{method="PUT",status="201"}', "0")
    return int(alone) + int(said["osdlog_parcels_total"])


@pytest.mark.parametrize("body", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_a_put_is_on_every_disk_when_it_is_answered(trio: Trio, body: bytes) -> None:
    reply = trio[0].put("a", body)
    assert (reply.status, reply.json["copies"]) == (201, 3)
    assert trio[0].facts("a") == {0: "held", 1: "held", 2: "held"}
    path = f"/copies/0/{reply.json['version']}?name=a"
    until(lambda: {osd.request("GET", path).status for osd in trio} == {200})
    assert [osd.request("GET", path).body == body for osd in trio] == [True] * 3


def test_a_body_of_unknown_length_goes_everywhere(trio: Trio) -> None:
    pieces = (LARGE[at : at + 100_000] for at in range(0, len(LARGE), 100_000))
    reply = trio[0].request("PUT", "/objects/a", pieces)
    assert reply.json["copies"] == 3
    assert [len(osd.files()) for osd in trio] == [1, 1, 1]


def test_a_small_body_of_unknown_length_goes_once_to_each(trio: Trio) -> None:
    before = [bodies_taken(osd) for osd in trio[1:]]
    assert trio[0].request("PUT", "/objects/a", iter([SMALL, SMALL])).json["copies"] == 3
    assert [bodies_taken(osd) for osd in trio[1:]] == [count + 1 for count in before]


def test_who_stands_still_is_not_waited_for_long_and_catches_up(trio: Trio) -> None:
    trio[2].send(signal.SIGSTOP)
    try:
        for name, body in (("small", SMALL), ("large", LARGE)):
            assert trio[0].put(name, body).json["copies"] == 2
            assert trio[0].facts(name) == {0: "held", 1: "held"}
    finally:
        trio[2].send(signal.SIGCONT)
    everywhere = {0: "held", 1: "held", 2: "held"}
    until(lambda: trio[0].facts("small") == trio[0].facts("large") == everywhere)
    until(lambda: len(trio[2].files()) == 1)


def test_who_is_dead_costs_nothing_but_its_copy(trio: Trio) -> None:
    trio[2].kill()
    assert trio[0].put("a", LARGE).json["copies"] == 2
    trio[2].start()
    until(lambda: trio[0].facts("a") == {0: "held", 1: "held", 2: "held"})


def test_below_min_replicas_nothing_is_appended(trio: Trio, cluster: Cluster) -> None:
    for osd in trio[1:]:
        osd.kill()
    no = trio[0].put("a", LARGE, Osdlog_Deadline_Ms="5000")
    assert no.status == 503
    assert no.error.startswith("min_replicas is 2, and only osd.0 got the body: osd.1/")
    mark_down(cluster, 1)
    mark_down(cluster, 2)
    until(lambda: "only osd.0 is up" in trio[0].put("a", SMALL).error)
    assert trio[0].get("a").status == 404
    assert trio[0].get("first").body == SMALL
    assert trio[0].delete("first").status == 200
    until(lambda: trio[0].files() == [])


def test_the_next_in_line_goes_on_where_the_primary_died(trio: Trio, cluster: Cluster) -> None:
    trio[0].put("a", LARGE)
    trio[0].kill()
    mark_down(cluster, 0)
    with Client(cluster.url) as client:
        assert client.get("a") == LARGE
        assert client.put("b", SMALL).copies == 2
        trio[0].start()
        until(lambda: trio[0].facts("b") == {0: "held", 1: "held", 2: "held"})
        assert client.get("b") == SMALL


def test_what_came_to_nothing_is_left_nowhere(trio: Trio) -> None:
    wrong = {"Osdlog-Sha256": "00" * 32}
    assert trio[0].request("PUT", "/objects/a", LARGE, wrong).status == 400
    unmet = {"If-Match": '"0.99"'}
    assert trio[0].request("PUT", "/objects/a", LARGE, unmet).status == 412
    until(lambda: [osd.files() for osd in trio] == [[], [], []])


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "'' is not a fence"),
        ({"Osdlog-Fence": "4.1 osd.0 2"}, "'4.1 osd.0 2' is not a fence"),
        ({"Osdlog-Fence": "9.1 osd.0/00000000000000ab 2", "Osdlog-Boot": "x"}, "Osdlog-Boot is"),
    ],
)
def test_a_body_that_names_no_claim_is_refused(
    trio: Trio, headers: dict[str, str], why: str
) -> None:
    no = trio[1].request("PUT", "/staged/0/1?name=a", LARGE, headers)
    assert (no.status, no.error.startswith(why)) == (400, True)
    assert trio[1].files() == []


def test_a_body_under_an_old_claim_is_refused(trio: Trio) -> None:
    headers = {"Osdlog-Fence": "1.1 osd.0/00000000000000ab 2", "Osdlog-Boot": "1"}
    no = trio[1].request("PUT", "/staged/0/1?name=a", LARGE, headers)
    assert (no.status, no.error.startswith("fenced: the RG was claimed as ")) == (503, True)
    until(lambda: trio[1].files() == [])
