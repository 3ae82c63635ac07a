"""Questions that people write themselves, and what keeps them from doing harm.

Rule: a question reads the audit database and nothing else, for so long and in
so much memory and on so much disk as it is given. What is done with its answer,
however slowly, takes none of its time. DuckDB itself sees to it: the file is
opened read-only, access to all other files, databases and extensions is off,
and so is changing any of these settings. What DuckDB does not see to is in
`audit.bounds`.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from eventlog.drafts import drafted
from eventlog.log import LogIdentity
from projections.audit.bounds import BoundedTime, bounded_memory
from projections.audit.database import Connection, reading
from projections.audit.errors import AuditError, QueryRefused
from projections.audit.interrupts import catch_up, interruptible

_SETTINGS = (
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
)
_QUESTIONS = ("SELECT", "EXPLAIN")
_ASK = "Write SELECT, FROM, WITH, DESCRIBE, SHOW or EXPLAIN; the database is read-only."
_SEVERAL = {"MULTI": "Name the values of a PIVOT: `PIVOT events ON type IN ('ObjectPut', ...)`."}
"""What to do about questions that DuckDB makes several statements of."""
PARQUET = b"PAR1"
"""How every Parquet file begins."""
_PIECE_ROWS = 2_048
_BATCH_ROWS = 10_000

SPILL_BYTES = 4 * 1024**3
SPILL_PART = 4
"""What does not fit in memory lies beside the database, perhaps on the log's own disk: of what is
free there, one question takes no more than one such part."""


class Limits(NamedTuple):
    """What one question may cost."""

    seconds: float = 60.0
    memory: str = "1GiB"


class Answer:
    """What a question found, row by row; it may be walked once."""

    def __init__(self, found: Connection, time: BoundedTime) -> None:
        self._found = found
        self._time = time
        self.columns: Sequence[str] = [column[0] for column in found.description or ()]
        """As they were asked for; two may have one name."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Each row, as Python values. Raises `QueryRefused`."""
        while rows := self._piece():
            yield from rows

    def _piece(self) -> list[tuple[Any, ...]]:
        with _explained(), self._time.working():
            return self._found.fetchmany(_PIECE_ROWS)


