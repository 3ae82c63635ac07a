"""A data directory: whose disk it is, which incarnation, which boot, and who uses it now.

Rule: a folder is an OSD's from the moment `identity.json` is there, and that
file is written last. It names the cluster, the OSD and the incarnation, with a
checksum, and never changes. The boot is raised durably before anyone hears of
it. One live process holds the lock from `create` or `open` until it ends.

    LOCK            held with flock; names the process that holds it
    identity.json   format, cluster, OSD, incarnation
    boot.json       the last boot
    rows, rows.synced, blobs    see `osd.rocks`, `osd.blobs`
    scrub.json      see `osd.scrub`

What is not here: opening rows and blobs, and what `--rebuild` asks first.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from eventlog.ids import Boot, Incarnation, OsdId, Store, osd_name
from osd.durable import disk_errors, make_folder, sync_folder, write_durably
from osd.errors import DirectoryRefused

FORMAT = 1
"""Of everything in the directory. A program refuses a format it does not know."""

_IDENTITY = "identity.json"
_BOOT = "boot.json"
_CREATION = {"LOCK", _BOOT, f"{_BOOT}.new", f"{_IDENTITY}.new", "lost+found"}
"""What a create that was interrupted may leave, and what a fresh file system has."""
_SCRUB = "scrub.json"
_OURS = _CREATION | {_IDENTITY, "rows", "rows.synced", "blobs", _SCRUB, f"{_SCRUB}.new"}

_CREATE_HINT = "Check the path; a new OSD needs a missing or empty directory."
_REBUILD_HINT = (
    "`osdlog osd --rebuild` empties the directory and makes a new store of it: "
    "what no other store has is then lost."
)

_MOUNT_HINT = f"If its disk is only not mounted, mount it. {_REBUILD_HINT}"


class Identity(msgspec.Struct, frozen=True):
    """Whose directory it is."""

    format: int
    cluster: str
    osd: OsdId
    incarnation: Incarnation

    def __str__(self) -> str:
        return f"{osd_name(self.osd)} of cluster {self.cluster}"


class _Format(msgspec.Struct, frozen=True):
    """The one field of an identity that every format has."""

    format: int


class _Booted(msgspec.Struct, frozen=True):
    boot: Boot


class _Sealed(msgspec.Struct, frozen=True):
    """A small file: its content, and the sum of the content's exact bytes."""

    sha256: str
    content: msgspec.Raw


_Content = TypeVar("_Content", bound=msgspec.Struct)


class DataDir:
    """An OSD's data directory, locked by this process. `create`, `open`, `rebuild` make one."""

    def __init__(self, path: Path, identity: Identity, lock: int) -> None:
        self.path = path
        self.identity = identity
        self._lock = lock

    @classmethod
    def create(cls, path: Path, cluster: str, osd: OsdId) -> Self:
        """A new store in a missing or empty folder. Raises `DiskError`."""
        make_folder(path)
        _require_vacant(path)
        lock = _locked(path, osd)
        try:
            _require_vacant(path)
            return cls(path, _identify(path, cluster, osd), lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def open(cls, path: Path, cluster: str, osd: OsdId) -> Self:
        """The store that is there. Raises `DiskError`."""
        identity = _own_identity(path, cluster, osd)
        lock = _locked(path, osd)
        try:
            identity = _own_identity(path, cluster, osd)  # a rebuild may have come between
            _read(path / _BOOT, _Booted)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, identity, lock)

    @classmethod
    def rebuild(cls, path: Path, cluster: str, osd: OsdId) -> Self:
        """Empty this OSD's own directory, damaged or not, and create a new store in it."""
        make_folder(path)
        _require_rebuildable(path, cluster, osd)
        lock = _locked(path, osd)
        try:
            _require_rebuildable(path, cluster, osd)
            _empty(path)
            return cls(path, _identify(path, cluster, osd), lock)
        except BaseException:
            os.close(lock)
            raise

    @property
    def store(self) -> Store:
        """The name of this disk in the log."""
        return Store(self.identity.osd, self.identity.incarnation)

    @property
    def rows(self) -> Path:
        """Where `RocksRows` lives."""
        return self.path / "rows"

    @property
    def blobs(self) -> Path:
        """Where `BlobFiles` lives."""
        return self.path / "blobs"

    @property
    def scrub(self) -> Path:
        """What `Scrubber` remembers."""
        return self.path / _SCRUB

    def require_rows(self) -> None:
        """Raise `DirectoryRefused` where the rows of a store that ran are gone.

        They are made before its first boot is raised. Empty ones would name no file, and all
        files that no row names are removed.
        """
        boot = _read(self.path / _BOOT, _Booted).boot
        if boot and not self.rows.exists():
            raise DirectoryRefused(
                f"{self.path} is of {self.identity}, which ran before, and it has no rows",
                f"Put the whole directory back if you have a copy. {_REBUILD_HINT}",
            )

    def raise_boot(self) -> Boot:
        """The next boot, durable when it returns. A crash may leave a number unused."""
        boot = Boot(_read(self.path / _BOOT, _Booted).boot + 1)
        write_durably(self.path / _BOOT, _seal(_Booted(boot)))
        return boot

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._lock)


def is_an_osds(path: Path) -> bool:
    """Whether the folder is an OSD's: no more so once the disk that was mounted there is not."""
    with disk_errors(f"cannot look for {path / _IDENTITY}"):
        return (path / _IDENTITY).exists()


