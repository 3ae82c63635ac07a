"""Folders that are another's, missing, oddly named, or cannot be written."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.programs import osdlog, program
from node.osds import Cluster
from store.conftest import SmallDisk

LARGE = bytes(range(256)) * 1_024


def test_another_osds_directory_is_refused(cluster: Cluster) -> None:
    cluster.add(1)
    with cluster.osd(0) as osd:
        assert osd.put("a", b"x").status == 201
        osd.stop()
    data = cluster.path / "osd-0"
    id_ = cluster.map().cluster
    assert cluster.osd(1, data=str(data)).refusal() == (
        f"{data} belongs to osd.0 of cluster {id_}, not to osd.1 of cluster {id_}. "
        "Give each OSD its own directory, and check the log's address.\n"
    )
    with cluster.osd(0) as osd:
        assert osd.get("a").body == b"x"


def test_an_osd_whose_folder_is_missing_is_named(tmp_path: Path) -> None:
    """The others run; with its folder put back it has all that it had."""
    data, away = tmp_path / "data", tmp_path / "away"
    with program("up", "--osds", 2, "--rgs", 2, "--data", data) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        for name in "abcd":
            assert osdlog("put", name, "-", log=log, stdin=name.encode()).code == 0
    (data / "osd.1").rename(away)
    with program("up", "--data", data) as up:
        up.wait_for(rf"osd\.1 is not started: there is no folder {data}/osd\.1")
        up.wait_for("the cluster is up: 1 OSD")
    away.rename(data / "osd.1")
    with program("up", "--data", data) as up:
        up.wait_for("the cluster is up: 2 OSDs")
        assert [osdlog("get", name, log=log).out for name in "abcd"] == list("abcd")


@pytest.mark.parametrize("method", ["put", "get"])
def test_a_disk_that_is_not_there_any_more_stops_its_osd(cluster: Cluster, method: str) -> None:
    """Another store is to lead; nothing is said to be lost, nor left where it was mounted."""
    data, away = cluster.path / "osd-0", cluster.path / "away"
    with cluster.osd(0) as osd:
        assert osd.put("a", LARGE).status == 201
        data.rename(away)
        data.mkdir()
        asked = osd.put("b", LARGE) if method == "put" else osd.get("a")
        assert asked.status in {500, 503}
        status, said = osd.ended()
        doing = f"cannot create {data}/blobs/tmp/" if method == "put" else f"cannot open {data}/"
        assert (status, doing in said) == (3, True)
        assert "Check the path and its rights, the disk and its mount; then start again." in said
        assert os.listdir(data) == []
        data.rmdir()
        away.rename(data)
        osd.start()
        assert osd.get("a").body == LARGE
        assert osd.put("b", LARGE).status == 201


def test_a_folder_may_have_any_name_that_is_text(tmp_path: Path) -> None:
    """Also one that would mean something else in an address."""
    refused = osdlog("up", "--data", os.fsdecode(b"odd \xff"), folder=tmp_path)
    hint = "hint: Rename that folder, or name another one.\n"
    assert (refused.code, refused.err) == (3, f"error: the path odd \\udcff is not UTF-8\n{hint}")
    assert os.listdir(tmp_path) == []
    data = tmp_path / "odd ü ?#%20"
    with program("up", "--osds", 1, "--rgs", 1, "--data", data) as up:
        up.wait_for("the cluster is up")
        log = f"sqlite:{data}/log.sqlite"
        assert osdlog("put", "a", "-", log=log, stdin=b"x").code == 0
        assert osdlog("get", "a", log=log).out == "x"


def test_a_file_in_the_way_is_named(cluster: Cluster) -> None:
    file = cluster.path / "file"
    file.write_bytes(b"mine")
    for data, what in ((file, f"{file} is a file"), (file / "below", "cannot create the folder")):
        refused = cluster.osd(0, data=str(data)).refusal()
        assert refused.startswith(what)
        assert str(file) in refused
    assert file.read_bytes() == b"mine"


@contextmanager
def read_only(disk: SmallDisk) -> Iterator[None]:
    """Mounted so that nothing can be written."""
    for options in ("remount,ro", "remount,rw"):
        subprocess.run(["mount", "-o", options, str(disk.path)], check=True)
        if options == "remount,ro":
            yield


def test_a_read_only_disk_is_named(cluster: Cluster, small_disk: SmallDisk) -> None:
    data = small_disk.path / "osd-0"
    with cluster.osd(0, data=str(data)) as osd:
        assert osd.put("a", b"x").status == 201
        osd.stop()
    with read_only(small_disk):
        assert cluster.osd(0, data=str(data)).refusal() == (
            f"cannot open {data}/LOCK: Read-only file system. "
            "Check the path and its rights, the disk and its mount; then start again.\n"
        )
        done = osdlog("up", "--data", small_disk.path / "osd-0" / "rows")
        assert done.code == 3
        assert "Read-only file system" in done.err or "is not a cluster's folder" in done.err
    with cluster.osd(0, data=str(data)) as osd:
        assert osd.get("a").body == b"x"


def test_a_read_only_log_is_named(cluster: Cluster, small_disk: SmallDisk) -> None:
    with cluster.osd(0) as osd:
        assert osd.put("a", b"x").status == 201
        osd.stop()
    shutil.copy(cluster.path / "cluster.log", small_disk.path)
    with read_only(small_disk):
        refused = cluster.osd(0, log=f"sqlite:{small_disk.path}/cluster.log").refusal()
    assert refused.startswith(f"the log {small_disk.path}/cluster.log cannot be used: ")
    assert refused.endswith("Check who owns it, and that its disk has room and is well.\n")
    with cluster.osd(0) as osd:
        assert osd.get("a").body == b"x"
