"""What a disk has of an RG: bodies, staged and imported copies, and the sums beside them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.ids import Fence, RgId, Serial, Version
from folds.building import RG, B, fence, holdings_of
from osd import keys
from osd.disk import Copy, Disk, Staged
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay
from projections.holdings import NOTHING

F1, F2 = fence(1), fence(2)
V1, V2 = Version(1), Version(2)


class Opened:
    """A disk of one RG that can be closed and opened again."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.open()

    def open(self) -> None:
        self.overlay = Overlay(self.rows)
        self.disk = Disk(self.overlay, RG)

    def reopen(self) -> Disk:
        self.rows.apply(self.overlay.take())
        self.open()
        return self.disk

    def kinds(self) -> str:
        """The kinds of the rows that there are, in order, but for the holdings."""
        return "".join(chr(key[0]) for key, _ in self.overlay.scan(b"") if key[:1] != b"P")


@pytest.fixture
def opened() -> Opened:
    return Opened()


def copy(disk: Disk, number: int, data: bytes = b"data") -> Copy:
    """A small copy whose bytes are kept under this number."""
    return Copy("a", len(data), bytes(32), disk.keep_body(number, data))


def file_copy(file: str) -> Copy:
    return Copy("a", 10**9, bytes(32), file)


def staged(copy: Copy, by: Fence = F1, serial: int = 1) -> Staged:
    return Staged(by, Serial(serial), copy)


class TestBodies:
    def test_small_ones_are_kept_by_number(self, opened: Opened) -> None:
        assert opened.disk.keep_body(7, b"data") == 7
        assert opened.reopen().read_body(7) == b"data"
        assert opened.disk.read_body(8) is None

    def test_an_empty_one_is_one(self, opened: Opened) -> None:
        opened.disk.keep_body(7, b"")
        assert opened.reopen().read_body(7) == b""


class TestStaged:
    def test_a_staged_body_is_no_copy(self, opened: Opened) -> None:
        one = staged(copy(opened.disk, 1))
        opened.disk.stage(one)
        disk = opened.reopen()
        assert list(disk.staged()) == [one]
        assert (list(disk.copies()), disk.holdings) == ([], NOTHING)
        assert disk.has_unlogged()

    def test_a_put_makes_it_a_copy(self, opened: Opened) -> None:
        one = staged(copy(opened.disk, 1))
        opened.disk.stage(one)
        assert opened.disk.promote_staged(F1, Serial(1), V1)
        disk = opened.reopen()
        assert (list(disk.staged()), list(disk.copies())) == ([], [(V1, one.copy)])
        assert disk.copy_of(V1) == one.copy
        assert disk.holdings == holdings_of(1)
        assert disk.read_body(1) == b"data"
        assert not disk.has_unlogged()

    @pytest.mark.parametrize(
        ("by", "serial"), [(F1, 2), (F2, 1), (fence(1, by=B), 1), (fence(1, boot=2), 1)]
    )
    def test_only_that_very_one(self, opened: Opened, by: Fence, serial: int) -> None:
        opened.disk.stage(staged(copy(opened.disk, 1)))
        assert not opened.disk.promote_staged(by, Serial(serial), V1)
        assert opened.disk.holdings == NOTHING
        assert opened.kinds() == "BS"

    def test_they_are_listed_oldest_fence_first(self, opened: Opened) -> None:
        order = [(fence(1, 2), 9), (fence(2), 1), (fence(2), 300), (fence(2, 2), 1), (fence(10), 1)]
        for number, (by, serial) in enumerate(reversed(order)):
            opened.disk.stage(staged(copy(opened.disk, number), by, serial))
        assert [(one.fence, one.serial) for one in opened.reopen().staged()] == order

    def test_unstaging_removes_the_bytes(self, opened: Opened) -> None:
        small, large = staged(copy(opened.disk, 1)), staged(file_copy("f1"), serial=2)
        opened.disk.stage(small)
        opened.disk.stage(large)
        assert opened.disk.unstage(small) == []
        assert opened.disk.unstage(large) == ["f1"]
        opened.reopen()
        assert opened.kinds() == ""


