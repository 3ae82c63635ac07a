"""The audit database: one DuckDB file, which log it follows, and how far.

Rule: whoever writes it is alone, and writes whole batches: what a batch brings
and the positions it covers are one transaction. Whoever reads it opens it
read-only, any number of them, and sees whole batches.

What is not here: what is in it (`sql/`), following the log (`audit.sync`).
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import duckdb
import pyarrow as pa

from eventlog.ids import Offset, Partition, Topic
from eventlog.log import LogIdentity, TopicPartition
from projections.audit.errors import AuditBusy, AuditError, AuditForeign
from projections.audit.interrupts import heeding, interruptible, interruption
from projections.audit.loading import make_tables
from projections.audit.scripts import script
from projections.voids import Void

FORMAT = 9
"""Raised with every change of the tables: a database of another format is refused, and the hint
names `--rebuild`, which makes it anew."""

MEMORY = "1GiB"

READ_BY = "v1.4.0"
"""The oldest duckdb program that opens the file. So views keep to its words: it has no `if`."""

CHECKPOINT = "128MiB"
"""So much is written beside the file before it goes into it. Each time the index of all names goes
there anew: at DuckDB's own 16 MiB that alone was 7 % of a sync of ten million events."""

_LOCKED = "IO Error: Could not set lock on file"

Connection = duckdb.DuckDBPyConnection

_POSITIONS = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("next_offset", pa.int64()),
        ("digest", pa.binary()),
        ("stopped_at", pa.int64()),
        ("why", pa.string()),
    ]
)


class Reached(NamedTuple):
    """How far one partition was read, and the digest of the last record before that."""

    next_offset: Offset
    digest: bytes
    stopped: str | None = None
    """Why it could not be read further, though there was more."""


def create(path: Path, identity: LogIdentity) -> None:
    """Make an empty database where there is none yet. Raises `AuditError`.

    Made under another name and then renamed: who is killed meanwhile leaves nothing at `path`.
    """
    draft = path.with_name(f"{path.name}.new")
    with _alone(path.parent), _translated(path):
        if path.exists():
            return
        _remove(path)
        _remove(draft)
        try:
            connection = _open(draft, read_only=False)
            try:
                with heeding(connection):
                    _fill(connection, identity)
            finally:
                connection.close()
            draft.rename(path)
        finally:
            _remove(draft)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process at a time makes a database there; the others wait some milliseconds."""
    held = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # where folders cannot be locked, DuckDB's own lock remains
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _fill(connection: Connection, identity: LogIdentity) -> None:
    connection.execute("BEGIN")
    connection.execute(script("tables"))
    make_tables(connection)
    connection.execute(script("views"))
    connection.execute(script("proofs"))
    meta = [FORMAT, identity.cluster, identity.partitions]
    connection.execute("INSERT INTO kept.meta VALUES (?, ?, ?, 0)", meta)
    connection.execute(
        "INSERT INTO kept.derived SELECT i, 0, 0 FROM range(?) t(i)", [identity.partitions]
    )
    connection.executemany(
        "INSERT INTO kept.rules VALUES (?, ?)", [[void.name, void.value] for void in Void]
    )
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT")


def discard(path: Path) -> None:
    """Remove an audit database, whatever log or version it is of; nothing else is removed.

    Raises `AuditBusy`, `AuditForeign`.
    """
    if not path.exists():
        return
    connection = _connect(path, read_only=True)
    try:
        connection.execute("SELECT format FROM kept.meta")
    except duckdb.CatalogException as error:
        raise AuditForeign(
            f"{path} is no audit database, and is left alone",
            "Name another file with --db, or remove this one if it is nobody's.",
        ) from error
    finally:
        connection.close()
    _remove(path)


def making_anew(path: Path) -> str:
    """The command that does it, with the file: without it, it is that of the log that is used."""
    return f"`osdlog audit --rebuild --db {quote(str(path))}`"


def _remove(path: Path) -> None:
    """With what DuckDB has written and not yet put into the file: it is of that very file only."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)


@contextmanager
def writing(path: Path, identity: LogIdentity) -> Iterator[Connection]:
    """The database for whoever adds to it; raises `AuditBusy`, `AuditForeign`, `AuditError`."""
    connection = _connect(path, read_only=False)
    try:
        with _translated(path), heeding(connection):
            _check(connection, path, identity)
            connection.execute(script("macros"))
            yield connection
    finally:
        connection.close()


