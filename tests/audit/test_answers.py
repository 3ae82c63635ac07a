"""The forms of an answer: what cannot be given whole is refused and leaves nothing; odd values."""

import csv
import io
import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from audit.test_two_truths import IDENTITY
from cli.programs import COMMAND, PATIENCE_S, Done, environment, osdlog
from eventlog.errors import BadName
from eventlog.memory import MemoryLog
from eventlog.sqlite import SqliteLog
from osd.cli.sql import SHOWN_ROWS
from projections.audit.database import reading
from projections.audit.errors import QueryRefused
from projections.audit.queries import Asker, Limits, asking, names_apart
from projections.audit.sync import sync


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit database of an empty log."""
    found = tmp_path_factory.mktemp("answers") / "audit"
    sync(found, MemoryLog(IDENTITY))
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of an empty log."""
    with SqliteLog.create(tmp_path_factory.mktemp("log") / "cluster.log", IDENTITY) as made:
        return made.url


def written(path: Path, query: str, file: Path, limits: Limits | None = None) -> int:
    with asking(path, limits=limits) as asker:
        return asker.write_parquet(query, file)


@pytest.mark.parametrize(
    ("query", "limits", "why"),
    [
        ("FROM range(1000000000000)", Limits(seconds=0.5), "took longer than it may"),
        (
            "SELECT CASE WHEN i = 100000 THEN error('no more') ELSE i END FROM range(200000) t(i)",
            Limits(),
            "the query is wrong: .*no more",
        ),
        ("SELECT INTERVAL 1 DAY", Limits(), "Parquet has no form for the answer: .*VARCHAR"),
        ("SELECT len(list(i)) FROM range(200000000) t(i)", Limits(memory="100MiB"), "more memory"),
    ],
)
def test_a_parquet_file_is_whole_or_not_there(
    path: Path, tmp_path: Path, query: str, limits: Limits, why: str
) -> None:
    file = tmp_path / "out.parquet"
    with pytest.raises(QueryRefused, match=f"(?s){why}"):
        written(path, query, file, limits)
    assert not list(tmp_path.iterdir())
    assert written(path, "SELECT 7 AS m", file) == 1
    with pytest.raises(QueryRefused):
        written(path, query, file, limits)
    assert [each.name for each in tmp_path.iterdir()] == ["out.parquet"]
    assert pq.read_table(file).to_pylist() == [{"m": 7}]


