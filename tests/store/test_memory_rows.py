"""What the simulation's rows forget in a crash."""

import pytest

from osd.memory_rows import MemoryRows


@pytest.fixture
def rows() -> MemoryRows:
    rows = MemoryRows()
    rows.apply({b"a": b"1", b"b": b"1"})
    rows.sync()
    rows.apply({b"a": b"2", b"b": None})
    rows.apply({b"c": b"3"})
    return rows


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (0, {b"a": b"1", b"b": b"1"}),
        (1, {b"a": b"2"}),
        (2, {b"a": b"2", b"c": b"3"}),
    ],
)
def test_a_crash_leaves_a_prefix(rows: MemoryRows, keep: int, left: dict[bytes, bytes]) -> None:
    assert rows.unsynced == 2
    assert dict(rows.crash(keep).scan(b"")) == left


def test_what_a_crash_left_is_durable(rows: MemoryRows) -> None:
    left = rows.crash(1)
    assert left.unsynced == 0
    assert dict(left.crash().scan(b"")) == {b"a": b"2"}


def test_the_crashed_rows_are_not_touched_by_their_successor(rows: MemoryRows) -> None:
    rows.crash(2).apply({b"a": None})
    assert rows.get(b"a") == b"2"
    assert dict(rows.crash().scan(b"")) == {b"a": b"1", b"b": b"1"}


def test_after_sync_a_crash_takes_nothing(rows: MemoryRows) -> None:
    rows.sync()
    assert rows.unsynced == 0
    assert dict(rows.crash().scan(b"")) == {b"a": b"2", b"c": b"3"}


def test_more_than_was_applied_cannot_be_kept(rows: MemoryRows) -> None:
    with pytest.raises(AssertionError):
        rows.crash(3)
