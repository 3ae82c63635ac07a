"""Scans among neighbours, and a log whose batches begin anywhere in a block."""

import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from osd.rocks import RocksRows
from osd.rocks_wal import BLOCK_BYTES, read_batches
from store.killing import run_and_kill

_FILL = """
import sys
from pathlib import Path
from osd.rocks import RocksRows

rows = RocksRows(Path(sys.argv[1]))
rows.apply({b"first": b"x" * int(sys.argv[2])})
rows.apply({b"second": b"y" * 100, b"third": b"z" * 100})
rows.sync()
"""


@pytest.fixture
def busy_thread() -> Iterator[None]:
    """Another thread that makes and forgets small bytes, as a node's pump does."""
    ended, interval = threading.Event(), sys.getswitchinterval()

    def make() -> None:
        while not ended.is_set():
            _ = [bytes(random.choices(b"AZ", k=5)) for _ in range(20)]

    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=make)
    thread.start()
    yield
    ended.set()
    thread.join()
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("busy_thread")
def test_a_scan_gives_exactly_the_rows_of_its_prefix(tmp_path: Path) -> None:
    """Also while memory that RocksDB was shown is used again for something else."""
    rows = RocksRows(tmp_path / "rows")
    for kind in (b"P", b"V"):
        rows.apply({kind + bytes([0, 0, 0, rg, n]): b"x" for rg in range(8) for n in range(10)})
    for turn in range(1_000):
        prefix = (b"P", b"V")[turn % 2] + bytes([0, 0, 0, turn % 8])
        assert [key for key, _ in rows.scan(prefix)] == [prefix + bytes([n]) for n in range(10)]
    rows.close()


def test_a_batch_may_begin_anywhere_in_a_block(tmp_path: Path) -> None:
    """Also so near to the end that not even its own header fits there."""
    run_and_kill(_FILL, tmp_path / "probe", 1_000)
    [log] = (tmp_path / "probe" / "log").glob("*.log")
    ends = [batch.end for batch in read_batches(log.read_bytes())]
    overhead = ends[0] - 1_000
    for left in range(30):
        path = tmp_path / f"left-{left}"
        size = BLOCK_BYTES - left - overhead - 1  # its length takes a byte more
        run_and_kill(_FILL, path, size)
        rows = RocksRows(path)
        assert dict(rows.scan(b"")) == {
            b"first": b"x" * size,
            b"second": b"y" * 100,
            b"third": b"z" * 100,
        }
        rows.close()


@pytest.mark.parametrize("prefix", [b"", b"\xff", b"a\xff\xff"])
def test_prefixes_at_the_end_of_the_order(tmp_path: Path, prefix: bytes) -> None:
    rows = RocksRows(tmp_path / "rows")
    rows.apply({prefix + b"1": b"x", prefix + b"\xff": b"y", b"a": b"z"})
    found = [key for key, _ in rows.scan(prefix)]
    assert found == sorted(
        key for key in (prefix + b"1", prefix + b"\xff", b"a") if key.startswith(prefix)
    )
    rows.close()
