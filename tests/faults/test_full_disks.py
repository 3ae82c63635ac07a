"""Disks that are full to the last byte: what is refused, what still works, how it goes on."""

import contextlib
import http.client
from pathlib import Path
from typing import Any

import pytest

from cli.programs import osdlog
from eventlog.ids import OsdId, RgId
from eventlog.map_events import ReplicasSet, RgPinned
from node.osds import Cluster, OsdProcess, until
from osd.client import Client
from osd.errors import DiskFull
from store.conftest import SmallDisk

LARGE = bytes(range(256)) * 4096
NO_ROOM_FOR_THE_LOG = "there is no room for the log "


@pytest.fixture
def log_disk(small_disk: SmallDisk) -> Cluster:
    """A cluster whose log is on the small disk, and whose data is not, unless it is put there."""
    folder = small_disk.path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    cluster.add(0)
    return cluster


def test_a_full_log_is_told_and_reads_go_on(
    log_disk: Cluster, small_disk: SmallDisk, tmp_path: Path
) -> None:
    with log_disk.osd(0, data=str(tmp_path / "osd-0")) as osd, Client(log_disk.url) as client:
        for name in "abcdefgh":
            client.put(name, name.encode())
        small_disk.fill()
        for name in "abcdefgh":  # in RGs that were claimed, and in others
            for no in (osd.put(name, b"new"), osd.delete(name), osd.put(f"new-{name}", LARGE)):
                assert (no.status, no.error.startswith(NO_ROOM_FOR_THE_LOG)) == (507, True)
                assert no.json["hint"] == "Free space where the log is; nothing was appended."
        with pytest.raises(DiskFull, match=NO_ROOM_FOR_THE_LOG):
            client.put("a", b"new")
        assert [client.get(name) for name in "abcdefgh"] == [b"%c" % ord(n) for n in "abcdefgh"]
        stalled = osd.report("/status")["log"]["stalled"]
        assert NO_ROOM_FOR_THE_LOG in stalled["why"]
        explained = osd.report("/rgs/0")
        assert (explained["reason"], explained["who_acts"]) == ("log-stalled", ["operator"])
        assert NO_ROOM_FOR_THE_LOG in explained["explanation"]
        assert "osdlog_log_stalled 1\n" in osd.request("GET", "/metrics").body.decode()
        small_disk.make_room()
        client.put("a", b"new")
        client.delete("b")
        assert osd.report("/status")["log"]["stalled"] is None
        osd.kill()
        osd.start()
        assert osd.get("a").body == b"new"
        assert osd.get("b").status == 404
        assert [osd.get(name).body for name in "cdefgh"] == [b"%c" % ord(n) for n in "cdefgh"]
        assert [osd.get(f"new-{name}").status for name in "abcdefgh"] == [404] * 8
        assert osd.files() == []


def test_an_osd_whose_disk_has_no_byte_left_stops_and_goes_on(
    cluster: Cluster, small_disk: SmallDisk
) -> None:
    """Not even deletes can be noted then: somebody else has used what was kept for them."""
    names = [f"object-{number}" for number in range(300)]
    with cluster.osd(0, data=str(small_disk.path / "osd-0")) as osd:
        with Client(cluster.url) as client:
            for name in names:
                client.put(name, b"x" * 2_000)
            client.put("large", LARGE)
            small_disk.fill()
            deleted = delete_until_it_ends(osd, names)
        status, said = osd.ended()
        assert (status, "No space left on device" in said) == (3, True)
        assert said.endswith(
            "Free space on that disk, then start the OSD again; `osdlog up` does so by itself.\n"
        )
        again = cluster.osd(0, data=str(small_disk.path / "osd-0")).refusal()
        assert "No space left on device. Free space on that disk, then start" in again
        small_disk.make_room()
        osd.start()
        for name in names[len(deleted) + 1 :]:
            assert osd.get(name).body == b"x" * 2_000
        assert {osd.get(name).status for name in deleted} <= {404}
        assert osd.get("large").body == LARGE
        assert osd.put("new", LARGE).status == 201


def delete_until_it_ends(osd: OsdProcess, names: list[str]) -> list[str]:
    """The names whose delete was acknowledged; that of the next one may have happened too."""
    done: list[str] = []
    with contextlib.suppress(OSError, http.client.HTTPException):
        for name in names:
            if osd.delete(name).status != 200:
                return done
            done.append(name)
        raise AssertionError("it takes everything")
    return done


def test_log_and_data_on_one_full_disk(log_disk: Cluster, small_disk: SmallDisk) -> None:
    with log_disk.osd(0) as osd, Client(log_disk.url) as client:
        stored = put_until_it_is_full(client)
        client.delete(stored.pop())
        until(lambda: osd.put("fits-now", LARGE).status == 201)
        small_disk.fill()
        until(lambda: osd.put("no", b"x").status == 507)
        assert osd.delete(stored[0]).status == 507
        for name in [*stored, "fits-now"]:
            assert client.get(name) == LARGE
        small_disk.make_room()
        client.delete(stored.pop())
        until(lambda: osd.put("yes", b"x").status == 201)
        assert sorted(row.name for row in client.list()) == sorted([*stored, "fits-now", "yes"])
        osd.kill()
        osd.start()
        for name in [*stored, "fits-now"]:
            assert osd.get(name).body == LARGE


