"""map plan, map undo, pins of many, waiting: what they print and how they end."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Cluster
from cli.programs import osdlog, program
from eventlog.ids import OsdId
from eventlog.map_events import OsdReweighted

OBJECTS = [f"planned/{number}" for number in range(40)]


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: Cluster) -> Iterator[None]:
    """Some that may move, in a cluster that is left as it was found."""
    for name in OBJECTS:
        cluster.client.put(name, b"x" * 100)
    yield
    for name in OBJECTS:
        cluster.client.delete(name)
    assert cluster.run("map", "show").err.count("pinned") == 0


def test_a_plan_changes_nothing_and_prints_the_command_that_does(cluster: Cluster) -> None:
    before = cluster.client.map()
    done = cluster.run("map", "plan", "--out", "osd.0", "--rgs")
    assert done.code == 0
    assert done.lines[0].startswith(f"for layout {before.layout}: ")
    assert done.lines[1].split()[:3] == ["osd", "in", "bytes"]
    assert [line.split()[0] for line in done.lines[2:4]] == ["osd.0", "osd.1"]
    assert done.lines[4].split() == ["rg", "objects", "bytes", "placed", "then"]
    assert all(line.split()[-2:] == ["osd.0", "osd.1"] for line in done.lines[5:])
    command = f"next: osdlog map apply --out osd.0 --layout {before.layout} --log {cluster.log}"
    assert command.removesuffix(f" --log {cluster.log}") in done.err
    assert "sizes are as the primaries say\n" in done.err
    assert cluster.client.map() == before
    named = osdlog("map", "plan", "--out", 0, "--log", cluster.log)
    assert named.err.splitlines()[-1].endswith(f" --layout {before.layout} --log {cluster.log}")


def test_as_json(cluster: Cluster) -> None:
    said = json.loads(cluster.run("map", "plan", "--out", "0", "--json").out)
    zero, one = said["osds"]
    assert zero["out"] == one["in"] == said["moved"]
    assert said["moved"]["bytes"] == said["minimum_bytes"] > 0
    assert sum(rg["bytes"] for rg in said["rgs"]) == said["moved"]["bytes"]
    assert one["after"]["objects"] == one["held"]["objects"] + one["in"]["objects"]
    assert one["disk"]["total"] > 0
    assert said["apply"] == f"osdlog map apply --out 0 --layout {said['layout']}"


def test_who_imports_nothing_is_named_beside_the_time(cluster: Cluster) -> None:
    cluster.run("limits", "--pulls", 0)
    try:
        said = osdlog("map", "plan", "--out", "0", "--log", cluster.log)
    finally:
        cluster.run("limits", "--pulls", 4)
    assert re.search("^osd.1 .* unknown$", said.out, re.MULTILINE)
    ends = f"`osdlog limits osd.1 --pulls 4 --log {cluster.log}` ends that"
    assert f"\nosd.1 imports nothing in the background: {ends}\n" in said.err


def test_one_that_should_not_be_made_says_why_and_is_exit_1(cluster: Cluster) -> None:
    done = cluster.run("map", "plan", "--out", "0", "--out", "1")
    assert done.code == 1
    assert "error: 8 RGs would be placed nowhere\nhint: Change less at once" in done.err
    as_json = cluster.run("map", "plan", "--out", "0", "--out", "1", "--json")
    assert as_json.code == 1
    (concern,) = json.loads(as_json.out)["concerns"]
    what = "8 RGs would be placed nowhere"
    assert concern == {"is_grave": True, "what": what, "is_loss": False}


def test_what_would_stop_is_exit_1(cluster: Cluster) -> None:
    done = cluster.run("map", "plan", "--down", "1")
    assert done.code == 1
    assert "would have no OSD that is up: reads and writes would stop\n" in done.err
    away = cluster.run("map", "plan", "--down", "1", "--out", "1")
    assert away.code == 0
    assert " can only be copied from what is down: osd.1\n" in away.err


def test_what_would_be_lost_is_done_by_the_command_that_is_printed(cluster: Cluster) -> None:
    done = cluster.run("map", "plan", "--retire", "0")
    layout = cluster.client.map().layout
    assert done.code == 1
    assert " would be given up: only osd.0 has copies" in done.err
    command = f"osdlog map apply --retire 0 --accept-loss --layout {layout}"
    assert done.err.endswith(f"To do it all the same: {command}\n")


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("plan",), 2, "error: no change is named"),
        (("plan", "--out", "9"), 1, "error: osd.9 is not in the map"),
        (("plan", "--out", "0", "--layout", "77"), 1, "error: the change was made for layout 77"),
        (("plan", "--unpin", "all"), 1, "error: no RG is pinned"),
        (("plan", "--replay", "nowhere"), 2, "error: nowhere cannot be read: No such file"),
        (("plan", "--replay", "1..99999"), 1, "error: epoch 99999 is not there: the map is at"),
        (("plan", "--replay", "1..2", "--out", "0"), 2, "error: --replay stands alone"),
        (("undo", "99999"), 1, "error: epoch 99999 is not there: the map is at"),
        (
            ("undo", "--wait"),
            2,
            "error: --wait, --deadline and --reason are of an undo that is made",
        ),
    ],
)
def test_bad_input(cluster: Cluster, arguments: tuple[str, ...], code: int, what: str) -> None:
    before = cluster.client.map()
    done = cluster.run("map", *arguments)
    assert (done.code, done.out) == (code, "")
    assert what in done.err
    assert "hint: " in done.err
    assert cluster.client.map() == before


def test_a_change_is_made_as_planned_waited_for_and_undone(cluster: Cluster) -> None:
    before = cluster.client.map()
    planned = cluster.client.plan_map([OsdReweighted(osd=OsdId(0), weight=0)])
    assert planned.objections == ()
    done = cluster.run("map", "apply", "--weight", "0:0", "--layout", before.layout, "--wait")
    assert done.code == 0
    assert "all RGs are clean, after " in done.err
    late = cluster.run("map", "apply", "--out", "1", "--layout", before.layout)
    assert f"made for layout {before.layout}, the map is at {before.layout + 1}" in late.err
    undo = cluster.run("map", "undo")
    assert f"undo of epoch {before.epoch + 1}:\n    osd.0 has weight 1\n" in undo.err
    seen = f"--seen {before.epoch + 1}"
    assert f"next: osdlog map undo --yes {seen} --layout {before.layout + 1}\n" in undo.err
    back = cluster.run("map", "undo", before.epoch, "--yes", "--wait", "--json")
    lines = [json.loads(line) for line in back.lines]
    assert lines[0] == {"epoch": before.epoch + 2, "layout": before.layout + 2}
    assert lines[-1]["settled"]
    assert lines[-1]["remaining"] == {"objects": 0, "bytes": 0}
    assert cluster.client.map().osds == before.osds
    now = cluster.run("map", "undo", before.epoch + 2)
    assert (now.code, now.err.splitlines()[0]) == (
        1,
        f"error: epoch {before.epoch + 2} is the map as it is",
    )
    same = cluster.run("map", "undo", before.epoch)
    assert (same.code, same.out) == (1, "")
    assert f"the map is as at epoch {before.epoch} already" in same.err
    row = cluster.run("map", "plan", "--replay", f"{before.epoch}..{before.epoch + 2}", "--json")
    said = json.loads(row.out)
    assert [step["step"] for step in said["steps"]] == [
        f"epoch {before.epoch + 1}",
        f"epoch {before.epoch + 2}",
    ]
    assert said["total"]["bytes"] == 2 * planned.plan.moved.size
    assert said["whole"]["moved"] == {"objects": 0, "bytes": 0}


def test_an_undo_is_of_the_change_that_was_shown(tmp_path: Path) -> None:
    """An OSD that is added leaves the layout as it is."""
    log = f"sqlite:{tmp_path}/log"
    osdlog("init", "--rgs", 4, log=log)
    osdlog("map", "apply", "--add", 0, "--add", 1, log=log)
    osdlog("map", "apply", "--weight", "0:2", log=log)
    for words in (("undo",), ("undo", 2)):
        shown = osdlog("map", *words, log=log).err.splitlines()[-1]
        assert shown.startswith("next: osdlog map undo ")
        assert " --yes --seen 3 --layout 1" in shown
    assert osdlog("map", "apply", "--add", 2, log=log).code == 0
    late = osdlog(*shown.split()[2:], log=log)
    assert (late.code, late.err.splitlines()[0]) == (
        1,
        "error: the last change of the map is not that of epoch 3, but of 4",
    )
    assert osdlog("map", "undo", 2, "--yes", "--seen", 4, log=log).code == 0


def test_whoever_takes_all_weight_away_is_warned(tmp_path: Path) -> None:
    """Also of an OSD that starts later."""
    log = f"sqlite:{tmp_path}/log"
    osdlog("init", "--rgs", 4, log=log)
    assert "caution" not in osdlog("map", "apply", "--add", 0, log=log).err
    said = osdlog("map", "apply", "--weight", "0:0", log=log).err
    assert "caution: 4 RGs are placed nowhere: no OSD is in, has booted and has a weight" in said
    assert "`--weight ID:1` if it has no weight" in said


def test_a_freeze_and_its_release(cluster: Cluster) -> None:
    before = cluster.client.map()
    cluster.run("map", "apply", "--pin", "all", "--weight", "0:5")
    frozen = cluster.client.map()
    assert len(frozen.pins) == 8
    assert json.loads(cluster.run("map", "plan", "--weight", "0:9", "--json").out)["rgs"] == []
    cluster.run("map", "apply", "--unpin", "25%", "--unpin", "7")
    cluster.run("map", "apply", "--unpin", "first:2")
    assert sorted(cluster.client.map().pins) == [4, 5, 6]
    cluster.run("map", "apply", "--unpin", "all", "--weight", "0:1", "--wait")
    after = cluster.client.map()
    assert (after.pins, after.osds) == ({}, before.osds)


def test_who_stops_waiting_leaves_the_change(cluster: Cluster) -> None:
    """osd.9 lives elsewhere, so the waiting would not end."""
    before = cluster.client.map()
    (cluster.folder / "osd.9").write_text("no folder: here it does not start")
    try:
        with program("map", "apply", "--add", "9", "--wait", "--json", log=cluster.log) as waiting:
            waiting.wait_for('"unstarted":.9.')
            waiting.send(signal.SIGINT)
            assert waiting.end() == 130
            waiting.wait_for(
                f"the change stays: epoch {before.epoch + 1}, layout {before.layout}\\."
            )
    finally:
        gone = cluster.run("map", "undo", "--yes")
    assert gone.code == 0
    assert cluster.client.map().osds == before.osds


def test_a_file_of_steps(cluster: Cluster, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    steps.write_text("# a detour\n--weight 0:100\n\n--pin all --in 0\n--weight=0:1 --unpin all\n")
    done = cluster.run("map", "plan", "--replay", steps)
    assert done.code == 1
    assert done.err.startswith(f"error: line 4 of {steps}: osd.0 is in already\n")
    steps.write_text("# a detour\n--weight 0:100\n\n--pin all\n--weight=0:1 --unpin all\n")
    lines = cluster.run("map", "plan", "--replay", steps).lines
    assert [line.split()[:2] for line in lines[1:]] == [
        ["line", "2"],
        ["line", "4"],
        ["line", "5"],
        ["all", "steps"],
        ["the", "whole"],
    ]
    assert lines[-1].split()[2:4] == ["0", "0"]
    steps.write_text("--weight 0\n")
    assert "error: line 1 of" in cluster.run("map", "plan", "--replay", steps).err
    steps.write_text("--fly 0\n")
    assert "'--fly' is no change" in cluster.run("map", "plan", "--replay", steps).err
    steps.write_text("\n")
    assert "has no step" in cluster.run("map", "plan", "--replay", steps).err


def test_without_any_osd_the_log_tells(cluster: Cluster, tmp_path: Path) -> None:
    """A copy of the log, whose OSDs are not asked: their addresses are not in it any more."""
    asked = json.loads(cluster.run("map", "plan", "--out", "0", "--json").out)
    copy = f"sqlite:{tmp_path}/copy"
    assert cluster.run("log", "copy", cluster.log, copy).code == 0
    for osd in (0, 1):
        assert osdlog("map", "apply", "--down", osd, log=copy).code == 0
    alone = osdlog("map", "plan", "--out", "0", "--json", log=copy)
    said = json.loads(alone.out)
    assert said["rgs_by_log"] == 8
    assert said["moved"] == asked["moved"]
    assert said["rgs"] == asked["rgs"]
    words = osdlog("map", "plan", "--out", "0", log=copy).err
    assert "sizes are as the log says; no primary answered" in words
