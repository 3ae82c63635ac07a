"""Sessions: the commands in the documents, run in their order, and what they print.

Rule: what a document shows is what the commands print now. Compared is all but
what differs from run to run: ports, times, ids of stores, clusters and
requests, how full disks are, the width of columns, how many records an RG has
(of maps in a row as many are obeyed as the commands give time for), and the
folder, which documents call /home/me.

    ```console          commands after `$ `, each with what it prints; a
                        block's last command may be one that runs on, such as
                        `osdlog up`: it is left running until it is stopped
    osdlog demo         runs on a small folder, and its numbers are not compared
    ```python           run as a program; a ```text block after it is its output
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import NamedTuple

from cli.programs import PATIENCE_S, ROOT, wait_until_gone

HOME = "/home/me"
AUTHOR = "ann"
RUNS_ON = ("osdlog up", "osdlog osd ")
"""Commands that go on until they are stopped begin so."""
DEMO = "osdlog demo"

_MASKS = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "TIME"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "CLUSTER"),
    (r"\b[0-9a-f]{32}\b", "REQUEST"),
    (r"\b[0-9a-f]{16}\b", "ID"),
    (r"\bprocess \d+", "process PID"),
    (r"\b\d+% of [\d.]+ [kMG]?B\b", "FILL"),
    (r"\b\d+\.\d%", "FULL"),
    (r"\bat .* objects/s for each OSD: measured on [\d,]+ objects?\b", "at RATE, measured"),
    (r"\bmoved: .*", "moved: AMOUNT"),
    (r"\b(under 1|\d+) s\b", "SECONDS"),
    (r"\b(n|serial)=\d+", r"\1=NUMBER"),
    (r"\brg/(\d+)@\d+", r"rg/\1@OFFSET"),
    (r"\s+", " "),
)
_NUMBER = re.compile(r"\d[\d,.]*( [kMG]?B\b)?")
_COMMAND = re.compile(r"^\$ (.*)$")
_FENCE = re.compile(r"^```(\w*)$")


class Block(NamedTuple):
    """A fenced block: what it is, and the numbers of its first line and of that after its last."""

    kind: str
    start: int
    end: int


def blocks(lines: Sequence[str]) -> Iterator[Block]:
    """Every fenced block of a document."""
    opened: tuple[str, int] | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if opened is None:
            opened = (fence[1], number + 1)
        else:
            yield Block(opened[0], opened[1], number)
            opened = None
    assert opened is None, "a block is not closed"


def masked(line: str) -> str:
    """The line without what differs from run to run."""
    for pattern, name in _MASKS:
        line = re.sub(pattern, name, line)
    return line.strip()


class RunningOn:
    """A command that is left running; its lines are kept as they come."""

    def __init__(self, words: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
        )
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def lines(self, count: int) -> list[str]:
        """The next lines, fewer if no more come."""
        found: list[str] = []
        while len(found) < count:
            try:
                found.append(self._lines.get(timeout=PATIENCE_S))
            except Empty:
                break
        return found

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line.decode(errors="replace").rstrip())


class Session:
    """A folder, what was exported, and the programs that run."""

    def __init__(self, folder: Path, names: Mapping[str, str] | None = None) -> None:
        """`names`: what the document calls something, and what it is called in this run."""
        self._folder = folder
        self._names = {HOME: str(folder), **(names or {})}
        self._running: list[RunningOn] = []
        programs = folder.parent / f"{folder.name}.bin"
        _make_program(programs / "osdlog")
        kept = {key: value for key, value in os.environ.items() if key != "OSDLOG_LOG"}
        self._environment = kept | {
            "PATH": f"{programs}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "LOGNAME": AUTHOR,
        }

    def rewritten(self, text: str) -> str:
        """The document with what its sessions print now, wherever that differs."""
        lines, done, result = text.split("\n"), 0, []
        output: list[str] | None = None
        for block in blocks(lines):
            shown, now = lines[block.start : block.end], None
            if block.kind == "console":
                now = self._console(shown)
            elif block.kind == "python":
                output = self._python("\n".join(shown))
            elif block.kind == "text" and output is not None:
                now, output = _newer(shown, output), None
            if now is not None:
                result += [*lines[done : block.start], *now]
                done = block.end
        return "\n".join([*result, *lines[done:]])

    def close(self) -> None:
        """Stop what still runs."""
        for program in self._running:
            program.stop()
        wait_until_gone(self._folder)

    def _console(self, shown: list[str]) -> list[str]:
        result: list[str] = []
        for command, output in _commands(shown):
            result.append(f"$ {command}")
            if _runs_on(command):
                result += _newer(output, self._start(command, len(output)), key=_in_any_order)
            elif command.startswith(DEMO):
                result += _newer(output, self._run(command), key=_without_numbers)
            else:
                result += _newer(output, self._run(command))
        return result

    def _run(self, command: str) -> list[str]:
        if command.startswith(DEMO):
            command = command.replace(DEMO, f"{DEMO} {_small_folder(self._folder)}", 1)
        exported = re.fullmatch(r"export (\w+)=(.*)", command)
        if exported:
            self._environment[exported[1]] = self._here(exported[2])
            return []
        return self._output("bash", "-c", self._here(command))

    def _python(self, program: str) -> list[str]:
        return self._output(sys.executable, "-c", self._here(program))

    def _output(self, *words: str) -> list[str]:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=self._environment,
            timeout=PATIENCE_S,
            check=False,
        )
        return self._there(done.stdout.decode()).splitlines()

    def _start(self, command: str, lines: int) -> list[str]:
        words = ("bash", "-c", f"exec {self._here(command)}")
        program = RunningOn(words, self._folder, self._environment)
        self._running.append(program)
        return [self._there(line) for line in program.lines(lines)]

    def _here(self, text: str) -> str:
        for shown, here in self._names.items():
            text = text.replace(shown, here)
        return text

    def _there(self, text: str) -> str:
        for shown, here in self._names.items():
            text = text.replace(here, shown)
        return text


def _runs_on(command: str) -> bool:
    return command.startswith(RUNS_ON)


def _commands(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Each command with the lines shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if command := _COMMAND.match(line):
            found.append((command[1], []))
        else:
            found[-1][1].append(line)
    return found


def _as_it_is(lines: list[str]) -> list[str]:
    return [masked(line) for line in lines]


def _in_any_order(lines: list[str]) -> list[str]:
    return sorted(map(masked, lines))


def _without_numbers(lines: list[str]) -> list[str]:
    return [masked(_NUMBER.sub("NUMBER", line)) for line in lines]


def _newer(
    shown: list[str], now: list[str], key: Callable[[list[str]], list[str]] = _as_it_is
) -> list[str]:
    """What is shown, if it is the same but for what differs from run to run."""
    return shown if key(shown) == key(now) else [line.rstrip() for line in now]


def _small_folder(home: Path) -> Path:
    folder = home.parent / f"{home.name}.files"
    folder.mkdir()
    for number in range(60):
        (folder / f"file-{number}").write_bytes(os.urandom(10 + 1_000 * number))
    return folder


def _make_program(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m osd.cli "$@"\n')
    path.chmod(0o755)
