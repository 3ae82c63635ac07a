"""Files of RocksDB: which of those that were there before a purge may still have rows' bytes.

Rule: a rewriting is believed by the files alone. RocksDB's library tells of none that was asked
for whether it failed; and files that RocksDB needs no more it removes when it comes to it. So a
purge is over when every log file that had rows is gone, and every table too, except one that
RocksDB still reads if it has no key of what is purged, or was only just being made.

What is not here: RocksDB itself (see `osd.rocks`).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

LINGERING_S = 10.0
"""Files that RocksDB needs no more are gone in milliseconds; they are waited for no longer."""
LOOK_S = 0.002

Live = Callable[[], Iterable[Mapping[str, Any]]]
"""Asks RocksDB which tables it reads, and what keys they have."""


class Before(NamedTuple):
    """The files that had anything in them when a purge began."""

    read: frozenset[Path]
    """Tables that RocksDB read."""
    others: frozenset[Path]
    """Log files, and tables that it read no more, or not yet."""


def written_logs(folder: Path) -> set[Path]:
    """The log files that have anything in them."""
    return {path for path in folder.glob("*.log") if _size(path)}


def before(folder: Path, logs: Iterable[Path], live: Live) -> Before:
    """What is there when all rows are in tables; the logs are those from before that."""
    read = frozenset(folder / name for name in _by_name(live))
    return Before(read, frozenset(logs).union(folder.glob("*.sst")) - read)


def left_behind(
    files: Before, live: Live, prefix: bytes, has_failed: Callable[[], bool]
) -> list[Path]:
    """Which may still have rows under `prefix`, after all the time that RocksDB may take."""
    give_up_at = time.monotonic() + LINGERING_S
    while left := _left(files, live, prefix):
        if has_failed() or time.monotonic() > give_up_at:
            break
        time.sleep(LOOK_S)
    return left


def past(prefix: bytes) -> bytes | None:
    """The first key after all that begin with `prefix`; None if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def _left(files: Before, live: Live, prefix: bytes) -> list[Path]:
    reads = _by_name(live)
    left = [path for path in files.read if _may_have(reads.get(path.name), prefix)]
    unread = [path for path in files.read | files.others if path.name not in reads]
    return left + [path for path in unread if path.exists()]


def _may_have(table: Mapping[str, Any] | None, prefix: bytes) -> bool:
    """Whether the keys of a table that is read reach into those that begin with `prefix`."""
    if table is None:
        return False
    end = past(prefix)
    return bool(table["end_key"] >= prefix and (end is None or table["start_key"] < end))


def _by_name(live: Live) -> dict[str, Mapping[str, Any]]:
    return {str(table["name"]).lstrip("/"): table for table in live()}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # RocksDB needed it no more
