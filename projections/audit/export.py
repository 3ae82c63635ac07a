"""The whole log as Parquet files, partitioned by day, for those who have a lake.

Rule: each table is a folder of its own, and what has a time lies in one folder
a day, `day=2026-11-22`, by the log's own clock. The folder is new, or refused.
"""

from pathlib import Path

from projections.audit.database import Connection
from projections.audit.errors import AuditError

BY_DAY = ("events", "holdings", "ops", "transfers", "void_events")
WHOLE = ("claims", "copy_history", "deletions", "map_changes", "object_versions")


def export(connection: Connection, folder: Path) -> list[Path]:
    """Write every table; returns their folders. `AuditError` where there is something already."""
    if folder.exists():
        raise AuditError(f"{folder} exists already", "Name a folder that is to be made.")
    folder.mkdir(parents=True)
    for name in BY_DAY:
        _copy(
            connection,
            f'SELECT *, "timestamp"::DATE AS day FROM {name}',  # noqa: S608 - names from here
            folder / name,
            "FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day)",
        )
    for name in WHOLE:
        (folder / name).mkdir()
        target = folder / name / "data.parquet"
        _copy(connection, f"FROM {name}", target, "FORMAT parquet, COMPRESSION zstd")
    return [folder / name for name in sorted((*BY_DAY, *WHOLE))]


def _copy(connection: Connection, query: str, target: Path, options: str) -> None:
    quoted = str(target).replace("'", "''")
    connection.execute(f"COPY ({query}) TO '{quoted}' ({options})")
