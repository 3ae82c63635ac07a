"""Questions that people write themselves, and what keeps them from doing harm.

Rule: a question reads the audit database and nothing else, for so long and in
so much memory as it is given. DuckDB itself sees to it: the file is opened
read-only, access to all other files, databases and extensions is off, and so
is changing any of these settings.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow.parquet as pq

from eventlog.log import LogIdentity
from projections.audit.database import Connection, reading
from projections.audit.errors import QueryRefused

_SETTINGS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
)
_QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_PIECE_ROWS = 10_000


class Limits(NamedTuple):
    """What one question may cost."""

    seconds: float = 60.0
    memory: str = "1GiB"


class Answer:
    """What a question found, row by row; it may be walked once."""

    def __init__(self, found: Connection) -> None:
        self._found = found
        self.columns: Sequence[str] = [column[0] for column in found.description or ()]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Each row, as Python values. Raises `QueryRefused`."""
        with _explained():
            while rows := self._found.fetchmany(_PIECE_ROWS):
                yield from rows


class Asker:
    """Answers questions from one audit database, one at a time."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        with _explained():
            connection.execute("SET memory_limit = ?", [limits.memory])
        for setting in _SETTINGS:
            connection.execute(setting)
        connection.execute("SET lock_configuration = true")

    @contextmanager
    def ask(self, sql: str) -> Iterator[Answer]:
        """The answer to one question, while it may be read. Raises `QueryRefused`."""
        question = _one_question(sql)
        with self._limited():
            with _explained():
                found = self._connection.execute(question)
            yield Answer(found)

    def write_parquet(self, sql: str, path: Path) -> int:
        """The answer as a Parquet file; returns how many rows. Raises `QueryRefused`."""
        question, count = _one_question(sql), 0
        with self._limited(), _explained():
            reader = self._connection.sql(question).to_arrow_reader(_PIECE_ROWS)
            with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
                for batch in reader:
                    writer.write_batch(batch)
                    count += batch.num_rows
        return count

    @contextmanager
    def _limited(self) -> Iterator[None]:
        timer = threading.Timer(self._limits.seconds, self._connection.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextmanager
def asking(
    path: Path, identity: LogIdentity | None = None, limits: Limits | None = None
) -> Iterator[Asker]:
    """An audit database that may be asked anything. Raises as `reading` does."""
    with reading(path, identity) as connection:
        yield Asker(connection, limits or Limits())


def _one_question(sql: str) -> duckdb.Statement:
    with _explained():
        statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise QueryRefused(
            f"there are {len(statements)} statements in this query", "Write one question."
        )
    if statements[0].type not in _QUESTIONS:
        raise QueryRefused(
            f"a query may only ask, and this is {_kind(statements[0])}",
            "Write SELECT, FROM, WITH, DESCRIBE, SHOW or EXPLAIN; the database is read-only.",
        )
    return statements[0]


def _kind(statement: duckdb.Statement) -> str:
    return str(statement.type.name).replace("_", " ")


@contextmanager
def _explained() -> Iterator[None]:
    """DuckDB's errors as ours."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryRefused(
            "the query took longer than it may",
            "Ask for less, or give it more time with --seconds.",
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise QueryRefused(
            "the query needs more memory than it may have",
            "Ask for less, or give it more with --memory, as in --memory 4GiB.",
        ) from error
    except duckdb.PermissionException as error:
        raise QueryRefused(
            f"the query may read the audit database only: {_first_line(error)}",
            "Write what it finds to a file with --csv or --parquet instead.",
        ) from error
    except duckdb.Error as error:
        raise QueryRefused(
            f"the query is wrong: {str(error).strip()}",
            "`SHOW TABLES` lists the views, `DESCRIBE copies` the columns of one.",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
