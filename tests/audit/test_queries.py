"""What queries may and may not do, what the commands show, what the database stands up to."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from audit.test_reports import RIGHT, tell_map
from audit.test_two_truths import IDENTITY, append
from cli.programs import Done, osdlog
from eventlog.errors import LogReplaced
from eventlog.memory import MemoryLog
from eventlog.sqlite import SqliteLog
from folds.mapping import CREATED, added
from projections.audit.database import READ_BY, discard, reached, reading, writing
from projections.audit.errors import AuditBusy, AuditForeign, QueryRefused
from projections.audit.queries import Limits, asking
from projections.audit.sync import sync


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit database that nobody changes."""
    found = tmp_path_factory.mktemp("queries") / "audit"
    log = MemoryLog(IDENTITY)
    append(log, RIGHT)
    sync(found, log)
    return found


def ask(path: Path, query: str, limits: Limits | None = None) -> list[tuple[object, ...]]:
    with asking(path, IDENTITY, limits) as asker, asker.ask(query) as answer:
        return list(answer.rows())


@pytest.mark.parametrize(
    "query",
    [
        "SELECT object FROM copies",
        "FROM copies SELECT object",
        "WITH c AS (FROM copies) SELECT object FROM c",
        "-- a comment\nSELECT object FROM copies_at('rg/2@12');",
    ],
)
def test_questions_are_answered(path: Path, query: str) -> None:
    assert ask(path, query) == [("a",)]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("DELETE FROM kept.facts", "a query may only ask, and this is DELETE"),
        ("INSERT INTO kept.rgs VALUES (1, 1)", "this is INSERT"),
        ("CREATE TEMP TABLE t AS SELECT 1", "this is CREATE"),
        ("DROP VIEW copies", "this is DROP"),
        ("ATTACH '{0}/other'", "this is ATTACH"),
        ("COPY copies TO '{0}/out.csv'", "this is COPY"),
        ("INSTALL httpfs", "this is LOAD"),
        ("SET enable_external_access = true", "this is SET"),
        ("RESET memory_limit", "this is SET"),
        ("UPDATE EXTENSIONS", "this is another command"),
        ("PIVOT events ON type USING count(*)", "this is MULTI.*Name the values of a PIVOT"),
        ("PRAGMA database_list", "this is PRAGMA"),
        ("EXPORT DATABASE '{0}/all'", "this is EXPORT"),
        ("CHECKPOINT", "a query may only ask"),
        ("WITH d AS (DELETE FROM kept.facts RETURNING *) FROM d", "the query is wrong"),
        ("FROM query('DELETE FROM kept.facts')", "the query is wrong"),
        ("SELECT getenv('HOME')", "the query is wrong"),
        ("FROM 'http://127.0.0.1:9/x.csv'", "may read the audit database only"),
        ("FROM duckdb_secrets()", "may read the audit database only"),
        ("EXPLAIN ANALYZE DELETE FROM kept.facts", "the query is wrong"),
        ("FROM '{0}/secret.csv'", "may read the audit database only"),
        ("FROM read_csv('{0}/secret.csv')", "may read the audit database only"),
        ("FROM read_text('{0}/secret.csv')", "may read the audit database only"),
        ("FROM glob('{0}/*')", "may read the audit database only"),
        ("FROM path", "the query is wrong"),
        ("SELECT 1; SELECT 2", "there are 2 statements"),
        ("", "there are 0 statements"),
        ("SELEC 1", "the query is wrong: Parser Error"),
    ],
)
def test_all_else_is_refused(path: Path, tmp_path: Path, query: str, why: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(QueryRefused, match=why):
        ask(path, query.format(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["secret.csv"]
    assert ask(path, "SELECT count(*) FROM copies") == [(1,)]


def test_what_is_explained_by_doing_it_leaves_nothing(path: Path) -> None:
    with asking(path, IDENTITY) as asker:
        for query in ("EXPLAIN ANALYZE CREATE TEMP TABLE copies AS SELECT 1", "nonsense"):
            with suppress(QueryRefused), asker.ask(query):
                pass
            with asker.ask("SELECT object FROM copies") as answer:
                assert list(answer.rows()) == [("a",)]


def test_a_query_that_never_ends_is_ended(path: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b"
    with pytest.raises(QueryRefused, match="took longer than it may"):
        ask(path, endless, Limits(seconds=0.5))


def test_whoever_reads_slowly_has_the_whole_answer(path: Path) -> None:
    limits = Limits(seconds=1.0)
    with asking(path, IDENTITY, limits) as asker, asker.ask("FROM range(100000)") as answer:
        rows = answer.rows()
        assert next(rows) == (0,)
        time.sleep(1.5 * limits.seconds)
        assert sum(1 for _ in rows) == 99_999


def test_whoever_has_no_memory_for_an_answer_is_refused(path: Path) -> None:
    with asking(path, IDENTITY) as asker:
        with pytest.raises(QueryRefused, match="more memory"), asker.ask("SELECT 1"):
            raise MemoryError
        with asker.ask("SELECT object FROM copies") as answer:
            assert list(answer.rows()) == [("a",)]


@pytest.mark.parametrize(
    "large",
    [
        "SELECT len(list(i)) FROM range(200000000) t(i)",
        "SELECT len(range(1000000000))",
        "SELECT len(repeat('x', 4000000000))",
    ],
)
def test_a_query_that_wants_all_memory_is_ended(path: Path, large: str) -> None:
    """Also where DuckDB does not count it: one value as long as a disk."""
    with pytest.raises(QueryRefused, match="more memory than it may"):
        ask(path, large, Limits(memory="100MiB"))


def test_a_size_of_memory_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(QueryRefused, match="'much' is no size of memory"):
        ask(path, "SELECT 1", Limits(memory="much"))


def test_every_view_has_a_comment_and_can_be_read(path: Path) -> None:
    views = ask(
        path,
        "SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal",
    )
    assert len(views) >= 15
    for name, comment in views:
        assert comment, name
        ask(path, f"FROM {name}")


def test_an_older_duckdb_can_open_it(path: Path) -> None:
    """That of `READ_BY`, which knows no function `if`; nobody may install it here to see."""
    [(tags,)] = ask(path, "SELECT tags FROM duckdb_databases() WHERE NOT internal")
    assert tags == {"storage_version": f"{READ_BY}+"}
    texts = ask(path, "SELECT sql FROM duckdb_views() WHERE NOT internal")
    assert len(texts) >= 15
    assert not [text for (text,) in texts if re.search(r'"?\bif"?\(', str(text))]


def test_several_may_read_and_nobody_while_it_is_written(path: Path) -> None:
    with reading(path, IDENTITY) as one, reading(path, IDENTITY) as other:
        assert reached(one) == reached(other)
    program = (
        "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(AuditBusy, match="another process has"), reading(path, IDENTITY):
            pass
        holder.communicate(b"\n")


def test_a_database_of_another_log_is_refused(path: Path) -> None:
    other = IDENTITY._replace(cluster="other")
    with (
        pytest.raises(AuditForeign, match=r"of cluster c, not of other") as caught,
        reading(path, other),
    ):
        pass
    assert f"`osdlog audit --rebuild --db {path}`" in str(caught.value)


def test_a_database_of_an_older_format_is_refused(tmp_path: Path) -> None:
    """With how to make that very one anew, and not the one beside the log."""
    path = tmp_path / "of mine"
    sync(path, MemoryLog(IDENTITY))
    with duckdb.connect(path) as older:
        older.execute("UPDATE kept.meta SET format = format - 1")
    with (
        pytest.raises(AuditForeign, match="no audit database of this version") as caught,
        reading(path),
    ):
        pass
    assert f"`osdlog audit --rebuild --db '{path}'`" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 20_000])
def test_what_is_no_audit_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "audit"
    path.write_bytes(content)
    with pytest.raises(AuditForeign, match="is no audit database"), writing(path, IDENTITY):
        pass
    if content:
        assert path.read_bytes() == content


def test_only_audit_databases_are_discarded(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE precious AS SELECT 1 AS one")
    (tmp_path / "text").write_text("precious")
    for name in ("other", "text"):
        with pytest.raises(AuditForeign, match="is no audit database"):
            discard(tmp_path / name)
        assert (tmp_path / name).exists()
    sync(tmp_path / "audit", MemoryLog(IDENTITY))
    (tmp_path / "audit.wal").write_bytes(b"changes of a database that is gone")
    discard(tmp_path / "audit")
    assert not list(tmp_path.glob("audit*"))
    (tmp_path / "audit.wal").write_bytes(b"changes of a database that is gone")
    assert sync(tmp_path / "audit", MemoryLog(IDENTITY)).events == 0


def test_a_log_that_was_truncated_or_replaced_is_noticed(tmp_path: Path) -> None:
    other = [*RIGHT[:11], RIGHT[8]]
    for name, events in (("shorter", RIGHT[:9]), ("other", other), ("longer", [*other, *RIGHT])):
        path, log, since = tmp_path / name, MemoryLog(IDENTITY), MemoryLog(IDENTITY)
        append(log, RIGHT)
        sync(path, log)
        append(since, events)
        with pytest.raises(
            LogReplaced, match=r"rg/2@11 is missing or another record.*--rebuild --db"
        ):
            sync(path, since)
        assert sync(path, log).events == 0


def test_another_map_is_another_log(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    logs = [MemoryLog(IDENTITY) for _ in range(3)]
    for log, osds in zip(logs, ((1,), (1,), (2, 3)), strict=True):
        tell_map(log, CREATED, *map(added, osds))
    append(logs[0], RIGHT)
    sync(path, logs[0])
    for log in (logs[2], MemoryLog(IDENTITY)):
        append(log, RIGHT)
        with pytest.raises(LogReplaced, match=r"map/0@0 is missing or another record.*--rebuild"):
            sync(path, log)
    append(logs[1], RIGHT)
    assert sync(path, logs[1]).events == 0


def test_a_sync_that_fails_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, RIGHT[:5])
    sync(path, log)
    append(log, RIGHT[5:])
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr("projections.audit.sync.note", fail)
        with pytest.raises(KeyboardInterrupt):
            sync(path, log)
    assert ask(path, "SELECT count(*) FROM events") == [(5,)]
    assert sync(path, log).events == len(RIGHT) - 5
    assert ask(path, "SELECT count(*) FROM events") == [(len(RIGHT),)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[str]:
    """The address of an embedded log."""
    with SqliteLog.create(tmp_path / "cluster.log", IDENTITY) as made:
        append(made, RIGHT)
        yield made.url


def run(log: str, *arguments: object) -> Done:
    return osdlog(*arguments, log=log)


def test_osdlog_sql(log: str, tmp_path: Path) -> None:
    question = "SELECT object, version, state FROM object_versions ORDER BY version"
    assert run(log, "sql", question).lines == [
        "object  version  state",
        "a             1  live",
        "b             2  deleted",
        "b             3  deletion",
    ]
    lines = run(log, "sql", "--json", question).lines
    assert json.loads(lines[0]) == {"object": "a", "version": 1, "state": "live"}
    assert run(log, "sql", "--csv", question).lines[:2] == ["object,version,state", "a,1,live"]
    done = run(log, "sql", "--parquet", tmp_path / "out.parquet", question)
    assert (done.out, done.err) == ("", f"3 rows in {tmp_path / 'out.parquet'}\n")
    assert pq.read_table(tmp_path / "out.parquet").column("version").to_pylist() == [1, 2, 3]


def test_the_shell_of_osdlog_sql(log: str) -> None:
    words = b"SELECT count(*) AS n\nFROM copies;\nnonsense;\nSELECT 7 AS m;\n"
    done = osdlog("sql", "--csv", log=log, stdin=words)
    assert (done.code, done.lines) == (0, ["n", "1", "m", "7"])
    assert done.err.startswith("error: the query is wrong: Parser Error")


def test_a_plan_is_printed_as_it_is_drawn(log: str) -> None:
    done = run(log, "sql", "EXPLAIN FROM rules")
    assert done.code == 0
    assert len(done.lines) > 3
    assert "kept.rules" in done.out


def test_osdlog_sql_refuses(log: str) -> None:
    done = run(log, "sql", "DROP VIEW copies")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == "error: a query may only ask, and this is DROP"
    assert run(log, "sql", "--json", "--csv", "SELECT 1").code == 2


def test_osdlog_audit(log: str, tmp_path: Path) -> None:
    done = run(log, "audit", "deletions", "b")
    assert done.code == 0
    assert done.lines[:2] == [
        "Is what was deleted of b really gone?",
        "Yes: every deletion of b is proven.",
    ]
    assert run(log, "audit").code == 1
    said = json.loads(run(log, "audit", "retire", "osd.2", "--json").out)
    assert (said["verdict"], said["report"]) == (False, "retire")
    assert (said["asked"], said["question"]) == ({"osd": 2}, "May osd.2 be destroyed?")
    page = tmp_path / "proof.html"
    assert run(log, "audit", "deletions", "--prefix", "b", "--page", page).code == 0
    assert page.read_text().startswith("<!doctype html>")
    assert run(log, "audit", "nothing").code == 2
    assert run(log, "audit", "retire").code == 2


def test_osdlog_audit_export(log: str, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    done = run(log, "audit", "--export", folder)
    assert done.code == 0
    with duckdb.connect() as lake:
        pattern = f"{folder}/events/*/*.parquet"
        found = lake.execute(f"SELECT count(*), count(DISTINCT day) FROM '{pattern}'").fetchone()
    assert found == (len(RIGHT), 1)
    again = run(log, "audit", "--export", folder)
    assert (again.code, again.err.splitlines()[0]) == (3, f"error: {folder} exists already")


def test_a_replaced_log_is_said_and_rebuilt_on_demand(log: str, tmp_path: Path) -> None:
    assert run(log, "sql", "FROM events").code == 0
    path = tmp_path / "cluster.log"
    for file in tmp_path.glob("cluster.log*"):
        if not file.name.endswith(".audit"):
            file.unlink()
    with SqliteLog.create(path, IDENTITY) as made:
        append(made, RIGHT[:3])
    done = run(log, "sql", "FROM events")
    assert done.code == 3
    assert "is not the one that the audit database was made from" in done.err
    assert run(log, "audit", "lost", "--rebuild").code == 0
    assert run(log, "sql", "--csv", "SELECT count(*) n FROM events").lines == ["n", "3"]