class TestImports:
    def test_an_import_is_no_copy_until_the_log_takes_it(self, opened: Opened) -> None:
        one = copy(opened.disk, 1)
        opened.disk.import_copy(V1, one)
        disk = opened.reopen()
        assert (disk.import_of(V1), disk.copy_of(V1)) == (one, None)
        assert (list(disk.imported()), disk.holdings) == ([(V1, one)], NOTHING)
        assert disk.has_unlogged()
        assert disk.promote_import(V1)
        disk = opened.reopen()
        assert (disk.import_of(V1), disk.copy_of(V1)) == (None, one)
        assert disk.holdings == holdings_of(1)
        assert not disk.has_unlogged()

    def test_the_log_cannot_take_what_is_not_here(self, opened: Opened) -> None:
        opened.disk.import_copy(V1, copy(opened.disk, 1))
        assert not opened.disk.promote_import(V2)
        assert opened.disk.holdings == NOTHING

    def test_they_are_listed_by_version(self, opened: Opened) -> None:
        for version in (300, 2, 1):
            opened.disk.import_copy(Version(version), copy(opened.disk, version))
        assert [version for version, _ in opened.reopen().imported()] == [1, 2, 300]

    def test_dropping_one_removes_its_bytes(self, opened: Opened) -> None:
        opened.disk.import_copy(V1, copy(opened.disk, 1))
        opened.disk.import_copy(V2, file_copy("f2"))
        assert opened.disk.drop_import(V1) == []
        assert opened.disk.drop_import(V2) == ["f2"]
        assert opened.disk.drop_import(V2) == []
        opened.reopen()
        assert opened.kinds() == ""


class TestCopies:
    def test_dropping_one_removes_its_bytes_and_its_part_of_the_sum(self, opened: Opened) -> None:
        for version, one in ((V1, copy(opened.disk, 1)), (V2, file_copy("f2"))):
            opened.disk.import_copy(version, one)
            opened.disk.promote_import(version)
        assert opened.disk.holdings == holdings_of(1, 2)
        assert opened.disk.drop_copy(V2) == ["f2"]
        assert opened.reopen().holdings == holdings_of(1)
        assert opened.disk.drop_copy(V1) == []
        assert opened.reopen().holdings == NOTHING
        assert opened.kinds() == ""

    def test_dropping_what_is_not_here_is_fine(self, opened: Opened) -> None:
        assert opened.disk.drop_copy(V1) == []
        assert opened.disk.holdings == NOTHING

    def test_dropping_one_leaves_other_bytes_of_the_same_object(self, opened: Opened) -> None:
        opened.disk.import_copy(V1, copy(opened.disk, 1))
        opened.disk.promote_import(V1)
        opened.disk.stage(staged(copy(opened.disk, 2, b"newer")))
        opened.disk.import_copy(V2, copy(opened.disk, 3, b"other"))
        opened.disk.drop_copy(V1)
        assert [opened.disk.read_body(number) for number in (1, 2, 3)] == [None, b"newer", b"other"]

    def test_rgs_do_not_meet(self, opened: Opened) -> None:
        opened.disk.import_copy(V1, copy(opened.disk, 1))
        opened.disk.promote_import(V1)
        opened.disk.stage(staged(copy(opened.disk, 2)))
        opened.reopen()
        for neighbour in (RgId(RG - 1), RgId(RG + 1)):
            other = Disk(opened.overlay, neighbour)
            assert (other.holdings, list(other.copies()), list(other.staged())) == (NOTHING, [], [])
            assert other.read_body(1) is None


VERBS = ("stage", "unstage", "put", "import", "drop import", "take", "drop", "open")


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(VERBS), st.integers(1, 4)), max_size=40))
def test_sums_and_bytes_are_those_of_what_is_here(told: list[tuple[str, int]]) -> None:
    """No byte is kept that nothing names, and none is missing."""
    opened, files = Opened(), set[str]()
    for number, (verb, at) in enumerate(told):
        version, disk = Version(at), opened.disk
        found = {one.serial: one for one in disk.staged()}
        is_free = disk.copy_of(version) is None and disk.import_of(version) is None
        body = f"f{number}" if number % 3 == 0 else None
        if verb == "stage" and Serial(at) not in found:
            disk.stage(staged(file_copy(body) if body else copy(disk, number), serial=at))
            files |= {body} if body else set()
        elif verb == "unstage" and Serial(at) in found:
            files -= set(disk.unstage(found[Serial(at)]))
        elif verb == "put" and is_free:
            assert disk.promote_staged(F1, Serial(at), version) == (Serial(at) in found)
        elif verb == "import" and is_free:
            disk.import_copy(version, file_copy(body) if body else copy(disk, number))
            files |= {body} if body else set()
        elif verb == "drop import":
            files -= set(disk.drop_import(version))
        elif verb == "take":
            disk.promote_import(version)
        elif verb == "drop":
            files -= set(disk.drop_copy(version))
        elif verb == "open":
            opened.reopen()
        _check(opened, files)


def _check(opened: Opened, files: set[str]) -> None:
    disk = opened.disk
    here = [one for _, one in disk.copies()] + [one for _, one in disk.imported()]
    bodies = [one.body for one in [*here, *(one.copy for one in disk.staged())]]
    assert disk.holdings == holdings_of(*(version for version, _ in disk.copies()))
    kept = {keys.last_number(key) for key, _ in opened.overlay.scan(keys.prefix(b"B", RG))}
    assert kept == {body for body in bodies if isinstance(body, int)}
    assert files == {body for body in bodies if isinstance(body, str)}
    assert len(bodies) == len(set(bodies))
