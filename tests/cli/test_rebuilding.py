"""Disks that are lost: rebuilt by a word, never where an OSD runs, and what is lost is named."""

import asyncio
import json
import shutil
import signal
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from cli.programs import Done, osdlog, program
from eventlog.errors import LogUnavailable, OsdlogError
from eventlog.ids import Boot, OsdId
from eventlog.map_events import OsdDown, OsdIn, OsdLeaving, OsdOut, ReplicasSet, StoreWrittenOff
from eventlog.open import open_log
from node.osds import Cluster, OsdProcess, until
from osd.cli.refilling import Refilled, refilled
from osd.client import Client
from osd.client.map_reader import MapReader
from osd.client.map_writer import change_map
from osd.core.membership import MONITOR, Rebuild
from osd.errors import Refused, Unavailable
from osd.process import OsdConfig
from projections.cluster_map import EMPTY, ClusterMap

BODY = bytes(range(256)) * 800
SETTINGS = {"calm_ms": 20, "retry_ms": 50}


def burn(cluster: Cluster, osd: OsdProcess, number: int) -> Path:
    """Its process is killed, and its disk is gone."""
    osd.kill()
    folder = cluster.path / f"osd-{number}"
    shutil.rmtree(folder)
    return folder


def ended_late(*rebuild: object, log: str) -> Done:
    """Ended by its deadline when it had found out what it waits for, however slow all is."""
    for seconds in (2, 10, 60):
        done = osdlog(*rebuild, "--deadline", seconds, log=log)
        if "osd.0 holds copies" in done.out:
            return done
    raise AssertionError(done.err)


def test_a_lost_disk_is_rebuilt_from_the_other_copies(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=4)
    cluster.change(ReplicasSet(replicas=2, min_replicas=2))
    cluster.add(0, 1)
    with ExitStack() as running:
        osds = [running.enter_context(cluster.osd(n, settings=SETTINGS)) for n in (0, 1)]
        with Client(cluster.url) as client:
            for number in range(5):
                client.put(f"object {number}", BODY)
        rebuild = ("rebuild", "--osd", 1, "--data", tmp_path / "osd-1", "--reason", "burnt")
        alive = osdlog(*rebuild, log=cluster.url)
        assert (alive.code, alive.out) == (1, "")
        assert "a disk in use is not rebuilt" in alive.err
        old = cluster.map().osds[OsdId(1)].store
        burn(cluster, osds[1], 1)
        done = osdlog(*rebuild, "--host", "localhost", "--log", cluster.url)
        assert done.code == 0, done.err
        assert "5 objects, 1,024,000 bytes came back" in done.err
        again = f"--data {tmp_path / 'osd-1'} --host localhost --log {cluster.url}"
        assert done.err.splitlines()[-1] == f"next: osdlog osd --id 1 {again}"
        assert old in cluster.map().retired
        osds[1].start()
        until(lambda: osds[1].facts("object 3") == {0: "held", 1: "held"})


