"""Returning: what a store is compared with before a new process of it acts.

Rule: every stored position is found in the log as it was read, or the store
does not start: a log that was truncated or replaced, also one refilled by
others since, is another log. No file is left that no row names, and a copy
whose file is missing is named before the first step.

What is not here: whose directory it is (see `osd.data_dir`).
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from eventlog.digest import record_digest
from eventlog.errors import LogReplaced
from eventlog.ids import Offset, Partition, Position, Topic, Version, partition_of
from eventlog.log import Log
from osd import keys
from osd.blobs import BlobId
from osd.core.inputs import Damaged
from osd.core.membership import MapPlace
from osd.core.node import Node
from osd.disk import Copy, Staged
from osd.rows import Rows

_REBUILD = (
    "Check the log's address, or put the newer log back. As a last resort --rebuild empties this "
    "disk: what no other store has is then lost."
)

_BODY_AT, _NUMBER = -9, 0xCF
"""The last value of a copy's row is its body: a number of a small one is 8 bytes after this one.
The id of a file is ASCII, and has no such byte. A node has very many rows of small bodies, and
reads all at its start."""


class Files(Protocol):
    """The files of a disk, as `osd.blobs` keeps them."""

    def ids(self) -> Iterator[BlobId]:
        """Every finished file."""
        ...

    def unlink(self, blobs: Iterable[BlobId]) -> None:
        """Remove these, present or not."""
        ...


def require_same_log(node: Node, rows: Rows, log: Log) -> None:
    """Compare what this store has read with what the log has there; raises `LogReplaced`."""
    data = rows.get(keys.MAP_KEY)
    if data is not None:
        place = msgspec.msgpack.decode(data, type=MapPlace)
        if place.next_offset > 0:
            last = Position(Topic.MAP, Partition(0), Offset(place.next_offset - 1))
            _require_record(log, last, place.digest)
    for rg, at in node.places():
        if at.last_offset is not None:
            partition = partition_of(rg, log.identity.partitions)
            _require_record(log, Position(Topic.RG, partition, at.last_offset), at.digest)


def sweep(rows: Rows, files: Files) -> list[Damaged]:
    """Remove files that no row names; returns the copies whose file is missing.

    A body that is no copy yet, staged or imported, is forgotten where its file is missing: if
    the log makes it a copy, that copy is then missed as any other.
    """
    left = set(files.ids())
    named: set[str] = set()
    missing: list[Damaged] = []
    void: dict[bytes, None] = {}
    for key, file in _bodies_in_files(rows):
        named.add(file)
        if file in left:
            continue
        if key.startswith(b"C"):
            missing.append(Damaged(keys.rg_of_key(key), Version(keys.last_number(key)), file))
        else:
            void[key] = None
    if void:
        rows.apply(void)
    files.unlink(sorted(left - named))
    return missing


def _bodies_in_files(rows: Rows) -> Iterator[tuple[bytes, str]]:
    """Every row that names a file, by its key, and the file."""
    decode, staged = msgspec.msgpack.Decoder(Copy).decode, msgspec.msgpack.Decoder(Staged).decode
    for kind in (b"C", b"I"):
        for key, data in rows.scan(kind):
            if data[_BODY_AT] == _NUMBER:
                continue
            copy = decode(data)
            if isinstance(copy.body, str):
                yield key, copy.body
    for key, data in rows.scan(b"S"):
        copy = staged(data).copy
        if isinstance(copy.body, str):
            yield key, copy.body


def _require_record(log: Log, position: Position, digest: bytes) -> None:
    try:
        records = log.read(position.topic, position.partition, position.offset, 1)
    except LogReplaced as error:
        raise LogReplaced(error.what, _REBUILD) from error
    if not records or record_digest(records[0].value) != digest:
        raise LogReplaced(
            f"the record at {position} is not the one that this store has read there", _REBUILD
        )
