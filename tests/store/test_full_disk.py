"""A disk that is really full: what is refused, what works, and how work goes on."""

import itertools
import os

import pytest

from osd.blobs import SMALL_BODY_BYTES, BlobFiles
from osd.durable import require_room, room
from osd.errors import DiskFull
from osd.rocks import RocksRows
from store.conftest import SMALL_DISK_BYTES, SmallDisk

MEMTABLE_BYTES = 256 * 1024


@pytest.fixture
def rows(small_disk: SmallDisk) -> RocksRows:
    rows = RocksRows(small_disk.path / "rows", memtable_bytes=MEMTABLE_BYTES)
    rows.apply({b"old": b"value"})
    rows.sync()
    return rows


def apply_until_full(rows: RocksRows, name: bytes) -> int:
    """How many changes went in; they are rows `name` 0, 1, ..."""
    for count in itertools.count():
        try:
            rows.apply({name + b"%06d" % count: os.urandom(3_000)})
        except DiskFull:
            return count
    raise AssertionError


@pytest.mark.parametrize("leave", [0, 64 * 1024, 12 * MEMTABLE_BYTES])
def test_rows_go_on_when_there_is_room_again(
    rows: RocksRows, small_disk: SmallDisk, leave: int
) -> None:
    """Also when it was not the log that met the full disk but a flush in the background."""
    counts = []
    for turn in (b"a", b"b", b"c"):
        small_disk.fill(leave)
        counts.append(apply_until_full(rows, turn))
        with pytest.raises(DiskFull):
            rows.sync()
        assert rows.get(b"old") == b"value"
        assert rows.get(turn + b"%06d" % counts[-1]) is None
        small_disk.make_room()
        rows.apply({b"went on": turn})
        rows.sync()
        assert sum(1 for _ in rows.scan(turn)) == counts[-1]
    rows.close()
    again = RocksRows(small_disk.path / "rows")
    assert [sum(1 for _ in again.scan(turn)) for turn in (b"a", b"b", b"c")] == counts
    assert again.get(b"went on") == b"c"
    again.close()


def test_what_was_applied_before_the_disk_was_full_survives(
    rows: RocksRows, small_disk: SmallDisk
) -> None:
    small_disk.fill(leave=64 * 1024)
    count = apply_until_full(rows, b"a")
    small_disk.make_room()
    with pytest.raises(DiskFull):
        rows.close()
    again = RocksRows(small_disk.path / "rows")
    assert sum(1 for _ in again.scan(b"a")) == count
    again.close()


