"""osdlog scrub: what runs already is said, seen and stopped; nobody is left in the dark."""

import json
import signal
import time
from collections.abc import Iterator

import pytest

from cli.conftest import Cluster
from cli.programs import PATIENCE_S, osdlog, program
from eventlog.ids import OsdId, parse_osd

A_BYTE_A_SECOND = 0.000001


@pytest.fixture
def osd(cluster: Cluster) -> Iterator[OsdId]:
    """One that holds an object of 1,000 bytes: read a byte a second it takes long."""
    cluster.client.put("scrubbed", b"x" * 1_000)
    (holder,) = cluster.client.stat("scrubbed").held_by
    yield parse_osd(holder)
    cluster.run("scrub", "--stop")
    cluster.client.delete("scrubbed")


def until_it_runs(cluster: Cluster, osd: OsdId, depth: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while (cluster.client.scrub_report(osd)["running"] or {}).get("depth") != depth:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_one_that_runs_already_is_said_and_seen_and_can_be_stopped(
    cluster: Cluster, osd: OsdId
) -> None:
    assert cluster.client.scrub(osd, deep=True, bytes_s=1)["is_begun"]
    with program("scrub", osd, "--deep", "--rate", "0", log=cluster.log) as waiting:
        waiting.wait_for(
            rf"osd\.{osd}: a deep scrub that \S+ asked for \(1 B/s\) runs already"
            rf" and is waited for; `osdlog scrub {osd} --stop` stops it"
        )
        shown = cluster.run("scrub", osd, "--last").lines[-1]
        assert shown.startswith(f"osd.{osd}  deep, by ")
        assert " 1 B/s " in shown
        plan = json.loads(cluster.run("scrub", "--last", "--json").out)["plans"][str(osd)]
        assert plan["running"]["depth"] == "deep"
        stopped = cluster.run("scrub", osd, "--stop")
        assert (stopped.code, stopped.err) == (0, f"osd.{osd}: its scrub was stopped\n")
        waiting.wait_for(rf"osd\.{osd} gave no result: its scrub was stopped before its end")
        assert waiting.end() == 3
    none = cluster.run("scrub", "--stop")
    assert (none.code, none.err) == (0, "osd.0: no scrub runs\nosd.1: no scrub runs\n")


def test_a_deep_one_that_takes_its_place_is_waited_for(cluster: Cluster, osd: OsdId) -> None:
    with program("scrub", osd, "--rate", f"{A_BYTE_A_SECOND:f}", log=cluster.log) as waiting:
        until_it_runs(cluster, osd, "light")
        assert cluster.client.scrub(osd, deep=True, bytes_s=1)["is_begun"]
        waiting.wait_for(rf"osd\.{osd}: a deep scrub that \S+ asked for \(1 B/s\) took its place")
        assert cluster.client.stop_scrub(osd)["was_running"]
        assert waiting.end() == 3
    with program("scrub", osd, "--rate", f"{A_BYTE_A_SECOND:f}", log=cluster.log) as waiting:
        until_it_runs(cluster, osd, "light")
        assert cluster.client.scrub(osd, deep=True, bytes_s=0)["is_begun"]
        waiting.wait_for(rf"^osd\.{osd} +deep ")
        assert waiting.end() == 0


def test_who_stops_waiting_is_told_that_it_goes_on(cluster: Cluster, osd: OsdId) -> None:
    slow = ("--deep", "--rate", f"{A_BYTE_A_SECOND:f}")
    with program("scrub", osd, *slow, log=cluster.log) as waiting:
        until_it_runs(cluster, osd, "deep")
        waiting.send(signal.SIGINT)
        assert waiting.end() == 130
        waiting.wait_for("what was begun goes on: .* `osdlog scrub --stop` ends it")
    assert cluster.client.scrub_report(osd)["running"] is not None


def test_words_that_contradict_each_other() -> None:
    done = osdlog("scrub", "--stop", "--deep", log="sqlite:/nowhere")
    assert done.code == 2
    assert "error: --last shows, --stop stops, and --deep and --rate are of a scrub" in done.err
