"""map, status, rg, explain, log: what they print and how they end."""

import json
import re
import signal
from pathlib import Path

import pytest

from cli.conftest import Cluster
from cli.programs import osdlog, program

HEADS = ("osd", "state", "weight", "host/rack", "address", "store", "boot")
NOT_NOW = "error: the change was made for layout 77, the map is at"


def layout(cluster: Cluster) -> int:
    return cluster.client.map().layout


def test_map_show(cluster: Cluster) -> None:
    done = cluster.run("map", "show")
    assert re.fullmatch(
        r"cluster [0-9a-f-]{36}: epoch \d+, layout \d+, \d+ RGs, replicas \d", done.lines[0]
    )
    heads = ["osd", "state", "weight", "host/rack", "address", "store", "boot"]
    assert done.lines[1].split() == heads
    assert done.lines[2].startswith("osd.0  up in       1  host-0/rack-1  127.0.0.1:")
    said = json.loads(cluster.run("map", "show", "--json").out)
    assert said["rg_count"] == 8
    assert said["osds"]["1"]["is_up"]


def test_map_show_says_how_many_copies_a_write_waits_for(tmp_path: Path) -> None:
    log = f"sqlite:{tmp_path}/log"
    assert osdlog("init", "--replicas", 3, "--min-replicas", 2, log=log).code == 0
    assert osdlog("map", "show", log=log).lines[0].endswith(", replicas 3, min_replicas 2")


def test_several_changes_are_one_event(cluster: Cluster) -> None:
    before = json.loads(cluster.run("map", "show", "--json").out)
    done = cluster.run(
        "map",
        "apply",
        "--weight",
        "0:2",
        "--weight",
        "osd.1:0.25",
        "--pin",
        "3:1",
        "--reason",
        "a try",
    )
    assert done.code == 0
    after = json.loads(cluster.run("map", "show", "--json").out)
    assert after["epoch"] == before["epoch"] + 1
    assert (after["osds"]["0"]["weight"], after["osds"]["1"]["weight"]) == (131072, 16384)
    assert after["pins"] == {"3": [1]}
    log = cluster.run("map", "log").out
    assert (
        "a try\n    osd.0 has weight 2\n    osd.1 has weight 0.25\n    pinned rg 3 to osd.1\n"
        in log
    )
    undone = cluster.run("map", "apply", "--weight", "0:1", "--weight", "1:1", "--unpin", "rg 3")
    assert undone.code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (
            ("--layout", "77", "--out", "0"),
            1,
            "error: the change was made for layout 77, the map is at",
        ),
        (("--out", "9"), 1, "error: osd.9 is not in the map\nhint: `osdlog map show`"),
        (("--add", "0"), 1, "error: osd.0 is in the map already"),
        (("--down", "9"), 1, "error: osd.9 is not in the map"),
        (("--pin", "3:9"), 1, "osd.9"),
        (("--pin", "99:1"), 1, "error: there is no rg 99"),
        (
            ("--replicas", "9"),
            1,
            "error: replicas 9 with min_replicas 1",
        ),
        (("--min-replicas", "2"), 1, "error: replicas 1 with min_replicas 2"),
        ((), 2, "error: no change is named\nhint: Say at least one"),
        (("--add", "x"), 2, "error: 'x' is not an OSD"),
        (("--add", "1:heavy"), 2, "error: 'heavy' is not a weight"),
        (("--add", "1@h/r/x"), 2, "error: '1@h/r/x' does not name an OSD to add"),
        (("--weight", "1"), 2, "error: '1' has not the form of that option\nhint: Write ID:WEIGHT"),
    ],
)
def test_a_change_that_is_refused(
    cluster: Cluster, arguments: tuple[str, ...], code: int, what: str
) -> None:
    before = layout(cluster)
    done = cluster.run("map", "apply", *arguments)
    assert done.code == code
    assert what in done.err
    assert "hint: " in done.err
    assert layout(cluster) == before


def test_void_events_say_why(cluster: Cluster) -> None:
    cluster.run("map", "apply", "--layout", "77", "--out", "0", "--reason", "too late")
    records = [json.loads(line) for line in cluster.run("map", "log", "--json").lines]
    (void,) = [r for r in records if r["event"]["reason"] == "too late"]
    assert "made for layout 77" in void["refusal"]["why"]
    assert void["event"]["changes"] == [{"change": "OsdOut", "osd": 0}]
    said = cluster.run("map", "log").out
    assert "\n    void: the change was made for layout 77" in said


def test_bump(cluster: Cluster) -> None:
    epoch = int(json.loads(cluster.run("map", "show", "--json").out)["epoch"])
    done = cluster.run("map", "bump", "--to", epoch + 5, "--json")
    assert json.loads(done.out)["epoch"] == epoch + 5
    refused = cluster.run("map", "bump", "--to", epoch)
    assert (refused.code, refused.out) == (1, "")
    assert f"error: the epoch is {epoch + 5} already" in refused.err


def test_a_store_with_last_copies_is_not_retired(cluster: Cluster) -> None:
    for number in range(16):
        cluster.client.put(f"last/{number}", b"x")
    refused = cluster.run("map", "apply", "--retire", "0")
    assert refused.code == 1
    assert "objects have no other copy: " in refused.err
    assert "--accept-loss" in refused.err
    for number in range(16):
        cluster.client.delete(f"last/{number}")


