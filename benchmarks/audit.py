"""The audit: loading a log into its database, deriving facts from it, and what questions then cost.

Rule: the log is made by `benchmarks.made_log` before anything is measured, or is the file that
AUDIT_LOG names, so that it need not be made again. All that is measured runs on one core, and its
own time there is what counts; how long it took by the clock stands beside. The plain loop that
loading is measured against decodes record by record and inserts row by row.
"""

import os
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from benchmarks.made_log import RGS, make
from benchmarks.table import Row
from eventlog.chunk_reading import read_chunks
from eventlog.codec import Decoder
from eventlog.columns import ColumnDecoder
from eventlog.ids import Offset, Partition, Topic
from eventlog.rg_events import ObjectPut
from eventlog.sqlite import SqliteLog
from projections.audit.database import Connection, reading
from projections.audit.deriving import derive
from projections.audit.reports import report
from projections.audit.sync import follow, sync

EVENTS = int(os.environ.get("AUDIT_EVENTS", "10000000"))
LOG = os.environ.get("AUDIT_LOG")
PLAIN_EVENTS = 100_000
TIMES = 5
DAY = ("2025-11-14", "2025-11-15")

_ONE = "SELECT * FROM object_versions WHERE object = ?"
_DELETIONS = "SELECT * FROM deletions WHERE time >= ?::TIMESTAMP AND time < ?::TIMESTAMP"


def run() -> Iterator[Row]:
    """Load, derive, ask."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    with tempfile.TemporaryDirectory() as folder:
        log_path, path = Path(LOG or Path(folder) / "log"), Path(folder) / "audit"
        if not log_path.exists():
            make(log_path, EVENTS)
        with SqliteLog(log_path) as log:
            yield from _decoding(log)
            yield _plain(log, Path(folder) / "plain")
            yield from _loading(log, path)
        with reading(path) as connection:
            yield from _asking(connection)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield Row("peak memory, all of the above", peak, "MiB", "2,048")


class Took(NamedTuple):
    """How long something took."""

    own: float
    """Seconds of the core."""
    clock: float

    def __add__(self, other: "Took") -> "Took":  # type: ignore[override]
        """Both, one after the other."""
        return Took(self.own + other.own, self.clock + other.clock)

    def rate(self, name: str, count: int, asked: str = "") -> Row:
        """So many events in that time."""
        note = f"by the clock {count / self.clock:,.0f}"
        return Row(name, count / self.own, "events/s", asked, note)

    def wait(self, name: str, asked: str = "") -> Row:
        """How long somebody who asked has waited."""
        return Row(name, 1_000 * self.own, "ms", asked, f"by the clock {1_000 * self.clock:,.0f}")


def _took(work: Callable[[], object]) -> Took:
    own, clock = time.process_time(), time.perf_counter()
    work()
    return Took(time.process_time() - own, time.perf_counter() - clock)


def _ends(log: SqliteLog) -> dict[Partition, Offset]:
    places = [(Topic.RG, Partition(number)) for number in range(RGS)]
    return {partition: end for (_, partition), end in log.end_offsets(places).items()}


def _decoding(log: SqliteLog) -> Iterator[Row]:
    ends = _ends(log)
    starts = dict.fromkeys(ends, Offset(0))
    count = sum(ends.values())

    def read() -> None:
        for _ in read_chunks(log, starts, ends):
            pass

    def decode() -> None:
        decoder = ColumnDecoder(log)
        for chunk in read_chunks(log, starts, ends):
            decoder.decode(chunk)

    yield _took(read).rate("read in chunks, sums checked", count)
    yield _took(decode).rate("and decoded into Arrow", count)


def _plain(log: SqliteLog, path: Path) -> Row:
    """By fastavro and executemany: puts alone, into one table, without any meaning."""
    decoder = Decoder(log)

    def load() -> None:
        rows = []
        for number in range(RGS):
            for record in log.read(Topic.RG, Partition(number), Offset(0), PLAIN_EVENTS // RGS):
                event = decoder.decode(record)
                if isinstance(event, ObjectPut):
                    rows.append((event.rg, record.offset, event.object, event.version, event.size))
        with sqlite3.connect(path) as table:
            table.execute("CREATE TABLE puts (rg, at, object, version, size)")
            table.executemany("INSERT INTO puts VALUES (?, ?, ?, ?, ?)", rows)
        table.close()

    return _took(load).rate("plain loop: fastavro, executemany, no facts", PLAIN_EVENTS)


def _loading(log: SqliteLog, path: Path) -> Iterator[Row]:
    count = sum(_ends(log).values())
    loading = _took(lambda: follow(path, log))
    yield loading.rate("loaded from SQLite", count)
    deriving = _took(lambda: derive(path, log.identity))
    yield deriving.rate("facts derived from what is loaded", count)
    yield (loading + deriving).rate("sync from SQLite: both together", count, "1,000,000")
    size = path.stat().st_size / count
    yield Row("database", size, "MB a million events", "", f"{count:,} events")
    yield _took(lambda: sync(path, log)).wait("sync when nothing is new")


def _asking(connection: Connection) -> Iterator[Row]:
    names = [f"photos/2026/{number:09d}.jpg" for number in (1, 777, 31_415)]
    times = [
        _took(lambda name=name: connection.execute(_ONE, [name]).fetchall())  # type: ignore[misc]
        for name in names * TIMES
    ]
    yield sorted(times)[len(times) // 2].wait("object_versions of one object", "under 50")
    answer: list[pa.Table] = []
    took = _took(
        lambda: answer.append(connection.sql(_DELETIONS, params=list(DAY)).to_arrow_table())
    )
    name = f"{len(answer[0]):,} deletions of a day with their proofs, as Arrow"
    yield took.wait(name, "under 1,000")
    took = _took(lambda: report(connection, "integrity"))
    yield took.wait("the integrity audit", "under 30,000")
