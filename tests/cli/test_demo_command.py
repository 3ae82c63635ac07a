"""The demo on a small folder: it passes, it is kept, and it leaves nothing running."""

import os
import signal
from pathlib import Path

from audit.two_truths import differences
from cli.programs import osdlog, processes_of, program, wait_until_gone
from eventlog.open import open_log
from projections.audit.sync import sync

STEPS = (
    "2 OSDs come up",
    "a real directory goes in",
    "two OSDs are added while clients go on",
    "an OSD is killed while clients go on",
    "a disk is lost, and rebuilt",
    "ten botched maps, then the right one",
    "all RGs are clean",
    "every object is read back",
    "deleted objects are gone",
    "the log is replayed from zero",
)


def make_source(folder: Path) -> None:
    folder.mkdir()
    for number in range(120):
        (folder / f"file-{number}").write_bytes(os.urandom(10 + 100 * number))
    (folder / "large").write_bytes(os.urandom(2_000_000))


def test_the_story_from_begin_to_end(tmp_path: Path) -> None:
    make_source(tmp_path / "in")
    done = osdlog("demo", tmp_path / "in", "--keep", tmp_path / "kept", "--osds", 2)
    assert done.code == 0, done.out + done.err
    assert [
        f"{n}. {step} " for n, step in enumerate(STEPS, 1) if f"{n}. {step} " not in done.out
    ] == []
    assert "FAILED" not in done.out
    assert "every check was passed" in done.out
    assert "; the maps place " in done.out
    assert f"osdlog up --data {tmp_path / 'kept'}" in done.out
    assert not processes_of(tmp_path)
    with open_log(f"sqlite:{tmp_path / 'kept' / 'log.sqlite'}") as kept:
        sync(tmp_path / "audit.duckdb", kept)
        assert differences(kept, tmp_path / "audit.duckdb") == [], "SQL and folds, of a real log"
    with program("up", "--data", tmp_path / "kept") as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        assert osdlog("get", "in/large", log=log).data == (tmp_path / "in/large").read_bytes()


def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    make_source(tmp_path / "in")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        kept = tmp_path / f"kept-{number}"
        with program("demo", tmp_path / "in", "--keep", kept, "--osds", 2) as demo:
            demo.wait_for(r"3\. two OSDs are added")
            demo.send(number)
            assert demo.end() == code
            wait_until_gone(kept)
        with program("up", "--data", kept) as up:
            up.wait_for("the cluster is up")


def test_a_folder_that_cannot_go_in(tmp_path: Path) -> None:
    done = osdlog("demo", tmp_path / "none")
    assert (done.code, done.err.splitlines()[0]) == (2, f"error: {tmp_path}/none is not a folder")
    done = osdlog("demo", tmp_path)
    assert (done.code, done.err.splitlines()[0]) == (1, f"error: {tmp_path} has no files")
    make_source(tmp_path / "in")
    done = osdlog("demo", tmp_path / "in", "--keep", tmp_path)
    assert (done.code, done.err.splitlines()[0]) == (3, f"error: {tmp_path} is not empty")