def test_last_copies_are_given_up_only_by_a_word_and_all_named(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    names = tuple("abcdefg")
    with cluster.osd(0, settings=SETTINGS) as osd, Client(cluster.url) as client:
        for name in names:
            client.put(name, BODY)
        with pytest.raises(Refused, match=r"is not lost: a good copy is on osd\.0/"):
            client.declare_lost("a", "no")
        store = osd.report("/alive")["store"]
        data = burn(cluster, osd, 0)
        rebuild = ("rebuild", "--osd", "osd.0", "--data", data)
        rows = [[name, str(n), "204,800", store] for n, name in enumerate(names, 1)]
        refused = osdlog(*rebuild, log=cluster.url)
        assert refused.code == 1
        assert "7 objects have no other copy: a, b, c, d, e and 2 more" in refused.err
        assert [line.split() for line in refused.lines[1:]] == rows
        listed = osdlog(*rebuild, "--json", log=cluster.url).lines
        assert [json.loads(line)["name"] for line in listed] == list(names)
        assert not data.exists()
        done = osdlog(*rebuild, "--accept-loss", log=cluster.url)
        assert done.code == 1, "not all came back"
        assert "7 objects cannot come back" in done.err
        assert [line.split() for line in done.lines[1:]] == rows
        osd.start()
        client.declare_lost("a", "osd.0 burnt")
        assert [row.name for row in client.list()] == list(names[1:])
        assert osd.facts("b") == {}


def test_no_two_retirements_in_a_row_give_up_last_copies_without_the_word(tmp_path: Path) -> None:
    """Nobody is up who could say in the RG's log that the first store is retired."""
    cluster = Cluster(tmp_path, rgs=1)
    cluster.change(ReplicasSet(replicas=2, min_replicas=2))
    cluster.add(0, 1)
    with cluster.osd(0), cluster.osd(1), Client(cluster.url) as client:
        client.put("one", BODY)
    first, second = (osd.store for _, osd in sorted(cluster.map().osds.items()))
    assert first is not None
    assert second is not None
    cluster.change(*(OsdDown(store=store, boot=Boot(1), why="no") for store in (first, second)))
    cluster.change(StoreWrittenOff(store=first, by="ann", why="burnt"))
    located = osdlog("locate", "one", log=cluster.url)
    assert located.lines[0].endswith("; 1 copy counts.")
    assert [line.split()[2] for line in located.lines[2:]] == ["retired", "held"]
    for command in (
        ("map", "apply", "--retire", 1),
        ("rebuild", "--osd", 1, "--data", tmp_path / "osd-1"),
    ):
        refused = osdlog(*command, log=cluster.url)
        assert refused.code == 1, command
        assert "1 object has no other copy: one" in refused.err
        assert refused.lines[1].split() == ["one", "1", "204,800", str(second)]
    done = osdlog("map", "apply", "--retire", 1, "--accept-loss", "--json", log=cluster.url)
    assert done.code == 0, done.err
    assert "lost: 1 object had no other copy: one" in done.err
    assert [loss["name"] for loss in json.loads(done.out)["lost"]] == ["one"]


def test_a_rebuild_says_whom_it_waits_for_and_may_be_ended(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0, settings=SETTINGS) as first, Client(cluster.url) as client:
        client.put("one", BODY)
        store = first.report("/alive")["store"]
        first.stop()
        cluster.add(1)
        cluster.change(OsdOut(osd=OsdId(0)))
        data = tmp_path / "osd-1"
        with cluster.osd(1, settings=SETTINGS) as second:
            burn(cluster, second, 1)
        rebuild = ("rebuild", "--osd", 1, "--data", data)
        late = ended_late(*rebuild, log=cluster.url)
        assert late.code == 1, late.err
        assert "0 objects, 0 bytes came back\nnot back yet: 1 object\n" in late.err
        assert late.lines[1].split()[:3] == ["0", "1", "osd.0"]
        assert "osd.1 lacks 1 object of rg 0; osd.0 holds copies" in late.lines[1]
        assert late.lines[3].split() == ["one", "1", "204,800", store]
        said = json.loads(ended_late(*rebuild, "--json", log=cluster.url).out)
        assert [(one["rg"], one["who"]) for one in said["waiting"]] == [(0, ["osd.0"])]
        assert [one["name"] for one in said["out_of_reach"]] == ["one"]
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with program(*rebuild, log=cluster.url) as running:
                running.wait_for(
                    r"waiting: osd\.1 has 0 of 1 object, .*; osd\.1 lacks .*osd\.0 must"
                )
                running.send(number)
                now = running.wait_for(r"osd\.1 is (osd\.1/\w+) now, and goes on with: (osdlog .*)")
                assert running.end() == code
            assert str(cluster.map().osds[OsdId(1)].store) == now[1]
            assert now[2] == f"osdlog osd --id 1 --data {data}"
            assert not cluster.map().osds[OsdId(1)].is_up, "it has stopped cleanly"


def test_a_rebuild_waits_for_a_log_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.change(ReplicasSet(replicas=2, min_replicas=1))
    cluster.add(0, 1)
    shown: list[str] = []
    refresh = MapReader.refresh
    away: OsdlogError = LogUnavailable("the log does not answer", "Start its broker.")

    def failing(reader: MapReader) -> ClusterMap:
        if len(shown) < failures and reader.map is not EMPTY:
            raise away
        return refresh(reader)

    def rebuilt(deadline_s: float | None) -> Refilled:
        word = Rebuild("ann", "burnt")
        data = tmp_path / "osd-1"
        config = OsdConfig(OsdId(1), data, cluster.url, rebuild=word)
        return asyncio.run(refilled(config, deadline_s, "osdlog osd", shown.append))

    def ended_by_deadline() -> None:
        for seconds in (1, 10, 60):
            with suppress(Unavailable):  # it did not even serve in that time
                rebuilt(seconds)

    with cluster.osd(0, settings=SETTINGS), Client(cluster.url) as client:
        with cluster.osd(1, settings=SETTINGS) as osd:
            client.put("one", BODY)
            until(lambda: osd.facts("one") == {0: "held", 1: "held"})
            burn(cluster, osd, 1)
        monkeypatch.setattr(MapReader, "refresh", failing)
        failures = 3
        assert rebuilt(None)[1:3] == (1, len(BODY))
        assert shown[:3] == ["osd.1 cannot be looked at: the log does not answer"] * 3
        failures = 1_000_000
        with pytest.raises(LogUnavailable):
            ended_by_deadline()
        assert capsys.readouterr().err.endswith(" now, and goes on with: osdlog osd\n")
        away = Unavailable("nobody tells", "Ask again.")
        for seconds in (2, 10, 60):
            with pytest.raises(Unavailable) as caught:
                rebuilt(seconds)
            if caught.value is away:  # else it did not even serve in that time
                break
        assert capsys.readouterr().err.endswith(" now, and goes on with: osdlog osd\n")


def test_an_osd_that_is_given_nothing_is_not_rebuilt_in_vain(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.change(ReplicasSet(replicas=2, min_replicas=1))
    cluster.add(0, 1)
    with cluster.osd(0, settings=SETTINGS), cluster.osd(1, settings=SETTINGS) as osd:
        with Client(cluster.url) as client:
            client.put("one", BODY)
        until(lambda: osd.facts("one") == {0: "held", 1: "held"})
        data = burn(cluster, osd, 1)
        rebuild = ("rebuild", "--osd", 1, "--data", data)
        cluster.change(OsdOut(osd=OsdId(1)))
        refused = osdlog(*rebuild, log=cluster.url)
        assert refused.code == 1
        assert refused.err == (
            "error: osd.1 is out, and is given nothing: its new disk would stay empty\n"
            "hint: `osdlog map apply --in 1` puts it in.\n"
        )
        assert not data.exists()
        cluster.change(OsdIn(osd=OsdId(1)))
        with open_log(cluster.url) as log:
            out = [OsdOut(osd=OsdId(1))]
            change_map(log, out, cluster.map().layout, "down for 600 s", f"{MONITOR} of a test")
        former = cluster.map().osds[OsdId(1)].store
        with program(*rebuild, log=cluster.url) as running:
            until(lambda: cluster.map().osds[OsdId(1)].store != former)
            cluster.change(OsdIn(osd=OsdId(1)))
            running.wait_for(r"1 object, 204,800 bytes came back")
            assert running.end() == 0
        cluster.change(OsdLeaving(osd=OsdId(1)))
        refused = osdlog(*rebuild, log=cluster.url)
        assert refused.err.startswith("error: osd.1 is leaving, and is given nothing: its new disk")


def test_what_is_only_down_is_declared_lost_only_by_another_word(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0) as first, Client(cluster.url) as client:
        client.put("one", BODY)
        first.stop()
        cluster.add(1)
        cluster.change(OsdOut(osd=OsdId(0)))
        with cluster.osd(1):
            with pytest.raises(Refused, match="down but not lost"):
                client.declare_lost("one", "gone")
            client.declare_lost("one", "gone", accept_loss=True)
            assert list(client.list()) == []


def test_words_that_make_no_sense(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    done = osdlog("rebuild", "--osd", "7", "--data", tmp_path / "osd.7", log=cluster.url)
    assert (done.code, done.err.splitlines()[0]) == (1, "error: osd.7 is not in the map")
    cluster.add(0)
    done = osdlog("scrub", log=cluster.url)
    assert done.code == 3
    assert "osd.0 gave no result: osd.0 has no address" in done.err
