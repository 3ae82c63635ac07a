"""A log on disk that tests may damage, and all the ways to read one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from contracts.logs import IDENTITY, drain, entry
from eventlog.errors import LogCorrupt, LogError
from eventlog.ids import Offset
from eventlog.log import Log, Record, TopicPartition
from eventlog.places import all_places
from eventlog.sqlite import SqliteLog

PLACES = all_places(IDENTITY)
Contents = dict[TopicPartition, list[Record]]


def fill(log: Log, records: int = 400) -> Contents:
    """Small and large records in all partitions; what it gives is what must be read."""
    random = Random(5)
    for number in range(records // 4):
        sizes = (20, 180, 20, 9_000 if number % 20 == 0 else 60)
        log.append([entry(random.randrange(8), random.randbytes(size)) for size in sizes])
    return {place: log.read(*place, Offset(0)) for place in PLACES}


def copy_to(log: Path, directory: Path) -> Path:
    """A copy of all its files, as a crash would leave them; what is mapped stays behind."""
    directory.mkdir()
    for path in log.parent.glob(log.name + "*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, directory / path.name)
    return directory / log.name


def flip(path: Path, at: int, mask: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        [old] = file.read(1)
        file.seek(at)
        file.write(bytes([old ^ mask]))


def check_reads(path: Path, contents: Contents) -> bool:
    """Whether the log was found damaged; fails if anything that it gave is wrong.

    Reads by partition and by tail, asks for the ends, appends, and reads again.
    """
    try:
        log = SqliteLog(path, patience_s=0.1)
    except LogError:
        return True
    with log:
        uses = (_read_partitions, _ask_ends, _read_tail, _read_all_by_tail, _append)
        refused = [_is_refused(use, log, contents) for use in uses]
        return any(refused)


def _is_refused(use: Callable[[Log, Contents], None], log: Log, contents: Contents) -> bool:
    try:
        use(log, contents)
    except LogCorrupt:
        return True
    return False


def _read_partitions(log: Log, contents: Contents) -> None:
    errors: list[LogError] = []
    for place, records in contents.items():
        got: list[Record] = []
        try:
            while some := log.read(*place, Offset(len(got)), max_records=50):
                got += some
            assert got == records
        except LogError as error:
            errors.append(error)
        assert got == records[: len(got)], f"a wrong record of {place}"
    if errors:
        raise errors[0]


def _ask_ends(log: Log, contents: Contents) -> None:
    assert log.end_offsets(PLACES) == {place: len(records) for place, records in contents.items()}


def _read_tail(log: Log, contents: Contents) -> None:
    """Each partition alone, so that damage in one is not met for another."""
    for place, records in contents.items():
        tail = log.tail()
        try:
            tail.follow(*place, Offset(0))
            assert drain(tail, 30) == records
        finally:
            tail.close()


def _read_all_by_tail(log: Log, contents: Contents) -> None:
    tail = log.tail()
    try:
        for place in contents:
            tail.follow(*place, Offset(0))
        got: Contents = {place: [] for place in contents}
        for record in drain(tail, 70):
            got[record.topic, record.partition].append(record)
        assert got == contents
    finally:
        tail.close()


def _append(log: Log, contents: Contents) -> None:
    """The ends that are given must be right, and all must be read with what was there."""
    new = [entry(number % 8, b"%d" % number * 30) for number in range(40)]
    positions = log.append(new)
    later = {place: list(records) for place, records in contents.items()}
    for each, position in zip(new, positions, strict=True):
        place = (each.topic, each.partition)
        assert position.offset == len(later[place])
        [record] = log.read(*place, position.offset, max_records=1)
        assert record.value == each.value
        later[place].append(record)
    _read_partitions(log, later)
    _ask_ends(log, later)
