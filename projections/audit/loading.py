"""Loading: events into the audit database, as they were said.

Rule: a table for each kind of event, in the event's own fields, and nothing is
asked about what they mean: that costs more, and is found when somebody wants to
know (`audit.deriving`). Events that stand in the partition of another RG are
kept apart, for nobody folds them. Lists of stores, which are few and long, stand as their numbers.

A load has a number. It grows with the log, so that what is new is found
without a walk through what is old.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection as Connection

from eventlog.columns import empty_tables
from projections.audit.scripts import script

STORES = "stores"
SUM = "sha256"
WORDS = ("a", "b", "c", "d")
"""A SHA-256 is kept as four big-endian numbers: chance has no shorter form, and trying to find
one is half of what an event costs."""


def make_tables(connection: Connection) -> None:
    """The empty tables of the schema `said`."""
    for name, nothing in empty_tables().items():
        connection.register("said_rows", _kept(nothing))
        connection.execute(
            f'CREATE TABLE said."{name}" AS'  # noqa: S608 - names of events
            f' SELECT 0::INTEGER AS "load", * FROM {_numbered(nothing)} LIMIT 0'
        )
        connection.unregister("said_rows")


def load(connection: Connection, decoded: Mapping[str, pa.Table], partitions: int) -> None:
    """Add these events, by name; part of the caller's transaction."""
    number = _next_load(connection)
    for name, table in decoded.items():
        connection.register("said_rows", _kept(table))
        if STORES in table.column_names:
            connection.execute(script("lists"))
        connection.execute(
            f'INSERT INTO said."{name}" SELECT {number}, *'  # noqa: S608
            f" FROM {_numbered(table)} WHERE rg % {partitions} = partition"
        )
        connection.execute(
            'INSERT INTO kept.misplaced SELECT rg, partition, "offset", "timestamp", ?'  # noqa: S608
            f" FROM said_rows WHERE rg % {partitions} <> partition",
            [name],
        )
        connection.unregister("said_rows")
    _note_more(connection, number)


def _numbered(table: pa.Table) -> str:
    """The table that is registered, with the number of each list of stores."""
    if STORES not in table.column_names:
        return "said_rows"
    return "(FROM said_rows JOIN kept.lists USING (stores) SELECT * EXCLUDE (stores))"


def _next_load(connection: Connection) -> int:
    connection.execute("UPDATE kept.meta SET loads = loads + 1")
    [(number,)] = connection.execute("SELECT loads FROM kept.meta").fetchall()
    return int(number)


def _note_more(connection: Connection, number: int) -> None:
    """Partitions whose facts were all derived now have more from this load on."""
    connection.execute(
        "UPDATE kept.derived SET first_load = ? WHERE NOT EXISTS ("
        " FROM kept.positions p WHERE p.topic = 'rg' AND p.partition = derived.partition"
        " AND p.next_offset > derived.next_offset)",
        [number],
    )


def _kept(table: pa.Table) -> pa.Table:
    """The table in the types that are kept."""
    if SUM not in table.column_names:
        return table
    chunks = [_words(chunk) for chunk in table[SUM].chunks]
    kind = pa.struct([(word, pa.uint64()) for word in WORDS])
    place = table.column_names.index(SUM)
    return table.set_column(place, SUM, pa.chunked_array(chunks, kind))


def _words(sums: pa.Array) -> pa.Array:
    """Four numbers for each sum, read from where Arrow's views say it lies."""
    views = np.frombuffer(sums.buffers()[1], np.int32).reshape(-1, 4)
    starts = views[sums.offset : sums.offset + len(sums), 3]
    data = sums.buffers()[2]
    words = np.ndarray((data.size - 7,), ">u8", data, strides=(1,))
    columns = [words[starts + 8 * place].astype(np.uint64) for place in range(len(WORDS))]
    return pa.StructArray.from_arrays(list(map(pa.array, columns)), WORDS)