def test_bodies_are_refused_before_deletes_are(rows: RocksRows, small_disk: SmallDisk) -> None:
    """The last eighth of a small disk is for deletes and bookkeeping."""
    count, refusal = put_until_refused(rows, small_disk)
    assert "for deletes and bookkeeping" in str(refusal)
    assert "Free space on that disk or delete objects" in refusal.hint
    assert room(small_disk.path).free > SMALL_DISK_BYTES // 16
    for number in range(count):
        rows.apply({b"body%06d" % number: None, b"deleted%06d" % number: b""})
    rows.sync()
    rows.purge(b"body")
    assert room(small_disk.path).free > SMALL_DISK_BYTES * 3 // 4
    require_room(small_disk.path, SMALL_DISK_BYTES // 2)
    rows.close()


def put_until_refused(rows: RocksRows, small_disk: SmallDisk) -> tuple[int, DiskFull]:
    """How many bodies went in, and what was said of the next one.

    Free room may grow at any moment: RocksDB drops old files in the background.
    """
    for count in range(SMALL_DISK_BYTES // SMALL_BODY_BYTES):
        try:
            require_room(small_disk.path, SMALL_BODY_BYTES)
        except DiskFull as refusal:
            return count, refusal
        rows.apply({b"body%06d" % count: os.urandom(SMALL_BODY_BYTES)})
    raise AssertionError("it takes everything")


def test_a_blob_leaves_the_reserve_alone(small_disk: SmallDisk) -> None:
    blobs = BlobFiles(small_disk.path / "blobs")
    with blobs.create() as writer:
        for _ in range(SMALL_DISK_BYTES * 3 // 4 // SMALL_BODY_BYTES):
            writer.write(bytes(SMALL_BODY_BYTES))
        with pytest.raises(DiskFull, match="for deletes and bookkeeping"):
            writer.write(bytes(SMALL_DISK_BYTES // 8 + 1))
        assert list((small_disk.path / "blobs" / "tmp").iterdir()) == []
    assert list(blobs.ids()) == []
    there = room(small_disk.path)
    assert there.free > there.total * 9 // 10


def test_a_blob_that_meets_a_full_disk_is_removed(
    small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else may take the reserve; then the disk itself says no."""
    monkeypatch.setattr("osd.core.room.RESERVED_BYTES", -SMALL_DISK_BYTES)
    blobs = BlobFiles(small_disk.path / "blobs")
    with blobs.create() as writer:
        small_disk.fill(leave=SMALL_BODY_BYTES)
        writer.write(bytes(SMALL_BODY_BYTES // 2))
        with pytest.raises(DiskFull, match="No space left on device"):
            writer.write(bytes(SMALL_BODY_BYTES))
        assert list((small_disk.path / "blobs" / "tmp").iterdir()) == []


def test_blobs_can_be_unlinked_from_a_full_disk(small_disk: SmallDisk) -> None:
    blobs = BlobFiles(small_disk.path / "blobs")
    with blobs.create() as writer:
        writer.write(bytes(SMALL_BODY_BYTES))
        blob = writer.finish()
    small_disk.fill()
    blobs.unlink([blob])
    assert small_disk.free >= SMALL_BODY_BYTES


def test_room_is_what_the_file_system_says(small_disk: SmallDisk) -> None:
    assert room(small_disk.path).total == SMALL_DISK_BYTES
    small_disk.fill(leave=4096)
    assert room(small_disk.path).free == 4096
    assert room(small_disk.path).reserve == SMALL_DISK_BYTES // 8


def test_writing_on_where_nothing_can_be_compacted_ends(
    rows: RocksRows, small_disk: SmallDisk
) -> None:
    """RocksDB itself would wait for room for ever, here and when it is closed."""
    small_disk.fill(leave=SMALL_DISK_BYTES // 2)
    count = apply_until_full(rows, b"a")
    assert sum(1 for _ in rows.scan(b"a")) == count
    with pytest.raises(DiskFull):
        rows.purge(b"")
    with pytest.raises(DiskFull):
        rows.close()
    small_disk.make_room()
    again = RocksRows(small_disk.path / "rows")
    assert sum(1 for _ in again.scan(b"a")) == count
    again.close()


def test_a_purge_without_room_is_none_and_the_next_one_is_whole(
    rows: RocksRows, small_disk: SmallDisk
) -> None:
    bodies = {b"body%06d" % number: os.urandom(SMALL_BODY_BYTES // 16) for number in range(500)}
    rows.apply(bodies)
    rows.purge(b"body")
    gone = bodies[b"body000250"]
    rows.apply({b"body000250": None})
    rows.sync()
    small_disk.fill(leave=48 * 1024)
    with pytest.raises(DiskFull, match=r"cannot purge rows in .*: .*No space left on device"):
        rows.purge(b"body")
    assert is_in_tables(rows, gone)
    small_disk.make_room()
    rows.purge(b"body")
    assert not is_in_tables(rows, gone)
    rows.close()


def test_a_failure_that_is_over_fails_no_purge(rows: RocksRows, small_disk: SmallDisk) -> None:
    """RocksDB found no room to compact by itself, and nobody who wrote was told."""
    rows.apply({b"body%06d" % number: os.urandom(3_000) for number in range(500)})
    rows.purge(b"body")
    rows.apply({b"body%06d" % number: None for number in range(0, 500, 2)})
    small_disk.fill(leave=48 * 1024)
    rows._rocks().compact_range(None, None)
    assert rows._background_errors() > 0
    small_disk.make_room()
    rows.purge(b"body")
    assert sum(1 for _ in rows.scan(b"body")) == 250
    rows.close()


def is_in_tables(rows: RocksRows, value: bytes) -> bool:
    return any(value in path.read_bytes() for path in rows.path.glob("*.sst"))


def test_an_error_somebody_keeps_does_not_keep_the_rows_open(
    rows: RocksRows, small_disk: SmallDisk
) -> None:
    small_disk.fill()
    with pytest.raises(DiskFull) as kept:
        rows.apply({b"a": bytes(SMALL_BODY_BYTES)})
    small_disk.make_room()
    rows.apply({b"b": b""})
    rows.close()
    again = RocksRows(small_disk.path / "rows")
    again.close()
    assert "No space left on device" in kept.value.what
