"""Deriving: what became of the events that are loaded, and of every copy.

Rule: it is found in SQL, from the events and from what was derived of those
before; no fold is asked. RGs have nothing to do with each other, so a
partition's facts are derived when somebody asks about it, up to the end of what
is loaded; a transaction has some partitions, or a part of one, and how far.

See `sql/`, in the order of `_derive`.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from eventlog.columns import empty_tables
from eventlog.ids import Partition
from eventlog.log import LogIdentity
from projections.audit.database import Connection, transaction, writing
from projections.audit.errors import AuditError
from projections.audit.scripts import script

BATCH_EVENTS = 1_000_000
"""Events of one transaction: so many that its cost is shared, so few that they fit in memory."""

Progress = Callable[[int, int], None]
"""Is told of how many events the facts are derived, and how many there were."""

_BEHIND = """
    SELECT d.partition, d.next_offset, p.next_offset, d.first_load
    FROM kept.derived d JOIN kept.positions p ON p.partition = d.partition
    WHERE p.topic = 'rg' AND d.next_offset < p.next_offset
    ORDER BY d.partition
"""
_DOUBTS_DIFFER = """
    SELECT count(*) FROM (
        (FROM doubts EXCEPT FROM new_doubts) UNION ALL (FROM new_doubts EXCEPT FROM doubts)
    )
"""


class Stretch(NamedTuple):
    """Loaded events of one partition of which nothing is derived yet."""

    partition: Partition
    start: int
    end: int
    first_load: int

    @property
    def events(self) -> int:
        """How many."""
        return self.end - self.start


def derive(
    path: Path,
    identity: LogIdentity,
    partitions: Iterable[Partition] | None = None,
    progress: Progress | None = None,
    batch_events: int = BATCH_EVENTS,
) -> int:
    """Bring the facts of these partitions, or of all, to the end of what is loaded.

    Returns of how many events. Raises `AuditBusy`, `AuditForeign`.
    """
    with writing(path, identity) as connection:
        wanted = None if partitions is None else set(partitions)
        due = [s for s in behind(connection) if wanted is None or s.partition in wanted]
        total, done = _count(due), 0
        for batch in _batches(due, batch_events):
            with transaction(connection):
                _derive(connection, batch)
                _note(connection)
            done += _count(batch)
            if progress is not None:
                progress(done, total)
    return total


def behind(connection: Connection) -> list[Stretch]:
    """What is loaded and not derived."""
    return [Stretch(Partition(p), *rest) for p, *rest in connection.execute(_BEHIND).fetchall()]


def partitions_of(connection: Connection, name: str) -> set[Partition]:
    """The partitions in which an operation names this object: one, unless something is wrong."""
    rows = connection.execute(
        "SELECT DISTINCT partition FROM kept.said_operations WHERE object = ?", [name]
    ).fetchall()
    return {Partition(partition) for (partition,) in rows}


def require_facts(connection: Connection, name: object = None) -> None:
    """All facts, or those of the partition of the one object that is asked about, are derived.

    Raises `AuditError` where they are not.
    """
    late = {stretch.partition for stretch in behind(connection)}
    if late and isinstance(name, str):
        late &= partitions_of(connection, name)
    if late:
        raise AuditError(
            f"the facts of {len(late)} {'partition' if len(late) == 1 else 'partitions'} are behind"
            " what is loaded of the log",
            "Run it again when no other process has the audit database open.",
        )


def _count(stretches: Iterable[Stretch]) -> int:
    return sum(stretch.events for stretch in stretches)


def _batches(due: Iterable[Stretch], events: int) -> Iterator[list[Stretch]]:
    """Whole partitions together as long as they are few events; long ones in pieces."""
    batch: list[Stretch] = []
    for stretch in due:
        for start in range(stretch.start, stretch.end, events):
            piece = stretch._replace(start=start, end=min(start + events, stretch.end))
            if batch and _count([*batch, piece]) > events:
                yield batch
                batch = []
            batch.append(piece)
    if batch:
        yield batch


def _derive(connection: Connection, batch: list[Stretch]) -> None:
    _choose(connection, batch)
    connection.execute(script("operations"))
    while _changed(connection, script("sequences")):
        pass
    connection.execute(script("accepted"))
    connection.execute(script("facts"))
    while _doubt(connection):
        connection.execute(script("facts"))
    connection.execute(script("keep"))


def _choose(connection: Connection, batch: list[Stretch]) -> None:
    """Name the batch's events: `in_<Event>`."""
    connection.execute(
        'CREATE OR REPLACE TEMP TABLE batch (partition INTEGER, "from" BIGINT, "to" BIGINT)'
    )
    connection.executemany("INSERT INTO batch VALUES (?, ?, ?)", [list(s[:3]) for s in batch])
    first, last = batch[0].partition, batch[-1].partition
    load = min(stretch.first_load for stretch in batch)
    for name in empty_tables():
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW in_{name} AS"  # noqa: S608 - numbers and names of events
            f' SELECT s.* FROM said."{name}" s JOIN batch b'
            f' ON b.partition = s.partition WHERE s."load" >= {load}'
            f" AND s.partition BETWEEN {first} AND {last}"
            ' AND s."offset" >= b."from" AND s."offset" < b."to"'
        )


def _note(connection: Connection) -> None:
    """Remember how far the chosen stretches reach."""
    connection.execute(
        'UPDATE kept.derived SET next_offset = b."to" FROM batch b'
        " WHERE b.partition = derived.partition"
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
