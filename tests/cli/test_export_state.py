"""export-state: what only reads works on the file, and all else says what the file is."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.conftest import Cluster
from cli.programs import PATIENCE_S, Done, osdlog
from osd.client import Client
from osd.client.errors import NotThere


class Export(NamedTuple):
    """A file, and the cluster as it was."""

    file: Path
    rg: str

    def run(self, *arguments: object) -> Done:
        return osdlog(*arguments, log=f"state:{self.file}")


@pytest.fixture(scope="module")
def export(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Export]:
    """Made of the shared cluster, and then read from a folder in which nothing else is."""
    cluster.client.put("kept/1", b"123")
    cluster.client.put("kept/2", b"4567")
    cluster.client.delete("kept/2")
    made = tmp_path_factory.mktemp("made") / "cluster.state"
    until_clean(cluster)
    done = cluster.run("export-state", made)
    assert (done.code, done.out) == (0, "")
    assert "with what 2 of 2 OSDs say" in done.err
    assert os.listdir(made.parent) == [made.name]
    file = tmp_path_factory.mktemp("elsewhere") / "seen.state"
    shutil.copy(made, file)
    yield Export(file, f"{cluster.client.stat('kept/1').rg:x}")
    cluster.client.delete("kept/1")


def test_a_file_that_cannot_be_is_named_as_it_was_given(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "none" / "x"
    done = cluster.run("export-state", file)
    assert (done.code, done.err.splitlines()) == (
        3,
        [
            f"error: the export {file} cannot be written: No such file or directory",
            "hint: Name a file in a directory that exists, is writable and has room.",
        ],
    )


def until_clean(cluster: Cluster) -> None:
    """What tests before this one began may still be moving."""
    end = time.monotonic() + PATIENCE_S
    while any(rg.said is None or rg.said["state"] != "clean" for rg in cluster.client.rgs()):
        assert time.monotonic() < end
        time.sleep(0.1)


READING = (
    ("status",),
    ("status", "--json"),
    ("rg", "ls"),
    ("rg", "show", "1"),
    ("explain", "1"),
    ("explain", "kept/1"),
    ("ls",),
    ("stat", "kept/1"),
    ("limits",),
    ("locate", "kept/1"),
    ("locate", "kept/2"),
    ("history", "kept/2"),
    ("map", "show"),
    ("map", "plan", "--out", "0"),
    ("map", "plan", "--weight", "0:2", "--pin", "all"),
    ("map", "log"),
    ("log", "cat"),
    ("log", "tail"),
    ("sql", "FROM object_versions"),
    ("replay",),
)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_what_only_reads_works(export: Export, command: tuple[str, ...]) -> None:
    done = export.run(*command)
    assert done.code == 0, done.err
    assert done.out


def test_objects_are_as_the_osds_said(cluster: Cluster, export: Export) -> None:
    with Client(f"state:{export.file}") as offline:
        assert offline.stat("kept/1") == cluster.client.stat("kept/1")
        rows = list(offline.list())
        assert [row for row in rows if row.name == "kept/1"] == list(cluster.client.list("kept/"))
        assert rows == sorted(rows, key=lambda row: row.name.encode())
        for name in ("kept/2", "never"):
            with pytest.raises(NotThere, match=f"there is no object '{name}'"):
                offline.stat(name)


def test_what_the_osds_said_of_themselves(cluster: Cluster, export: Export) -> None:
    said = json.loads(export.run("limits", "--json").out)
    assert set(said) == {"osd.0", "osd.1"}
    plans = json.loads(export.run("scrub", "--last", "--json").out)["plans"]
    live = json.loads(cluster.run("scrub", "--last", "--json").out)["plans"]
    assert plans.keys() == live.keys() == {"0", "1"}


def test_reports_of_the_audit_work(export: Export) -> None:
    done = export.run("audit", "integrity")
    assert done.code == 0, done.out + done.err


@pytest.mark.parametrize(
    "command",
    [
        ("get", "kept/1"),
        ("put", "x", "-"),
        ("rm", "kept/1"),
        ("verify",),
        ("limits", "--pulls", "1"),
        ("scrub",),
        ("scrub", "--stop"),
        ("import", ".", "x"),
        ("export", "kept", "nowhere"),
    ],
    ids=" ".join,
)
def test_what_needs_an_osd_is_refused(export: Export, command: tuple[str, ...]) -> None:
    done = export.run(*command)
    assert (done.code, done.out) == (1, "")
    assert f"error: state:{export.file} is an export made at 2" in done.err
    assert "hint: `osdlog explain`, " in done.err


@pytest.mark.parametrize(
    "command",
    [("map", "apply", "--out", "1"), ("map", "bump", "--to", "99"), ("monitor",)],
    ids=" ".join,
)
def test_what_changes_the_cluster_is_refused(export: Export, command: tuple[str, ...]) -> None:
    before = export.file.read_bytes()
    done = export.run(*command)
    assert done.code == 1
    assert "is an export, and nothing can be changed in it\nhint: Name the log" in done.err
    assert export.file.read_bytes() == before


def test_it_says_when_it_was_made(export: Export) -> None:
    assert export.run("status").lines[0].startswith("as exported at 2")
    said = json.loads(export.run("status", "--json").out)
    assert said["heading"].startswith("as exported at 2")
    assert [osd["said"]["phase"] for osd in said["osds"]] == ["running", "running"]


def test_the_log_in_it_is_the_clusters(cluster: Cluster, export: Export, tmp_path: Path) -> None:
    """Also the times at which the records were appended."""
    shown = export.run("log", "cat").lines
    assert set(shown) <= set(cluster.run("log", "cat").lines)
    copy = f"sqlite:{tmp_path / 'again'}"
    assert osdlog("log", "copy", f"state:{export.file}", copy).code == 0
    assert osdlog("log", "cat", log=copy).lines == shown


def test_nothing_is_overwritten(cluster: Cluster, export: Export, tmp_path: Path) -> None:
    before = export.file.read_bytes()
    done = cluster.run("export-state", export.file)
    assert done.code == 3
    assert done.err.startswith(f"error: {export.file} exists already\nhint: Name another file")
    assert export.file.read_bytes() == before
    nowhere = cluster.run("export-state", tmp_path / "no" / "where")
    assert nowhere.code == 3
    assert "hint: " in nowhere.err
    assert not list(tmp_path.iterdir())


def test_a_log_is_no_export_and_an_export_no_log(cluster: Cluster, export: Export) -> None:
    done = osdlog("status", log=f"sqlite:{export.file}")
    assert done.code == 3
    assert f"{export.file} is an export made by `osdlog export-state`" in done.err
    other = osdlog("status", log=cluster.log.replace("sqlite:", "state:"))
    assert other.code == 3
    assert "is a log, and no export" in other.err
    missing = osdlog("status", log="state:/nowhere/at/all")
    assert missing.code == 3
    assert "there is no log at /nowhere/at/all" in missing.err


def test_a_damaged_note_is_found(export: Export, tmp_path: Path) -> None:
    file = tmp_path / "damaged.state"
    data = export.file.read_bytes()
    at = data.index(b'"made_at"')
    file.write_bytes(data[:at] + b'"made_AT"' + data[at + 9 :])
    done = osdlog("status", log=f"state:{file}")
    assert done.code == 3
    assert "note 'said' does not match its sum" in done.err
