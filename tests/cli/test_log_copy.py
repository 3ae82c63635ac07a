"""`osdlog log copy`: a cluster's log at another place."""

import json
from pathlib import Path

from cli.conftest import Cluster
from cli.programs import osdlog
from eventlog.open import open_log
from eventlog.places import all_places


def test_a_copy_tells_the_same_story(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.run("put", "copied/1", "-", stdin=b"one")
    assert done.code == 0
    target = f"sqlite:{tmp_path / 'copy.sqlite'}"
    done = osdlog("log", "copy", cluster.log, target)
    assert done.code == 0, done.err
    assert done.out == ""
    first, second = done.err.splitlines()
    assert first.startswith("copied ")
    assert "records, " in first
    assert second == f"the copy is at {target}"
    told = [line.split("  ")[0] for line in osdlog("log", "cat", log=target).lines]
    assert told
    there = {line.split("  ")[0] for line in cluster.run("log", "cat").lines}
    assert there.issuperset(told)

    again = osdlog("log", "copy", cluster.log, target, "--json")
    said = json.loads(again.out)
    assert said["from"] == cluster.log
    assert said["to"] == target
    with open_log(target) as log:
        assert (
            said["there"]
            == sum(log.end_offsets(all_places(log.identity)).values()) - said["records"]
        )


def test_a_copy_of_nothing_is_not_made(tmp_path: Path) -> None:
    done = osdlog("log", "copy", f"sqlite:{tmp_path / 'no.sqlite'}", f"sqlite:{tmp_path / 'to'}")
    assert done.code == 3
    assert "there is no log at" in done.err
    assert list(tmp_path.iterdir()) == []


def test_another_clusters_log_is_not_written_over(cluster: Cluster, tmp_path: Path) -> None:
    other = f"sqlite:{tmp_path / 'other.sqlite'}"
    assert osdlog("init", "--rgs", 8, log=other).code == 0
    done = osdlog("log", "copy", cluster.log, other)
    assert done.code == 3
    assert "hint: Copy to a new log, or to one that is a copy of this one." in done.err
