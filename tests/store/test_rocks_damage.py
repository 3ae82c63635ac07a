"""Damaged files of RocksDB: what was synced is there, or the store is refused."""

import random
import shutil
from pathlib import Path

import pytest

from osd.errors import BytesDamaged, DirectoryRefused, DiskError, DiskFailed
from osd.rocks import RocksRows
from store.killing import run_and_kill

SYNCED = 600
APPLIED = 1_000
FLUSHED_AT = 300

_APPLY_AND_DIE = f"""
import sys
from pathlib import Path
from osd.rocks import RocksRows
rows = RocksRows(Path(sys.argv[1]))
for number in range({APPLIED}):
    rows.apply({{b"%06d" % number: b"%06d" % number * 20, b"last": b"%06d" % number}})
    if sys.argv[2] == "flush" and number + 1 == {FLUSHED_AT}:
        rows.purge(b"")
    if number + 1 == {SYNCED}:
        rows.sync()
"""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store killed with 600 changes synced and 1,000 applied, all in the log."""
    path = tmp_path_factory.mktemp("crashed")
    run_and_kill(_APPLY_AND_DIE, path / "rows", "log")
    return path


@pytest.fixture(scope="module")
def crashed_after_flush(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with the first 300 changes in a table file."""
    path = tmp_path_factory.mktemp("flushed")
    run_and_kill(_APPLY_AND_DIE, path / "rows", "flush")
    return path


def copy_of(store: Path, tmp_path: Path) -> Path:
    target = tmp_path / "copy"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(store, target)
    return target


def log_of(store: Path) -> Path:
    (log,) = [path for path in (store / "rows" / "log").glob("*.log") if path.stat().st_size]
    return log


def applied_in(store: Path) -> int:
    """How many changes a store has; fails unless they are the first ones, without a hole."""
    rows = RocksRows(store / "rows")
    try:
        found = list(rows.scan(b"0"))
        assert found == [(b"%06d" % n, b"%06d" % n * 20) for n in range(len(found))]
        assert rows.get(b"last") == (b"%06d" % (len(found) - 1) if found else None)
    finally:
        rows.close()
    return len(found)


