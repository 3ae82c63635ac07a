"""The folder of a cluster on one machine: its log, and a folder for each OSD.

    log.sqlite      the log, unless another was named
    osd.0, osd.1    see `osd.data_dir`
    up.lock         held by the one process that runs the cluster

Rule: a folder that holds anything else is not touched. A cluster is founded
only where there is neither log nor OSD; one without its log is never given a
new one.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.ids import OsdId
from osd.durable import disk_errors, make_folder, require_text
from osd.errors import DirectoryRefused
from osd.founding import Shape, added, found, is_founded

LOG = "log.sqlite"
LOCK = "up.lock"

_OSD = re.compile(r"osd\.\d{1,9}")
_OURS = re.compile(rf"{re.escape(LOG)}.*|{LOCK}|lost\+found|{_OSD.pattern}")


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """The folder is this process's to run a cluster in. Raises `DiskError`."""
    require_text(folder)
    _require_ours(folder)
    make_folder(folder)
    with disk_errors(f"cannot open {folder / LOCK}"):
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(folder, lock)
        yield
    finally:
        os.close(lock)


def cluster_in(folder: Path, url: str | None, osds: int, shape: Shape, author: str) -> str:
    """The address of the log of the folder's cluster, founded now if there is none."""
    address = url or f"sqlite:{(folder / LOG).absolute()}"
    if is_founded(address):
        return address
    if there := sorted(entry.name for entry in folder.iterdir() if _OSD.fullmatch(entry.name)):
        raise DirectoryRefused(
            f"{folder} has {there[0]}, but there is no cluster at {address}",
            "Name the log that it belongs to with --log, or put the log back.",
        )
    first = [added(OsdId(number)) for number in range(osds)]
    found(address, shape, first, "a new cluster", author)
    return address


def _require_ours(folder: Path) -> None:
    hint = "Name an empty folder, or one that does not exist yet, with --data."
    if folder.exists() and not folder.is_dir():
        raise DirectoryRefused(f"{folder} is a file", hint)
    entries = sorted(os.listdir(folder)) if folder.is_dir() else []
    foreign = [entry for entry in entries if not _OURS.fullmatch(entry)]
    if foreign and LOG not in entries:
        raise DirectoryRefused(f"{folder} is not a cluster's folder: it has {foreign[0]}", hint)


def _take(folder: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        process = f"process {holder}" if holder else "another process"
        raise DirectoryRefused(
            f"the cluster in {folder} is run by {process} already",
            "Use it as it is, or stop that process first.",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
