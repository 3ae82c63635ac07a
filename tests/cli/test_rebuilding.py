"""Disks that are lost: rebuilt by a word, never where an OSD runs, and what is lost is named."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.programs import osdlog
from eventlog.ids import Boot, OsdId
from eventlog.map_events import OsdDown, OsdOut, ReplicasSet, StoreWrittenOff
from node.osds import Cluster, OsdProcess, until
from osd.client import Client
from osd.errors import Refused

BODY = bytes(range(256)) * 800
SETTINGS = {"calm_ms": 20, "retry_ms": 50}


def burn(cluster: Cluster, osd: OsdProcess, number: int) -> Path:
    """Its process is killed, and its disk is gone."""
    osd.kill()
    folder = cluster.path / f"osd-{number}"
    shutil.rmtree(folder)
    return folder


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
        done = osdlog(*rebuild, log=cluster.url)
        assert done.code == 0, done.err
        assert "5 objects, 1,024,000 bytes came back" in done.err
        assert old in cluster.map().retired
        osds[1].start()
        until(lambda: osds[1].facts("object 3") == {0: "held", 1: "held"})


def test_last_copies_are_given_up_only_by_a_word_and_named(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0, settings=SETTINGS) as osd, Client(cluster.url) as client:
        for name in ("one", "two"):
            client.put(name, BODY)
        with pytest.raises(Refused, match=r"is not lost: a good copy is on osd\.0/"):
            client.declare_lost("one", "no")
        store = osd.report("/alive")["store"]
        data = burn(cluster, osd, 0)
        rebuild = ("rebuild", "--osd", "osd.0", "--data", data)
        refused = osdlog(*rebuild, log=cluster.url)
        assert refused.code == 1
        assert "2 objects have no other copy: one, two" in refused.err
        assert not data.exists()
        done = osdlog(*rebuild, "--accept-loss", log=cluster.url)
        assert done.code == 1, "not all came back"
        assert "2 objects cannot come back" in done.err
        assert [line.split() for line in done.lines[1:]] == [
            ["one", "1", "204,800", store],
            ["two", "2", "204,800", store],
        ]
        osd.start()
        client.declare_lost("one", "osd.0 burnt")
        assert [row.name for row in client.list()] == ["two"]
        assert osd.facts("two") == {}


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
    done = osdlog("map", "apply", "--retire", 1, "--accept-loss", log=cluster.url)
    assert done.code == 0, done.err
    assert "lost: 1 object had no other copy: one" in done.err


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
    assert "osd.0 was not asked: osd.0 has no address" in done.err
