"""Ctrl-C and kill -9 at many points of a cluster's life: nothing stays behind, nothing is lost.

A point is a number of records in the log, which is how far a cluster has come.
"""

import signal
import time
from pathlib import Path

import pytest

from cli.programs import Program, osdlog, program, wait_until_gone
from eventlog.errors import LogMissing
from eventlog.log import Log
from eventlog.open import open_log
from eventlog.places import all_places
from node.osds import until
from osd.client import Client

FILES = {f"{number % 3}/{number}": b"%d" % number * (1 + number * 97) for number in range(60)}
KILL, CTRL_C = signal.SIGKILL, signal.SIGINT
DEMO = [(1, KILL), (5, CTRL_C), (60, KILL), (150, CTRL_C), (320, KILL)]
UP = [(1, CTRL_C), (2, KILL), (7, KILL), (9, CTRL_C)]
IMPORT = [(1, KILL), (20, CTRL_C), (70, KILL)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def interrupt(running: Program, log: Path, records: int, number: signal.Signals) -> None:
    """Send the signal once the log has so many records, or the program has ended."""
    opened = until(lambda: _opened(log) if running.process.poll() is None else None)
    with opened:
        places = all_places(opened.identity)
        while running.process.poll() is None:
            if sum(opened.end_offsets(places).values()) >= records:
                break
            time.sleep(0.001)
    running.send(number)
    code = running.end()
    assert code in (0, -KILL if number is KILL else 130)
    assert not [line for line in running.lines if "Traceback" in line]


def _opened(log: Path) -> Log | None:
    try:
        return open_log(f"sqlite:{log}")
    except LogMissing:
        return None


def check_goes_on(data: Path, *words: object) -> None:
    """`up` continues from the folder: every object is readable, and every RG gets clean."""
    wait_until_gone(data)
    with program("up", "--data", data, *words) as up:
        up.wait_for("the cluster is up")
        with Client(f"sqlite:{data}/log.sqlite") as client:
            for row in client.list():
                client.get(row.name)  # whose sum is the one in the log
            until(lambda: {r.said["state"] if r.said else "" for r in client.rgs()} == {"clean"})
            client.put("went on", b"x")
            assert client.get("went on") == b"x"
    wait_until_gone(data)


@pytest.mark.parametrize(("records", "number"), DEMO)
def test_a_demo(tmp_path: Path, source: Path, records: int, number: signal.Signals) -> None:
    data = tmp_path / "kept"
    with program("demo", source, "--keep", data) as demo:
        interrupt(demo, data / "log.sqlite", records, number)
    check_goes_on(data)


@pytest.mark.parametrize(("records", "number"), UP)
def test_a_cluster_that_comes_up(tmp_path: Path, records: int, number: signal.Signals) -> None:
    """The same command again goes on, also where the cluster was not founded yet."""
    data, words = tmp_path / "data", ("--osds", 2, "--rgs", 4)
    with program("up", "--data", data, *words) as up:
        interrupt(up, data / "log.sqlite", records, number)
    check_goes_on(data, *words)


def test_an_import(tmp_path: Path, source: Path) -> None:
    """Given again, it goes on; in the end all files are there as they were."""
    data = tmp_path / "data"
    with program("up", "--osds", 2, "--rgs", 4, "--data", data) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        before = 0
        for more, number in IMPORT:
            with open_log(log) as opened:
                before = sum(opened.end_offsets(all_places(opened.identity)).values())
            with program("import", source, "in", log=log) as importing:
                interrupt(importing, data / "log.sqlite", before + more, number)
        done = osdlog("import", source, "in", log=log)
        assert done.code == 0, done.err
        with Client(log) as client:
            assert {row.name for row in client.list()} == {f"in/{name}" for name in FILES}
            for name, content in FILES.items():
                assert client.get(f"in/{name}") == content
    wait_until_gone(data)