@contextmanager
def reading(path: Path, identity: LogIdentity | None = None) -> Iterator[Connection]:
    """The database for whoever only asks; raises `AuditBusy`, `AuditForeign`, `AuditError`."""
    if not path.exists():
        raise AuditForeign(f"there is no audit database at {path}", "Run `osdlog audit` first.")
    connection = _connect(path, read_only=True)
    try:
        with _translated(path), heeding(connection):
            _check(connection, path, identity)
            yield connection
    finally:
        connection.close()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """What stops DuckDB though nothing is wrong in what it was asked."""
    try:
        with interruptible():
            yield
    except duckdb.InterruptException as error:  # whose time is limited tells of that itself
        raise interruption() from error
    except duckdb.OutOfMemoryException as error:
        raise AuditError(
            f"the audit database {path} needs more memory than it has: {_first_line(error)}",
            "See that there are 2 GiB, and room beside it on its disk, and run it again.",
        ) from error
    except (duckdb.FatalException, duckdb.IOException, duckdb.TransactionException) as error:
        raise AuditError(
            f"what was begun with the audit database {path} failed: {_first_line(error)}",
            "Check the disk, and whether there is room. What was whole is kept: run it again.",
        ) from error


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All of what is done inside, or nothing."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # after some failures there is nothing left to roll back
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def reached(connection: Connection) -> dict[TopicPartition, Reached]:
    """How far every partition was read; those that are absent were not begun."""
    rows = connection.execute(
        "SELECT topic, partition, next_offset, digest, why FROM kept.positions"
    ).fetchall()
    return {
        (Topic(topic), Partition(partition)): Reached(Offset(offset), digest, why)
        for topic, partition, offset, digest, why in rows
    }


def note(connection: Connection, positions: Mapping[TopicPartition, Reached]) -> None:
    """Remember how far these were read; part of the caller's transaction."""
    rows = pa.Table.from_pylist(
        [
            {
                "topic": topic.value,
                "partition": partition,
                "next_offset": found.next_offset,
                "digest": found.digest,
                "stopped_at": None if found.stopped is None else found.next_offset,
                "why": found.stopped,
            }
            for (topic, partition), found in positions.items()
        ],
        _POSITIONS,
    )
    connection.register("noted", rows)
    connection.execute(
        "DELETE FROM kept.positions USING noted n"
        " WHERE n.topic = positions.topic AND n.partition = positions.partition"
    )
    connection.execute("INSERT INTO kept.positions FROM noted")
    connection.unregister("noted")


def _open(path: Path, *, read_only: bool) -> Connection:
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "preserve_insertion_order": "false",
        "storage_compatibility_version": READ_BY,
        "checkpoint_threshold": CHECKPOINT,
        # For a file of another kind DuckDB would fetch, from the network, what opens it.
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    # Whole, or DuckDB takes `md:name` for the name of a service.
    return duckdb.connect(path.absolute(), read_only=read_only, config=settings)


def _connect(path: Path, *, read_only: bool) -> Connection:
    try:
        return _open(path, read_only=read_only)
    except duckdb.IOException as error:
        if str(error).startswith(_LOCKED):
            raise AuditBusy(
                f"another process has {path} open",
                "Wait until it has ended; any number may read while nobody writes.",
            ) from error
        raise AuditForeign(
            f"{path} is no audit database: {_first_line(error)}",
            "Name another file with --db. If it once was one, remove it: it can be made anew.",
        ) from error


def _check(connection: Connection, path: Path, identity: LogIdentity | None) -> None:
    try:
        row = connection.execute("SELECT format, cluster, partitions FROM kept.meta").fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None or row[0] != FORMAT:
        raise AuditForeign(
            f"{path} is no audit database of this version",
            f"Name another file with --db, or make it anew with {making_anew(path)}.",
        )
    if identity is not None and row[1:] != (identity.cluster, identity.partitions):
        raise AuditForeign(
            f"{path} is the audit database of cluster {row[1]}, not of {identity.cluster}",
            f"Name another file with --db, or make it anew with {making_anew(path)}.",
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


__all__ = [
    "AuditError",
    "Connection",
    "Reached",
    "create",
    "making_anew",
    "note",
    "reached",
    "reading",
    "transaction",
    "writing",
]
