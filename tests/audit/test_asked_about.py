"""A report answers what was asked, about whom, and does not say yes to nothing."""

import json
from pathlib import Path

import pytest

from audit.test_reports import FIRST, RIGHT, asked, found
from audit.test_two_truths import IDENTITY, append
from cli.programs import osdlog
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from eventlog.sqlite import SqliteLog
from folds.building import claimed, deleted, put
from projections.audit.database import reading
from projections.audit.errors import AuditError
from projections.audit.pages import page
from projections.audit.reports import report
from projections.audit.sync import sync

LOG: list[RgEvent] = [
    claimed(FIRST),
    put(FIRST, 1, "photos/a"),
    put(FIRST, 2, "photos/b"),
    deleted(FIRST, 3, "photos/b"),
    put(FIRST, 4, "notes/c"),
    deleted(FIRST, 5, "notes/c"),
]
"""Nothing of what is deleted is confirmed; all of it was in November 2023."""
LATER = "2024-01-01"
NO = "it is not proven that all that was deleted"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("asked") / "audit"
    log = MemoryLog(IDENTITY)
    append(log, LOG)
    sync(found, log)
    return found


@pytest.mark.parametrize(
    ("values", "sentence", "rows"),
    [
        (
            {"object": "photos/b", "since": LATER},
            f"{NO} of photos/b since 2024-01-01 00:00:00 UTC is gone: 1 found",
            [("photos/b", None, "it was not deleted then")],
        ),
        (
            {"prefix": "photos/"},
            f"{NO} of names that begin with photos/ is gone: 2 found",
            [("photos/a", "rg/2@1", "it is live")],
        ),
        (
            {"prefix": "movies/"},
            f"{NO} of names that begin with movies/ is gone: 1 found",
            [("movies/", None, "no name begins so")],
        ),
        (
            {"prefix": "photos/", "since": LATER},
            "nothing was deleted of names that begin with photos/ since 2024-01-01 00:00:00 UTC",
            [],
        ),
        (
            {"since": LATER, "until": "2024-01-02"},
            "nothing was deleted since 2024-01-01 00:00:00 UTC before 2024-01-02 00:00:00 UTC",
            [],
        ),
    ],
)
def test_what_was_not_deleted_is_not_proven_to_be_gone(
    values: dict[str, object], sentence: str, rows: list[tuple[object, ...]], path: Path
) -> None:
    with reading(path) as connection:
        said = report(connection, "deletions", values)
    assert said.sentence == sentence
    assert said.verdict == (not rows)
    named = found(said, "asked about, and not deleted")
    assert [(row["object"], row["position"], row["what"]) for row in named] == rows


@pytest.mark.parametrize("until", ["2026-01-02T00:00+00:00", "2026-01-01"])
def test_no_time_at_all_is_refused(tmp_path: Path, until: str) -> None:
    """That nothing was deleted in it would be true, and read as something else."""
    with pytest.raises(AuditError, match="Give the earlier time with --since"):
        asked(tmp_path, LOG[:2], "deletions", since="2026-01-02", until=until)


def test_a_log_without_deletions_says_so(tmp_path: Path) -> None:
    said = asked(tmp_path, LOG[:2], "deletions")
    assert (said.verdict, said.sentence) == (True, "nothing was deleted")


@pytest.mark.parametrize(
    ("name", "values", "question", "sentence"),
    [
        (
            "retire",
            {"osd": 1},
            "May osd.1 be destroyed?",
            "osd.1 is not safe to destroy: 4 found",
        ),
        ("who", {"actor": "<ann>"}, "Who did what?", "these are all acts by <ann>"),
        (
            "deletions",
            {"object": "photos/{}"},
            "Is what was deleted of photos/{} really gone?",
            f"{NO} of photos/{{}} is gone: 1 found",
        ),
    ],
)
def test_a_report_names_what_it_is_about(
    name: str, values: dict[str, object], question: str, sentence: str, path: Path
) -> None:
    with reading(path) as connection:
        said = report(connection, name, values)
    assert (said.question, said.sentence, said.asked) == (question, sentence, values)
    shown = page(said, "cluster")
    for text in (question, sentence):
        assert text.replace("<", "&lt;").replace(">", "&gt;") in shown


def test_osdlog_audit_says_whom_it_is_about(tmp_path: Path) -> None:
    with SqliteLog.create(tmp_path / "cluster.log", IDENTITY) as log:
        append(log, RIGHT)
        url = log.url
    done = osdlog("audit", "deletions", "b", "--since", LATER, "--no-ask", "--json", log=url)
    assert done.code == 1
    said = json.loads(done.out)
    assert said["asked"] == {"object": "b", "since": "2024-01-01T00:00:00Z"}
    assert said["sentence"].endswith("of b since 2024-01-01 00:00:00 UTC is gone: 1 found")
    done = osdlog("audit", "deletions", "--since", LATER, "--no-ask", log=url)
    assert done.code == 0
    assert done.lines[1] == "Yes: nothing was deleted since 2024-01-01 00:00:00 UTC."
