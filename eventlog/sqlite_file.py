"""The file of an SQLite log: its shape, how it is made, opened and found damaged.

Rule: a file that is not exactly what this program made is refused when it is
opened. SQLite itself keeps no sums: so `meta` and `heads` carry one, every
record carries one (see `eventlog.sqlite_read`), and what is fixed in the
file's first bytes is compared (`eventlog.sqlite_header`).

Whoever closes a file gives back all POSIX locks its process has on it, also
those of SQLite, which may then lose commits. So the file itself is opened
only while nothing in this process holds it.

What is not here: reading and appending records. Only the SQLite log imports
this.
"""

import os
import sqlite3
import stat
import threading
import zlib
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from eventlog.drafts import draft_of
from eventlog.errors import LogCorrupt, LogMissing, LogUnavailable, WrongLog
from eventlog.log import LogIdentity
from eventlog.places import all_places
from eventlog.sqlite_errors import damaged, explained, unreadable
from eventlog.sqlite_header import APPLICATION, FORMAT, PAGE_BYTES, check_file
from eventlog.sqlite_turn import turn_file

CACHE_KIB = 16 * 1024
PATIENCE_S = 10.0
"""How long to wait for a process that holds the log's write lock."""

# Root pages are part of the shape: they never move, and a flipped one would show another table.
_TABLES = (
    (
        "meta",
        2,
        (
            "CREATE TABLE meta (cluster TEXT, partitions INTEGER, retention TEXT, cleanup TEXT,"
            " crc INTEGER)"
        ),
    ),
    (
        "heads",
        3,
        (
            "CREATE TABLE heads (topic TEXT, partition INTEGER, next_offset INTEGER, crc INTEGER,"
            " PRIMARY KEY (topic, partition)) WITHOUT ROWID"
        ),
    ),
    (
        "records",
        4,
        (
            "CREATE TABLE records (seq INTEGER PRIMARY KEY, topic TEXT, partition INTEGER,"
            " offset INTEGER, timestamp INTEGER, key BLOB, value BLOB, crc INTEGER)"
        ),
    ),
    (
        "places",
        5,
        "CREATE UNIQUE INDEX places ON records (topic, partition, offset)",
    ),
)

NOTES = "CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB, crc INTEGER) WITHOUT ROWID"
"""What an export has beside the log; see `eventlog.state_file`."""

FileId = tuple[int, int]
"""Device and inode: a file under whatever name."""

_holds: Counter[FileId] = Counter()
_holds_lock = threading.Lock()


class Hold:
    """A log file in use in this process; whoever takes the first hold checks the file.

    Raises `LogMissing`, `WrongLog`, `LogCorrupt`, `LogUnavailable`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _holds_lock:
            self._file = _file_at(path)
            if not _holds[self._file]:
                check_file(path)
            _holds[self._file] += 1
        self._released = False

    def still_there(self) -> bool:
        """Whether the path still leads to the same file."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    def release(self) -> None:
        """After the connections were closed; releasing twice is harmless."""
        with _holds_lock:
            if not self._released:
                _holds[self._file] -= 1
            self._released = True


def create_file(path: Path, identity: LogIdentity) -> None:
    """Make an empty log, all at once; `WrongLog` where there is something already."""
    for old in (path, turn_file(path), *_beside(path)):
        if old.exists():
            raise _exists(old)
    if not path.parent.is_dir():
        raise LogUnavailable(
            f"no log can be made at {path}: there is no such directory",
            "Make the directory first, or name a file in one that exists.",
        )
    draft = draft_of(path)
    try:
        _fill(draft, identity)
        os.link(draft, path)
        _sync_directory(path.parent)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise LogUnavailable(
            f"no log can be made at {path}: {error.strerror}",
            "Name a file in a directory that exists and is writable.",
        ) from error
    except sqlite3.Error as error:
        raise explained(error, path) from error
    finally:
        for left in (draft, *_beside(draft)):
            left.unlink(missing_ok=True)


def _beside(path: Path) -> list[Path]:
    """What SQLite keeps beside a file."""
    return [path.with_name(path.name + end) for end in ("-wal", "-shm")]


def connect(
    path: Path, patience_s: float = PATIENCE_S, *, is_export: bool = False
) -> sqlite3.Connection:
    """A connection in autocommit mode; threads may share it if they take turns.

    An export is never written, and may lie where nothing can be.
    """
    mode = "mode=ro&immutable=1" if is_export else "mode=rw"
    uri = f"file:{quote(os.fsencode(path))}?{mode}"
    try:
        with ExitStack() as opened:
            connection = sqlite3.connect(
                uri, timeout=patience_s, isolation_level=None, check_same_thread=False, uri=True
            )
            opened.callback(connection.close)
            # A damaged type tag must not make Python fail to decode: all text comes as bytes.
            connection.text_factory = bytes
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            opened.pop_all()
            return connection
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except UnicodeDecodeError as error:  # SQLite's message quotes a damaged table definition
        raise damaged(path, "its tables are not those of a log") from error


