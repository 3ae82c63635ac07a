"""The overlay shows the rows as they will be, and lets nothing through before `take`."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osd.memory_rows import MemoryRows
from osd.overlay import BUCKET_BYTES, Overlay

# Keys as those of rows are: a kind, an RG of four bytes, and more.
KEYS = [
    kind + rg + rest
    for kind in (b"E", b"F")
    for rg in (b"0001", b"0002")
    for rest in (b"", b"a", b"b", b"ba")
]
PREFIXES = [b"", b"E", b"E00", b"E0001", b"E0001b", b"F0002", b"X", b"X0001"]


@pytest.fixture
def rows() -> MemoryRows:
    rows = MemoryRows()
    rows.apply({b"E0001a": b"1", b"E0001b": b"2", b"E0002a": b"3", b"M": b"map"})
    return rows


@pytest.fixture
def overlay(rows: MemoryRows) -> Overlay:
    return Overlay(rows)


def all_of(
    rows: MemoryRows | Overlay, prefix: bytes = b"", after: bytes = b""
) -> dict[bytes, bytes]:
    found = list(rows.scan(prefix, after))
    assert [key for key, _ in found] == sorted({key for key, _ in found})
    return dict(found)


class TestReads:
    def test_the_rows_below_are_seen(self, overlay: Overlay) -> None:
        assert overlay.get(b"E0001a") == b"1"
        assert overlay.get(b"none") is None
        assert all_of(overlay, b"E0001") == {b"E0001a": b"1", b"E0001b": b"2"}

    def test_a_change_is_seen_at_once(self, overlay: Overlay) -> None:
        overlay.put(b"E0001a", b"new")
        overlay.put(b"E0001aa", b"more")
        overlay.delete(b"E0001b")
        assert (overlay.get(b"E0001a"), overlay.get(b"E0001b")) == (b"new", None)
        assert all_of(overlay, b"E0001") == {b"E0001a": b"new", b"E0001aa": b"more"}

    def test_the_last_change_of_a_row_stands(self, overlay: Overlay) -> None:
        overlay.delete(b"E0001a")
        overlay.put(b"E0001a", b"again")
        overlay.put(b"E0001b", b"x")
        overlay.delete(b"E0001b")
        assert all_of(overlay, b"E0001") == {b"E0001a": b"again"}

    def test_an_empty_value_is_a_row(self, overlay: Overlay) -> None:
        overlay.put(b"F0001a", b"")
        assert overlay.get(b"F0001a") == b""
        assert all_of(overlay, b"F") == {b"F0001a": b""}

    def test_deleting_what_is_not_there_is_fine(self, overlay: Overlay, rows: MemoryRows) -> None:
        overlay.delete(b"E0001none")
        before = all_of(rows)
        rows.apply(overlay.take())
        assert all_of(rows) == before

    def test_a_scan_goes_on_after_a_key(self, overlay: Overlay) -> None:
        overlay.put(b"E0001c", b"c")
        assert all_of(overlay, b"E0001", b"E0001a") == {b"E0001b": b"2", b"E0001c": b"c"}
        assert all_of(overlay, b"E0001", b"E0001c") == {}

    def test_a_scan_of_a_short_prefix_sees_the_changes_of_all_rgs(self, overlay: Overlay) -> None:
        overlay.put(b"E0003x", b"x")
        overlay.delete(b"E0002a")
        overlay.put(b"M", b"newer map")
        assert all_of(overlay, b"E") == {b"E0001a": b"1", b"E0001b": b"2", b"E0003x": b"x"}
        assert all_of(overlay)[b"M"] == b"newer map"

    def test_keys_shorter_than_a_bucket_are_kept_too(self, overlay: Overlay) -> None:
        overlay.put(b"E0", b"short")
        assert len(b"E0") < BUCKET_BYTES
        assert all_of(overlay, b"E0")[b"E0"] == b"short"
        assert b"E0" not in all_of(overlay, b"E0001")

    @pytest.mark.parametrize("change", [Overlay.delete, lambda it, key: it.put(key, b"late")])
    def test_a_scan_sees_the_changes_as_they_were_at_the_call(
        self, overlay: Overlay, change: Callable[[Overlay, bytes], None]
    ) -> None:
        overlay.put(b"E0001c", b"c")
        found = overlay.scan(b"E0001")
        assert next(found) == (b"E0001a", b"1")
        change(overlay, b"E0001b")
        change(overlay, b"E0001c")
        assert list(found) == [(b"E0001b", b"2"), (b"E0001c", b"c")]


class TestTake:
    def test_nothing_reaches_the_rows_before_it(self, overlay: Overlay, rows: MemoryRows) -> None:
        before = all_of(rows)
        overlay.put(b"E0001a", b"new")
        overlay.delete(b"E0002a")
        assert all_of(rows) == before

    def test_it_hands_every_change_out_once(self, overlay: Overlay) -> None:
        overlay.put(b"E0001a", b"new")
        overlay.delete(b"E0002a")
        assert overlay.take() == {b"E0001a": b"new", b"E0002a": None}
        assert overlay.take() == {}
        assert overlay.get(b"E0001a") == b"1"


_operations = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "apply"]), st.sampled_from(KEYS), st.binary(max_size=2)
    ),
    max_size=30,
)


@settings(max_examples=100)
@given(_operations, st.sampled_from(PREFIXES), st.sampled_from([b"", *KEYS]))
def test_it_is_a_sorted_dict(
    operations: list[tuple[str, bytes, bytes]], prefix: bytes, after: bytes
) -> None:
    rows, model = MemoryRows(), dict[bytes, bytes]()
    overlay = Overlay(rows)
    for verb, key, value in operations:
        if verb == "put":
            overlay.put(key, value)
            model[key] = value
        elif verb == "delete":
            overlay.delete(key)
            model.pop(key, None)
        else:
            rows.apply(overlay.take())
        assert all(overlay.get(key) == model.get(key) for key in KEYS)
        chosen = {k: v for k, v in model.items() if k.startswith(prefix) and k > after}
        assert all_of(overlay, prefix, after) == chosen
    rows.apply(overlay.take())
    assert all_of(rows) == model
