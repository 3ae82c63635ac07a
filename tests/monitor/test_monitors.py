"""Monitors over real OSDs: who stands still is marked down, and says itself that it is alive."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.programs import osdlog, program
from eventlog.ids import OsdId, RgId
from eventlog.map_events import ReplicasSet, RgPinned
from node.osds import Cluster, OsdProcess, until
from osd.client import Client

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
