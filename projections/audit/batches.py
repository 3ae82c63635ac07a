"""Batches: some events of a log into the audit database, and what they did.

Rule: what becomes of each event is found in SQL, from the events and from what
the tables say of those before; no fold is asked. See `sql/`, in the order of
`load`. The caller's transaction has all of it.
"""

from collections.abc import Mapping

import pyarrow as pa

from eventlog.columns import empty_tables
from projections.audit.database import Connection
from projections.audit.scripts import script

_DOUBTS_DIFFER = """
    SELECT count(*) FROM (
        (FROM doubts EXCEPT FROM new_doubts) UNION ALL (FROM new_doubts EXCEPT FROM doubts)
    )
"""


def load(connection: Connection, events: Mapping[str, pa.Table], partitions: int) -> None:
    """Add these events, by name, which go on where the tables end."""
    _stage(connection, events, partitions)
    connection.execute(script("operations"))
    while _changed(connection, script("sequences")):
        pass
    connection.execute(script("accepted"))
    connection.execute(script("facts"))
    while _doubt(connection):
        connection.execute(script("facts"))
    connection.execute(script("keep"))
    for name in empty_tables():
        connection.unregister(f"said_{name}")


def _stage(connection: Connection, events: Mapping[str, pa.Table], partitions: int) -> None:
    """Name the batch's tables, without events that stand in another RG's partition."""
    for name, nothing in empty_tables().items():
        connection.register(f"said_{name}", events.get(name, nothing))
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW in_{name} AS"
            f" FROM said_{name} WHERE rg % {partitions} = partition"
        )
        connection.execute(
            'INSERT INTO kept.misplaced SELECT rg, partition, "offset", "timestamp", ?'  # noqa: S608
            f" FROM said_{name} WHERE rg % {partitions} <> partition",
            [name],
        )


def _changed(connection: Connection, update: str) -> bool:
    row = connection.execute(update).fetchone()
    assert row is not None, "an update says how many rows it changed"
    return bool(row[0])


def _doubt(connection: Connection) -> bool:
    """Whether the facts contradict what was taken for granted when they were found."""
    connection.execute(script("doubts"))
    if not _changed(connection, _DOUBTS_DIFFER):
        return False
    connection.execute("CREATE OR REPLACE TEMP TABLE doubts AS FROM new_doubts")
    return True