def check_content(
    connection: sqlite3.Connection, path: Path, appends: int, *, is_export: bool = False
) -> LogIdentity:
    """Compare tables, sums and counts; returns who the log says it is.

    `LogCorrupt` also where it has fewer than `appends` records.
    """
    try:
        connection.execute("BEGIN")
        try:
            _check_tables(connection, path, is_export=is_export)
            identity = _identity(connection, path)
            _check_counts(connection, identity, path, appends)
            return identity
        finally:
            end_transaction(connection)
    except sqlite3.Error as error:
        raise explained(error, path) from error


def end_transaction(connection: sqlite3.Connection) -> None:
    """Roll back, unless an error has done so already."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def head_sum(topic: str, partition: int, next_offset: int) -> int:
    """The sum that a row of `heads` carries."""
    return zlib.crc32(b"%b/%d@%d" % (topic.encode(), partition, next_offset))


def _file_at(path: Path) -> FileId:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise LogMissing(
            f"there is no log at {path}",
            "Check the address, or put the file back; `osdlog init` makes a new log.",
        ) from None
    except OSError as error:
        raise unreadable(path, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise WrongLog(f"{path} is a directory", "Name the log's file.")
    return (found.st_dev, found.st_ino)


def _fill(path: Path, identity: LogIdentity) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id={APPLICATION}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN")
        for _, _, sql in _TABLES:
            connection.execute(sql)
        connection.execute(
            "INSERT INTO meta VALUES (?, ?, ?, ?, ?)", (*identity, _identity_sum(identity))
        )
        connection.executemany(
            "INSERT INTO heads VALUES (?, ?, 0, ?)",
            [(t.value, p, head_sum(t.value, p, 0)) for t, p in all_places(identity)],
        )
        connection.execute("COMMIT")
        (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not is_busy, "nobody else knows of it"  # closing it would not tell of a full disk
    finally:
        connection.close()


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _exists(path: Path) -> WrongLog:
    return WrongLog(
        f"{path} exists already", "Name another file, or remove it if nobody needs it any more."
    )


def _check_tables(connection: sqlite3.Connection, path: Path, *, is_export: bool) -> None:
    rows = connection.execute("SELECT name, rootpage, sql FROM sqlite_schema ORDER BY rootpage")
    found = rows.fetchall()
    notes = [row for row in found if row[0] == b"notes" and row[2] == NOTES.encode()]
    if bool(notes) != is_export:
        raise _other_kind(path, is_export=is_export)
    expected = [(name.encode(), root, sql.encode()) for name, root, sql in _TABLES]
    if [row for row in found if row not in notes] != expected:
        raise damaged(path, "its tables are not those of a log")
    if is_export:  # never written, it needs no write-ahead file
        return
    if connection.execute("PRAGMA journal_mode").fetchone() != (b"wal",):
        raise damaged(path, "it is not in write-ahead mode")


def _other_kind(path: Path, *, is_export: bool) -> WrongLog:
    if is_export:
        return WrongLog(f"{path} is a log, and no export", f"Name it as sqlite:{path}.")
    return WrongLog(
        f"{path} is an export made by `osdlog export-state`, and no log that goes on",
        f"Name it as state:{path}; `osdlog log copy state:{path} TO` makes a log of it.",
    )


def _identity(connection: sqlite3.Connection, path: Path) -> LogIdentity:
    rows = connection.execute(
        "SELECT cluster, partitions, retention, cleanup, crc FROM meta"
    ).fetchall()
    try:
        [(cluster, partitions, retention, cleanup, crc)] = rows
        identity = LogIdentity(
            cluster.decode(), int(partitions), retention.decode(), cleanup.decode()
        )
    except (ValueError, TypeError, AttributeError):
        raise damaged(path, "its identity cannot be read") from None
    if _identity_sum(identity) != crc:
        raise damaged(path, "its identity does not match its sum")
    return identity


def _identity_sum(identity: LogIdentity) -> int:
    return zlib.crc32(repr(tuple(identity)).encode())


def _check_counts(
    connection: sqlite3.Connection, identity: LogIdentity, path: Path, appends: int
) -> None:
    partitions, ends = connection.execute("SELECT count(*), sum(next_offset) FROM heads").fetchone()
    last = connection.execute("SELECT max(seq) FROM records").fetchone()[0] or 0
    if partitions != len(all_places(identity)):
        raise damaged(path, f"it has the ends of {partitions} partitions")
    if ends != last:
        raise damaged(path, f"its partitions have {ends:,} records, but {last:,} were appended")
    if last < appends:
        raise LogCorrupt(
            f"the log {path} has lost records: {appends:,} were appended, {last:,} are left",
            "Its write-ahead file was damaged or removed, or an older copy put in its place:"
            f" restore a newer copy. To go on without them, remove {turn_file(path)}.",
        )
