"""Exports: whole or not at all, read like the log they were made of, never written."""

import os
from pathlib import Path

import pytest

from eventlog.chunk_reading import read_chunks
from eventlog.errors import LogCorrupt, LogReadOnly, LogUnavailable, WrongLog
from eventlog.ids import Micros, Offset, Partition, RgId, Topic, rg_key
from eventlog.log import Entry, Log, LogIdentity, Record, TopicPartition
from eventlog.memory import MemoryLog
from eventlog.sqlite import SqliteLog
from eventlog.state_file import StateFile, export

IDENTITY = LogIdentity("c", 2, "unlimited", "none")
PLACES: tuple[TopicPartition, ...] = (
    (Topic.MAP, Partition(0)),
    (Topic.RG, Partition(0)),
    (Topic.RG, Partition(1)),
)


def a_log() -> MemoryLog:
    """Whose clock goes a second a record."""
    ticks = iter(range(1_000))
    log = MemoryLog(IDENTITY, lambda: Micros(1_000_000 * next(ticks)))
    for number in range(10):
        topic, partition = PLACES[number % 3]
        log.append([Entry(topic, partition, rg_key(RgId(partition)), b"value %d" % number)])
    return log


def everything(log: Log) -> list[Record]:
    return [record for place in PLACES for record in log.read(*place, Offset(0))]


def test_it_reads_like_the_log_it_was_made_of(tmp_path: Path) -> None:
    log = a_log()
    assert export(tmp_path / "a.state", log, {}) == (tmp_path / "a.state").stat().st_size
    with StateFile(tmp_path / "a.state") as state:
        assert state.identity == IDENTITY
        assert everything(state) == everything(log)
        ends = {partition: Offset(3) for partition in (Partition(0), Partition(1))}
        chunks = read_chunks(state, dict.fromkeys(ends, Offset(0)), ends)
        assert sum(len(list(chunk.records())) for chunk in chunks) == 6
        tail = state.tail()
        tail.follow(Topic.RG, Partition(1), Offset(1))
        assert [record.offset for record in tail.poll(0)] == [1, 2]
        tail.close()
    assert os.listdir(tmp_path) == ["a.state"]


def test_it_can_be_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "disc"
    folder.mkdir()
    export(folder / "a.state", a_log(), {"said": b"well"})
    (folder / "a.state").chmod(0o444)
    folder.chmod(0o555)
    try:
        with StateFile(folder / "a.state") as state:
            assert (len(everything(state)), state.note("said")) == (10, b"well")
        assert os.listdir(folder) == ["a.state"]
    finally:
        folder.chmod(0o755)


def test_it_is_never_written(tmp_path: Path) -> None:
    export(tmp_path / "a.state", a_log(), {})
    before = (tmp_path / "a.state").read_bytes()
    with StateFile(tmp_path / "a.state") as state, pytest.raises(LogReadOnly, match="is an export"):
        state.append([Entry(Topic.MAP, Partition(0), b"map", b"x")])
    assert (tmp_path / "a.state").read_bytes() == before


def test_one_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(LogUnavailable, match="No space left on device"):
        export(tmp_path / "a.state", a_log(), {}, fail)
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "a.state", a_log(), {}, _interrupt)
    assert os.listdir(tmp_path) == []


def _interrupt(_: int) -> None:
    raise KeyboardInterrupt


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.state").write_bytes(b"dear to somebody")
    with pytest.raises(WrongLog, match="exists already"):
        export(tmp_path / "a.state", a_log(), {})
    assert (tmp_path / "a.state").read_bytes() == b"dear to somebody"


def test_neither_passes_for_the_other(tmp_path: Path) -> None:
    export(tmp_path / "a.state", a_log(), {})
    SqliteLog.create(tmp_path / "a.log", IDENTITY).close()
    with pytest.raises(WrongLog, match="is an export made by"):
        SqliteLog(tmp_path / "a.state")
    with pytest.raises(WrongLog, match="is a log, and no export"):
        StateFile(tmp_path / "a.log")


def test_a_note_that_was_changed_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a.state"
    export(file, a_log(), {"said": b"all is well here"})
    file.write_bytes(file.read_bytes().replace(b"all is well here", b"all is ill there"))
    with StateFile(file) as state:
        assert state.note("other") is None
        with pytest.raises(LogCorrupt, match="note 'said' does not match its sum"):
            state.note("said")
