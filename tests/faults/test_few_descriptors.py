"""A process that is short of descriptors, and bytes that are really gone: two things."""

import http.client
import resource
import socket
import sqlite3
from contextlib import ExitStack
from pathlib import Path

from eventlog.ids import OsdId, RgId
from eventlog.map_events import RgPinned
from node.osds import Cluster, until

BODY = bytes(200_000)
FEW = 256


def test_too_many_open_files_are_no_damage(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0) as osd, ExitStack() as opened:
        assert osd.put("large", BODY).status == 201
        kept = http.client.HTTPConnection(osd.address, timeout=30)
        opened.callback(kept.close)
        kept.request("GET", "/alive")
        kept.getresponse().read()
        resource.prlimit(osd.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        host, _, port = osd.address.partition(":")
        with ExitStack() as idle:
            for _ in range(FEW):
                idle.enter_context(socket.create_connection((host, int(port))))
            until(lambda: len(list(Path(f"/proc/{osd.pid}/fd").iterdir())) >= FEW)
            kept.request("GET", "/objects/large")
            answer = kept.getresponse()
            assert (answer.status, answer.headers["Retry-After-Ms"]) == (503, "1000")
            assert b"Too many open files" in answer.read()
        until(lambda: osd.get("large").body == BODY)
        assert osd.facts("large") == {0: "held"}


def test_a_process_takes_as_many_descriptors_as_it_may(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0) as osd:
        soft, hard = resource.prlimit(osd.pid, resource.RLIMIT_NOFILE)
        assert soft == min(hard, 65_536)


def test_an_import_that_is_bad_before_it_is_said_is_fetched_again(tmp_path: Path) -> None:
    """A local read of it is answered from what is fetched then, and stops nothing meanwhile."""
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    settings = {"calm_ms": 20, "retry_ms": 50}
    with cluster.osd(0, settings=settings) as old, cluster.osd(1, settings=settings) as new:
        cluster.change(RgPinned(rg=RgId(0), osds=(OsdId(0),)))
        until(lambda: old.put("large", BODY).status == 201)
        assert new.request("PUT", "/limits", b'{"pulls": 0}').status == 200
        cluster.change(RgPinned(rg=RgId(0), osds=(OsdId(1),)))
        until(lambda: new.request("GET", "/rgs/0").status == 200)
        until(lambda: new.report("/rgs/0")["state"].startswith("importing"))
        lock = sqlite3.connect(cluster.url.partition(":")[2], isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")  # what is imported now is not said yet
        assert new.get("large").body == BODY
        [file] = new.files()
        file.unlink()
        assert new.get("large", Osdlog_Consistency="local").body == BODY
        assert [file] != new.files()
        lock.execute("ROLLBACK")
        lock.close()
        until(lambda: new.facts("large") == {1: "held"})
        assert new.get("large").body == BODY
