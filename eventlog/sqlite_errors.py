"""What SQLite's errors mean for whoever uses a log.

Rule: no error of SQLite leaves the logs; each becomes one of ours, that says
what to do next. Only the SQLite log imports this.
"""

import sqlite3
from pathlib import Path

from eventlog.errors import LogCorrupt, LogError, LogFull, LogUnavailable, WrongLog

_RESTORE = "Restore the file from the newest copy there is; until then nothing is served from it."


def damaged(path: Path, what: str) -> LogCorrupt:
    """The error for a file that contradicts itself."""
    return LogCorrupt(f"the log {path} is damaged: {what}", _RESTORE)


def full(path: Path) -> LogFull:
    """The error for a log whose disk has no room for more."""
    return LogFull(
        f"there is no room for the log {path}", "Free space on its disk, then try again."
    )


def explained(error: sqlite3.Error, path: Path) -> LogError:
    """What an SQLite error means for whoever uses the log."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LogUnavailable(
            f"the log {path} is locked by another process",
            "Find the process that holds it (`fuser` names it); try again when it has gone on.",
        )
    if primary == sqlite3.SQLITE_FULL:
        return full(path)
    if primary == sqlite3.SQLITE_NOTADB:
        return WrongLog(f"{path} is not a log of this program", "Check the address.")
    if primary in (None, sqlite3.SQLITE_MISUSE) or isinstance(error, sqlite3.ProgrammingError):
        return LogUnavailable(f"the log {path} is closed", "Open it again.")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR):
        return damaged(path, f"SQLite says: {error}")
    return LogUnavailable(
        f"the log {path} cannot be used: {error} ({error.sqlite_errorname})",
        "Check who owns it, and that its disk has room and is well.",
    )


def unreadable(path: Path, error: OSError) -> LogUnavailable:
    """The error for a file that the system does not let us read."""
    return LogUnavailable(
        f"the log {path} cannot be read: {error.strerror}",
        "Check who owns it and that its disk is well.",
    )
