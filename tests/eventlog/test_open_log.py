"""Addresses of logs, and what is answered where there is none."""

import sqlite3
from pathlib import Path

import pytest

from brokers.ports import free_ports
from contracts.logs import IDENTITY, P0, RG, START, entry, values
from eventlog.errors import BadName, LogMissing, LogUnavailable, WrongLog
from eventlog.open import create_log, open_log


def test_a_log_is_made_once_and_opened_again(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'cluster.log'}"
    with create_log(url, IDENTITY) as log:
        assert log.url == url
        log.append([entry(0, b"a")])
        wanted = r"cluster.log exists already\. Name another file, or remove it"
        with pytest.raises(WrongLog, match=wanted):
            create_log(url, IDENTITY)
    with pytest.raises(WrongLog, match=wanted):
        create_log(url, IDENTITY)
    with open_log(url) as log:
        assert log.identity == IDENTITY
        assert values(log.read(RG, P0, START)) == [b"a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cluster.log", "cluster.log-turn"]


def test_an_address_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    create_log("sqlite:a log%20with?signs#.db", IDENTITY).close()
    with open_log("sqlite:a log%20with?signs#.db") as log:
        monkeypatch.chdir("/")
        assert log.url == f"sqlite:{tmp_path}/a log%20with?signs#.db"
        log.append([entry(0, b"a")])
        with open_log(log.url) as again:
            assert values(again.read(RG, P0, START)) == [b"a"]


@pytest.mark.parametrize("name", ["none.log", "no/such/directory.log"])
def test_where_there_is_no_log(tmp_path: Path, name: str) -> None:
    with pytest.raises(LogMissing, match=r"there is no log at .*\. Check the address"):
        open_log(f"sqlite:{tmp_path / name}")
    assert list(tmp_path.iterdir()) == [], "asking makes nothing"


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(WrongLog, match=r"is a directory. Name the log's file"):
        open_log(f"sqlite:{tmp_path}")


def test_another_file_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are only notes\n" * 20)
    with pytest.raises(WrongLog, match=r"notes.txt is not a log of this program\. Check the addr"):
        open_log(f"sqlite:{path}")
    assert path.read_text() == "these are only notes\n" * 20


def test_the_database_of_another_program_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE records (a)")
    connection.close()
    with pytest.raises(WrongLog, match=r"is not a log of this program"):
        open_log(f"sqlite:{path}")


def test_a_later_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cluster.log"
    create_log(f"sqlite:{path}", IDENTITY).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=2")
    connection.close()
    with pytest.raises(WrongLog, match=r"has format 2, this program knows 1. Install the version"):
        open_log(f"sqlite:{path}")


@pytest.mark.parametrize("left", ["-wal", "-shm", "-turn"])
def test_a_log_is_not_made_beside_what_another_left(tmp_path: Path, left: str) -> None:
    """SQLite would play a write-ahead file into the new log."""
    (tmp_path / f"cluster.log{left}").write_bytes(b"left")
    with pytest.raises(WrongLog, match=f"cluster.log{left} exists already"):
        create_log(f"sqlite:{tmp_path / 'cluster.log'}", IDENTITY)


def test_a_log_is_not_made_where_there_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(
        LogUnavailable, match=r"no log can be made at .*: there is no such director"
    ):
        create_log(f"sqlite:{tmp_path / 'none' / 'cluster.log'}", IDENTITY)


def test_a_log_that_the_system_does_not_give(tmp_path: Path) -> None:
    path = tmp_path / "cluster.log"
    path.symlink_to(path)
    with pytest.raises(LogUnavailable, match=r"cannot be read: Too many levels .* Check who owns"):
        open_log(f"sqlite:{path}")


@pytest.mark.parametrize("url", ["", "cluster.log", "sqlite:", "sqlite", "memory:", "sqlite:a\0b"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(BadName, match=r"is not the address of a log. Write sqlite: and a file"):
        open_log(url)
    with pytest.raises(BadName):
        create_log(url, IDENTITY)


def test_brokers_that_are_not_there() -> None:
    [free_port] = free_ports(1)
    login = "security_protocol=SASL_PLAINTEXT&sasl_plain_password=hunter2"
    with pytest.raises(LogUnavailable) as caught:
        open_log(f"kafka://127.0.0.1:{free_port}/main?{login}")
    wanted = f"the log main at 127.0.0.1:{free_port}: the brokers cannot be reached"
    assert caught.value.what.startswith(wanted)
    assert "hunter2" not in str(caught.value)
    assert (
        caught.value.hint == "Check that they run, and the address; OSDs try again by themselves."
    )
