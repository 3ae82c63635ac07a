"""Durable: how small files and names become so, what an OSError means, and how much room is left.

Rule: durable means, in this order, that the file was synced, renamed into
place, and that its folder was synced. Every OSError leaves here as a
`DiskError`. The last of a disk's room is kept for deletes and bookkeeping:
who brings a new body asks `require_room` first.

What is not here: how much is kept for whom (see `osd.core.room`), and what is
stored (see `osd.blobs`, `osd.rocks`, `osd.data_dir`).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osd.core.room import Room
from osd.errors import BytesDamaged, DiskError, DiskFailed, DiskFull

REBUILD_HINT = (
    "Restore the disk's files from a copy. As a last resort `osdlog osd --rebuild` empties it: "
    "what no other store has is then lost."
)
FULL_HINT = "Free space on that disk or delete objects; the OSD then goes on by itself."

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_DAMAGE = {errno.ENOENT, errno.EIO, errno.EBADMSG}
_GONE = _DAMAGE | {
    *(errno.EROFS, errno.EUCLEAN, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN),
    *(errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM),
}


def room(path: Path) -> Room:
    """How much room there is where `path` is."""
    with disk_errors(f"cannot ask how full {path} is"):
        found = os.statvfs(path)
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def require_room(path: Path, size: int) -> None:
    """Raise `DiskFull` unless a new body of `size` bytes leaves the reserve free."""
    there = room(path)
    if not there.takes(size):
        raise DiskFull(
            f"the disk of {path} has {there.free:,} bytes left, and keeps {there.reserve:,} "
            f"for deletes and bookkeeping; a body of {size:,} bytes was refused",
            FULL_HINT,
        )


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an OSError into the `DiskError` it means; `doing` is like "cannot write X"."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, doing) from error


def disk_error(error: OSError, doing: str) -> DiskError:
    """What an OSError met while `doing` something means."""
    what = f"{doing}: {os.strerror(error.errno) if error.errno else error}"
    if error.errno in _NO_SPACE:
        return DiskFull(what, FULL_HINT)
    return DiskFailed(
        what, "Check the path and its rights, the disk and its mount; then start again."
    )


def reading_error(error: OSError, doing: str) -> DiskError:
    """The same of bytes that were written: only a missing file or a failing medium is damage.

    Whatever else, such as a process that has too many files open, says nothing about them.
    """
    if error.errno in _DAMAGE:
        return BytesDamaged(f"{doing}: {os.strerror(error.errno)}", REBUILD_HINT)
    return disk_error(error, doing)


def is_disk_gone(error: DiskError) -> bool:
    """Whether what was met while writing a new file says that none can be written here any more.

    Not so where the disk is full, or the process has too many files open.
    """
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _GONE


def write_durably(path: Path, content: bytes) -> None:
    """Put a small file in place: after a crash it has its old content or this."""
    fresh = path.with_name(path.name + ".new")
    with disk_errors(f"cannot write {path}"):
        with open(fresh, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the entries of a folder durable: names that came, and names that went."""
    with disk_errors(f"cannot sync the folder {path}"):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def require_text(path: Path) -> None:
    """Raise `DiskFailed` where the path is no UTF-8: RocksDB's library takes no other."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="backslashreplace").decode()
        raise DiskFailed(
            f"the path {shown} is not UTF-8", "Rename that folder, or name another one."
        ) from None


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents, each durable in its own parent."""
    with disk_errors(f"cannot create the folder {path}"):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
