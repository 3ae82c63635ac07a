"""Auditing: how a command gets its audit database, up to the end of the log.

Rule: the database lies beside an embedded log, else in the working directory,
unless it is named. It is brought up to the log's end first, and the facts to
that; those of one object's partition alone where only that is asked about.
Where another process holds it, what it has is used, and said, unless all is
asked for; where the log has been replaced, nothing is, until somebody says --rebuild.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from eventlog.log import Log, LogIdentity

SUFFIX = ".audit"


class Audit(NamedTuple):
    """An audit database, and whose log it follows."""

    path: Path
    identity: "LogIdentity"
    read_on: Callable[[], None]
    """Brings it up to the log's end once more."""


@contextmanager
def followed(
    url: str | None,
    db: Path | None,
    *,
    sync: bool = True,
    rebuild: bool = False,
    object_name: str | None = None,
    is_whole: bool = False,
) -> Iterator[Audit]:
    """The audit database of that log, up to date as far as can be.

    `object_name`: the only object that will be asked about. `is_whole`: nothing
    but all of it will do; then it raises `AuditBusy` where others are said to hold it.
    """
    from eventlog.open import open_log
    from osd.config import log_url
    from projections.audit.database import discard

    with open_log(log_url(url)) as log:
        path = db or default_path(log)
        if rebuild:
            discard(path)
        bring = partial(_bring_up_to_date, path, log, object_name, is_whole=is_whole)
        bring(load=sync or not path.exists())
        read_on = partial(bring, load=True)
        yield Audit(path, log.identity, read_on)


def default_path(log: "Log") -> Path:
    """Beside the file of an embedded log; else in the working directory."""
    from eventlog.sqlite import SqliteLog

    if isinstance(log, SqliteLog):
        return log.path.with_name(log.path.name + SUFFIX)
    return Path(f"osdlog-{log.identity.cluster}{SUFFIX}")


def _bring_up_to_date(
    path: Path, log: "Log", object_name: str | None, *, is_whole: bool, load: bool
) -> None:
    from osd.cli.output import note
    from projections.audit.errors import AuditBusy

    try:
        if load:
            _load(path, log)
        _derive(path, log, object_name)
    except AuditBusy as error:
        if is_whole or not path.exists():
            raise
        note(f"not brought up to date: {error.what}")


def _load(path: Path, log: "Log") -> None:
    from osd.cli.output import note
    from osd.cli.progress import counter
    from osd.client.cluster_status import followed_places
    from osd.client.history_cut import naming_cuts
    from projections.audit.sync import follow

    with counter("events") as progress, naming_cuts(log, followed_places(log)):
        synced = follow(path, log, progress)
    for (topic, partition), why in sorted(synced.stops.items()):
        note(f"{topic}/{partition} is not read to its end: {why}")


def _derive(path: Path, log: "Log", object_name: str | None) -> None:
    from osd.cli.progress import counter
    from projections.audit.database import reading
    from projections.audit.deriving import behind, derive, partitions_of

    with reading(path, log.identity) as connection:
        wanted = {stretch.partition for stretch in behind(connection)}
        if object_name is not None:
            wanted &= partitions_of(connection, object_name)
    if wanted:
        with counter("facts of events") as progress:
            derive(path, log.identity, wanted, progress)