def put_until_it_is_full(client: Client) -> list[str]:
    """The names of what went in."""
    names: list[str] = []
    with contextlib.suppress(DiskFull):
        while len(names) < 100:
            client.put(f"object-{len(names)}", LARGE)
            names.append(f"object-{len(names)}")
    with pytest.raises(DiskFull, match="for deletes and bookkeeping") as caught:
        client.put("one more", LARGE)
    assert caught.value.hint.startswith("Free space on that disk or delete objects")
    return names


@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
def test_a_full_disk_of_a_replica_that_a_put_needs_is_507(
    tmp_path: Path, small_disk: SmallDisk, body: bytes
) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    with (
        cluster.osd(0) as first,
        cluster.osd(1, data=str(small_disk.path / "osd-1")) as second,
        Client(cluster.url) as client,
    ):
        both = RgPinned(rg=RgId(0), osds=(OsdId(0), OsdId(1)))
        cluster.change(ReplicasSet(replicas=2, min_replicas=2), both)
        until(lambda: first.put("a", body).status == 201)
        small_disk.fill(leave=second.report("/status")["disk"]["reserve"] // 2)
        no = until(lambda: declined(first, body))
        assert no.status == 507
        assert no.error.startswith("min_replicas is 2, and only osd.0 got the body: osd.1/")
        assert " bytes left" in no.error
        assert no.error.endswith(f"; a body of {len(body):,} bytes was refused")
        assert no.json["hint"] == "Free space on osd.1, or delete objects; nothing was appended."
        with pytest.raises(DiskFull, match=r"only osd\.0 got the body"):
            client.put("b", body)
        client.delete("a")
        cluster.change(ReplicasSet(replicas=2, min_replicas=1))
        until(lambda: first.put("b", body).status == 201)
        small_disk.make_room()


def declined(osd: OsdProcess, body: bytes) -> Any:
    """The answer to a put, if that is no."""
    reply = osd.put("b", body)
    return reply if reply.status != 201 else None


def test_an_import_into_a_full_disk_says_why_it_waits(
    tmp_path: Path, small_disk: SmallDisk
) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    quick = {"calm_ms": 20, "retry_ms": 50}
    with (
        cluster.osd(0, settings=quick) as first,
        cluster.osd(1, settings=quick, data=str(small_disk.path / "osd-1")) as second,
    ):
        cluster.change(RgPinned(rg=RgId(0), osds=(OsdId(0),)))
        assert until(lambda: first.put("a", LARGE).status == 201)
        small_disk.fill()
        cluster.change(RgPinned(rg=RgId(0), osds=(OsdId(1),)))
        said = until(lambda: waiting(second))
        assert said.startswith("osd.1 must still import 1 object of rg 0; osd.0 holds copies, but ")
        assert "it imports 1,048,576 bytes more once there is room: its disk has " in said
        assert "The disk of osd.1 is nearly full: " in said
        reply = second.get("a", Osdlog_Deadline_Ms="2000")
        assert reply.status == 503
        assert reply.error.startswith("a could not be fetched: the disk has ")
        assert second.request("GET", "/rgs/0").json["who_acts"] == ["operator"]
        told = osdlog("status", log=cluster.url)
        assert told.code == 1
        assert "osd.1 takes deletes only: its disk is full.\n" in told.out
        assert first.facts("a") == {0: "held"}
        small_disk.make_room()
        until(lambda: second.facts("a") == {1: "held"})
        assert second.get("a").body == LARGE
        until(lambda: first.files() == [])


def waiting(osd: OsdProcess) -> str | None:
    """Why its import waits, once it has tried."""
    reply = osd.request("GET", "/rgs/0")
    said = str(reply.json.get("explanation", ""))
    return said if "once there is room" in said else None


def test_imports_stop_before_what_clients_write(tmp_path: Path, small_disk: SmallDisk) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    quick = {"calm_ms": 500, "retry_ms": 50}  # by then the disk was looked at
    with (
        cluster.osd(0, settings=quick) as first,
        cluster.osd(1, settings=quick, data=str(small_disk.path / "osd-1")) as second,
    ):
        cluster.change(RgPinned(rg=RgId(0), osds=(OsdId(0),)))
        assert until(lambda: first.put("a", LARGE).status == 201)
        disk = second.report("/status")["disk"]
        small_disk.fill(leave=disk["import_reserve"] - len(LARGE))
        cluster.change(RgPinned(rg=RgId(0), osds=(OsdId(1),)))
        until(lambda: waiting(second))
        assert second.report("/status")["missing"] == {"rgs": 1, "objects": 1, "bytes": len(LARGE)}
        disk = until(lambda: nearly_full(second))
        assert (disk["takes_imports"], disk["takes_puts"]) == (False, True)
        metrics = second.request("GET", "/metrics").body.decode()
        for line in ("disk_nearly_full 1", "disk_takes_imports 0", "disk_takes_puts 1"):
            assert f"\nosdlog_{line}\n" in metrics
        assert f"\nosdlog_missing_bytes {len(LARGE)}\n" in metrics
        assert second.put("b", LARGE).status == 201
        assert second.get("a").body == LARGE  # what a client wants is fetched all the same
        until(lambda: second.facts("a") == {1: "held"})
        small_disk.make_room()
        until(lambda: not nearly_full(second))


def nearly_full(osd: OsdProcess) -> Any:
    """What it says of its disk, if that is nearly full."""
    disk = osd.report("/status")["disk"]
    return disk if disk["is_nearly_full"] else None
