"""up, osd, init: what starts, what ends, and that nothing is left behind."""

import json
import os
import signal
from pathlib import Path

from cli.programs import (
    Program,
    osd_processes,
    osdlog,
    processes_of,
    program,
    wait_until_gone,
)
from osd.folder import Asked, cluster_in


def started(up: Program) -> str:
    return up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]


def test_a_log_that_is_named_elsewhere_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    with program("up", "--data", tmp_path / "data", "--osds", 1, log="kafka://h:1/c") as up:
        up.wait_for("the log OSDLOG_LOG names is not used: `up` has its own unless --log is given")
        started(up)
    assert not [line for line in up.lines if "h:1" in line]


def test_the_same_folder_starts_again_where_it_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with program("up", "--osds", 2, "--rgs", 4, "--data", data) as up:
        log = started(up)
        assert log == f"sqlite:{data}/log.sqlite"
        assert osdlog("put", "kept", "-", log=log, stdin=b"123").code == 0
        up.send(signal.SIGTERM)
        assert up.end() == 128 + signal.SIGTERM
        up.wait_for("all OSDs have stopped")
    assert not processes_of(data)
    down = osdlog("status", log=log)
    assert down.code == 3
    assert down.err.startswith("error: no OSD is up\nhint: Start them with `osdlog up`")
    with program("up", "--data", data) as up:
        started(up)
        assert osdlog("get", "kept", log=log).out == "123"
        osds = json.loads(osdlog("map", "show", "--json", log=log).out)["osds"]
        assert [osd["boot"] for osd in osds.values()] == [2, 2]


def test_a_crashed_osd_is_started_again_and_said_to_be_down(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with program("up", "--osds", 1, "--rgs", 4, "--data", data) as up:
        log = started(up)
        osdlog("put", "kept", "-", log=log, stdin=b"123")
        os.kill(osd_processes(data)[0], signal.SIGKILL)
        up.wait_for(r"osd\.0 was killed by signal 9")
        up.wait_for(r"osd\.0 is started again in 0\.5 s")
        assert osdlog("get", "kept", log=log).out == "123"
        up.wait_for(r"osd\.0 serves at")
        said = osdlog("map", "log", log=log).out
        assert "osdlog up: watched over its process\n    down osd.0/" in said


def test_kill_9_of_up_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with program("up", "--osds", 2, "--rgs", 4, "--data", data) as up:
        started(up)
        assert len(osd_processes(data)) == 2
        up.send(signal.SIGKILL)
        up.end()
        wait_until_gone(data)


def test_an_osd_that_is_added_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with program("up", "--osds", 1, "--rgs", 4, "--data", data) as up:
        log = started(up)
        done = osdlog("map", "apply", "--add", "5:0.5@far/rack-9", log=log)
        assert done.code == 0
        up.wait_for(r"osd\.5 serves at")
        said = osdlog("map", "show", log=log).out
        assert " 0.5  far/rack-9 " in said
        assert (data / "osd.5" / "identity.json").is_file()


def test_one_folder_is_run_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with program("up", "--osds", 1, "--rgs", 4, "--data", data) as up:
        started(up)
        second = osdlog("up", "--data", data)
        assert second.code == 3
        first = f"error: the cluster in {data} is run by process {up.process.pid} already\n"
        assert second.err.startswith(first)


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = osdlog("up", "--data", tmp_path)
    assert done.code == 3
    assert done.err == (
        f"error: {tmp_path} is not a cluster's folder: it has letter.txt\n"
        "hint: Name an empty folder, or one that does not exist yet, with --data.\n"
    )
    assert os.listdir(tmp_path) == ["letter.txt"]
    done = osdlog("up", "--data", tmp_path / "letter.txt")
    assert done.err.startswith(f"error: {tmp_path}/letter.txt is a file\n")


def test_a_cluster_that_is_not_as_asked_is_not_started(tmp_path: Path) -> None:
    has = Asked(osds=1, rgs=4, replicas=2)
    url = cluster_in(tmp_path, None, has, "ann")
    assert cluster_in(tmp_path, None, has, "ann") == url
    asked = ("--osds", 1, "--replicas", 3, "--min-replicas", 2)
    done = osdlog("up", "--data", tmp_path, *asked)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: the cluster that is in {tmp_path} is not as asked: "
        "replicas 2, not 3; min_replicas 1, not 2\n"
        "hint: Start it without --replicas --min-replicas, then use "
        "`osdlog map apply --replicas 3 --min-replicas 2`.\n"
    )
    done = osdlog("up", "--data", tmp_path, "--rgs", 8, "--osds", 2)
    assert done.err.splitlines()[1] == (
        "hint: Start it without --osds --rgs, then use `osdlog map apply --add ID`; "
        "its number of RGs never changes."
    )
    assert osd_processes(tmp_path) == {}


def test_a_cluster_without_its_log_gets_no_new_one(tmp_path: Path) -> None:
    (tmp_path / "osd.0").mkdir()
    done = osdlog("up", "--data", tmp_path)
    assert done.code == 3
    assert done.err.startswith(f"error: {tmp_path} has osd.0, but there is no cluster at sqlite:")
    assert not (tmp_path / "log.sqlite").exists()


def test_no_osd_lives_here(tmp_path: Path) -> None:
    with program("up", "--osds", 1, "--rgs", 4, "--data", tmp_path / "data") as up:
        log = started(up)
    done = osdlog("up", "--data", tmp_path / "other", "--log", log)
    assert done.code == 3
    assert f"error: no OSD of the cluster at {log} lives in {tmp_path}/other\n" in done.err


def test_init_and_one_osd_by_hand(tmp_path: Path) -> None:
    log = f"sqlite:{tmp_path}/log"
    made = osdlog("init", "--log", log, "--rgs", 4, "--json")
    assert json.loads(made.out)["rgs"] == 4
    again = osdlog("init", "--log", log, "--rgs", 4)
    assert again.code == 1
    assert f"error: the log {log} already has cluster" in again.err
    assert osdlog("map", "apply", "--add", "3", log=log).code == 0
    with program("osd", "--id", 3, "--data", tmp_path / "d", log=log) as osd:
        osd.wait_for(r"osd\.3 serves at 127\.0\.0\.1:\d+ as osd\.3/[0-9a-f]{16}")
        assert osdlog("put", "x", "-", log=log, stdin=b"1").code == 0
        other = osdlog("osd", "--id", 3, "--data", tmp_path / "d", log=log)
        assert other.code == 3
        assert "is in use by process" in other.err
        unknown = osdlog("osd", "--id", 9, "--data", tmp_path / "d9", log=log)
        assert unknown.code == 3
        assert unknown.err == (
            "error: osd.9 is not in the map\nhint: Add it with `osdlog map apply --add 9`.\n"
        )


def test_init_refuses_more_copies_than_there_can_be(tmp_path: Path) -> None:
    log = f"sqlite:{tmp_path}/log"
    done = osdlog("init", "--log", log, "--replicas", 3, "--min-replicas", 4)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: replicas 3 with min_replicas 4 cannot be\n"
        "hint: Both are 1 to 8, min_replicas no more than replicas.\n"
    )
    assert not (tmp_path / "log").exists()


def test_no_log_is_named(tmp_path: Path) -> None:
    done = osdlog("ls", folder=tmp_path)
    assert done.code == 2
    assert done.err.startswith("error: no log is named\nhint: Give --log URL, set OSDLOG_LOG")
    missing = osdlog("ls", "--log", f"sqlite:{tmp_path}/none")
    assert missing.code == 3
    assert missing.err.startswith("error: there is no log at")
    assert not processes_of(tmp_path)
