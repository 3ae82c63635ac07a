"""Real `osdlog` processes, as people start them; none outlives its test."""

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "osd.cli")
PATIENCE_S = 180.0
"""After so long a test fails; nothing waits so long when all is well."""


def environment(log: str | None = None) -> dict[str, str]:
    """Of a command that knows the log by `OSDLOG_LOG`."""
    kept = {key: value for key, value in os.environ.items() if key != "OSDLOG_LOG"}
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": path} | ({"OSDLOG_LOG": log} if log else {})


class Done:
    """A command that ended."""

    def __init__(self, process: subprocess.CompletedProcess[bytes]) -> None:
        self.code = process.returncode
        self.data = process.stdout
        self.out = process.stdout.decode(errors="replace")
        self.err = process.stderr.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def osdlog(
    *arguments: object, log: str | None = None, stdin: bytes = b"", folder: Path | None = None
) -> Done:
    """Run one command to its end."""
    process = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=environment(log),
        cwd=folder,
        timeout=PATIENCE_S,
        check=False,
    )
    done = Done(process)
    assert "Traceback" not in done.err, done.err
    return done


class Program:
    """A command that runs until it is stopped; its lines are kept as they come."""

    def __init__(self, *arguments: object, log: str | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(log),
        )
        self._queue: Queue[str] = Queue()
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line, of those not waited for yet, in which the pattern is found."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, give_up_at - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {pattern!r} in {self.lines}") from None
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=PATIENCE_S)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._queue.put(line.decode(errors="replace").rstrip())


@contextmanager
def program(*arguments: object, log: str | None = None) -> Iterator[Program]:
    """A running program, stopped at the end if it still runs."""
    running = Program(*arguments, log=log)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.send(signal.SIGINT)
            running.end()


def processes_of(folder: Path) -> list[int]:
    """Every process whose command line names something in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(folder).encode() in word for word in words):
            found.append(int(entry.name))
    return found


def osd_processes(folder: Path) -> dict[int, int]:
    """Process numbers of the OSDs that live below this folder, by OSD."""
    found = {}
    for pid in processes_of(folder):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if "--id" in words:
            found[int(words[words.index("--id") + 1])] = pid
    return found


def wait_until_gone(folder: Path) -> None:
    """Until no process names this folder; each is waited for by its own handle."""
    for pid in processes_of(folder):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            _wait(handle, pid)
        finally:
            os.close(handle)
    assert not processes_of(folder)


def _wait(handle: int, pid: int) -> None:

    poll = select.poll()
    poll.register(handle, select.POLLIN)
    assert poll.poll(PATIENCE_S * 1_000), f"process {pid} does not end"