class Asker:
    """Answers questions from one audit database, one at a time."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        spill_bytes: int,
        give_up: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._give_up = give_up
        _limit_memory(connection, limits.memory)
        connection.execute("SET max_temp_directory_size = ?", [f"{spill_bytes}B"])
        for setting in _SETTINGS:
            connection.execute(setting)
        connection.execute("SET lock_configuration = true")

    @contextmanager
    def ask(self, sql: str) -> Iterator[Answer]:
        """The answer to one question, while it may be read. Raises `QueryRefused`.

        Also where whoever reads it has no memory left for it.
        """
        question, time = _one_question(sql), self._time()
        with self._undone():
            with _explained(), time.working():
                found = self._connection.execute(question)
            try:
                yield Answer(found, time)
            except MemoryError as error:
                raise _refused(error) from error

    def write_parquet(self, sql: str, path: Path) -> int:
        """The answer as a Parquet file; returns how many rows. Raises `QueryRefused`.

        Where it does not come to its end, no file is made, and none is replaced.
        """
        question, count = _one_question(sql), 0
        with drafted(path, PARQUET) as draft, self._undone(), _explained():
            time = self._time(draft)
            with time.working():
                reader = self._connection.sql(question).to_arrow_reader(_BATCH_ROWS)
            schema = _named_apart(reader.schema)
            with reader, pq.ParquetWriter(draft, schema, compression="zstd") as writer:
                while (batch := _next_batch(reader, time)) is not None:
                    writer.write_batch(batch.rename_columns(schema.names))
                    count += batch.num_rows
        return count

    @property
    def memory(self) -> str:
        """What DuckDB itself may use, as it writes it."""
        with _explained():
            asked = self._connection.execute("SELECT current_setting('memory_limit')")
            [(found,)] = asked.fetchall()
        return str(found)

    def _time(self, draft: Path | None = None) -> BoundedTime:
        def give_up() -> None:
            if self._give_up is not None:
                if draft is not None:
                    draft.unlink(missing_ok=True)
                self._give_up()

        return BoundedTime(self._limits.seconds, self._connection.interrupt, give_up)

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """Nothing remains of it: an EXPLAIN ANALYZE does what it explains, if only for itself."""
        self._roll_back()
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._roll_back()

    def _roll_back(self) -> None:
        """If there is anything; what interrupted the question does not interrupt this."""
        catch_up()
        with suppress(duckdb.Error), interruptible():
            self._connection.execute("ROLLBACK")


def _next_batch(reader: pa.RecordBatchReader, time: BoundedTime) -> pa.RecordBatch | None:
    with time.working():
        return next(reader, None)


def _limit_memory(connection: Connection, size: str) -> None:
    try:
        connection.execute("SET memory_limit = ?", [size])
    except duckdb.Error as error:
        raise QueryRefused(
            f"{size!r} is no size of memory", "Write it as 512MB or 4GiB."
        ) from error


@contextmanager
def asking(
    path: Path,
    identity: LogIdentity | None = None,
    limits: Limits | None = None,
    give_up: Callable[[], None] | None = None,
) -> Iterator[Asker]:
    """An audit database that may be asked anything. Raises as `reading` does.

    `give_up` is called, in another thread, where a question does not end though its time is over;
    without it such a question goes on.
    """
    with reading(path, identity) as connection:
        spill_bytes = min(SPILL_BYTES, shutil.disk_usage(path.parent).free // SPILL_PART)
        asker = Asker(connection, limits or Limits(), spill_bytes, give_up)
        with bounded_memory(asker.memory):
            yield asker


def too_long() -> QueryRefused:
    """What is said of a question whose time is over."""
    return QueryRefused(
        "the query took longer than it may", "Ask for less, or give it more time with --seconds."
    )


def names_apart(names: Sequence[str]) -> list[str]:
    """The same names, but a second `a` is `a_1`, as DuckDB names it in a table."""
    found: list[str] = []
    for name in names:
        number, apart = 0, name
        while apart in found:
            number += 1
            apart = f"{name}_{number}"
        found.append(apart)
    return found


def _named_apart(schema: pa.Schema) -> pa.Schema:
    names = names_apart(schema.names)
    return pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])


def _one_question(sql: str) -> duckdb.Statement:
    with _explained():
        statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise QueryRefused(
            f"there are {len(statements)} statements in this query", "Write one question."
        )
    kind = _kind(statements[0])
    if kind not in _QUESTIONS:
        raise QueryRefused(f"a query may only ask, and this is {kind}", _SEVERAL.get(kind, _ASK))
    return statements[0]


def _kind(statement: duckdb.Statement) -> str:
    try:
        return str(statement.type.name).replace("_", " ")
    except ValueError:  # its Python knows fewer kinds than DuckDB has
        return "another command"


@contextmanager
def _explained() -> Iterator[None]:
    """DuckDB's errors, and Arrow's about what DuckDB gives it, as ours."""
    try:
        with interruptible():
            yield
    except duckdb.PermissionException as error:
        raise QueryRefused(
            f"the query may read the audit database only: {_first_line(error)}",
            "Write what it finds to a file with --csv or --parquet instead.",
        ) from error
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _refused(error) from error


def _refused(error: Exception) -> AuditError:
    """By its words: what DuckDB says while Arrow reads comes as an `OSError`."""
    said = str(error).strip()
    kind = said.partition(" Error")[0]
    if kind == "INTERRUPT":
        return too_long()
    if kind == "Out of Memory" or isinstance(error, MemoryError):
        return QueryRefused(
            "the query needs more memory than it may have",
            "Ask for less, or give it more with --memory, as in --memory 4GiB.",
        )
    if kind == "IO":
        return AuditError(
            f"the audit database, or what a query puts beside it, cannot be read: {said}",
            "Check its disk, and whether there is room.",
        )
    if isinstance(error, OSError) and " Error" not in said:
        return AuditError(
            f"the answer cannot be written: {said}",
            "Name a file; a pipe can have it with --csv or --json.",
        )
    if isinstance(error, pa.ArrowException):
        return QueryRefused(
            f"Parquet has no form for the answer: {said}",
            "Cast that column to text or a number: `CAST(... AS VARCHAR)`.",
        )
    return QueryRefused(
        f"the query is wrong: {said}",
        "`SHOW TABLES` lists the views, `DESCRIBE copies` the columns of one.",
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
