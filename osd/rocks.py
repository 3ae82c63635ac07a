"""Rows in RocksDB: the real disk's `Rows`.

Rule: `apply` is one write batch in RocksDB's log, in the operating system's
hands but not yet synced; `sync` syncs that log and then notes how far it was,
in the witness file `<folder>.synced`. Opening proves that nothing synced is
missing: the log is checked against the witness first (`osd.rocks_wal`), then
RocksDB reads it and accepts no flaw. Every block read has its checksum tested.

Memory is bounded: block cache (with index and filter blocks) and memtables;
it does not grow with the number of rows. A full disk leaves all rows
readable; the first `apply` that finds room again opens RocksDB anew and goes
on. No other failure is ever forgotten: the process must start again.

What is not here: what rows mean, and who may write when the disk is nearly
full (see `osd.durable.require_room`). Only this module imports rocksdict.
"""

import errno
import fcntl
import itertools
import operator
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import rocksdict

from osd.durable import (
    FULL_HINT,
    REBUILD_HINT,
    disk_errors,
    make_folder,
    require_text,
    room,
    sync_folder,
)
from osd.errors import BytesDamaged, DirectoryRefused, DiskError, DiskFailed, DiskFull
from osd.rocks_files import before, left_behind, past, written_logs
from osd.rocks_wal import cut_unsynced_tail
from osd.rows import Changes

BLOCK_CACHE_BYTES = 64 * 1024 * 1024
MEMTABLE_BYTES = 32 * 1024 * 1024
MEMTABLES = 2
L0_FILES = 12
"""Of flushed memtables; more than these wait for compaction, so that its need for room is bounded:
one of all these is within what `osd.durable` reserves. Writes stop there, and never slow down."""
STALLED_S = 0.002
MAX_OPEN_FILES = 512
BLOOM_BITS_PER_KEY = 10

SCAN_ROWS = 1024
SCAN_BYTES = 1024 * 1024
"""A scan reads this much at a time and holds nothing of RocksDB in between."""
_LOOKED_AT_TOGETHER = 16
"""Rows of which the last one's key is looked at, and no other: their keys ascend."""

REOPEN_BYTES = 3 * MEMTABLES * MEMTABLE_BYTES // 2
"""Room that opening anew may need; on a small disk an eighth of it is enough."""

_value = operator.itemgetter(1)
_NO_SPACE = ("No space left on device", "Disk quota exceeded", "NoSpace", "Space limit reached")
_READ_WRITE = rocksdict.AccessType.read_write()
_STALLED = "Result incomplete"
_UNREADABLE = os.strerror(errno.EIO)
_LOCKED = ("While lock file", "lock hold by current process")


