"""The folder of a cluster on one machine: its log, and a folder for each OSD.

    log.sqlite      the log, unless another was named
    osd.0, osd.1    see `osd.data_dir`
    up.lock         held by the one process that runs the cluster

Rule: a folder that holds anything else is not touched. A cluster is founded
only where there is neither log nor OSD; one without its log is never given a
new one. What is asked of a cluster that is there, and is not so, is refused.
"""

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from eventlog.ids import OsdId
from osd.durable import disk_errors, make_folder, require_text
from osd.errors import DirectoryRefused, Refused
from osd.founding import Shape, added, found, founded
from projections.cluster_map import ClusterMap

LOG = "log.sqlite"
LOCK = "up.lock"
OSDS = 3
"""Of a new cluster, unless others are asked for."""

_OSD = re.compile(r"osd\.\d{1,9}")
_OURS = re.compile(rf"{re.escape(LOG)}.*|{LOCK}|lost\+found|{_OSD.pattern}")


class Asked(NamedTuple):
    """What the cluster is to have; None: a new one what is usual, another what it has."""

    osds: int | None = None
    rgs: int | None = None
    replicas: int | None = None
    min_replicas: int | None = None


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


def cluster_in(folder: Path, url: str | None, asked: Asked, author: str) -> str:
    """The address of the log of the folder's cluster, founded now if there is none.

    `Refused` where there is one that is not as it is asked to be.
    """
    address = url or f"sqlite:{(folder / LOG).absolute()}"
    if there := founded(address):
        _require_as_asked(folder, there, asked)
        return address
    if left := sorted(entry.name for entry in folder.iterdir() if _OSD.fullmatch(entry.name)):
        raise DirectoryRefused(
            f"{folder} has {left[0]}, but there is no cluster at {address}",
            "Name the log that it belongs to with --log, or put the log back.",
        )
    said = {name: value for name, value in asked._asdict().items() if value is not None}
    first = [added(OsdId(number)) for number in range(said.pop("osds", OSDS))]
    found(address, Shape(**said), first, "a new cluster", author)
    return address


def _require_as_asked(folder: Path, there: ClusterMap, asked: Asked) -> None:
    has = Asked(len(there.osds), there.rg_count, there.replicas, there.min_replicas)
    fields = zip(asked._fields, has, asked, strict=True)
    other = {name: (is_, wanted) for name, is_, wanted in fields if wanted not in (None, is_)}
    if not other:
        return
    differs = "; ".join(f"{name} {is_}, not {wanted}" for name, (is_, wanted) in other.items())
    options = " ".join(f"--{name.replace('_', '-')}" for name in other)
    raise Refused(
        f"the cluster that is in {folder} is not as asked: {differs}",
        f"Start it without {options}{_how_to_change(other)}.",
    )


def _how_to_change(other: Mapping[str, tuple[int | None, int | None]]) -> str:
    """What comes after its start; the number of RGs stays what it is."""
    words = {"osds": "--add ID", "replicas": "--replicas {}", "min_replicas": "--min-replicas {}"}
    said = [words[name].format(wanted) for name, (_, wanted) in other.items() if name in words]
    changed = f", then use `osdlog map apply {' '.join(said)}`" if said else ""
    return changed + ("; its number of RGs never changes" if "rgs" in other else "")


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
