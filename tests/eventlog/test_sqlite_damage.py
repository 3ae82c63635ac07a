"""A damaged file is told, at opening or at its first bad record; it never gives a wrong answer."""

import sqlite3
from pathlib import Path
from random import Random

import pytest

from contracts.damaged_log import Contents, check_reads, copy_to, fill, flip
from contracts.logs import IDENTITY, P0, P1, RG, START, drain, entry, values
from eventlog.errors import LogCorrupt, WrongLog
from eventlog.ids import Offset
from eventlog.sqlite import SqliteLog
from eventlog.sqlite_file import head_sum
from eventlog.sqlite_turn import turn_file

HEADER_BYTES = 100
PAGE_BYTES = 4096
RECORDS = 400

HARMLESS = {*range(40, 44), *range(96, 100)}
"""Bytes of the header that mean nothing: a cookie of the schema, and the last SQLite's version."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A log that was closed, and what is in it."""
    path = tmp_path_factory.mktemp("whole") / "cluster.log"
    with SqliteLog.create(path, IDENTITY) as log:
        return path, fill(log, RECORDS)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A log as a crash leaves it, with commits in the write-ahead file, and what is in it."""
    directory = tmp_path_factory.mktemp("crashed")
    with SqliteLog.create(directory / "cluster.log", IDENTITY) as log:
        contents = fill(log, RECORDS)
        return copy_to(directory / "cluster.log", directory / "copy"), contents


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster.log"


def edit(path: Path, sql: str, *values: object) -> None:
    """Change a log as its program never would."""
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute(sql, values).rowcount == 1
    connection.close()


def test_an_undamaged_log_is_not_found_damaged(
    whole: tuple[Path, Contents], crashed: tuple[Path, Contents], tmp_path: Path
) -> None:
    for number, (source, contents) in enumerate((whole, crashed)):
        assert not check_reads(copy_to(source, tmp_path / str(number)), contents)


@pytest.mark.parametrize("at", range(HEADER_BYTES))
def test_a_flipped_header_byte_is_refused(
    whole: tuple[Path, Contents], tmp_path: Path, at: int
) -> None:
    source, contents = whole
    copy = copy_to(source, tmp_path / "copy")
    flip(copy, at, 1 << Random(at).randrange(8))
    if at in HARMLESS:
        assert not check_reads(copy, contents)
    else:
        with pytest.raises((LogCorrupt, WrongLog), match=r"restore|Restore"):
            SqliteLog(copy)


@pytest.mark.parametrize("page", range(1, 29))
def test_a_flipped_byte_gives_no_wrong_answer(
    whole: tuple[Path, Contents], tmp_path: Path, page: int
) -> None:
    """Three places in each page: its head, its pointers, and anywhere."""
    source, contents = whole
    random = Random(page)
    start = (page - 1) * PAGE_BYTES + (HEADER_BYTES if page == 1 else 0)
    for part in (8, 60, PAGE_BYTES - HEADER_BYTES):
        copy = copy_to(source, tmp_path / str(part))
        flip(copy, start + random.randrange(part), random.randrange(1, 256))
        check_reads(copy, contents)


def test_the_whole_log_was_tried(whole: tuple[Path, Contents]) -> None:
    assert whole[0].stat().st_size == 28 * PAGE_BYTES + PAGE_BYTES


def test_a_flipped_record_is_found(whole: tuple[Path, Contents], tmp_path: Path) -> None:
    source, contents = whole
    stored = source.read_bytes()
    for (topic, partition), records in contents.items():
        if not records:
            continue
        copy = copy_to(source, tmp_path / f"{topic}-{partition}")
        victim = records[len(records) // 2]
        flip(copy, stored.index(victim.value), 1)
        with SqliteLog(copy) as log:
            before = log.read(topic, partition, START)
            assert before == records[: len(records) // 2]
            wanted = f"the record at {victim.position} does not match its sum"
            with pytest.raises(LogCorrupt, match=wanted):
                log.read(topic, partition, victim.offset)
            after = Offset(victim.offset + 1)
            assert log.read(topic, partition, after) == records[after:]


@pytest.mark.parametrize(
    "size",
    [0, 1, 99, 100, 101, 4095, 4096, 4097, 8192, 20_480, 65_536, 100_000, 114_687, 118_783],
)
def test_a_shortened_file_is_refused(
    whole: tuple[Path, Contents], tmp_path: Path, size: int
) -> None:
    copy = copy_to(whole[0], tmp_path / "copy")
    with copy.open("r+b") as file:
        file.truncate(size)
    if size < HEADER_BYTES:
        with pytest.raises(WrongLog, match=f"not a log of this program: it has only {size} bytes"):
            SqliteLog(copy)
    else:
        wanted = f"its header says 118,784 bytes, but it has {size:,}. Restore the file"
        with pytest.raises(LogCorrupt, match=wanted):
            SqliteLog(copy)


def test_a_lengthened_file_is_refused(whole: tuple[Path, Contents], tmp_path: Path) -> None:
    copy = copy_to(whole[0], tmp_path / "copy")
    with copy.open("ab") as file:
        file.write(bytes(PAGE_BYTES))
    with pytest.raises(LogCorrupt, match=r"says 118,784 bytes, but it has 122,880"):
        SqliteLog(copy)


@pytest.mark.parametrize("seed", range(30))
def test_a_flipped_byte_of_the_write_ahead_file_loses_nothing_in_silence(
    crashed: tuple[Path, Contents], tmp_path: Path, seed: int
) -> None:
    source, contents = crashed
    copy = copy_to(source, tmp_path / "copy")
    wal = copy.with_name("cluster.log-wal")
    random = Random(seed)
    flip(wal, random.randrange(wal.stat().st_size), random.randrange(1, 256))
    assert check_reads(copy, contents)


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
def test_a_shortened_write_ahead_file_loses_nothing_in_silence(
    crashed: tuple[Path, Contents], tmp_path: Path, percent: int
) -> None:
    copy = copy_to(crashed[0], tmp_path / "copy")
    wal = copy.with_name("cluster.log-wal")
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size * percent // 100)
    for _ in range(2):
        with pytest.raises(LogCorrupt, match=r"has lost records: 400 were appended, .* are left"):
            SqliteLog(copy)


def test_a_removed_write_ahead_file_is_told_until_the_loss_is_accepted(
    crashed: tuple[Path, Contents], tmp_path: Path
) -> None:
    copy = copy_to(crashed[0], tmp_path / "copy")
    copy.with_name("cluster.log-wal").unlink()
    with pytest.raises(LogCorrupt) as refused:
        SqliteLog(copy)
    assert refused.value.hint.endswith(f"To go on without them, remove {turn_file(copy)}.")
    turn_file(copy).unlink()
    with SqliteLog(copy) as log:
        assert log.end_offsets([(RG, P0)]) == {(RG, P0): 0}
        log.append([entry(0, b"a")])


@pytest.mark.parametrize("note", [b"", b"12345678abcd", b"\xff" * 12, b"\xff" * 40])
def test_a_note_that_cannot_be_is_passed_over(path: Path, note: bytes) -> None:
    with SqliteLog.create(path, IDENTITY) as log:
        log.append([entry(0, b"a")])
    turn_file(path).write_bytes(note)
    with SqliteLog(path) as log:
        assert values(log.read(RG, P0, START)) == [b"a"]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE records SET value = x'00' WHERE seq = 5", "at rg/0@4 does not match its sum"),
        ("UPDATE records SET value = NULL WHERE seq = 5", "at rg/0@4 does not match its sum"),
        ("UPDATE records SET key = 7 WHERE seq = 5", "at rg/0@4 does not match its sum"),
        ("UPDATE records SET timestamp = 1.5 WHERE seq = 5", "at rg/0@4 does not match its sum"),
        ("UPDATE records SET crc = crc + 1 WHERE seq = 5", "at rg/0@4 does not match its sum"),
        ("UPDATE records SET crc = 'x' WHERE seq = 5", "at rg/0@4 does not match its sum"),
        (
            "UPDATE records SET partition = 1 WHERE seq = 5",
            "rg/0@4 is missing|rg/1@4 does not match",
        ),
        ("UPDATE records SET topic = 'gr' WHERE seq = 5", "(at rg/0@4 is missing|of append 5 doe)"),
        ("UPDATE records SET offset = 99 WHERE seq = 5", "at rg/0@4 is missing"),
        ("UPDATE records SET offset = 'x' WHERE seq = 5", "(at rg/0@4 is missing|of append 5 doe)"),
        ("DELETE FROM records WHERE seq = 5", "(the record at rg/0@4|append 5) is missing"),
    ],
)
@pytest.mark.parametrize("way", ["read", "behind", "joined"])
def test_what_came_before_a_bad_record_is_given_first(
    path: Path, way: str, sql: str, what: str
) -> None:
    with SqliteLog.create(path, IDENTITY) as log:
        tail = log.tail()
        tail.follow(RG, P0, START)
        if way == "joined":
            assert tail.poll(0) == []
        log.append([entry(0, b"%d" % number) for number in range(10)])
        edit(path, sql)
        if way == "read":
            assert values(log.read(RG, P0, START)) == [b"0", b"1", b"2", b"3"]
        else:
            assert values(tail.poll(0)) == [b"0", b"1", b"2", b"3"]
        for _ in range(2):
            with pytest.raises(LogCorrupt, match=what):
                log.read(RG, P0, Offset(4)) if way == "read" else tail.poll(0)
        tail.close()


def test_a_bad_record_of_another_partition_stops_the_shared_cursor(path: Path) -> None:
    """Its place may be what is damaged, and then it is one of ours."""
    with SqliteLog.create(path, IDENTITY) as log:
        tail = log.tail()
        tail.follow(RG, P0, START)
        assert tail.poll(0) == []
        log.append([entry(0, b"a"), entry(1, b"x"), entry(0, b"b")])
        edit(path, "UPDATE records SET value = x'00' WHERE seq = 2")
        assert values(tail.poll(0)) == [b"a"]
        with pytest.raises(LogCorrupt, match=r"the record at rg/1@0 does not match its sum"):
            tail.poll(0)
        tail.close()


def test_a_bad_record_can_be_passed(path: Path) -> None:
    with SqliteLog.create(path, IDENTITY) as log:
        tail = log.tail()
        tail.follow(RG, P0, START)
        assert tail.poll(0) == []
        log.append([entry(0, b"a"), entry(0, b"b"), entry(0, b"c")])
        edit(path, "UPDATE records SET value = x'00' WHERE seq = 2")
        assert values(tail.poll(0)) == [b"a"]
        tail.follow(RG, P0, Offset(2))
        assert values(drain(tail)) == [b"c"]
        log.append([entry(0, b"d")])
        assert values(drain(tail)) == [b"d"]
        tail.close()


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE heads SET next_offset = 1 WHERE topic = 'rg' AND partition = 0", "match its sum"),
        (
            "UPDATE heads SET next_offset = 'x' WHERE topic = 'rg' AND partition = 0",
            "match its sum",
        ),
        ("UPDATE heads SET crc = NULL WHERE topic = 'rg' AND partition = 0", "match its sum"),
        ("DELETE FROM heads WHERE topic = 'rg' AND partition = 0", "the end of rg/0 is missing"),
    ],
)
def test_a_bad_end_is_found_by_all_who_ask(path: Path, sql: str, what: str) -> None:
    with SqliteLog.create(path, IDENTITY) as log:
        log.append([entry(0, b"a"), entry(0, b"b")])
        edit(path, sql)
        with pytest.raises(LogCorrupt, match=what):
            log.end_offsets([(RG, P0)])
        with pytest.raises(LogCorrupt, match=what):
            log.read(RG, P0, START)
        with pytest.raises(LogCorrupt, match=what):
            log.append([entry(0, b"c")])
        log.append([entry(1, b"x")])
        assert values(log.read(RG, P1, START)) == [b"x"]


def test_an_end_that_is_too_low_is_found(path: Path) -> None:
    with SqliteLog.create(path, IDENTITY) as log:
        log.append([entry(0, b"a"), entry(0, b"b"), entry(1, b"x")])
        sql = "UPDATE heads SET next_offset = ?, crc = ? WHERE topic = 'rg' AND partition = 0"
        edit(path, sql, 1, head_sum("rg", 0, 1))
        assert values(log.read(RG, P0, START)) == [b"a"]
        with pytest.raises(LogCorrupt, match=r"UNIQUE constraint"):
            log.append([entry(1, b"y"), entry(0, b"c")])
        assert values(log.read(RG, P1, START)) == [b"x"], "nothing of it was appended"
        edit(path, sql, 3, head_sum("rg", 0, 3))
        assert values(log.read(RG, P0, START)) == [b"a", b"b"]
        with pytest.raises(LogCorrupt, match=r"the record at rg/0@2 is missing"):
            log.read(RG, P0, Offset(2))
    with pytest.raises(LogCorrupt, match=r"its partitions have 4 records, but 3 were appended"):
        SqliteLog(path)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE meta SET cluster = 'another'", "its identity does not match its sum"),
        ("UPDATE meta SET partitions = 9", "its identity does not match its sum"),
        ("UPDATE meta SET partitions = NULL", "its identity cannot be read"),
        ("UPDATE meta SET retention = x'fffe'", "its identity cannot be read"),
        ("DELETE FROM meta", "its identity cannot be read"),
    ],
)
def test_a_bad_identity_is_refused(path: Path, sql: str, what: str) -> None:
    SqliteLog.create(path, IDENTITY).close()
    edit(path, sql)
    with pytest.raises(LogCorrupt, match=what):
        SqliteLog(path)


@pytest.mark.parametrize(
    "sql",
    ["DROP INDEX places", "DROP TABLE heads", "CREATE TABLE more (a)", "ALTER TABLE meta ADD b"],
)
def test_other_tables_are_refused(path: Path, sql: str) -> None:
    SqliteLog.create(path, IDENTITY).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(sql)
    connection.close()
    with pytest.raises(LogCorrupt, match=r"its tables are not those of a log|contradicts itself"):
        SqliteLog(path)


def test_a_table_definition_that_is_no_text_is_refused(
    whole: tuple[Path, Contents], tmp_path: Path
) -> None:
    """SQLite quotes it in its message, which Python then cannot decode."""
    copy = copy_to(whole[0], tmp_path / "copy")
    flip(copy, copy.read_bytes().index(b"CREATE TABLE heads"), 0x80)
    with pytest.raises(LogCorrupt, match=r"its tables are not those of a log|SQLite says"):
        SqliteLog(copy)
