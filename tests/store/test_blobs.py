"""Blobs as files: durable when finished, gone when unlinked, nothing in between."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from osd.blobs import BlobFiles, BlobId
from osd.errors import BytesDamaged, DiskFailed
from store.killing import run_and_kill
from store.os_calls import calls_during

BODY = bytes(range(256)) * 1024


@pytest.fixture
def blobs(tmp_path: Path) -> BlobFiles:
    return BlobFiles(tmp_path / "blobs")


def put(blobs: BlobFiles, body: bytes) -> BlobId:
    with blobs.create() as writer:
        writer.write(body)
        return writer.finish()


def test_a_finished_blob_is_read_back(blobs: BlobFiles, tmp_path: Path) -> None:
    with blobs.create() as writer:
        writer.write(BODY[:1000])
        writer.write(bytearray(BODY[1000:5000]))
        writer.write(memoryview(BODY)[5000:])
        blob = writer.finish()
    found = blobs.open(blob)
    with found.file:
        assert found.file.read() == BODY
        assert found.size == len(BODY)
        assert found.file.fileno() >= 0
    assert found.path == tmp_path / "blobs" / blob[-2:] / blob
    assert list(blobs.ids()) == [blob]


def test_a_blob_may_be_empty(blobs: BlobFiles) -> None:
    found = blobs.open(put(blobs, b""))
    with found.file:
        assert found.size == 0
        assert found.file.read() == b""


def test_ids_are_every_finished_blob_and_no_other(blobs: BlobFiles, tmp_path: Path) -> None:
    made = {put(blobs, b"%d" % number) for number in range(50)}
    unfinished = blobs.create()
    unfinished.write(b"x")
    (tmp_path / "blobs" / "00" / "README").write_bytes(b"not a blob")
    assert set(blobs.ids()) == made
    assert all(len(blob) == 16 and int(blob, 16) < 2**63 for blob in made)
    unfinished.abandon()


def test_an_abandoned_blob_leaves_nothing(blobs: BlobFiles, tmp_path: Path) -> None:
    writer = blobs.create()
    writer.write(b"x")
    writer.abandon()
    writer.abandon()
    with blobs.create() as interrupted:
        interrupted.write(b"x")
    assert list(blobs.ids()) == []
    assert os.listdir(tmp_path / "blobs" / "tmp") == []


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """As where a process has too many files open: what is open works, a folder cannot be synced."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_blob_whose_name_cannot_be_made_durable_is_gone(blobs: BlobFiles, tmp_path: Path) -> None:
    writer = blobs.create()
    writer.write(BODY)
    with no_more_descriptors(), pytest.raises(DiskFailed, match="cannot sync the folder"):
        writer.finish()
    assert list(blobs.ids()) == []
    assert os.listdir(tmp_path / "blobs" / "tmp") == []
    with no_more_descriptors(), pytest.raises(DiskFailed, match="Too many open files"):
        blobs.create()
    assert blobs.failure is None


def test_a_file_that_cannot_be_removed_is_known(blobs: BlobFiles, tmp_path: Path) -> None:
    writer = blobs.create()
    (fresh,) = (tmp_path / "blobs" / "tmp").iterdir()
    fresh.unlink()
    fresh.mkdir()
    with pytest.raises(DiskFailed, match=f"cannot remove {fresh}: Is a directory") as caught:
        writer.abandon()
    assert blobs.failure is caught.value


def test_a_disk_that_takes_no_new_file_is_known(blobs: BlobFiles, tmp_path: Path) -> None:
    """As where it is not mounted any more."""
    writer = blobs.create()
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    with pytest.raises(DiskFailed, match=r"cannot create .*No such file") as caught:
        blobs.create()
    assert blobs.failure is caught.value
    with pytest.raises(DiskFailed, match="No such file") as caught:
        writer.write(BODY)
    assert blobs.failure is caught.value


def test_of_a_disk_that_is_away_no_file_is_lost(blobs: BlobFiles, tmp_path: Path) -> None:
    kept, lost = put(blobs, BODY), put(blobs, BODY)
    (tmp_path / "blobs" / lost[-2:] / lost).unlink()
    with pytest.raises(BytesDamaged, match="No such file"):
        blobs.open(lost)
    assert blobs.failure is None
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    with pytest.raises(DiskFailed, match="No such file") as caught:
        blobs.open(kept)
    assert not isinstance(caught.value, BytesDamaged)
    assert blobs.failure is caught.value


def test_abandoning_a_finished_blob_does_nothing(blobs: BlobFiles) -> None:
    writer = blobs.create()
    blob = writer.finish()
    writer.abandon()
    assert list(blobs.ids()) == [blob]


def test_a_writer_is_used_up(blobs: BlobFiles) -> None:
    writer = blobs.create()
    writer.finish()
    with pytest.raises(AssertionError):
        writer.write(b"x")
    with pytest.raises(AssertionError):
        writer.finish()


def test_unlink_removes_and_may_be_repeated(blobs: BlobFiles) -> None:
    kept, first, second = (put(blobs, b"x") for _ in range(3))
    blobs.unlink([first, second])
    blobs.unlink([first])
    assert list(blobs.ids()) == [kept]
    with pytest.raises(DiskFailed, match=f"cannot open .*{first}: No such file") as caught:
        blobs.open(first)
    assert "osdlog osd --rebuild" in caught.value.hint


def test_an_open_blob_outlives_its_name(blobs: BlobFiles) -> None:
    blob = put(blobs, BODY)
    with blobs.open(blob).file as file:
        blobs.unlink([blob])
        assert file.read() == BODY


def test_an_id_cannot_be_a_path(blobs: BlobFiles) -> None:
    with pytest.raises(AssertionError):
        blobs.open(BlobId("../../etc/passwd"))


def test_a_finished_blob_survives_kill_9_and_an_unfinished_one_does_not(tmp_path: Path) -> None:
    printed = run_and_kill(
        "import sys\n"
        "from pathlib import Path\n"
        "from osd.blobs import BlobFiles\n"
        "blobs = BlobFiles(Path(sys.argv[1]))\n"
        "done, left = blobs.create(), blobs.create()\n"
        "done.write(b'done')\n"
        "left.write(b'left')\n"
        "print(done.finish(), flush=True)\n",
        tmp_path / "blobs",
    )
    assert len(os.listdir(tmp_path / "blobs" / "tmp")) == 1
    blobs = BlobFiles(tmp_path / "blobs")
    assert list(blobs.ids()) == [printed.strip()]
    with blobs.open(BlobId(printed.strip())).file as file:
        assert file.read() == b"done"
    assert os.listdir(tmp_path / "blobs" / "tmp") == []


def test_finish_syncs_the_file_renames_it_and_syncs_its_folder(
    blobs: BlobFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = blobs.create()
    writer.write(BODY)
    with calls_during(monkeypatch) as calls:
        blob = writer.finish()
    assert calls == [f"fdatasync tmp/{blob}", f"rename {blob[-2:]}/{blob}", f"fsync {blob[-2:]}"]


def test_unlink_syncs_each_folder_once_after_all_names_are_gone(
    blobs: BlobFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [put(blobs, b"x") for _ in range(5)]
    with calls_during(monkeypatch) as calls:
        blobs.unlink(made)
    folders = sorted({blob[-2:] for blob in made})
    assert calls[:5] == [f"unlink {blob[-2:]}/{blob}" for blob in made]
    assert sorted(calls[5:]) == [f"fsync {folder}" for folder in folders]


def test_a_folder_that_cannot_be_one_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file")
    with pytest.raises(DiskFailed, match="Not a directory"):
        BlobFiles(tmp_path / "blobs")
