"""Each part of a proof by itself: how every store confirmed, and what takes its word back."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from audit.test_reports import FIRST, RIGHT, SECOND, asked, found
from audit.test_two_truths import IDENTITY, append
from eventlog.ids import Serial
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from folds.building import (
    A,
    B,
    claimed,
    closed,
    deleted,
    erased,
    folded,
    imported,
    lost,
    put,
    retired,
    stated,
)
from projections.audit.database import reading
from projections.audit.pages import page
from projections.audit.reports import report
from projections.audit.sync import sync

COPY, REST = "its copy of version 2", "bytes that no event tells of"
DELETED = RIGHT[:4]
"""b has version 2 on osd.1, and is deleted as version 3."""
MOVED: list[RgEvent] = [claimed(SECOND, B), stated(B, 1, 3)]


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ([], [(A, COPY, "outstanding", None), (A, REST, "silent", None)]),
        (
            [erased(A, 1, 2), stated(A, 2, 3, 1), stated(A, 3, 3, 1)],
            [(A, COPY, "erased", "rg/2@4"), (A, REST, "stated", "rg/2@5")],
        ),
        (
            [lost(A, 1, 2, gone=True)],
            [(A, COPY, "gone", "rg/2@4"), (A, REST, "silent", None)],
        ),
        (
            [put(FIRST, 4, "b")],
            [(A, COPY, "replaced", "rg/2@4"), (A, REST, "silent", None)],
        ),
        (
            [*MOVED, retired(SECOND, A)],
            [
                (A, COPY, "retired", "rg/2@6"),
                (A, REST, "retired", "rg/2@6"),
                (B, REST, "stated", "rg/2@5"),
            ],
        ),
        (
            [*MOVED, erased(A, 1, 1, 2), closed(A, 2)],
            [
                (A, COPY, "erased", "rg/2@6"),
                (A, REST, "closed", "rg/2@7"),
                (B, REST, "stated", "rg/2@5"),
            ],
        ),
        (
            [imported(B, 1, 2), erased(A, 1, 2), erased(B, 2, 2), stated(A, 2, 3, 1)],
            [
                (A, COPY, "erased", "rg/2@5"),
                (A, REST, "stated", "rg/2@7"),
                (B, COPY, "erased", "rg/2@6"),
            ],
        ),
    ],
    ids=["nothing", "erased", "gone", "replaced", "retired", "closed", "came late"],
)
def test_how_where_and_when_each_store_confirmed(
    then: list[RgEvent], expected: list[tuple[object, ...]], tmp_path: Path
) -> None:
    said = asked(tmp_path, [*DELETED, *then], "deletions", object="b")
    rows = found(said, "what each store confirmed")
    assert [(r["store"], r["what"], r["how"], r["confirmed"]) for r in rows] == [
        (str(store), *rest) for store, *rest in expected
    ]
    assert all((row["time"] is None) == (row["confirmed"] is None) for row in rows)


def test_a_proof_names_the_stores_that_are_retired(tmp_path: Path) -> None:
    said = asked(tmp_path, [*DELETED, *MOVED, retired(SECOND, A)], "deletions", prefix="b")
    [row] = found(said, "deletions")
    assert (row["state"], row["retired"]) == ("proven", [str(A)])
    assert said.sentence == (
        f"every deletion of names that begin with b is proven; retired, and waited for no more: {A}"
    )
    assert said.sentence in page(said, "cluster")


def test_a_store_that_stated_before_it_was_retired_is_not_named(tmp_path: Path) -> None:
    events = [*DELETED, erased(A, 1, 2), stated(A, 2, 3, 1), *MOVED, retired(SECOND, A)]
    [row] = found(asked(tmp_path, events, "deletions"), "deletions")
    assert (row["state"], row["retired"]) == ("proven", [])


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({}, 0),
        ({"prefix": "b"}, 3),
        ({"since": "2023-11-14", "until": "2023-11-15"}, 3),
        ({"since": "2023-11-15"}, 0),
    ],
)
def test_the_parts_are_listed_for_what_is_asked_about(
    values: dict[str, object], count: int, tmp_path: Path
) -> None:
    said = asked(tmp_path, RIGHT, "deletions", **values)
    assert len(found(said, "what each store confirmed")) == count


FULL = replace(stated(A, 5, 3, 1, 2), staged_from=Serial(1))
"""Of a store that had closed."""


@pytest.mark.parametrize(
    "then",
    [
        [],
        [FULL],
        [replace(stated(A, 5, 3), staged_from=Serial(1))],
        [FULL, closed(A, 6)],
        [imported(A, 5, 1), erased(A, 6, 1)],
        [imported(A, 5, 1), erased(A, 6, 1), closed(A, 7)],
    ],
    ids=["closed", "full", "staged", "full, closed", "imported", "imported, closed"],
)
def test_a_store_that_had_closed_may_say_otherwise(then: list[RgEvent], tmp_path: Path) -> None:
    """It closes once more by the same rule."""
    said = asked(tmp_path, [*RIGHT, *then], "retire", osd=1)
    ledger = folded(*RIGHT, *then)[0].state.ledger(A)
    stated_at = ledger.stated.offset if ledger.stated else 0
    assert said.verdict == (ledger.closed is not None and stated_at < ledger.closed)
    assert said.sentence.startswith("osd.1 is safe" if said.verdict else "osd.1 is not safe")


def test_an_empty_disk_is_no_news_of_a_store_that_had_closed(tmp_path: Path) -> None:
    assert asked(tmp_path, [*RIGHT, stated(A, 5, 3)], "retire", osd=1).verdict


def test_who_attests_to_something_else_takes_back_what_it_stated(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    states = []
    for events in (
        RIGHT[:6],
        [replace(stated(A, 3, 3, 1), staged_from=Serial(9))],
        [stated(A, 4, 3, 1, 2)],
        [stated(A, 5, 3, 1)],
    ):
        append(log, events)
        sync(path, log)
        with reading(path) as connection:
            [row] = found(report(connection, "deletions"), "deletions")
        states.append((row["state"], row["silent"]))
    taken_back = ("confirmed", [str(A)])
    assert states == [("proven", []), ("proven", []), taken_back, ("proven", [])]


def test_only_who_was_deleted_then_is_deleted_again(tmp_path: Path) -> None:
    """Each delete of a name has parts of its own."""
    events = [*DELETED, put(FIRST, 4, "b"), deleted(FIRST, 5, "b"), erased(A, 1, 4)]
    rows = found(asked(tmp_path, events, "deletions", object="b"), "what each store confirmed")
    assert [(row["version"], row["what"], row["how"]) for row in rows] == [
        (3, COPY, "replaced"),
        (3, REST, "silent"),
        (5, "its copy of version 4", "erased"),
        (5, REST, "silent"),
    ]
