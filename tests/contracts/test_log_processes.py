"""What every log that lasts promises to several processes, with real ones."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.logs import IDENTITY, KINDS, LASTING, P0, RG, START, Room, drain, entry, values
from eventlog.ids import Offset, Partition
from eventlog.log import Log, Record
from eventlog.open import open_log

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("other_process.py")

Start = Callable[[str, int, int], "subprocess.Popen[str]"]


@pytest.fixture(params=LASTING)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    with KINDS[request.param](Room(tmp_path, request), IDENTITY) as made:
        yield made


@pytest.fixture
def start(log: Log) -> Iterator[Start]:
    """Starts processes and waits until each has opened the log."""
    started: list[subprocess.Popen[str]] = []

    def start_one(what: str, name: int, count: int) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), what, log.url, str(name), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def read_all(log: Log, partition: int) -> list[Record]:
    records: list[Record] = []
    while some := log.read(RG, Partition(partition), Offset(len(records))):
        records += some
    return records


def test_a_log_opens_again_as_it_was(log: Log) -> None:
    log.append([entry(0, b"a"), entry(3, b"b")])
    before = log.read(RG, P0, START)
    log.close()
    with open_log(log.url) as again:
        assert again.identity == IDENTITY
        assert again.url == log.url
        assert again.read(RG, P0, START) == before
        again.append([entry(0, b"c")])
        assert values(again.read(RG, P0, START)) == [b"a", b"c"]


def test_processes_append_at_once_and_all_read_the_same(log: Log, start: Start) -> None:
    processes = [start("say", name, 60) for name in (1, 2, 3)]
    hearer = start("hear", 0, 3 * 60)
    tail = log.tail()
    tail.follow(RG, P0, START)
    for process in (hearer, *processes):
        go(process)
    followed: list[Record] = []
    while len(followed) < 3 * 60:
        followed += tail.poll(60_000)
    tail.close()
    heard, _ = hearer.communicate()
    for process in processes:
        said, _ = process.communicate()
        assert said.split() == [str(number) for number in range(60)]

    records = read_all(log, 0)
    assert [record.offset for record in records] == list(range(3 * 60))
    assert followed == records
    assert heard.split() == [value.decode() for value in values(records)]
    for name in (1, 2, 3):
        own = [value for value in values(records) if value.startswith(b"%d:" % name)]
        assert own == [b"%d:%d" % (name, number) for number in range(60)]
        assert values(read_all(log, name)) == own


def test_an_append_ends_a_poll_that_waits_in_another_process(log: Log, start: Start) -> None:
    hearer = start("hear", 0, 1)
    go(hearer)
    log.append([entry(0, b"hello")])
    heard, _ = hearer.communicate()
    assert heard == "hello\n"


def test_what_a_killed_process_was_told_is_in_the_log(log: Log, start: Start) -> None:
    process = start("say", 1, 1_000_000)
    go(process)
    assert process.stdout is not None
    for number in range(30):
        assert process.stdout.readline() == f"{number}\n"
    process.kill()
    rest, _ = process.communicate()
    acknowledged = 30 + rest.count("\n")

    log.append([entry(0, b"after")])
    records = read_all(log, 0)
    said = [b"1:%d" % number for number in range(len(records) - 1)]
    assert values(records) == [*said, b"after"]
    assert acknowledged <= len(said) <= acknowledged + 1
    assert values(read_all(log, 1)) == said, "one append is there whole or not at all"


def test_a_tail_of_a_log_that_was_opened_twice_hears_both(log: Log) -> None:
    with open_log(log.url) as other:
        tail = log.tail()
        tail.follow(RG, P0, START)
        for number in range(20):
            (log, other)[number % 2].append([entry(0, b"%d" % number)])
        assert values(drain(tail)) == [b"%d" % number for number in range(20)]
        tail.close()
