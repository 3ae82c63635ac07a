"""One contract, two kinds of `Rows`: what holds for the real disk holds in the simulation."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osd.memory_rows import MemoryRows
from osd.rocks import SCAN_ROWS, RocksRows
from osd.rows import Changes, Rows

MakeRows = Callable[[], Rows]


@pytest.fixture(params=["memory", "rocks"])
def make_rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeRows]:
    made: list[Rows] = []

    def make() -> Rows:
        fresh = MemoryRows() if request.param == "memory" else RocksRows(tmp_path / f"{len(made)}")
        made.append(fresh)
        return fresh

    yield make
    for rows in made:
        rows.close()


@pytest.fixture
def rows(make_rows: MakeRows) -> Rows:
    return make_rows()


def test_get_returns_what_was_applied_at_once(rows: Rows) -> None:
    rows.apply({b"a": b"1", b"empty": b""})
    assert rows.get(b"a") == b"1"
    assert rows.get(b"empty") == b""
    assert rows.get(b"b") is None


def test_apply_replaces_and_deletes(rows: Rows) -> None:
    rows.apply({b"a": b"1", b"b": b"2"})
    rows.apply({b"a": b"3", b"b": None, b"never": None})
    assert list(rows.scan(b"")) == [(b"a", b"3")]


def test_apply_keeps_its_own_copy_of_the_changes(rows: Rows) -> None:
    changes: dict[bytes, bytes | None] = {b"a": b"1"}
    rows.apply(changes)
    changes[b"a"] = b"2"
    rows.sync()
    assert rows.get(b"a") == b"1"


def test_no_changes_are_no_error(rows: Rows) -> None:
    rows.apply({})
    rows.sync()
    assert list(rows.scan(b"")) == []


def test_scan_gives_a_prefix_in_order(rows: Rows) -> None:
    keys = [b"a", b"b", b"b\0", b"b\xff", b"b\xff\xff", b"c", b"\xff", b"\xff\xff"]
    rows.apply(dict.fromkeys(reversed(keys), b"v"))
    assert [key for key, _ in rows.scan(b"b")] == [b"b", b"b\0", b"b\xff", b"b\xff\xff"]
    assert [key for key, _ in rows.scan(b"b\xff")] == [b"b\xff", b"b\xff\xff"]
    assert [key for key, _ in rows.scan(b"\xff")] == [b"\xff", b"\xff\xff"]
    assert [key for key, _ in rows.scan(b"")] == keys


def test_scan_starts_after_a_key(rows: Rows) -> None:
    rows.apply({b"a": b"0", b"b1": b"1", b"b2": b"2", b"b3": b"3", b"c": b"4"})
    assert [key for key, _ in rows.scan(b"b", after=b"b1")] == [b"b2", b"b3"]
    assert [key for key, _ in rows.scan(b"b", after=b"b15")] == [b"b2", b"b3"]
    assert [key for key, _ in rows.scan(b"b", after=b"a")] == [b"b1", b"b2", b"b3"]
    assert [key for key, _ in rows.scan(b"b", after=b"b3")] == []
    assert [key for key, _ in rows.scan(b"b", after=b"c")] == []


def test_scan_longer_than_one_part(rows: Rows) -> None:
    keys = [b"%06d" % number for number in range(3 * SCAN_ROWS + 7)]
    rows.apply({key: key for key in keys})
    assert list(rows.scan(b"")) == [(key, key) for key in keys]


def test_scan_of_large_values(rows: Rows) -> None:
    body = bytes(64 * 1024)
    keys = [b"%03d" % number for number in range(50)]
    rows.apply(dict.fromkeys(keys, body))
    assert [(key, len(value)) for key, value in rows.scan(b"")] == [(key, 65536) for key in keys]


def test_rows_may_change_while_they_are_scanned(rows: Rows) -> None:
    keys = [b"%06d" % number for number in range(2 * SCAN_ROWS)]
    rows.apply(dict.fromkeys(keys, b""))
    seen = []
    for key, _ in rows.scan(b""):
        seen.append(key)
        rows.apply({key: None, b"before": b"", b"x" + key: b""} if key < b"9" else {})
    assert [key for key in seen if key < b"9"] == keys
    assert list(rows.scan(b"0")) == []


def test_an_unfinished_scan_does_not_keep_rows_open(make_rows: MakeRows, tmp_path: Path) -> None:
    rows = make_rows()
    rows.apply({b"%06d" % number: b"" for number in range(2 * SCAN_ROWS)})
    scan = rows.scan(b"")
    next(scan)
    rows.sync()
    if isinstance(rows, RocksRows):
        rows.close()
        RocksRows(tmp_path / "0").close()


def test_sync_in_another_thread_while_rows_are_applied(rows: Rows) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def keep_syncing() -> None:
        try:
            while not stop.is_set():
                rows.sync()
        except BaseException as error:  # noqa: BLE001 - the test thread looks at it
            failures.append(error)

    syncing = threading.Thread(target=keep_syncing)
    syncing.start()
    for number in range(2_000):
        rows.apply({b"%06d" % number: b"", b"last": b"%d" % number})
    stop.set()
    syncing.join()
    assert not failures
    assert sum(1 for _ in rows.scan(b"0")) == 2_000


_keys = st.binary(max_size=3)
_changes = st.dictionaries(_keys, st.none() | st.binary(max_size=4), max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(_changes, max_size=12), prefix=_keys, after=_keys)
def test_rows_are_a_sorted_dict(
    make_rows: MakeRows, batches: list[Changes], prefix: bytes, after: bytes
) -> None:
    rows = make_rows()
    model: dict[bytes, bytes] = {}
    for changes in batches:
        rows.apply(changes)
        model.update({key: value for key, value in changes.items() if value is not None})
        for key, value in changes.items():
            if value is None:
                model.pop(key, None)
    wanted = [(k, v) for k, v in sorted(model.items()) if k.startswith(prefix)]
    assert list(rows.scan(prefix)) == wanted
    assert list(rows.scan(prefix, after)) == [(k, v) for k, v in wanted if k > after or not after]
    assert all(rows.get(key) == value for key, value in model.items())
    rows.close()
    if isinstance(rows, MemoryRows):
        return
    assert list(_reopened(rows)) == sorted(model.items())


def _reopened(rows: Rows) -> list[tuple[bytes, bytes]]:
    assert isinstance(rows, RocksRows)
    again = RocksRows(rows.path)
    try:
        return list(again.scan(b""))
    finally:
        again.close()