class RocksRows:
    """`Rows` in the folder `path`, created if it is missing. Raises `DiskError`."""

    def __init__(self, path: Path, memtable_bytes: int = MEMTABLE_BYTES) -> None:
        self.path = path
        self._memtable_bytes = memtable_bytes
        require_text(path)
        make_folder(path.parent)
        self._witness = _Witness(path.with_name(path.name + ".synced"), fresh=not path.exists())
        make_folder(path)
        self._handle = threading.Lock()
        """Held while the log is synced, and while `_db` is replaced."""
        self._failure: DiskError | None = None
        self._closed = False
        try:
            # Never closed but let go: closing would flush, and on a full disk wait for ever.
            # So nobody else may keep it, not even a local variable in some traceback.
            self._db: rocksdict.Rdict | None = self._opened(self._witness.synced)
        except BaseException:
            self._witness.close()
            raise
        self._applied = self._rocks().latest_sequence_number()
        self._no_wait = rocksdict.WriteOptions()
        self._no_wait.no_slowdown = True

    def get(self, key: bytes) -> bytes | None:
        """See `Rows`."""
        try:
            value: bytes | None = self._rocks().get(key)
        except Exception as error:
            raise self._meaning(error, "cannot read a row") from error
        return value

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """See `Rows`. Each part of a scan sees the rows as they were when it was read."""
        start = max(prefix, after + b"\0") if after else prefix
        while True:
            try:
                rows, ended = self._rows_from(start, prefix)
                ended = ended or (not rows and self._ends_at(start, prefix))
            except Exception as error:
                raise self._meaning(error, "cannot read rows") from error
            yield from rows
            if ended:
                return
            start = rows[-1][0] + b"\0" if rows else start

    def _rows_from(self, start: bytes, prefix: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
        return _some(self._rocks().items(from_key=start, read_opt=_checked()), prefix)

    def _ends_at(self, start: bytes, prefix: bytes) -> bool:
        """Whether no row is left; raises if there may be some that cannot be read.

        `items` ends alike at the last row and at a damaged block, so this asks.
        """
        cursor = self._rocks().iter(_checked())
        try:
            cursor.seek(start)
            cursor.status()
            return not (cursor.valid() and cursor.key().startswith(prefix))
        finally:
            del cursor

    def apply(self, changes: Changes) -> None:
        """See `Rows`. After `DiskFull`, the first call that finds room again goes on."""
        self._require_usable()
        if not changes:
            return
        while not self._written(changes):
            time.sleep(STALLED_S)
        self._applied = self._rocks().latest_sequence_number()

    def _written(self, changes: Changes) -> bool:
        """Whether RocksDB took them; False if it must first finish other work.

        Left to itself it would wait, holding Python's lock, and for ever if it
        has no room to finish.
        """
        try:
            self._rocks().write(_batch(changes), self._no_wait)
        except Exception as error:
            if not str(error).startswith(_STALLED):
                raise self._noted(error, "cannot write rows") from error
            if self._background_errors():
                raise self._noted(_no_room_to_compact(), "cannot write rows") from error
            return False
        return True

    def sync(self) -> None:
        """See `Rows`. After `DiskFull` it fails until an `apply` went through."""
        applied = self._applied
        with self._handle:
            if self._failure:
                raise _again(self._failure)
            try:
                self._rocks().flush_wal(sync=True)
            except Exception as error:
                raise self._noted(error, "cannot sync rows") from error
            self._witness.note(applied)

    def purge(self, prefix: bytes) -> None:
        """Rewrite what RocksDB keeps under `prefix`, so that deleted rows' bytes are gone too.

        It needs room for what it rewrites, and returns when the files that had them are gone.
        """
        self._require_usable()
        errors = self._background_errors()
        if errors and not self._has_room():
            raise self._noted(_no_room_to_compact(), "cannot purge rows")
        try:
            self._rewrite(prefix, lambda: self._background_errors() > errors)
        except Exception as error:
            raise self._noted(error, "cannot purge rows") from error

    def _rewrite(self, prefix: bytes, has_failed: Callable[[], bool]) -> None:
        logs = written_logs(self.path / "log")
        self._rocks().flush(wait=True)
        files = before(self.path, logs, lambda: self._rocks().live_files())
        self._rocks().compact_range(prefix or None, past(prefix), _everything())
        if left := left_behind(files, lambda: self._rocks().live_files(), prefix, has_failed):
            raise self._why_left(left[0], has_failed=has_failed())

    def close(self) -> None:
        """See `Rows`. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.sync()
        finally:
            with self._handle:
                self._db = None
                self._witness.close()

    def _background_errors(self) -> int:
        """How often RocksDB failed to flush or compact since it was opened, be it over or not."""
        return self._rocks().property_int_value("rocksdb.background-errors") or 0

    def _why_left(self, path: Path, *, has_failed: bool) -> Exception:
        """What RocksDB met: it refuses every later write by that, but for want of room."""
        try:
            self._rocks().write(_batch({}), self._no_wait)
        except Exception as error:  # noqa: BLE001 - it is raised as what it means
            if not str(error).startswith(_STALLED):
                return error
        return _no_room_to_compact() if has_failed else OSError(f"RocksDB keeps {path}")

    def _rocks(self) -> rocksdict.Rdict:
        """RocksDB, unless opening it anew did not succeed."""
        if self._db is None:
            assert self._failure, "used after close"
            raise _again(self._failure)
        return self._db

    def _opened(self, synced: int) -> rocksdict.Rdict:
        """RocksDB, with every row up to sequence number `synced`."""
        log = self.path / "log"
        make_folder(log)
        left = cut_unsynced_tail(log, self._in_tables(), synced)
        options = _options(self._memtable_bytes)
        options.set_wal_dir(str(log))
        try:
            db = _open(self.path, options)
        except Exception as error:
            raise self._meaning(error, "cannot open the rows") from error
        found = db.latest_sequence_number()
        if found < left:
            del db
            raise DiskFailed(
                f"RocksDB read rows up to {found:,} in {self.path}, and {left:,} are there",
                REBUILD_HINT,
            )
        return db

    def _in_tables(self) -> int:
        """The last sequence number in table files: what RocksDB finds without its log."""
        if not (self.path / "CURRENT").exists():
            return 0
        options = _options(self._memtable_bytes)
        options.set_wal_dir(str(self.path))  # where no log is
        try:
            db = _open(self.path, options, rocksdict.AccessType.read_only(False))
        except Exception as error:
            raise self._meaning(error, "cannot read the tables") from error
        return db.latest_sequence_number()

    def _require_usable(self) -> None:
        """Raise the failure that stands, or end it if it was a full disk that has room now."""
        if self._failure is None:
            return
        if not isinstance(self._failure, DiskFull) or not self._has_room():
            raise _again(self._failure)
        with self._handle:
            # RocksDB refuses every write after a failed one until it is opened anew.
            self._db = None
            self._db = self._opened(self._applied)
            self._failure = None

    def _has_room(self) -> bool:
        there = room(self.path)
        return there.free >= min(REOPEN_BYTES, there.total // 8)

    def _noted(self, error: Exception, doing: str) -> DiskError:
        """The meaning of an error, which now stands: later ones are only its echo."""
        if self._failure is None:
            self._failure = self._meaning(error, doing)
        return _again(self._failure)

    def _meaning(self, error: Exception, doing: str) -> DiskError:
        text = str(error)
        what = f"{doing} in {self.path}: {text}"
        if any(sign in text for sign in _NO_SPACE):
            return DiskFull(what, FULL_HINT)
        if any(sign in text for sign in _LOCKED):
            return DirectoryRefused(what, "Stop the process that has it open.")
        if text.startswith("Corruption") or _UNREADABLE in text:
            return BytesDamaged(what, REBUILD_HINT)
        return DiskFailed(what, f"Check the disk and start again. If it stays so: {REBUILD_HINT}")


class _Witness:
    """Remembers, outside of RocksDB, the last sequence number known to be synced.

    Written in place after each sync, one sector, and itself synced only at
    creation and close: after kill -9 it is exact, after a power failure it may
    be older and then proves less. Its lock keeps other processes out.
    """

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path = path
        with disk_errors(f"cannot open {path}"):
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if fresh else 0))
        try:
            self._lock()
            self.synced = self._read(fresh)
        except BaseException:
            os.close(self._file)
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryRefused(
                f"the rows beside {self._path} are in use by a live process",
                "Stop the process that has them open.",
            ) from None

    def _read(self, fresh: bool) -> int:
        with disk_errors(f"cannot read {self._path}"):
            content = os.pread(self._file, 64, 0)
        if fresh and not content:
            self.note(0)
            self._make_durable()
            return 0
        digits, _, check = content.decode("ascii", "replace").rstrip("\n").partition(" ")
        if check != _check(digits):
            raise DiskFailed(f"{self._path} is damaged", REBUILD_HINT)
        return int(digits)

    def note(self, synced: int) -> None:
        digits = f"{synced:020d}"
        with disk_errors(f"cannot write {self._path}"):
            os.pwrite(self._file, f"{digits} {_check(digits)}\n".encode(), 0)

    def _make_durable(self) -> None:
        with disk_errors(f"cannot sync {self._path}"):
            os.fsync(self._file)
        sync_folder(self._path.parent)

    def close(self) -> None:
        with disk_errors(f"cannot sync {self._path}"):
            try:
                os.fsync(self._file)
            finally:
                os.close(self._file)


def _check(digits: str) -> str:
    return f"{zlib.crc32(digits.encode()):08x}"


def _again(failure: DiskError) -> DiskError:
    """The same failure as a new exception: one raised twice collects tracebacks."""
    return type(failure)(failure.what, failure.hint)


def _batch(changes: Changes) -> rocksdict.WriteBatch:
    batch = rocksdict.WriteBatch(raw_mode=True)
    for key, value in changes.items():
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)
    return batch


def _some(
    items: Iterator[tuple[Any, bytes]], prefix: bytes
) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The next `SCAN_ROWS` rows, or fewer if they are large; whether a row beyond them was met."""
    rows: list[tuple[bytes, bytes]] = []
    size = 0
    while len(rows) < SCAN_ROWS and size < SCAN_BYTES:
        some = list(itertools.islice(items, _LOOKED_AT_TOGETHER))
        rows += some
        if some and not some[-1][0].startswith(prefix):
            return [row for row in rows if row[0].startswith(prefix)], True
        if len(some) < _LOOKED_AT_TOGETHER:
            break
        size += sum(map(len, map(_value, some)))
    return rows, False


def _checked() -> rocksdict.ReadOptions:
    """How rows are scanned: never with an upper bound.

    rocksdict 0.3.29 does not keep the bytes that it is given for one, so that a
    scan ends where whatever stands in that memory later says.
    """
    options = rocksdict.ReadOptions()
    options.set_verify_checksums(True)
    return options


def _open(
    path: Path, options: rocksdict.Options, access: rocksdict.AccessType = _READ_WRITE
) -> rocksdict.Rdict:
    # Options are named twice, or those RocksDB saved in its last run would win.
    return rocksdict.Rdict(str(path), options, {"default": options}, access)


def _no_room_to_compact() -> Exception:
    """Of all that fails in the background only a full disk lets a store live on."""
    return OSError(errno.ENOSPC, "No space left on device to compact rows")


def _everything() -> rocksdict.CompactOptions:
    options = rocksdict.CompactOptions()
    options.set_bottommost_level_compaction(rocksdict.BottommostLevelCompaction.force())
    return options


def _options(memtable_bytes: int) -> rocksdict.Options:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_paranoid_checks(True)
    options.set_wal_recovery_mode(rocksdict.DBRecoveryMode.absolute_consistency())
    options.set_block_based_table_factory(_table_options())
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_write_buffer_size(memtable_bytes)
    options.set_max_write_buffer_number(MEMTABLES)
    options.set_target_file_size_base(memtable_bytes)
    options.set_max_bytes_for_level_base(L0_FILES * memtable_bytes // 3)
    options.set_max_compaction_bytes(L0_FILES * memtable_bytes)
    options.set_level_zero_slowdown_writes_trigger(L0_FILES)
    options.set_level_zero_stop_writes_trigger(L0_FILES)
    options.set_soft_pending_compaction_bytes_limit(0)
    options.set_hard_pending_compaction_bytes_limit(0)
    options.set_max_open_files(MAX_OPEN_FILES)
    options.set_max_background_jobs(2)
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_max_log_file_size(1024 * 1024)
    options.set_keep_log_file_num(3)
    return options


def _table_options() -> rocksdict.BlockBasedOptions:
    table = rocksdict.BlockBasedOptions()
    table.set_block_cache(rocksdict.Cache(BLOCK_CACHE_BYTES))
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    table.set_bloom_filter(BLOOM_BITS_PER_KEY, False)
    table.set_checksum_type(rocksdict.ChecksumType.xxh3())
    table.set_format_version(5)
    return table
