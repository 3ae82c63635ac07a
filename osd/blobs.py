"""Blobs: bodies too large for a row, one file each.

Rule: a blob is written once, under `tmp/`, and gets its name only when all
its bytes are durable; the name is durable when `finish` returns, and gone for
good when `unlink` returns. Nothing here knows what a blob means or whether its
bytes are right: sums are the caller's. All of it is synchronous; every method
may be called from any thread, a writer from one at a time.

    blobs/tmp/<id>     being written; cleared when the folder is opened
    blobs/<xx>/<id>    a blob; xx are the last two digits of its id

What is not here: which blobs are wanted (see the C and S rows of a store).
"""

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, NewType, Self

from osd.durable import (
    disk_error,
    disk_errors,
    is_disk_gone,
    make_folder,
    reading_error,
    require_room,
    sync_folder,
)
from osd.errors import DiskError

SMALL_BODY_BYTES = 64 * 1024
"""A body up to this size is a row; a larger one is a blob."""

SYNCS = 8
"""Folders that are synced at once after files went from them."""

BlobId = NewType("BlobId", str)
"""16 hexadecimal digits of a random 63-bit number; never given twice."""

Chunk = bytes | bytearray | memoryview

_ID = re.compile(r"[0-7][0-9a-f]{15}")
_FOLDERS = [f"{number:02x}" for number in range(256)]


class Blob(NamedTuple):
    """A blob opened for reading. Whoever opened it closes `file`."""

    path: Path
    size: int
    file: BinaryIO


class BlobFiles:
    """The blobs in `folder`, which is created if it is missing. Raises `DiskError`."""

    def __init__(self, folder: Path) -> None:
        self.failure: DiskError | None = None
        """Why the node must not go on.

        A file that nobody wants is there all the same, and only the next start removes it; or no
        file can be written any more, so that another store should lead what this one does.
        """
        self._folder = folder
        self._syncing = ThreadPoolExecutor(SYNCS, "osd-sync")
        make_folder(folder)
        with disk_errors(f"cannot prepare {folder}"):
            self._make_folders()
            left = list((folder / "tmp").iterdir())
            for path in left:
                path.unlink()
        if left:
            sync_folder(folder / "tmp")

    def _make_folders(self) -> None:
        present = set(os.listdir(self._folder))
        missing = [name for name in ("tmp", *_FOLDERS) if name not in present]
        for name in missing:
            (self._folder / name).mkdir()
        if missing:
            sync_folder(self._folder)

    def create(self) -> "BlobWriter":
        """Begin a blob; it is nothing until it is finished."""
        with self.writing(f"cannot create a file in {self._folder}"):
            while (path := self._path(fresh := _random_id())).exists():
                pass
            return BlobWriter(self, self._folder / "tmp" / fresh, path)

    @contextmanager
    def writing(self, doing: str) -> Iterator[None]:
        """As `disk_errors`, of a new file."""
        try:
            with disk_errors(doing):
                yield
        except DiskError as error:
            if is_disk_gone(error):
                self.failure = error
            raise

    def open(self, blob: BlobId) -> Blob:
        """The blob for reading. Raises `BytesDamaged` if it is not there, `DiskError` else.

        Where its folder is not there either, no file is lost: the disk is away.
        """
        path = self._path(blob)
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115
        except OSError as error:
            if not path.parent.is_dir():
                self.failure = disk_error(error, f"cannot open {path}")
                raise self.failure from error
            raise reading_error(error, f"cannot open {path}") from error
        return Blob(path, os.fstat(file.fileno()).st_size, file)

    def unlink(self, blobs: Iterable[BlobId]) -> None:
        """Remove these, present or not; none of them comes back after a crash."""
        paths = [self._path(blob) for blob in blobs]
        for path in paths:
            self.remove(path)
        # Side by side, for then the file system writes its journal once for several.
        for _ in self._syncing.map(sync_folder, sorted({path.parent for path in paths})):
            pass

    def remove(self, path: Path) -> bool:
        """Take a file's name away, not durably yet; whether it had one."""
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            self.failure = disk_error(error, f"cannot remove {path}")
            raise self.failure from error
        return True

    def ids(self) -> Iterator[BlobId]:
        """Every finished blob, in no order that means anything."""
        for name in _FOLDERS:
            with disk_errors(f"cannot list {self._folder / name}"):
                found = sorted(os.listdir(self._folder / name))
            yield from (BlobId(entry) for entry in found if _ID.fullmatch(entry))

    def _path(self, blob: BlobId) -> Path:
        assert _ID.fullmatch(blob), blob
        return self._folder / blob[-2:] / blob


class BlobWriter:
    """A blob being written. Left without `finish`, or after any error, it is abandoned."""

    def __init__(self, files: BlobFiles, fresh: Path, path: Path) -> None:
        self._files = files
        self._fresh = fresh
        self._path = path
        with disk_errors(f"cannot create {fresh}"):
            self._file = open(fresh, "xb", buffering=0)  # noqa: SIM115

    def write(self, chunk: Chunk) -> None:
        """Add bytes. Raises `DiskFull` rather than use the disk's reserve; abandoned then."""
        assert not self._file.closed, "written after its end"
        try:
            with self._files.writing(f"cannot write {self._fresh}"):
                require_room(self._fresh, len(chunk))
                self._write_all(memoryview(chunk))
        except BaseException:
            self._give_up(self._fresh)
            raise

    def _write_all(self, rest: memoryview) -> None:
        while rest:
            rest = rest[self._file.write(rest) :]

    def finish(self) -> BlobId:
        """Give the blob its name. Durable when it returns; abandoned when it raises."""
        assert not self._file.closed, "finished after its end"
        try:
            with self._files.writing(f"cannot finish {self._path}"):
                os.fdatasync(self._file.fileno())
                self._file.close()
                self._fresh.rename(self._path)
                sync_folder(self._path.parent)
        except BaseException:
            self._give_up(self._path, self._fresh)  # it may have its name already
            raise
        return BlobId(self._path.name)

    def abandon(self) -> None:
        """Forget the bytes; more than once, or after `finish`, it does nothing."""
        self._abandon(self._fresh)

    def _give_up(self, *names: Path) -> None:
        with suppress(DiskError):  # what went wrong first is what is told
            self._abandon(*names)

    def _abandon(self, *names: Path) -> None:
        try:
            with disk_errors(f"cannot close {self._fresh}"):
                self._file.close()
        finally:
            removed = [name for name in names if self._files.remove(name)]
        for name in removed:
            sync_folder(name.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandon()


def _random_id() -> BlobId:
    return BlobId(f"{secrets.randbits(63):016x}")
