"""Requests that come in one turn of the loop are one step, and stand before what comes next."""

import asyncio
from pathlib import Path

from contracts.logs import IDENTITY
from eventlog.ids import Boot, Epoch, Incarnation, OsdId, RgId, Store
from eventlog.memory import MemoryLog
from osd.blobs import BlobFiles
from osd.bodies import Gauge
from osd.core.answers import NotNow
from osd.core.context import Settings
from osd.core.inputs import Get, Tick
from osd.core.node import Node
from osd.memory_rows import MemoryRows
from osd.rows import Changes
from osd.shell import Shell

NO = NotNow("osd.0 is reading the map")


class CountedRows(MemoryRows):
    """Every step applies what it changed, be it nothing."""

    steps = 0

    def apply(self, changes: Changes) -> None:
        self.steps += 1
        super().apply(changes)


def _shell(rows: MemoryRows, path: Path) -> Shell:
    node = Node(Store(OsdId(0), Incarnation(1)), Boot(1), rows, Settings(), None)
    return Shell(node, rows, BlobFiles(path), MemoryLog(IDENTITY), Gauge(path), "a")


def _get(shell: Shell, name: str) -> Get:
    return Get(shell.ticket(), RgId(0), name, Epoch(0), shell.now_ms() + 60_000)


async def test_requests_of_one_turn_are_one_step(tmp_path: Path) -> None:
    rows = CountedRows()
    shell = _shell(rows, tmp_path)
    answers = [shell.begin(_get(shell, name)) for name in "abc"]
    assert rows.steps == 0
    assert await asyncio.gather(*answers) == [NO] * 3
    assert rows.steps == 1
    assert await shell.ask(_get(shell, "d")) == NO
    assert rows.steps == 2
    await shell.fetcher.close()


async def test_what_comes_next_is_stepped_after_them(tmp_path: Path) -> None:
    rows = CountedRows()
    shell = _shell(rows, tmp_path)
    answer = shell.begin(_get(shell, "a"))
    shell.feed(Tick(None))
    assert answer.done()
    assert rows.steps == 2
    await asyncio.sleep(0)
    assert rows.steps == 2, "stepped once more"
    await shell.fetcher.close()


async def test_requests_that_a_stop_overtakes_are_answered(tmp_path: Path) -> None:
    shell = _shell(CountedRows(), tmp_path)
    answer = shell.begin(_get(shell, "a"))
    await shell.stop()
    assert await answer == NO
