"""What the audit database stands up to: kills, Ctrl-C, a full disk, several at once; all are real.

Rule: whatever befalls a command, it ends as it says, and the next one finds a
database that is as if nothing had been.
"""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from audit.test_two_truths import IDENTITY, append, mixed
from audit.two_truths import differences
from cli.programs import COMMAND, PATIENCE_S, environment, osdlog
from eventlog.drafts import drafted
from eventlog.sqlite import SqliteLog
from projections.audit.database import create, writing
from projections.audit.errors import AuditError, AuditForeign
from projections.audit.sync import sync

EVENTS = mixed(Random(1), rgs=9, length=60)
ENDLESS = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b"

STRUCK = """
import importlib, os, signal, sys

place = importlib.import_module("projections.audit." + sys.argv.pop(1))

def struck(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(place, sys.argv.pop(1), struck)
from osd.cli import main
main()
"""
"""A command that is killed at one place of its own code."""

STRUCK_QUESTION = """
import os, sys
from threading import Timer
from projections.audit import queries

asked = queries._one_question

def struck(sql):
    if "range" in sql:
        Timer(0.3, os.kill, (os.getpid(), number)).start()
    return asked(sql)

number = int(sys.argv.pop(1))
queries._one_question = struck
from osd.cli import main
main()
"""
"""A command whose long question is interrupted by a signal."""

LATE_INTERRUPT = """
import os, signal, time
from projections.audit import interrupts, queries

class Late:
    def __init__(self, connection):
        self.connection = connection

    def interrupt(self):
        time.sleep(0.3)
        self.connection.interrupt()

class LateListener(interrupts._Listener):
    def __init__(self, connection):
        super().__init__(Late(connection))

asked = queries._one_question

def struck(sql):
    if "first" in sql:
        os.kill(os.getpid(), signal.SIGINT)
    return asked(sql)

interrupts._Listener, queries._one_question = LateListener, struck
from osd.cli import main
main()
"""
"""A command where whoever interrupts DuckDB for Ctrl-C comes late: Python heard of it before."""

DEAF_QUESTION = """
from projections.audit import bounds
bounds.GRACE_S = 0.5
from osd.cli import main
main()
"""
"""A command that gives up soon."""

CREATE, SYNC, DERIVE = ("database", "make_tables"), ("sync", "note"), ("deriving", "_note")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    """An embedded log with events of some RGs."""
    with SqliteLog.create(tmp_path / "cluster.log", IDENTITY) as made:
        append(made, EVENTS)
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where its audit database lies."""
    return tmp_path / "cluster.log.audit"


def killed(log: SqliteLog, place: tuple[str, str]) -> int:
    """How `osdlog audit` ends when it is killed there."""
    return subprocess.run(
        [sys.executable, "-c", STRUCK, *place, "audit", "versions"],
        capture_output=True,
        env=environment(log.url),
        timeout=PATIENCE_S,
        check=False,
    ).returncode


@pytest.mark.parametrize("place", [CREATE, SYNC, DERIVE])
def test_a_command_that_is_killed_leaves_no_trace(
    place: tuple[str, str], log: SqliteLog, path: Path
) -> None:
    assert killed(log, place) == -signal.SIGKILL
    assert osdlog("audit", "versions", log=log.url).code in (0, 1)
    assert differences(log, path) == []
    assert not list(path.parent.glob("*.audit.*"))


def with_little_room(
    log: SqliteLog, room: int, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """A command that may write so many bytes of a file, as on a disk that is nearly full."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment(log.url),
        timeout=PATIENCE_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )


def test_a_disk_that_is_full_when_the_database_is_made(log: SqliteLog, path: Path) -> None:
    done = with_little_room(log, 100_000, "audit", "versions")
    assert done.returncode == 3
    what, hint = done.stderr.splitlines()[-2:]
    assert what.startswith(f"error: what was begun with the audit database {path} failed: ")
    assert hint.startswith("hint: Check the disk, and whether there is room.")
    assert not list(path.parent.glob("*.audit*"))
    sync(path, log)
    assert differences(log, path) == []


def test_a_disk_that_is_full_when_events_are_loaded(log: SqliteLog, path: Path) -> None:
    sync(path, log)
    append(log, mixed(Random(2), rgs=9, length=60))
    done = with_little_room(log, 50_000, "audit", "versions")
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-2].startswith("error: what was begun with the audit database")
    sync(path, log)
    assert differences(log, path) == []


def test_a_page_is_whole_or_as_it_was(log: SqliteLog, path: Path, tmp_path: Path) -> None:
    sync(path, log)
    page = tmp_path / "proof.html"
    was = "<!doctype html>as it was"
    page.write_text(was)
    done = with_little_room(log, 500, "audit", "versions", "--no-sync", "--page", str(page))
    assert (done.returncode, page.read_text()) == (3, was), done.stderr
    assert "File too large" in done.stderr
    assert not list(tmp_path.glob(".*.part"))


