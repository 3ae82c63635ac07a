"""What the world does to an SQLite log: locks, full disks, removed files. With the real things."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contracts.logs import IDENTITY, P0, RG, START, entry, values
from eventlog.errors import LogCorrupt, LogFull, LogReplaced, LogUnavailable, WrongLog
from eventlog.sqlite import SqliteLog
from eventlog.sqlite_errors import explained
from eventlog.sqlite_turn import Turn, turn_file

ROOT = Path(__file__).parents[2]

SHORT_S = 0.05
"""So long an append waits here for somebody who does not let go."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    SqliteLog.create(tmp_path / "cluster.log", IDENTITY).close()
    return tmp_path / "cluster.log"


def python(program: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )


def test_a_lock_of_another_program_is_named_and_nothing_is_appended(path: Path) -> None:
    with SqliteLog(path, SHORT_S) as log:
        log.append([entry(0, b"a")])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable, match="is locked by another process") as refused:
            log.append([entry(0, b"b")])
        assert "fuser" in refused.value.hint
        assert values(log.read(RG, P0, START)) == [b"a"], "readers go on"
        other.execute("ROLLBACK")
        other.close()
        log.append([entry(0, b"c")])
        assert values(log.read(RG, P0, START)) == [b"a", b"c"]


HOLD_TURN = """
import sys
from pathlib import Path
from eventlog.sqlite_turn import Turn
with Turn(Path(sys.argv[1]), 1):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_process_that_does_not_end_its_turn_is_named(path: Path) -> None:
    with SqliteLog(path, SHORT_S) as log, python(HOLD_TURN, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(LogUnavailable, match="another process has been appending") as refused:
            log.append([entry(0, b"a")])
        assert str(turn_file(path)) in refused.value.hint
        holder.send_signal(signal.SIGCONT)
        holder.communicate("go on\n")
        log.append([entry(0, b"b")])
        assert values(log.read(RG, P0, START)) == [b"b"]


def test_a_killed_process_gives_up_its_turn(path: Path) -> None:
    with SqliteLog(path) as log, python(HOLD_TURN, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = threading.Thread(target=lambda: log.append([entry(0, b"a")]))
        waiting.start()
        holder.kill()
        waiting.join()
        assert values(log.read(RG, P0, START)) == [b"a"]


def test_turns_shut_each_other_out(path: Path) -> None:
    mine, other = Turn(path, SHORT_S), Turn(path, SHORT_S)
    with mine, pytest.raises(LogUnavailable), other:
        pass
    with other:
        pass
    mine.close()
    other.close()


FILL_UP = """
import resource, sys
from pathlib import Path
from contracts.logs import RG, P0, START, entry
from eventlog.errors import AppendUnknown, LogUnavailable
from eventlog.sqlite import SqliteLog
with SqliteLog(Path(sys.argv[1])) as log:
    log.append([entry(0, b"first")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    try:
        log.append([entry(0, b"x" * int(sys.argv[2]))])
    except (AppendUnknown, LogUnavailable) as error:
        print(type(error).__name__, error)
    print(len(log.read(RG, P0, START)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.append([entry(0, b"last")])
    print([record.value for record in log.read(RG, P0, START)])
"""


@pytest.mark.parametrize(
    ("size", "error"), [(400_000, "AppendUnknown"), (40_000_000, "LogUnavailable")]
)
def test_where_there_is_no_room(path: Path, size: int, error: str) -> None:
    """A small append fails in COMMIT, a large one before. Both times nothing is left of it."""
    with python(FILL_UP, path, size, 300_000) as process:
        said, _ = process.communicate()
    told, count, after = said.splitlines()
    assert told.startswith(error)
    assert "Check who owns it, and that its disk has room" in told or "Free space" in told
    assert count == "1"
    assert after == "[b'first', b'last']"


@pytest.mark.parametrize("put_another", [False, True])
def test_a_removed_or_replaced_file_is_not_appended_to(path: Path, put_another: bool) -> None:
    with SqliteLog(path) as log:
        log.append([entry(0, b"a")])
        path.rename(path.with_name("moved.log"))
        if put_another:
            path.write_bytes(b"another")
        wanted = r"the file .*cluster.log is not the one that was opened\. It was removed or replac"
        with pytest.raises(LogReplaced, match=wanted):
            log.append([entry(0, b"b")])
        with pytest.raises(LogReplaced, match=wanted):
            log.read(RG, P0, START)
        with pytest.raises(LogReplaced, match=wanted):
            log.end_offsets([(RG, P0)])
        path.unlink(missing_ok=True)
        path.with_name("moved.log").rename(path)
        log.append([entry(0, b"c")])
        assert values(log.read(RG, P0, START)) == [b"a", b"c"]


def test_opening_a_log_again_does_not_take_its_locks_away(path: Path) -> None:
    """Whoever closes a file loses all POSIX locks on it; another process may then end the WAL."""
    with SqliteLog(path) as log:
        log.append([entry(0, b"a")])
        SqliteLog(path).close()
        look = "import sys; from eventlog.open import open_log; open_log(sys.argv[1]).close()"
        with python(look, log.url) as other:
            other.communicate()
        assert other.returncode == 0
        assert path.with_name("cluster.log-wal").exists(), "the other process thought it was alone"
        log.append([entry(0, b"b")])
        with SqliteLog(path) as again:
            assert values(again.read(RG, P0, START)) == [b"a", b"b"]


def test_a_tail_of_a_closed_log_says_so_or_goes_on(path: Path) -> None:
    log = SqliteLog(path)
    log.append([entry(0, b"a")])
    tail = log.tail()
    tail.follow(RG, P0, START)
    log.close()
    assert values(tail.poll(0)) == [b"a"]
    tail.close()
    tail.close()
    with pytest.raises(LogUnavailable, match=r"is closed\. Open it again\."):
        tail.poll(0)


@pytest.mark.parametrize(
    ("name", "kind", "what"),
    [
        ("SQLITE_BUSY", LogUnavailable, "is locked by another process"),
        ("SQLITE_BUSY_SNAPSHOT", LogUnavailable, "is locked by another process"),
        ("SQLITE_LOCKED", LogUnavailable, "is locked by another process"),
        ("SQLITE_FULL", LogFull, "there is no room"),
        ("SQLITE_IOERR_FSYNC", LogUnavailable, "cannot be used: told (SQLITE_IOERR_FSYNC)"),
        ("SQLITE_CANTOPEN", LogUnavailable, "cannot be used: told (SQLITE_CANTOPEN)"),
        ("SQLITE_READONLY", LogUnavailable, "cannot be used: told (SQLITE_READONLY)"),
        ("SQLITE_NOMEM", LogUnavailable, "cannot be used: told (SQLITE_NOMEM)"),
        ("SQLITE_CORRUPT", LogCorrupt, "is damaged: SQLite says: told"),
        ("SQLITE_CORRUPT_VTAB", LogCorrupt, "is damaged: SQLite says: told"),
        ("SQLITE_CONSTRAINT_UNIQUE", LogCorrupt, "is damaged: SQLite says: told"),
        ("SQLITE_ERROR", LogCorrupt, "is damaged: SQLite says: told"),
        ("SQLITE_NOTADB", WrongLog, "is not a log of this program"),
        ("SQLITE_MISUSE", LogUnavailable, "is closed"),
    ],
)
def test_every_error_of_sqlite_is_one_of_ours(name: str, kind: type, what: str) -> None:
    error = sqlite3.OperationalError("told")
    error.sqlite_errorcode = getattr(sqlite3, name)
    error.sqlite_errorname = name
    found = explained(error, Path("cluster.log"))
    assert type(found) is kind
    assert what in found.what
    assert found.hint.endswith(".")
