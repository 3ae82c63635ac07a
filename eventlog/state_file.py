"""Exports: a log as it was at one moment, with notes, in one file that is only read.

Rule: an export is made whole or not at all, and overwrites nothing; it is
never written again. It is an SQLite log with one more table, so whatever reads
a log reads it; it may lie on a medium that cannot be written. Each note has a
sum, as each record has.

What is not here: what the notes say (see `osd.client.exporting`).
"""

import os
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from eventlog.copying import copy_log, plan_copy
from eventlog.drafts import draft_of
from eventlog.errors import LogReadOnly, LogUnavailable, WrongLog
from eventlog.ids import Position
from eventlog.log import Entry, Log
from eventlog.sqlite import SqliteLog
from eventlog.sqlite_errors import damaged, explained
from eventlog.sqlite_file import NOTES, create_file
from eventlog.sqlite_turn import turn_file


class StateFile(SqliteLog):
    """An export, opened for reading."""

    is_export = True

    @property
    def url(self) -> str:
        """The address that opens it again."""
        return f"state:{self.path}"

    def append_at(self, entries: Sequence[Entry], times: Sequence[int]) -> list[Position]:  # noqa: ARG002 - as of every log
        """Never: raises `LogReadOnly`."""
        refuse(self)

    def note(self, name: str) -> bytes | None:
        """What was noted under that name; raises `LogCorrupt`."""
        try:
            with closing(self.connect()) as connection:
                row = connection.execute(
                    "SELECT value, crc FROM notes WHERE name = ?", (name,)
                ).fetchone()
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        if row is None:
            return None
        value, crc = row
        if not isinstance(value, bytes) or _sum(name, value) != crc:
            raise damaged(self.path, f"its note {name!r} does not match its sum")
        return value


def refuse(log: Log) -> NoReturn:
    """Whatever would change the cluster is not done to an export."""
    raise LogReadOnly(
        f"{log.url} is an export, and nothing can be changed in it",
        "Name the log of the cluster itself; `osdlog log copy` makes a new log of an export.",
    )


def export(
    path: Path,
    log: Log,
    notes: Mapping[str, bytes],
    step: Callable[[int], None] = lambda _: None,
) -> int:
    """Write the log as it ends now, with notes, to a new file; returns its size in bytes.

    Raises `WrongLog` where there is something already, `LogUnavailable`, and
    what reading raises. Nothing is left of one that was not finished.
    """
    if path.exists():
        raise _exists(path)
    draft = draft_of(path.absolute())
    try:
        draft.touch(exist_ok=False)  # where nothing can be written, it is the export that cannot
        draft.unlink()
        _fill(draft, log, notes, step)
        os.link(draft, path)
        _sync(path.absolute().parent)
        return path.stat().st_size
    except FileExistsError:
        raise _exists(path) from None
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except OSError as error:
        raise LogUnavailable(
            f"the export {path} cannot be written: {error.strerror}",
            "Name a file in a directory that exists, is writable and has room.",
        ) from error
    finally:
        for left in (draft, turn_file(draft), *(_beside(draft, end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)


def _fill(draft: Path, log: Log, notes: Mapping[str, bytes], step: Callable[[int], None]) -> None:
    create_file(draft, log.identity)
    with SqliteLog(draft) as copy:
        copy_log(log, copy, plan_copy(log, copy), step)
    rows = [(name, value, _sum(name, value)) for name, value in sorted(notes.items())]
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute(NOTES)
        connection.executemany("INSERT INTO notes VALUES (?, ?, ?)", rows)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _sum(name: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(name.encode()))


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _sync(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _exists(path: Path) -> WrongLog:
    return WrongLog(f"{path} exists already", "Name another file, or remove it if nobody needs it.")