def test_status(cluster: Cluster) -> None:
    done = cluster.run("status")
    assert done.lines[0].startswith(("healthy: 2 of 2 OSDs answer, ", "not healthy: 2 of 2"))
    assert done.code == (0 if done.lines[0].startswith("healthy") else 1)
    said = json.loads(cluster.run("status", "--json").out)
    assert sum(said["rgs"].values()) == 8
    assert [osd["said"]["phase"] for osd in said["osds"]] == ["running", "running"]


def test_status_watch_ends_with_ctrl_c(cluster: Cluster) -> None:
    with program("status", "--watch", log=cluster.log) as watching:
        watching.wait_for("OSDs answer")
        watching.wait_for("OSDs answer")
        watching.send(signal.SIGINT)
        assert watching.end() == 130
    assert "Traceback" not in "\n".join(watching.lines)


def test_an_osd_that_is_marked_down_and_runs_is_named_as_the_cause(cluster: Cluster) -> None:
    rg = next(row.rg for row in cluster.client.rgs() if row.primary == 1)
    assert cluster.run("map", "apply", "--down", "1").code == 0
    try:
        done = cluster.run("explain", f"{rg:x}", "--json")
    finally:
        assert cluster.run("map", "apply", "--up", "1").code == 0
    said = json.loads(done.out)
    assert (said["reason"], said["who_acts"]) == ("marked-down", ["operator"])
    assert said["sentence"] == (
        f"rg {rg:x} is unavailable: osd.1, where it is placed, must come up; "
        "osd.1 answers, but the map has it down: `osdlog map apply --up 1` ends that."
    )


def test_rgs(cluster: Cluster) -> None:
    assert len(cluster.run("rg", "ls").lines) == 9
    rows = [json.loads(line) for line in cluster.run("rg", "ls", "--json").lines]
    assert [row["rg"] for row in rows] == list(range(8))
    cluster.client.put("here", b"123")
    rg = cluster.client.stat("here").rg
    shown = cluster.run("rg", "show", f"{rg:x}")
    assert shown.lines[0].startswith(f"rg {rg:x} is ")
    assert "claim" in shown.out
    none = cluster.run("rg", "show", "9")
    assert (none.code, none.err.splitlines()[0]) == (1, "error: there is no rg 9")
    bad = cluster.run("rg", "show", "xyz")
    assert (bad.code, bad.err.splitlines()[0]) == (2, "error: 'xyz' is not a replica group")
    cluster.client.delete("here")


def test_explain(cluster: Cluster) -> None:
    cluster.client.put("a", b"123")
    assert cluster.run("explain", "1").lines[0].startswith("rg 1 is ")
    said = cluster.run("explain", "a")
    assert said.lines[1].startswith("a lives, 3 bytes, at version ")
    assert said.lines[3].split()[-1] == "held"
    assert cluster.run("explain", "7").err.startswith("(taken as an RG;")
    assert cluster.run("explain", "--name", "7").code == 1
    cluster.client.delete("a")


def test_log_cat(cluster: Cluster) -> None:
    cluster.client.put("logged", b"123")
    rg = cluster.client.stat("logged").rg
    cluster.client.delete("logged")
    lines = cluster.run("log", "cat", "--rg", f"{rg:x}").lines
    kinds = [line.split()[3] for line in lines if "'logged'" in line]
    assert kinds[-2:] == ["ObjectPut", "ObjectDeleted"]
    assert all(line.startswith(f"rg/{rg}@") for line in lines)
    events = [json.loads(line) for line in cluster.run("log", "cat", "--json").lines]
    (put,) = [e for e in events if e["event"] == "ObjectPut" and e["object"] == "logged"]
    assert put["size"] == 3
    assert events[0]["position"] == "map/0@0"
    assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)


def test_log_tail_follows(cluster: Cluster) -> None:
    with program("log", "tail", "-n", "1", log=cluster.log) as tail:
        tail.wait_for("@")  # it is there, and follows
        cluster.client.put("followed", b"1")
        tail.wait_for("ObjectPut .*'followed'")
        tail.send(signal.SIGINT)
        assert tail.end() == 130
    cluster.client.delete("followed")


def test_explain_as_json(cluster: Cluster) -> None:
    cluster.client.put("a", b"123")
    said = json.loads(cluster.run("explain", "a", "--json").out)
    assert (said["reason"], said["who_acts"], said["since"]) == ("clean", [], None)
    assert said["seen_by"] == said["stores"][0]["store"].partition("/")[0]
    assert said["object"]["facts"][0]["status"] == "held"
    cluster.client.delete("a")


def test_a_wait_that_cannot_end(cluster: Cluster) -> None:
    waited = cluster.run("map", "apply", "--out", "0", "--out", "1", "--wait", "--deadline", "0.6")
    assert waited.code == 3
    assert "caution: 8 RGs are placed nowhere: no OSD is in, " in waited.err
    assert "error: not all RGs are clean after 0.6 s: " in waited.err
    assert "The change stays." in waited.err
    assert cluster.run("map", "apply", "--in", "0", "--in", "1", "--wait").code == 0
    assert cluster.run("map", "apply", "--in", "0", "--deadline", "1").code == 2
