"""Addresses of logs.

Rule: an address says which kind of log and where; here is the one place that
knows all kinds. `sqlite:PATH` is a file, `kafka://HOST:PORT[,HOST:PORT]/CLUSTER`
a cluster of brokers, `state:PATH` an export of either, which is only read.
Logs in memory have no address and are made directly.
"""

from pathlib import Path

from eventlog.errors import BadName
from eventlog.log import Log, LogIdentity
from eventlog.sqlite import SqliteLog

SQLITE = "sqlite:"
STATE = "state:"
KAFKA = "kafka://"


def open_log(url: str) -> Log:
    """An existing log.

    Raises `BadName`, `LogMissing`, `WrongLog`, `LogCorrupt`, `LogUnavailable`.
    """
    if url.startswith(KAFKA):
        from eventlog.kafka import KafkaLog

        return KafkaLog(url)
    if url.startswith(STATE):
        from eventlog.state_file import StateFile

        return StateFile(_path(url, STATE))
    return SqliteLog(_path(url, SQLITE))


def create_log(url: str, identity: LogIdentity) -> Log:
    """A new, empty log; `WrongLog` where there is something already."""
    if url.startswith(KAFKA):
        from eventlog.kafka import KafkaLog

        return KafkaLog.create(url, identity)
    if url.startswith(STATE):
        raise BadName(f"{url!r} is an export, and no log", "Make one with `osdlog export-state`.")
    return SqliteLog.create(_path(url, SQLITE), identity)


def _path(url: str, scheme: str) -> Path:
    path = url.removeprefix(scheme)
    if path == url or not path or "\0" in path:
        raise BadName(
            f"{url!r} is not the address of a log",
            f"Write {SQLITE} and a file, as in {SQLITE}cluster.log, {KAFKA}HOST:PORT/CLUSTER,"
            f" or {STATE}FILE of an export.",
        )
    return Path(path)
