"""What only a terminal shows: what is redrawn, how far work is, how it looks when told to end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import Cluster
from cli.programs import COMMAND, PATIENCE_S, environment
from cli.terminals import CURSOR_HIDDEN, CURSOR_SHOWN, UP_AND_ERASED, Terminal, terminal
from client.past_logs import as_sqlite, eventful_log
from osd.cli.progress import rated_counter


@contextmanager
def command(*words: str, log: str, stdout: int, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=environment(log) | {"TERM": "xterm"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_watched_status_is_redrawn_in_place(cluster: Cluster) -> None:
    with (
        terminal() as screen,
        command(
            "status", "--watch", log=cluster.log, stdout=screen.theirs, stderr=subprocess.PIPE
        ) as watching,
    ):
        screen.wait_for("OSDs answer", times=3)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE_S) == 130
        screen.read()
        assert watching.stderr is not None
        assert watching.stderr.read() == b""
    first, *later = re.split("(?:not )?healthy: ", screen.drawn)
    assert CURSOR_HIDDEN in first
    for shown in later[:-1]:
        lines = shown.partition("\x1b[2K")[0].count("\n")
        assert shown.count(UP_AND_ERASED) == lines, "what stood there is gone"
    assert screen.drawn.rstrip().endswith(CURSOR_SHOWN)


@contextmanager
def unread_pipe() -> Iterator[int]:
    """So full that whoever writes into it waits."""
    unread, full = os.pipe()
    os.set_blocking(full, False)
    try:
        while True:
            os.write(full, bytes(4_096))
    except BlockingIOError:
        os.set_blocking(full, True)
    try:
        yield full
    finally:
        os.close(full)
        os.close(unread)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_stopped_replay_leaves_nothing_and_says_so(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    as_sqlite(eventful_log(), tmp_path / "log.sqlite").close()
    log, before = f"sqlite:{tmp_path / 'log.sqlite'}", sorted(tmp_path.iterdir())
    with (
        terminal() as screen,
        unread_pipe() as full,
        command("replay", log=log, stdout=full, stderr=screen.theirs) as replaying,
    ):
        screen.wait_for("replay as of now")
        replaying.send_signal(number)
        assert replaying.wait(PATIENCE_S) == code
        screen.read()
    assert screen.drawn.endswith("stopped; nothing was changed, and nothing is left behind\r\n")
    assert screen.drawn.count(CURSOR_SHOWN) == screen.drawn.count(CURSOR_HIDDEN) > 0
    assert sorted(tmp_path.iterdir()) == before


def test_a_replay_whose_terminal_is_closed_ends_as_it_was_told(tmp_path: Path) -> None:
    as_sqlite(eventful_log(), tmp_path / "log.sqlite").close()
    with (
        terminal() as screen,
        unread_pipe() as full,
        command(
            "replay", log=f"sqlite:{tmp_path / 'log.sqlite'}", stdout=full, stderr=screen.theirs
        ) as replaying,
    ):
        screen.wait_for("replay as of now")
        replaying.send_signal(signal.SIGHUP)
        screen.close()
        assert replaying.wait(PATIENCE_S) == 128 + signal.SIGHUP


def test_long_work_shows_its_rate_and_how_long_it_still_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with terminal() as screen:
        drawn_with_rate(monkeypatch, screen)
    assert re.search(r"2000/10000 [\d,]+ events/s \d:\d\d:\d\d", screen.drawn), screen.drawn


def drawn_with_rate(monkeypatch: pytest.MonkeyPatch, screen: Terminal) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with os.fdopen(os.dup(screen.theirs), "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with rated_counter("replay as of now", "events") as tell:
            tell(1_000, 10_000)
            tell(2_000, 10_000)
    screen.read()