@pytest.mark.parametrize("store", ["crashed", "crashed_after_flush"])
def test_kill_9_loses_nothing(store: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    left = copy_of(request.getfixturevalue(store), tmp_path)
    assert applied_in(left) == APPLIED
    assert applied_in(left) == APPLIED


def test_a_torn_log_opens_with_a_prefix_or_is_refused(crashed: Path, tmp_path: Path) -> None:
    size = log_of(crashed).stat().st_size
    opened, refused = [], 0
    for end in [*random.Random(1).sample(range(size), 25), size - 1, 0]:
        store = copy_of(crashed, tmp_path)
        with log_of(store).open("r+b") as file:
            file.truncate(end)
        try:
            opened.append(applied_in(store))
        except DiskFailed:
            refused += 1
    assert refused
    assert opened
    assert all(SYNCED <= count < APPLIED for count in opened)
    assert APPLIED - 1 in opened


@pytest.mark.parametrize("length", [1, 4096])
def test_damage_in_the_log_never_makes_a_hole(crashed: Path, tmp_path: Path, length: int) -> None:
    """A flipped bit, and a page of zeros, over which RocksDB itself would read on."""
    whole = log_of(crashed).read_bytes()
    opened, refused = 0, 0
    for at in random.Random(2).sample(range(len(whole) - length), 30):
        store = copy_of(crashed, tmp_path)
        bad = bytes([whole[at] ^ 1]) if length == 1 else bytes(length)
        log_of(store).write_bytes(whole[:at] + bad + whole[at + length :])
        try:
            assert SYNCED <= applied_in(store) < APPLIED
            opened += 1
        except DiskFailed:
            refused += 1
    assert opened
    assert refused


def test_refusing_a_damaged_log_changes_nothing(crashed: Path, tmp_path: Path) -> None:
    store = copy_of(crashed, tmp_path)
    log = log_of(store)
    content = bytearray(log.read_bytes())
    content[1_000] ^= 1
    log.write_bytes(content)
    for _ in range(2):
        with pytest.raises(DiskFailed) as caught:
            RocksRows(store / "rows")
        assert f"were durable and are lost: {log} at byte 9" in caught.value.what
        assert "osdlog osd --rebuild" in caught.value.hint
    assert log.read_bytes() == content


def test_a_store_goes_on_after_its_torn_tail_was_cut(crashed: Path, tmp_path: Path) -> None:
    store = copy_of(crashed, tmp_path)
    with log_of(store).open("r+b") as file:
        file.truncate(log_of(store).stat().st_size - 1)
    rows = RocksRows(store / "rows")
    rows.apply({b"%06d" % (APPLIED - 1): b"%06d" % (APPLIED - 1) * 20})
    rows.apply({b"last": b"%06d" % (APPLIED - 1)})
    rows.close()
    assert applied_in(store) == APPLIED


@pytest.mark.parametrize("gone", ["log/*.log", "*.sst", "CURRENT", "MANIFEST-*"])
def test_missing_files_are_noticed(crashed_after_flush: Path, tmp_path: Path, gone: str) -> None:
    store = copy_of(crashed_after_flush, tmp_path)
    for path in (store / "rows").glob(gone):
        path.unlink()
    with pytest.raises(DiskFailed) as caught:
        RocksRows(store / "rows")
    assert "osdlog osd --rebuild" in caught.value.hint


def test_a_missing_folder_is_noticed(crashed: Path, tmp_path: Path) -> None:
    store = copy_of(crashed, tmp_path)
    shutil.rmtree(store / "rows")
    with pytest.raises(DiskFailed, match=f"rows 1 to {2 * SYNCED:,} were durable and are lost"):
        RocksRows(store / "rows")


@pytest.mark.parametrize("pattern", ["*.sst", "MANIFEST-*", "CURRENT"])
def test_truncated_files_are_noticed(
    crashed_after_flush: Path, tmp_path: Path, pattern: str
) -> None:
    (path,) = (crashed_after_flush / "rows").glob(pattern)
    size = path.stat().st_size
    refused = 0
    for end in (0, size // 3, size // 2, size - 1):
        store = copy_of(crashed_after_flush, tmp_path)
        with (store / "rows" / path.name).open("r+b") as file:
            file.truncate(end)
        try:
            assert applied_in(store) == APPLIED
        except DiskFailed:
            refused += 1
    assert refused


@pytest.fixture
def tables(tmp_path: Path) -> dict[bytes, bytes]:
    """Rows that lie in a table file, with values that cannot be compressed."""
    noise = random.Random(3)
    values = {b"%03d" % number: noise.randbytes(4096) for number in range(100)}
    rows = RocksRows(tmp_path / "rows")
    rows.apply(values)
    rows.purge(b"")
    rows.close()
    return values


def flip(path: Path, value: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(value) + len(value) // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_of_a_live_row_is_never_silent(
    tables: dict[bytes, bytes], tmp_path: Path
) -> None:
    (table,) = (tmp_path / "rows").glob("*.sst")
    flip(table, tables[b"050"])
    rows = RocksRows(tmp_path / "rows")
    with pytest.raises(DiskFailed, match="cannot read a row") as caught:
        rows.get(b"050")
    assert "osdlog osd --rebuild" in caught.value.hint
    seen: list[bytes] = []
    with pytest.raises(DiskFailed, match="cannot read rows"):
        seen.extend(key for key, _ in rows.scan(b"0"))
    assert seen == sorted(tables)[: len(seen)]
    rows.close()


def test_a_damaged_row_does_not_stop_the_others(tables: dict[bytes, bytes], tmp_path: Path) -> None:
    (table,) = (tmp_path / "rows").glob("*.sst")
    flip(table, tables[b"050"])
    rows = RocksRows(tmp_path / "rows")
    with pytest.raises(DiskFailed):
        rows.get(b"050")
    assert rows.get(b"010") == tables[b"010"]
    rows.apply({b"050": b"again"})
    rows.sync()
    assert rows.get(b"050") == b"again"
    rows.close()


def test_purge_leaves_no_byte_of_a_deleted_row(tables: dict[bytes, bytes], tmp_path: Path) -> None:
    def on_disk(value: bytes) -> bool:
        return any(value in p.read_bytes() for p in (tmp_path / "rows").rglob("*") if p.is_file())

    rows = RocksRows(tmp_path / "rows")
    assert on_disk(tables[b"050"])
    rows.apply({b"050": None})
    rows.purge(b"05")
    assert not on_disk(tables[b"050"])
    assert on_disk(tables[b"010"])
    rows.close()


def test_a_purge_that_meets_damage_is_none(tables: dict[bytes, bytes], tmp_path: Path) -> None:
    """RocksDB's library says of no rewriting that it failed."""
    (table,) = (tmp_path / "rows").glob("*.sst")
    flip(table, tables[b"050"])
    rows = RocksRows(tmp_path / "rows")
    rows.apply({b"051": None})
    with pytest.raises(BytesDamaged, match=r"cannot purge rows in .*: Corruption: block checksum"):
        rows.purge(b"05")
    assert tables[b"051"] in table.read_bytes()


@pytest.mark.parametrize("content", [b"", b"00000000000000000007 00000000\n", b"\xff" * 30])
def test_a_damaged_witness_is_refused(tmp_path: Path, content: bytes) -> None:
    RocksRows(tmp_path / "rows").close()
    (tmp_path / "rows.synced").write_bytes(content)
    with pytest.raises(DiskFailed, match=r"rows\.synced is damaged"):
        RocksRows(tmp_path / "rows")


def test_a_missing_witness_is_refused(tmp_path: Path) -> None:
    RocksRows(tmp_path / "rows").close()
    (tmp_path / "rows.synced").unlink()
    with pytest.raises(DiskFailed, match=r"rows\.synced"):
        RocksRows(tmp_path / "rows")


def test_rows_in_use_are_refused(tmp_path: Path) -> None:
    rows = RocksRows(tmp_path / "rows")
    with pytest.raises(DirectoryRefused, match="in use by a live process"):
        RocksRows(tmp_path / "rows")
    rows.close()
    RocksRows(tmp_path / "rows").close()


def test_every_error_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"a file, not a folder")
    with pytest.raises(DiskError):
        RocksRows(tmp_path / "rows")