def test_a_database_is_made_once(path: Path) -> None:
    create(path, IDENTITY)
    with writing(path, IDENTITY) as connection:
        connection.execute("UPDATE kept.meta SET loads = 7")
    create(path, IDENTITY)
    with writing(path, IDENTITY) as connection:
        assert connection.execute("SELECT loads FROM kept.meta").fetchall() == [(7,)]


def test_a_file_that_is_no_database_is_not_said_to_be_in_use(tmp_path: Path) -> None:
    path = tmp_path / "lock" / "audit"
    path.parent.mkdir()
    path.write_bytes(b"x" * 20_000)
    with pytest.raises(AuditForeign, match="is no audit database"), writing(path, IDENTITY):
        pass


def test_memory_that_does_not_suffice_is_said(path: Path) -> None:
    create(path, IDENTITY)

    def collect() -> None:
        with writing(path, IDENTITY) as connection:
            connection.execute("SET memory_limit = '50MiB'")
            connection.execute("SELECT len(list(i)) FROM range(200000000) t(i)")

    with pytest.raises(AuditError, match=r"needs more memory than it has.*2 GiB"):
        collect()


def test_ctrl_c_ends_a_question_and_not_the_shell(log: SqliteLog) -> None:
    words = f"SELECT 7 AS m;\n{ENDLESS};\nSELECT 8 AS m;\n"
    done = subprocess.run(
        [*struck_by(signal.SIGINT), "--csv", "--seconds", str(PATIENCE_S)],
        input=words.encode(),
        capture_output=True,
        env=environment(log.url),
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"m\n7\nm\n8\n", b"interrupted\n")


def test_ctrl_c_ends_no_later_question(log: SqliteLog) -> None:
    long = "SELECT count(*) > 9 AS m FROM range(300000000) a, range(10) b"
    done = subprocess.run(
        [sys.executable, "-c", LATE_INTERRUPT, "sql", "--csv", "--seconds", str(PATIENCE_S)],
        input=f"SELECT 'first';\n{long};\n".encode(),
        capture_output=True,
        env=environment(log.url),
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"m\nTrue\n", b"interrupted\n")


def test_what_is_no_page_is_not_replaced_by_one(log: SqliteLog, path: Path) -> None:
    sync(path, log)
    done = osdlog("audit", "versions", "--no-sync", "--page", log.path, log=log.url)
    assert done.code == 2
    assert done.err.startswith(f"error: {log.path} is there already, and is something else ")
    assert differences(log, path) == []


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127])
def test_an_answer_may_have_a_name_as_long_as_any(tmp_path: Path, name: str) -> None:
    with drafted(tmp_path / name) as draft:
        draft.write_bytes(b"whole")
        assert not (tmp_path / name).exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"whole"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_only_question_with_its_number(
    number: signal.Signals, log: SqliteLog, tmp_path: Path
) -> None:
    for form in ((), ("--parquet", str(tmp_path / "out.parquet"))):
        done = subprocess.run(
            [*struck_by(number), *form, ENDLESS],
            capture_output=True,
            env=environment(log.url),
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (128 + number, b"")
    assert not list(tmp_path.glob("*.parquet")) + list(tmp_path.glob(".*.part"))


def test_a_signal_to_end_ends_the_shell_too(log: SqliteLog) -> None:
    done = subprocess.run(
        [*struck_by(signal.SIGTERM), "--csv"],
        input=f"{ENDLESS};\nSELECT 8 AS m;\n".encode(),
        capture_output=True,
        env=environment(log.url),
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")


def struck_by(number: signal.Signals) -> list[str]:
    """`osdlog sql`, struck by this signal at a long question."""
    return [sys.executable, "-c", STRUCK_QUESTION, str(int(number)), "sql"]


def test_a_question_that_hears_of_nothing_is_given_up(log: SqliteLog, tmp_path: Path) -> None:
    """DuckDB is interrupted between pieces of its work, and this is one piece."""
    deaf = "SELECT list_reduce(range(100000000), lambda x, y: x + y) AS n"
    form = ("--seconds", "0.5", "--parquet", str(tmp_path / "out.parquet"))
    done = subprocess.run(
        [sys.executable, "-c", DEAF_QUESTION, "sql", "--memory", "2GiB", *form, deaf],
        capture_output=True,
        text=True,
        env=environment(log.url),
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: the query took longer than it may"
    assert not list(tmp_path.glob("*.parquet")) + list(tmp_path.glob(".*.part"))