def _identify(path: Path, cluster: str, osd: OsdId) -> Identity:
    """Make the folder an OSD's; the identity comes last, so that it stands for all."""
    incarnation = Incarnation(secrets.randbelow(2**63 - 1) + 1)
    identity = Identity(FORMAT, cluster, osd, incarnation)
    write_durably(path / _BOOT, _seal(_Booted(Boot(0))))
    write_durably(path / _IDENTITY, _seal(identity))
    return identity


def _own_identity(path: Path, cluster: str, osd: OsdId) -> Identity:
    if not is_an_osds(path):
        raise DirectoryRefused(_without_identity(path), _hint_without_identity(path))
    identity = _read(path / _IDENTITY, Identity)
    _require_same(path, identity, cluster, osd)
    return identity


def _without_identity(path: Path) -> str:
    if not path.is_dir():
        return f"there is no data directory {path}"
    if foreign := _entries(path) - _CREATION:
        return f"{path} is not an OSD's data directory: it has {min(foreign)} but no {_IDENTITY}"
    return f"{path} holds no OSD yet"


def _hint_without_identity(path: Path) -> str:
    foreign = _entries(path) - _CREATION if path.is_dir() else set()
    return _MOUNT_HINT if foreign and foreign <= _OURS else _CREATE_HINT


def _require_same(path: Path, identity: Identity, cluster: str, osd: OsdId) -> None:
    if (identity.cluster, identity.osd) != (cluster, osd):
        raise DirectoryRefused(
            f"{path} belongs to {identity}, not to {osd_name(osd)} of cluster {cluster}",
            "Give each OSD its own directory, and check the log's address.",
        )


def _require_vacant(path: Path) -> None:
    if is_an_osds(path):
        raise DirectoryRefused(
            f"{path} already belongs to {_read(path / _IDENTITY, Identity)}",
            f"Open it instead. {_REBUILD_HINT}",
        )
    if _entries(path) - _CREATION:
        raise DirectoryRefused(_without_identity(path), _hint_without_identity(path))


def _require_rebuildable(path: Path, cluster: str, osd: OsdId) -> None:
    """Nothing is emptied that is, or might be, somebody else's."""
    if foreign := _entries(path) - _OURS:
        raise DirectoryRefused(
            f"{path} has {min(foreign)}, which is no part of an OSD's data directory",
            "Move it away first, and check the path.",
        )
    try:
        identity = _read(path / _IDENTITY, Identity)
    except DirectoryRefused:
        return  # damaged or missing, in a folder that holds nothing but an OSD's files
    _require_same(path, identity, cluster, osd)


def _empty(path: Path) -> None:
    """Remove all but the lock; the identity goes first, so that no half of a store opens."""
    with disk_errors(f"cannot empty {path}"):
        (path / _IDENTITY).unlink(missing_ok=True)
        sync_folder(path)
        for name in sorted(_entries(path) - {"LOCK", "lost+found"}):
            if (path / name).is_dir():
                shutil.rmtree(path / name)
            else:
                (path / name).unlink()
        sync_folder(path)


def _entries(path: Path) -> set[str]:
    if path.exists() and not path.is_dir():
        raise DirectoryRefused(f"{path} is a file", _CREATE_HINT)
    with disk_errors(f"cannot list {path}"):
        return set(os.listdir(path))


def _locked(path: Path, osd: OsdId) -> int:
    """A descriptor that holds the lock until it is closed or the process ends."""
    with disk_errors(f"cannot open {path / 'LOCK'}"):
        lock = os.open(path / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with disk_errors(f"cannot lock {path / 'LOCK'}"):
            _lock_or_refuse(path, osd, lock)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _lock_or_refuse(path: Path, osd: OsdId, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        process = f"process {holder}" if holder else "another process"
        raise DirectoryRefused(
            f"{osd_name(osd)}'s data directory {path} is in use by {process}",
            "Stop that process first, or give this one another directory.",
        ) from None


def _seal(content: msgspec.Struct) -> bytes:
    encoded = msgspec.json.encode(content)
    sealed = _Sealed(hashlib.sha256(encoded).hexdigest(), msgspec.Raw(encoded))
    return msgspec.json.encode(sealed) + b"\n"


def _read(path: Path, kind: type[_Content]) -> _Content:
    """A sealed file's content. Raises `DirectoryRefused` if it is damaged or missing."""
    try:
        with disk_errors(f"cannot read {path}"):
            sealed = msgspec.json.decode(path.read_bytes() if path.exists() else b"", type=_Sealed)
        content = bytes(sealed.content)
        if hashlib.sha256(content).hexdigest() != sealed.sha256:
            raise msgspec.ValidationError("its checksum does not match")
        if kind is Identity:
            _require_format(path, msgspec.json.decode(content, type=_Format).format)
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        what = f"{path} is damaged: {error}" if path.exists() else f"{path} is missing"
        hint = f"Put the file back if you have a copy. {_REBUILD_HINT}"
        raise DirectoryRefused(what, hint) from error


def _require_format(path: Path, found: int) -> None:
    if found != FORMAT:
        raise DirectoryRefused(
            f"{path} is of format {found}; this program knows format {FORMAT}",
            "Start the OSD with a program of the version that wrote it, or a newer one.",
        )
