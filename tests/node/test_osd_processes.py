"""Processes that start, die, return, and must not start at all; and disks that are damaged."""

import errno
import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.ids import OsdId
from eventlog.map_events import OsdLeaving, ReplicasSet
from node.osds import RGS, Cluster, OsdProcess, Reply, until
from osd.client import Client
from osd.rocks import RocksRows
from store.conftest import SmallDisk

LARGE = os.urandom(1024 * 1024)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    made = Cluster(tmp_path)
    made.add(0)
    return made


def test_what_was_acknowledged_survives_kill_9(cluster: Cluster) -> None:
    osd = cluster.osd(0)
    for turn in range(3):
        with osd:
            for number in range(20):
                assert osd.put(f"{turn}-{number}", b"%d" % number).status == 201
            assert osd.put(f"large-{turn}", LARGE).status == 201
            assert osd.delete(f"{turn}-0").status == 200
            osd.kill()
    with osd:
        for turn in range(3):
            assert osd.get(f"{turn}-0").status == 404
            assert osd.get(f"large-{turn}").body == LARGE
            for number in range(1, 20):
                assert osd.get(f"{turn}-{number}").body == b"%d" % number


def test_a_clean_stop_is_in_the_map(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        assert cluster.map().osds[OsdId(0)].is_up
        assert cluster.map().osds[OsdId(0)].address == osd.address
        osd.stop()
    assert not cluster.map().osds[OsdId(0)].is_up


def test_it_ends_when_its_parent_is_gone(cluster: Cluster) -> None:
    reading, writing = os.pipe()
    osd = cluster.osd(0, watch_parent=reading)
    osd.start(pass_fds=[reading])
    os.close(reading)
    os.close(writing)
    assert osd.ended() == (0, "")
    assert not cluster.map().osds[OsdId(0)].is_up


def test_one_directory_has_one_process(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        path = cluster.path / "osd-0"
        refused = f"osd.0's data directory {path} is in use by process {osd.pid}"
        assert cluster.osd(0).refusal().startswith(refused)
        assert osd.put("a", b"x").status == 201


def test_of_two_copies_of_a_directory_one_is_fenced(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        assert osd.put("a", b"x").status == 201
        osd.stop()
    clone = cluster.path / "clone"
    shutil.copytree(cluster.path / "osd-0", clone)
    with cluster.osd(0) as osd:
        store = osd.report("/status")["store"]
        twin = cluster.osd(0, data=str(clone))
        assert twin.refusal() == (
            f"boot 2 of {store} is not above boot 2. Another process uses a copy of this data "
            "directory: keep one and wipe the other.\n"
        )
        with twin:
            assert osd.ended() == (
                3,
                (
                    f"boot 3 of {store} has started since this process, boot 2. Another process "
                    "uses a copy of this data directory: keep one, wipe the other.\n"
                ),
            )
            assert twin.get("a").body == b"x"


def test_an_osd_that_is_not_in_the_map_is_refused(cluster: Cluster) -> None:
    assert cluster.osd(7).refusal() == (
        "osd.7 is not in the map. Add it with `osdlog map apply --add 7`.\n"
    )


def test_a_directory_of_another_cluster_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.osd(0) as osd:
        osd.stop()
    (tmp_path / "other").mkdir()
    other = Cluster(tmp_path / "other")
    other.add(0)
    refused = other.osd(0, data=str(cluster.path / "osd-0")).refusal()
    assert refused == (
        f"{cluster.path / 'osd-0'} belongs to osd.0 of cluster {cluster.map().cluster}, not to "
        f"osd.0 of cluster {other.map().cluster}. "
        "Give each OSD its own directory, and check the log's address.\n"
    )


def test_a_new_disk_needs_a_word(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        store = osd.report("/status")["store"]
        osd.stop()
    shutil.rmtree(cluster.path / "osd-0")
    refused = cluster.osd(0).refusal()
    assert refused.startswith(f"osd.0 is in the map with {store}, but this directory is a new")
    with cluster.osd(0, rebuild=True) as osd:
        assert osd.report("/status")["store"] != store


def test_a_port_in_use_is_named(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cluster.osd(0, port=port).refusal() == (
            f"osd.0 cannot answer at 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}. Another "
            "program has that port, or the host is not this machine's: give another.\n"
        )


def test_osds_reach_each_other_by_ipv6(tmp_path: Path) -> None:
    """A machine without IPv6 says so."""
    cluster = Cluster(tmp_path, rgs=1)
    cluster.change(ReplicasSet(replicas=2, min_replicas=1))
    cluster.add(0, 1)
    if not has_ipv6():
        refused = "osd.0 cannot answer at [::1]:0: "
        assert cluster.osd(0, host="::1").refusal().startswith(refused)
        return
    quick = {"calm_ms": 20, "retry_ms": 50}
    with cluster.osd(0, host="::1", settings=quick) as first, Client(cluster.url) as client:
        assert first.address.startswith("[::1]:")
        assert cluster.map().osds[OsdId(0)].address == first.address
        client.put("before", LARGE)
        with cluster.osd(1, host="[::1]", settings=quick):
            until(lambda: client.put("small", b"1").copies == 2)
            until(lambda: first.facts("before") == {0: "held", 1: "held"})
            assert client.get("before") == LARGE


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_log_that_is_not_there_is_named(cluster: Cluster, tmp_path: Path) -> None:
    refused = cluster.osd(0, log=f"sqlite:{tmp_path / 'none'}").refusal()
    assert refused.startswith(f"there is no log at {tmp_path / 'none'}. Check the address")


@pytest.mark.parametrize("has_other_end", [False, True])
def test_a_log_that_was_cut_short_is_refused(cluster: Cluster, has_other_end: bool) -> None:
    """Also one that others have refilled since."""
    log, old = cluster.path / "cluster.log", cluster.path / "old.log"
    with cluster.osd(0) as osd:
        version = osd.put("a", b"1").json
        osd.stop()
    shutil.copy(log, old)
    with cluster.osd(0) as osd:
        assert osd.put("a", b"2").json["version"] == version["version"] + 1
        osd.stop()
    assert not (cluster.path / "cluster.log-wal").exists()
    old.replace(log)
    (cluster.path / "cluster.log-turn").unlink()
    if has_other_end:
        cluster.change(OsdLeaving(osd=OsdId(0)))
        cluster.add(0)
    refused = cluster.osd(0).refusal()
    said = (
        "the record at map/0@5 is not the one that this store has read there"
        if has_other_end
        else "the log ends at map/0@4, but @5 was read before"
    )
    assert refused == (
        f"{said}. Check the log's address, or put the newer log back. As a last resort --rebuild "
        "empties this disk: what no other store has is then lost.\n"
    )


def test_damage_in_a_file_is_found_by_the_read(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        assert osd.put("bad", LARGE).status == 201
        [path] = osd.files()
        with path.open("r+b") as file:
            file.seek(len(LARGE) // 2)
            file.write(bytes([LARGE[len(LARGE) // 2] ^ 1]))
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            osd.get("bad")
        until(lambda: osd.facts("bad") == {0: "lost"})
        reply = osd.get("bad")
        assert reply.status == 503
        assert reply.json["stores"] == []
        assert reply.json["error"].endswith("has no good copy left on any store")
        assert path.exists()
        assert osd.put("bad", LARGE).status == 201
        assert osd.get("bad").body == LARGE


def test_damage_in_a_row_is_found_by_the_read(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        assert osd.put("bad", b"as it was").status == 201
        osd.stop()
    rows = RocksRows(cluster.path / "osd-0" / "rows")
    [(key, value)] = rows.scan(b"B")
    assert value == b"as it was"
    rows.apply({key: b"as it is."})
    rows.close()
    with cluster.osd(0) as osd:
        reply = osd.get("bad")
        assert reply.status == 503
        assert reply.error == "version 1 of 'bad' has no good copy left on any store"
        assert osd.facts("bad") == {0: "lost"}
        assert osd.delete("bad").status == 200


def test_a_missing_file_is_found_at_the_start(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        assert osd.put("bad", LARGE).status == 201
        [path] = osd.files()
        osd.kill()
    path.unlink()
    stray = path.parent / f"0123456789abcd{path.parent.name}"
    stray.write_bytes(b"no row names it")
    with cluster.osd(0) as osd:
        until(lambda: osd.facts("bad") == {0: "lost"})
        assert not stray.exists()


def test_a_store_without_its_rows_keeps_its_files(cluster: Cluster) -> None:
    """A copy of a directory that was interrupted: files and identity came, rows did not."""
    data = cluster.path / "osd-0"
    osd = cluster.osd(0)
    with osd:
        assert osd.put("large", LARGE).status == 201
        osd.stop()
    (data / "rows").rename(cluster.path / "rows")
    (data / "rows.synced").rename(cluster.path / "rows.synced")
    assert "which ran before, and it has no rows. Put the whole directory back" in osd.refusal()
    (cluster.path / "rows").rename(data / "rows")
    (cluster.path / "rows.synced").rename(data / "rows.synced")
    with osd:
        assert osd.get("large").body == LARGE


def test_large_bodies_do_not_take_memory(cluster: Cluster) -> None:
    piece, pieces = os.urandom(2**20), 192
    body_sum = hashlib.sha256(piece * pieces).hexdigest()
    with cluster.osd(0) as osd:
        assert osd.put("warm", LARGE).status == 201
        assert osd.get("warm").body == LARGE
        before = osd.memory("VmHWM")
        headers = {"Content-Length": str(pieces * len(piece)), "Osdlog-Sha256": body_sum}
        sent = (piece for _ in range(pieces))
        assert osd.request("PUT", "/objects/huge", sent, headers).status == 201
        assert hashlib.sha256(osd.get("huge").body).hexdigest() == body_sum
        assert osd.memory("VmHWM") - before < 24 * 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("filling a disk needs one that may be filled: run as root to mount a tmpfs")
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=320M", "osdlog-test", str(mount)]
    subprocess.run(command, check=True)
    try:
        yield SmallDisk(mount)
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_a_full_disk_takes_deletes_and_no_bodies(cluster: Cluster, disk: SmallDisk) -> None:
    with cluster.osd(0, data=str(disk.path / "osd-0")) as osd:
        assert osd.put("old", LARGE).status == 201
        assert osd.put("small", b"x").status == 201
        disk.fill(leave=39 * 2**20)
        reply = until(lambda: refused(osd, b"x"))
        assert reply.error.endswith("a body of 1 bytes was refused")
        assert reply.json["hint"]
        assert refused(osd, LARGE)
        assert osd.get("old").body == LARGE
        assert osd.delete("old").status == 200
        assert osd.delete("small").status == 200
        disk.make_room()
        until(lambda: osd.put("new", LARGE).status == 201)
        assert osd.get("new").body == LARGE


def test_a_second_osd_takes_its_part_and_the_first_is_clean(cluster: Cluster) -> None:
    names = [f"object-{number}" for number in range(60)]
    with cluster.osd(0) as first:
        for name in names:
            assert first.put(name, name.encode() * 100).status == 201
        assert first.put("large", LARGE).status == 201
        cluster.add(1)
        with cluster.osd(1) as second:
            until(lambda: states(first) == states(second) == {"clean"})
            moved = {row["rg"] for row in second.report("/rgs")}
            assert 0 < len(moved) < RGS
            assert moved.isdisjoint(row["rg"] for row in first.report("/rgs"))
            assert second.report("/status")["copied"]["objects"] > 0
            for name in names:
                read_from_either(first, second, name, name.encode() * 100)
            read_from_either(first, second, "large", LARGE)
            assert len(first.files()) + len(second.files()) == 1
            until(lambda: copies(first) + copies(second) == len(names) + 1)


def test_a_leaving_osd_ends_with_nothing(cluster: Cluster) -> None:
    cluster.add(1)
    with cluster.osd(0) as first, cluster.osd(1) as second:
        for number in range(40):
            put_to_either(first, second, f"object-{number}", b"%d" % number)
        until(lambda: states(first) == states(second) == {"clean"})
        cluster.change(OsdLeaving(osd=OsdId(0)))
        until(lambda: first.report("/rgs") == [] and states(second) == {"clean"})
        assert copies(first) == 0
        for number in range(40):
            assert second.get(f"object-{number}").body == b"%d" % number
        assert not first.files()


def test_a_stop_waits_for_running_requests(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        host, _, port = osd.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(
                b"PUT /objects/a HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n"
                b"Expect: 100-continue\r\n\r\n"
            )
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")
            os.kill(osd.pid, signal.SIGTERM)
            client.sendall(bytes(200_000))
            assert client.recv(100).startswith(b"HTTP/1.1 201 ")
        assert osd.ended() == (0, "")
    with cluster.osd(0) as osd:
        assert osd.get("a").body == bytes(200_000)


def refused(osd: OsdProcess, body: bytes) -> Reply | None:
    reply = osd.put("refused", body)
    return reply if reply.status == 507 else None


def states(osd: OsdProcess) -> set[str]:
    return {row["state"] for row in osd.report("/rgs")}


def copies(osd: OsdProcess) -> int:
    return int(osd.report("/status")["copies"])


def put_to_either(first: OsdProcess, second: OsdProcess, name: str, body: bytes) -> None:
    reply = until(lambda: served(first.put(name, body)) or served(second.put(name, body)))
    assert reply.status == 201


def read_from_either(first: OsdProcess, second: OsdProcess, name: str, body: bytes) -> None:
    reply = first.get(name)
    if reply.status == 307:
        assert reply.headers["Location"] == f"http://{second.address}/objects/{name}"
        reply = second.get(name)
    assert (reply.status, reply.body) == (200, body)


def served(reply: Reply) -> Reply | None:
    return reply if reply.status in (200, 201) else None
