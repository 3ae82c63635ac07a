"""The whole log as Parquet files, partitioned by day, for those who have a lake.

Rule: each table is a folder of its own, and what has a time lies in one folder
a day, `day=2026-11-22`, by the log's own clock. Beside what people ask for, every
event is there in all its fields, below `said`; `positions` says how far the log
was read, and what stopped that. The folder is new, or refused; it appears whole or
not at all, and only where the facts reach as far as the events.

What is not there: the fields of events in a wrong partition, which nobody keeps.
"""

from collections.abc import Iterator
from pathlib import Path

from eventlog.columns import empty_tables
from eventlog.drafts import drafted
from projections.audit.database import Connection
from projections.audit.deriving import require_facts
from projections.audit.errors import AuditError
from projections.audit.loading import STORES, SUM
from projections.audit.scripts import script

BY_DAY = ("events", "holdings", "ops", "transfers", "void_events")
WHOLE = (
    "claims",
    "copy_history",
    "deletions",
    "map_changes",
    "misplaced_events",
    "object_versions",
    "placement",
)
SAID = "said"
_POSITIONS = (
    "SELECT topic, partition, next_offset, stopped_at, why FROM kept.positions ORDER BY ALL"
)


def export(connection: Connection, folder: Path) -> list[Path]:
    """Write every table; returns their folders. `AuditError` where there is something already."""
    if folder.exists():
        raise AuditError(f"{folder} exists already", "Name a folder that is to be made.")
    require_facts(connection)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with drafted(folder) as draft:
        names = sorted(_write(connection, draft))
    return [folder / name for name in names]


def stops(connection: Connection) -> list[tuple[str, str]]:
    """Positions from which on a partition could not be read, and so is not there; and why."""
    return connection.execute(script("checks/stops")).fetchall()


def _write(connection: Connection, draft: Path) -> Iterator[str]:
    tables = {name: f"SELECT * FROM {name}" for name in BY_DAY}  # noqa: S608 - names from here
    tables |= {
        f"{SAID}/{name}": _said(name, kept.column_names) for name, kept in empty_tables().items()
    }
    for name, query in tables.items():
        (draft / name).mkdir(parents=True)
        by_day = f'SELECT *, "timestamp"::DATE AS day FROM ({query})'  # noqa: S608
        _copy(connection, by_day, draft / name, ", PARTITION_BY (day)")
        yield name
    wholes = {name: f"FROM {name}" for name in WHOLE} | {"positions": _POSITIONS}
    for name, query in wholes.items():
        (draft / name).mkdir(parents=True)
        _copy(connection, query, draft / name / "data.parquet")
        yield name


def _said(name: str, columns: list[str]) -> str:
    """Events of one kind in their own fields, with times and sums as people read them."""
    shown = ['moment("timestamp") AS "timestamp"', 'moment("time") AS "time"']
    if SUM in columns:
        shown.append(f"sum_text({SUM}) AS {SUM}")
    left, said = '"load"', f'said."{name}"'
    if STORES in columns:
        left, said = f"{left}, list", f"{said} JOIN kept.lists USING (list)"
    return f"SELECT * EXCLUDE ({left}) REPLACE ({', '.join(shown)}) FROM {said}"  # noqa: S608


def _copy(connection: Connection, query: str, target: Path, options: str = "") -> None:
    quoted = str(target).replace("'", "''")
    connection.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd{options})")
