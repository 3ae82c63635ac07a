"""Files of RocksDB: which of those that were there before a purge may still have rows' bytes.

Rule: a rewriting is believed by the files alone. RocksDB's library tells of none that was asked
for whether it failed; and files that RocksDB needs no more it removes when it comes to it. So a
purge is over when every log file that had rows is gone, and every table too, those excepted that
RocksDB still reads and that have no key of what is purged.

What is not here: RocksDB itself (see `osd.rocks`).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

LINGERING_S = 10.0
"""Files that RocksDB needs no more are gone in milliseconds; they are waited for no longer."""
LOOK_S = 0.002


def written_logs(folder: Path) -> set[Path]:
    """The log files that have anything in them."""
    return {path for path in folder.glob("*.log") if _size(path)}


def tables(folder: Path) -> set[Path]:
    """The table files, be they read or not."""
    return set(folder.glob("*.sst"))


def left_behind(
    before: Iterable[Path],
    live: Callable[[], Iterable[Mapping[str, Any]]],
    prefix: bytes,
    has_failed: Callable[[], bool],
) -> list[Path]:
    """What is left of these, given the time that RocksDB takes; `live` is asked for its own list.

    None of it matters that has no key which begins with `prefix`, if RocksDB still reads it.
    """
    give_up_at = time.monotonic() + LINGERING_S
    while left := _kept(before, live(), prefix):
        if has_failed() or time.monotonic() > give_up_at:
            break
        time.sleep(LOOK_S)
    return left


def past(prefix: bytes) -> bytes | None:
    """The first key after all that begin with `prefix`; None if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def _kept(before: Iterable[Path], live: Iterable[Mapping[str, Any]], prefix: bytes) -> list[Path]:
    reads = {str(table["name"]).lstrip("/"): table for table in live}
    return [
        path
        for path in sorted(before)
        if (_may_have(reads[path.name], prefix) if path.name in reads else path.exists())
    ]


def _may_have(table: Mapping[str, Any], prefix: bytes) -> bool:
    """Whether a table's keys reach into those that begin with `prefix`."""
    end = past(prefix)
    return bool(table["end_key"] >= prefix and (end is None or table["start_key"] < end))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # RocksDB needed it no more
