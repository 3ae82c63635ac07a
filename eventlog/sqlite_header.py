"""The first bytes and the length of an SQLite log, before SQLite opens it.

Rule: what SQLite would believe, or repair without a word, is compared here
first: a flipped page count makes it overwrite records, a flipped mode makes it
forget the write-ahead file. The layout is that of
https://www.sqlite.org/fileformat2.html#the_database_header.

Only the SQLite log imports this. It opens the file itself, and closing it
gives back the locks of the whole process: see `eventlog.sqlite_file`.
"""

import struct
from pathlib import Path

from eventlog.errors import WrongLog
from eventlog.sqlite_errors import damaged, unreadable

FORMAT = 1
APPLICATION = 0x6F73646C  # "osdl"
PAGE_BYTES = 4096
HEADER_BYTES = 100

# What is the same in the first 100 bytes of all these files: offset, layout, value.
_FIXED = (
    (16, ">H", PAGE_BYTES),
    (18, ">B", 2),  # written and
    (19, ">B", 2),  # read in WAL mode
    (20, ">4s", bytes((0, 64, 32, 32))),
    (44, ">I", 4),  # schema format
    (48, ">I", 0),  # cache size
    (52, ">I", 0),  # no auto-vacuum
    (56, ">I", 1),  # UTF-8
    (64, ">I", 0),  # no incremental vacuum
    (72, ">20s", bytes(20)),
)
_MAGIC = b"SQLite format 3\0"


def check_file(path: Path) -> None:
    """Compare what must be so.

    Raises `WrongLog`, `LogCorrupt`, `LogUnavailable`.
    """
    try:
        header = _header(path)
        _check_owner(header, path)
        _check_fixed(header, path)
        _check_length(path)
    except OSError as error:
        raise unreadable(path, error) from error


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER_BYTES)


def _check_owner(header: bytes, path: Path) -> None:
    if len(header) < HEADER_BYTES:
        raise WrongLog(
            f"{path} is not a log of this program: it has only {len(header)} bytes",
            "Check the address; if it is right, restore the file from a copy.",
        )
    (application,) = struct.unpack_from(">I", header, 68)
    if not header.startswith(_MAGIC) or application != APPLICATION:
        raise WrongLog(
            f"{path} is not a log of this program",
            "Check the address; if it is right, its first bytes are damaged: restore it.",
        )
    (number,) = struct.unpack_from(">I", header, 60)
    if number != FORMAT:
        raise WrongLog(
            f"the log {path} has format {number}, this program knows {FORMAT}",
            "Install the version that made it; if none did, the file is damaged: restore it.",
        )


def _check_fixed(header: bytes, path: Path) -> None:
    for offset, layout, expected in _FIXED:
        (value,) = struct.unpack_from(layout, header, offset)
        if value != expected:
            raise damaged(path, f"byte {offset} of its header is not what it always is")
    if header[24:28] != header[92:96]:
        raise damaged(path, "the change counters in its header differ")
    first_free, free = struct.unpack_from(">II", header, 32)
    if (first_free == 0) != (free == 0):
        raise damaged(path, "its header contradicts itself about free pages")


def _check_length(path: Path) -> None:
    # Only without a write-ahead file is the length known. Another process may be closing
    # the log, so a difference counts only if it stays.
    for _ in range(3):
        (pages,) = struct.unpack_from(">I", _header(path), 28)
        size = path.stat().st_size
        wal = path.with_name(path.name + "-wal")
        if size == pages * PAGE_BYTES or (wal.exists() and wal.stat().st_size > 0):
            return
    raise damaged(path, f"its header says {pages * PAGE_BYTES:,} bytes, but it has {size:,}")
