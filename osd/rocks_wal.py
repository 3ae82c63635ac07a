"""RocksDB's write-ahead log, checked before RocksDB reads it.

Rule: what is opened is the state after some prefix of the applied changes,
and never a shorter one than was synced. Whatever stands behind the first
damaged or missing record was applied later: if it was never synced it is cut
off, else nothing is touched and the store is refused.

RocksDB's own recovery modes cannot tell these two apart, and all of them read
over a page of zeros as if nothing had been there. Format of the files:
github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format.

What is not here: opening RocksDB (see `osd.rocks`, which alone imports this).
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crc32c import crc32c

from osd.durable import REBUILD_HINT, disk_errors
from osd.errors import DiskFailed

BLOCK_BYTES = 32 * 1024

_HEADER = struct.Struct("<IHB")
_BATCH = struct.Struct("<QI")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


class WalBatch(NamedTuple):
    """One write batch: rows `first` to `first + rows - 1` of the store's sequence."""

    first: int
    rows: int
    end: int
    """Where it ends in its file, exclusive."""


def cut_unsynced_tail(folder: Path, in_tables: int, synced: int) -> int:
    """Leave only whole batches without a gap, after what the table files have.

    `in_tables` is the last sequence number in table files, `synced` the last
    one known to be durable. Returns the last one that is left. Raises
    `DiskFailed`, with nothing changed, if that is less than `synced`.
    """
    following = in_tables + 1
    cuts: list[tuple[Path, int]] = []
    for path in sorted(folder.glob("*.log"), key=lambda path: int(path.stem)):
        with disk_errors(f"cannot read {path}"):
            content = path.read_bytes()
        end, following = _good_part(content, following)
        if end < len(content):
            cuts.append((path, end))
    if following <= synced:
        where = f"{cuts[0][0]} at byte {cuts[0][1]:,}" if cuts else f"a file of {folder}"
        raise DiskFailed(
            f"rows {following:,} to {synced:,} were durable and are lost: {where} is damaged",
            REBUILD_HINT,
        )
    for path, end in cuts:
        _cut(path, end)
    return following - 1


def _good_part(content: bytes, following: int) -> tuple[int, int]:
    """Where whole batches without a gap end, and the sequence number that comes next."""
    end = 0
    for batch in read_batches(content):
        if batch.first > following:
            break
        following = max(following, batch.first + batch.rows)
        end = batch.end
    return end, following


def _cut(path: Path, end: int) -> None:
    with disk_errors(f"cannot cut {path}"), open(path, "r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())


def read_batches(content: bytes) -> Iterator[WalBatch]:
    """The batches of one file, up to the first record that is not whole."""
    head: bytes | None = None
    for kind, payload, end in _fragments(content):
        if kind in (_FULL, _FIRST):
            head = payload
        elif head is not None and len(head) < _BATCH.size:
            head += payload  # a block's end may cut even the first twelve bytes
        if head is None or kind not in (_FULL, _FIRST, _MIDDLE, _LAST):
            return
        if kind in (_FULL, _LAST):
            if len(head) < _BATCH.size:
                return
            first, rows = _BATCH.unpack_from(head)
            yield WalBatch(first, rows, end)
            head = None


def _fragments(content: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Kind, payload and end of each physical record; ends at the first bad one."""
    at = 0
    while True:
        if BLOCK_BYTES - at % BLOCK_BYTES < _HEADER.size:
            at += BLOCK_BYTES - at % BLOCK_BYTES
        if at + _HEADER.size > len(content):
            return
        masked, size, kind = _HEADER.unpack_from(content, at)
        end = at + _HEADER.size + size
        if end > len(content) or _masked(crc32c(content[at + 6 : end])) != masked:
            return
        yield kind, content[at + _HEADER.size : end], end
        at = end


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