def test_what_is_no_parquet_file_is_not_replaced(path: Path, tmp_path: Path) -> None:
    """It may be the log."""
    file = tmp_path / "log.sqlite"
    file.write_bytes(b"SQLite format 3\0")
    with pytest.raises(BadName, match=r"log\.sqlite is there already.*Name another file"):
        written(path, "SELECT 7", file)
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        written(path, "SELECT 7", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["log.sqlite"]
    assert file.read_bytes() == b"SQLite format 3\0"
    file.write_bytes(b"")
    assert written(path, "SELECT 7 AS m", file) == 1


def test_a_shell_goes_on_after_an_answer_that_was_not_written(log: str, tmp_path: Path) -> None:
    words = b"SELECT INTERVAL 1 DAY;\nSELECT 7 AS m;\n"
    done = osdlog("sql", "--parquet", tmp_path / "out", log=log, stdin=words)
    assert done.code == 0
    assert done.err.splitlines()[0].startswith("error: Parquet has no form for the answer: ")
    assert pq.read_table(tmp_path / "out").to_pylist() == [{"m": 7}]


def test_a_parquet_file_where_none_can_be(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no/out\.parquet"):
        written(path, "SELECT 7", tmp_path / "no" / "out.parquet")


def test_two_columns_of_one_name(path: Path, log: str, tmp_path: Path) -> None:
    assert names_apart(["a", "b", "a", "a_1", "a"]) == ["a", "b", "a_1", "a_1_1", "a_2"]
    query = "SELECT 1 AS a, 2 AS a, 3 AS b"
    done = osdlog("sql", "--json", query, log=log)
    assert json.loads(done.out) == {"a": 1, "a_1": 2, "b": 3}
    written(path, query, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [{"a": 1, "a_1": 2, "b": 3}]


ODD = """SELECT 'nan'::DOUBLE AS "not a number",
    170141183460469231731687303715884105727 AS large,
    NULL AS "empty", 'a,"b"\nc' AS "two\nlines", chr(0) AS nul, '\\x00\\xFF'::BLOB AS bytes,
    INTERVAL '36 hours' AS span, 1.50::DECIMAL(5, 2) AS exact, MAP {'k': [1, NULL]} AS pairs,
    {'x': DATE '2026-11-22'} AS one, TIMESTAMP '2026-11-22 13:00:00' AS moment,
    '10000-01-01'::DATE AS late"""


def test_odd_names_and_values_as_json(log: str) -> None:
    done = osdlog("sql", "--json", ODD, log=log)
    assert json.loads(done.out) == {
        "not a number": None,
        "large": 170141183460469231731687303715884105727,
        "empty": None,
        "two\nlines": 'a,"b"\nc',
        "nul": "\0",
        "bytes": "00ff",
        "span": "1 day, 12:00:00",
        "exact": "1.50",
        "pairs": {"k": [1, None]},
        "one": {"x": "2026-11-22"},
        "moment": "2026-11-22T13:00:00Z",
        "late": "10000-01-01",
    }


def test_odd_names_and_values_as_csv_and_as_a_table(log: str) -> None:
    done = osdlog("sql", "--csv", ODD, log=log)
    [row] = csv.DictReader(io.StringIO(done.out, newline=""))
    assert row == {
        "not a number": "nan",
        "large": "170141183460469231731687303715884105727",
        "empty": "",
        "two\nlines": 'a,"b"\nc',
        "nul": "\0",
        "bytes": "00ff",
        "span": "1 day, 12:00:00",
        "exact": "1.50",
        "pairs": "k=1, ",
        "one": "x=2026-11-22",
        "moment": "2026-11-22T13:00:00Z",
        "late": "10000-01-01",
    }
    assert len(osdlog("sql", ODD, log=log).lines) == 2


def shown(log: str, rows: int) -> Done:
    return osdlog("sql", f"FROM range({rows})", log=log)


def test_a_table_shows_the_first_rows_and_says_that_there_are_more(log: str) -> None:
    few = shown(log, SHOWN_ROWS)
    assert (len(few.lines), few.err) == (1 + SHOWN_ROWS, "")
    many = shown(log, 100_000_000_000)
    assert (many.code, len(many.lines)) == (0, 1 + SHOWN_ROWS)
    assert many.err == (
        "these are the first 1,000 rows; --csv, --json and --parquet FILE have all\n"
    )


def at_a_terminal(typed: str, log: str, home: Path) -> str:
    """What a shell shows to whoever types this."""
    mine, its = os.openpty()
    with subprocess.Popen(
        [*COMMAND, "sql"],
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment(log) | {"HOME": str(home), "TERM": "dumb"},
        start_new_session=True,
    ) as shell:
        os.close(its)
        os.write(mine, typed.encode())
        shown = b""
        with suppress(OSError):  # so a terminal says that nobody is left at its other end
            while piece := os.read(mine, 65_536):
                shown += piece
        os.close(mine)
        assert shell.wait(PATIENCE_S) == 0
    return shown.decode()


def test_a_shell_knows_the_questions_of_the_one_before(log: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert "\n7\r" in at_a_terminal("SELECT 3 + 4 AS n;\nexit\n", log, home)
    up = "\x1b[A"
    assert "\n7\r" in at_a_terminal(f"{up}{up}\nexit\n", log, home)


def test_what_a_question_puts_on_the_disk_is_bounded(path: Path) -> None:
    large = "SELECT max(m) FROM (SELECT md5(i::VARCHAR) AS m FROM range(9000000) t(i) ORDER BY m)"
    with reading(path) as connection:
        asker = Asker(connection, Limits(memory="60MiB"), spill_bytes=1024**2)
        with pytest.raises(QueryRefused, match="more memory than it may"), asker.ask(large):
            pass
