"""`osdlog replay`: the cluster at any moment, and what became of it."""

import json
import sqlite3
from pathlib import Path

import pytest

from cli.programs import osdlog
from client.past_logs import as_sqlite, eventful_log
from eventlog.ids import Partition, RgId, Topic, rg_key
from eventlog.log import Entry


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("past") / "log.sqlite"
    as_sqlite(eventful_log(), path).close()
    return f"sqlite:{path}"


def test_it_shows_the_cluster_and_leaves_nothing_behind(log: str) -> None:
    folder = Path(log.removeprefix("sqlite:")).parent
    before = sorted(path.name for path in folder.iterdir())
    done = osdlog("replay", log=log)
    assert done.code == 0, done.err
    assert done.err == ""
    assert done.lines[0].startswith("as of now: epoch ")
    assert done.lines[1].split() == [
        *("rg", "state", "primary", "version", "objects", "bytes", "tombstones", "copies"),
        "strays",
    ]
    assert done.lines[-1].endswith(" 0 strays")
    assert {path.name for path in folder.iterdir()} - set(before) <= {
        "log.sqlite-shm",
        "log.sqlite-wal",
    }


def test_json_has_a_digest_of_every_rg(log: str) -> None:
    now = json.loads(osdlog("replay", "--json", log=log).out)
    then = json.loads(osdlog("replay", "--json", "--until", "epoch:4", log=log).out)
    assert (then["as_of"], then["epoch"]) == ("epoch 4", 4)
    assert {row["rg"] for row in now["rg"]} == {0, 1, 2}
    assert now["rg"] != then["rg"]
    one = json.loads(osdlog("replay", "--json", "--rg", "1", log=log).out)
    assert one["rg"] == [row for row in now["rg"] if row["rg"] == 1]


def test_one_osd_and_what_became_of_it(log: str) -> None:
    shown = osdlog("replay", "--osd", 1, log=log)
    assert shown.lines[0].startswith("osd.1 as of now: ")
    assert "lacking" in shown.lines[1]
    said = json.loads(osdlog("replay", "--osd", 1, "--json", log=log).out)
    assert (said["rgs"], said["rg"][0]["rg"]) == (3, 0)
    differing = osdlog("replay", "--osd", 1, "--diff", "epoch:3", log=log)
    assert differing.lines[0].startswith("before, as of epoch 3: ")
    assert differing.lines[1].startswith("after, as of now: ")


def test_a_difference_of_an_rg_lists_its_objects(log: str) -> None:
    done = osdlog("replay", "--diff", "epoch:3", "--rg", "2", log=log)
    assert done.code == 0, done.err
    assert any(line.startswith("object-") for line in done.lines)
    said = json.loads(osdlog("replay", "--diff", "epoch:3", "--rg", "2", "--json", log=log).out)
    assert said["objects"]
    nothing = osdlog("replay", "--diff", "epoch:3", "--until", "epoch:3", log=log)
    assert nothing.lines[2:] == ["nothing differs"]


def test_what_is_told_of_the_stores_of_single_rgs_adds_up(log: str) -> None:
    """Also of a store that is placed and has nothing, or has only what is lost."""
    names = ("rgs", "held", "doomed", "lost")
    whole = {
        each["store"]: each
        for each in json.loads(osdlog("replay", "--json", log=log).out)["stores"]
    }
    sums = {store: dict.fromkeys(names, 0) for store in whole}
    for rg in range(3):
        said = json.loads(osdlog("replay", "--rg", rg, "--json", log=log).out)
        for each in said["stores"]:
            assert any(each[name] for name in names), "it has nothing to do with this RG"
            for name in names:
                sums[each["store"]][name] += each[name]
    assert sums == {store: {name: each[name] for name in names} for store, each in whole.items()}


def test_a_difference_of_stores_alone_is_one(log: str) -> None:
    """A second OSD starts; no RG has an event yet."""
    done = osdlog("replay", "--diff", "epoch:5", "--until", "epoch:6", log=log)
    head, *rows = (line.split() for line in done.lines[2:])
    assert head == ["store", "condition", "rgs", "held", "doomed", "lost"]
    assert [row[0].partition("/")[0] for row in rows] == ["osd.0", "osd.1"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--until", "epoch:99"), "error: there is no epoch 99: the map has 1 to "),
        (("--until", "rg/0@999999"), "error: there is no record at rg/0@999999: "),
        (("--osd", "9"), "error: osd.9 is not in the map as of now"),
        (("--rg", "9"), "error: there is no rg 9"),
    ],
)
def test_what_does_not_exist(log: str, arguments: tuple[str, ...], what: str) -> None:
    done = osdlog("replay", *arguments, log=log)
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith(what)
    assert "\nhint: " in done.err


def test_a_number_below_zero_is_no_rg(log: str) -> None:
    for command in (("replay",), ("log", "cat"), ("log", "tail")):
        done = osdlog(*command, "--rg=-1", log=log)
        assert (done.code, done.out) == (2, ""), command
        assert done.err.startswith("error: '-1' is not a replica group\nhint: "), command


def test_all_that_is_amiss_is_said_after_what_is_left(tmp_path: Path) -> None:
    file = tmp_path / "log.sqlite"
    with as_sqlite(eventful_log(), file) as log:
        [at] = log.append([Entry(Topic.RG, Partition(2), rg_key(RgId(2)), b"no event")])
        with sqlite3.connect(file) as opened:
            opened.execute("DELETE FROM records WHERE topic='rg' AND partition=1 AND offset < 5")
    done = osdlog("log", "cat", log=f"sqlite:{file}")
    assert done.code == 3
    assert [line.split()[0] for line in done.lines if "unreadable" in line] == [str(at)]
    unreadable, _, cut, hint = done.err.splitlines()
    assert unreadable == "error: 1 record cannot be decoded"
    assert cut.endswith("what is left begins at rg/1@5")
    assert "log cat" not in hint, "it is what was asked"
