"""Addresses of logs.

Rule: an address says which kind of log and where; here is the one place that
knows all kinds. `sqlite:PATH` is a file, `kafka://HOST:PORT[,HOST:PORT]/CLUSTER`
a cluster of brokers. Logs in memory have no address and are made directly.
"""

from pathlib import Path

from eventlog.errors import BadName
from eventlog.log import Log, LogIdentity
from eventlog.sqlite import SqliteLog

SQLITE = "sqlite:"
KAFKA = "kafka://"


def open_log(url: str) -> Log:
    """An existing log.

    Raises `BadName`, `LogMissing`, `WrongLog`, `LogCorrupt`, `LogUnavailable`.
    """
    if url.startswith(KAFKA):
        from eventlog.kafka import KafkaLog

        return KafkaLog(url)
    return SqliteLog(_sqlite_path(url))


def create_log(url: str, identity: LogIdentity) -> Log:
    """A new, empty log; `WrongLog` where there is something already."""
    if url.startswith(KAFKA):
        from eventlog.kafka import KafkaLog

        return KafkaLog.create(url, identity)
    return SqliteLog.create(_sqlite_path(url), identity)


def _sqlite_path(url: str) -> Path:
    path = url.removeprefix(SQLITE)
    if path == url or not path or "\0" in path:
        raise BadName(
            f"{url!r} is not the address of a log",
            f"Write {SQLITE} and a file, as in {SQLITE}cluster.log, or {KAFKA}HOST:PORT/CLUSTER.",
        )
    return Path(path)
