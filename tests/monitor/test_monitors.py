"""Monitors over real OSDs: who stands still is marked down, and says itself that it is alive."""

import asyncio
import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.programs import osdlog, program
from client.fake_osds import FakeOsd, Reply, boot, made_cluster
from eventlog.ids import Incarnation, OsdId, RgId, Store
from eventlog.map_events import ReplicasSet, RgPinned
from eventlog.open import open_log
from node.osds import Cluster, OsdProcess, until
from osd.client import Client
from osd.client.map_reader import MapReader

SETTINGS = {"calm_ms": 20, "retry_ms": 50, "hint_ms": 100, "settle_ms": 100}
WORDS = ("monitor", "--grace", "4", "--probe", "0.3")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1, 2)
    return cluster


@pytest.fixture
def osds(cluster: Cluster) -> Iterator[list[OsdProcess]]:
    """Three OSDs; the one RG is on the first two."""
    with ExitStack() as running:
        found = [running.enter_context(cluster.osd(osd, settings=SETTINGS)) for osd in range(3)]
        pin = RgPinned(rg=RgId(0), osds=(OsdId(0), OsdId(1)))
        cluster.change(ReplicasSet(replicas=2, min_replicas=1), pin)
        yield found


def is_up(cluster: Cluster, osd: int) -> bool:
    return cluster.map().osds[OsdId(osd)].is_up


def test_a_primary_that_stands_still_is_replaced_and_comes_back(
    cluster: Cluster, osds: list[OsdProcess]
) -> None:
    with (
        Client(cluster.url) as client,
        program(*WORDS, log=cluster.url),
        program(*WORDS, log=cluster.url),
    ):
        until(lambda: client.put("a", b"before").copies == 2)  # the peers know their places
        osds[0].send(signal.SIGSTOP)
        try:
            until(lambda: not is_up(cluster, 0))
            assert client.get("a") == b"before"
            assert client.put("a", b"meanwhile").copies == 1
            assert is_up(cluster, 1)
            assert is_up(cluster, 2)
        finally:
            osds[0].send(signal.SIGCONT)
        until(lambda: is_up(cluster, 0))
        until(lambda: client.status()[0].said)
        until(lambda: osds[0].facts("a") == {0: "held", 1: "held"})
        assert client.get("a") == b"meanwhile"
    log = osdlog("map", "log", log=cluster.url).out
    verdicts = re.findall(r"^epoch .* osdlog monitor .*: no answer for \d+ s$", log, re.MULTILINE)
    assert len(verdicts) == 1  # of two the second is void
    assert "osd.0: it is alive" in log


def test_a_monitor_that_hears_nobody_marks_nobody(cluster: Cluster, osds: list[OsdProcess]) -> None:
    with program(*WORDS, log=cluster.url) as running:
        for osd in osds:
            osd.send(signal.SIGSTOP)
        try:
            running.wait_for("osd.0, osd.1, osd.2 of 3 OSDs do not answer")
            assert [is_up(cluster, osd) for osd in range(3)] == [True] * 3
        finally:
            for osd in osds:
                osd.send(signal.SIGCONT)


async def test_who_answers_that_it_can_do_nothing_is_marked_down(tmp_path: Path) -> None:
    """As where its disk hangs, or it alone does not reach the log."""
    url = await asyncio.to_thread(made_cluster, tmp_path, [0, 1])
    async with FakeOsd(0).listening() as stuck, FakeOsd(1).listening() as well:
        trouble = {"since": 1.0, "why": "the disk does not answer"}
        for osd, said_of_it in ((stuck, trouble), (well, None)):
            store = Store(osd.osd, Incarnation(100 + osd.osd))
            said = {"store": str(store), "boot": 1, "trouble": said_of_it}
            osd.script = {"GET": [Reply(200, {}, json.dumps(said).encode())]}
            await asyncio.to_thread(boot, url, osd)
        with program("monitor", "--grace", "1", "--probe", "0.2", log=url) as running:
            await asyncio.to_thread(running.wait_for, r"down osd.0/.*: no answer for")
        with open_log(url) as log:
            reader = MapReader(log)
            reader.refresh()
        osds = reader.map.osds
        assert (osds[OsdId(0)].is_up, osds[OsdId(1)].is_up) == (False, True)
        meant = {asked.headers.get("Osdlog-Cluster") for asked in (*stuck.asked, *well.asked)}
        assert meant == {reader.map.cluster}
