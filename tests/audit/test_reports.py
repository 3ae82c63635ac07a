"""Reports name what is wrong in logs that were made wrong on purpose, and nothing in right ones."""

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from audit.test_two_truths import IDENTITY, append, mixed
from eventlog.codec import encode
from eventlog.ids import Boot, Partition, RgId, Serial, Topic, rg_key
from eventlog.log import Entry
from eventlog.map_events import MapChange, MapChanged
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from folds.building import (
    A,
    B,
    claimed,
    closed,
    deleted,
    doomed,
    erased,
    fence,
    imported,
    lost,
    put,
    retired,
    stated,
    store,
)
from folds.mapping import CREATED, added, booted, changed
from folds.mapping import event as map_event
from projections.audit.database import reading
from projections.audit.errors import AuditError
from projections.audit.pages import page
from projections.audit.reports import KINDS, Report, report
from projections.audit.sync import sync
from projections.cluster_map import EMPTY
from projections.rg_memory import RgProjection
from projections.voids import Void
from simulation.reference import Told
from simulation.seeds import Run

LATE_IMPORTS = [105, 112, 116, 131, 145, 148]
"""Seeds of simulated clusters in which an import lands after its object was deleted."""

RG = RgId(5)
FIRST, SECOND = fence(1), fence(2, by=B)

RIGHT: list[RgEvent] = [
    claimed(FIRST),
    put(FIRST, 1, "a"),
    put(FIRST, 2, "b"),
    deleted(FIRST, 3, "b"),
    erased(A, 1, 2),
    stated(A, 2, 3, 1),
    claimed(SECOND, B),
    stated(B, 1, 3),
    imported(B, 2, 1),
    doomed(SECOND, A, 1),
    erased(A, 3, 1),
    closed(A, 4),
]
"""a moves from osd.1 to osd.2, b was deleted before."""


def asked(path: Path, events: list[RgEvent], name: str, **values: object) -> Report:
    """One report about a log of these events."""
    log = MemoryLog(IDENTITY)
    append(log, events)
    sync(path / "audit", log)
    with reading(path / "audit") as connection:
        return report(connection, name, values)


def tell_map(log: MemoryLog, *changes: MapChange) -> None:
    """One event of the map with all these changes; it must be accepted."""
    assert changed(EMPTY, *changes).epoch == 1
    log.append([Entry(Topic.MAP, Partition(0), b"map", encode(map_event(*changes, layout=0)))])


def found(report: Report, title: str) -> list[dict[str, object]]:
    """Rows of the table whose title begins so."""
    [table] = [table for table in report.tables if table.title.startswith(title)]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


@pytest.mark.parametrize("name", ["deletions", "lost", "versions", "void"])
def test_a_right_log_has_no_fault(name: str, tmp_path: Path) -> None:
    assert asked(tmp_path, RIGHT, name).verdict


def test_a_lost_event_is_a_gap(tmp_path: Path) -> None:
    said = asked(tmp_path, RIGHT[:2] + RIGHT[3:], "versions")
    assert not said.verdict
    [row] = found(said, "versions out of sequence")
    assert (row["position"], row["version"], row["due"]) == ("rg/2@2", 3, 2)
    assert row["what"] == "gap: an operation before it is missing"


def test_a_duplicate_version_is_a_repeat(tmp_path: Path) -> None:
    said = asked(tmp_path, [*RIGHT[:3], put(FIRST, 2, "b")], "versions")
    [row] = found(said, "versions out of sequence")
    assert row["what"] == "repeat of the version before it"


def test_a_record_that_the_log_has_twice_is_no_fault_of_its_rules(tmp_path: Path) -> None:
    """An append of which nobody knew whether it had happened was made again."""
    again = [RIGHT[2], put(FIRST, 4, "late")]
    for number, (told, first_said, faults) in enumerate(
        [
            ([*RIGHT[:3], *again], "rg/2@2", 0),
            ([*RIGHT[:4], *again], "rg/2@2", 0),
            ([*RIGHT[:3], replace(put(FIRST, 2, "b"), sha256=b"x" * 32)], None, 1),
            ([*RIGHT[:3], replace(put(FIRST, 2, "b"), serial=Serial(9))], None, 1),
            ([*RIGHT[:3], put(FIRST, 1, "other")], None, 1),
            ([*RIGHT[:2], *RIGHT[3:4]], None, 1),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        said = asked(tmp_path / str(number), told, "integrity")
        [row] = found(said, "versions out of sequence")
        assert row["first_said"] == first_said
        [check] = [c for c in KINDS["integrity"].checks if c.script == "versions_out_of_sequence"]
        assert check.is_wrong is not None
        assert check.is_wrong(row) is bool(faults)
    (tmp_path / "versions").mkdir()
    assert asked(tmp_path / "versions", [*RIGHT[:3], *again], "versions").verdict


def test_an_impostor_is_named(tmp_path: Path) -> None:
    impostor = put(replace(FIRST, boot=Boot(9)), 4, "evil")
    said = asked(tmp_path, [*RIGHT[:4], impostor], "void")
    assert not said.verdict
    [row] = found(said, "said under a claim that nobody made")
    assert (row["position"], row["type"], row["boot"]) == ("rg/2@4", "ObjectPut", 9)


def test_a_claim_for_an_epoch_that_never_was_is_named(tmp_path: Path) -> None:
    said = asked(tmp_path, RIGHT, "integrity")
    rows = found(said, "claims by processes that had no right")
    assert [row["position"] for row in rows] == ["rg/2@0", "rg/2@6"]
    assert {row["why"] for row in rows} == {"the map has no such epoch"}


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (claimed(FIRST, replicas=2), None),
        (claimed(fence(1, boot=2)), "the map never had this process"),
        (claimed(fence(1, by=store(1, 2))), "the map never had this process"),
        (claimed(fence(1, by=B)), "the map never had this process"),
        (claimed(FIRST, B), "not placed by its own claim"),
        (claimed(fence(2)), "the map has no such epoch"),
    ],
)
def test_a_claim_by_who_had_no_right_to_it_is_named(
    claim: RgEvent, why: str | None, tmp_path: Path
) -> None:
    log = MemoryLog(IDENTITY)
    tell_map(log, CREATED, added(1), booted(1))
    append(log, [claim])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        rows = found(report(connection, "integrity"), "claims by processes that had no right")
    assert [(row["position"], row["why"]) for row in rows] == ([("rg/2@0", why)] if why else [])


UNKNOWN = "statements by processes that the map never had"
ASKED: dict[str, dict[str, object]] = {
    "integrity": {},
    "deletions": {"prefix": "a"},
    "retire": {"osd": 1},
}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([erased(A, 1, 1)], []),
        ([erased(A, 1, 1, boot=9), stated(A, 2, 1, boot=9)], [(str(A), 9, 2, "rg/2@2")]),
        ([imported(B, 1, 1)], [(str(B), 1, 1, "rg/2@2")]),
        ([closed(store(1, 2), 1)], [(str(store(1, 2)), 1, 1, "rg/2@2")]),
    ],
    ids=["known", "boot", "store", "incarnation"],
)
def test_a_statement_by_who_is_on_no_map_is_named(
    told: list[RgEvent], expected: list[tuple[object, ...]], tmp_path: Path
) -> None:
    log = MemoryLog(IDENTITY)
    tell_map(log, CREATED, added(1), booted(1))
    append(log, [*RIGHT[:2], *told])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        for name, values in ASKED.items():
            rows = found(report(connection, name, values), UNKNOWN)
            is_asked = name != "retire" or not expected or "osd.1/" in str(expected[0][0])
            assert [tuple(row.values()) for row in rows] == (expected if is_asked else []), name
    log.append([Entry(Topic.MAP, Partition(0), b"map", b"not a record")])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        assert found(report(connection, "integrity"), UNKNOWN) == []


DELETED = [*RIGHT[:3], deleted(FIRST, 3, "b")]
"""b had version 2 and is deleted."""
MOVED_BACK = [*RIGHT[:3], imported(B, 1, 2), doomed(FIRST, B, 2), erased(B, 2, 2)]
"""b was on osd.2 for a while."""


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ([imported(B, 1, 2), erased(B, 2, 2), imported(B, 3, 2)], "rg/2@5"),
        ([stated(B, 1, 3), imported(B, 2, 2)], "rg/2@4"),
        ([closed(B, 1), imported(B, 2, 2)], "rg/2@4"),
    ],
)
def test_a_copy_that_its_store_had_said_to_be_gone_is_named(
    told: list[RgEvent], at: str, tmp_path: Path
) -> None:
    said = asked(tmp_path, [*DELETED, *told, put(FIRST, 4, "c")], "integrity")
    [row] = found(said, "copies that came back after the delete")
    assert (row["object"], row["version"], row["deleted"]) == ("b", 2, "rg/2@3")
    assert (row["store"], row["denied"]) == (str(B), at)


@pytest.mark.parametrize(
    "events",
    [
        [*DELETED, imported(B, 1, 2)],
        [*DELETED, imported(B, 1, 2), stated(B, 2, 3, 2), imported(B, 3, 2)],
        [*RIGHT[:3], stated(B, 1, 2), deleted(FIRST, 3, "b"), imported(B, 2, 2)],
        [*MOVED_BACK, deleted(FIRST, 3, "b"), imported(B, 3, 2)],
        [*DELETED, replace(stated(B, 1, 3), staged_from=Serial(0)), imported(B, 2, 2)],
    ],
    ids=["under way", "still there", "stated before", "erased before", "stated as unclean"],
)
def test_an_import_that_was_under_way_when_its_object_was_deleted_is_no_fault(
    events: list[RgEvent], tmp_path: Path
) -> None:
    said = asked(tmp_path, events, "integrity")
    assert found(said, "copies that came back after the delete") == []


def test_a_deletion_without_confirmation_is_outstanding(tmp_path: Path) -> None:
    said = asked(tmp_path, [*RIGHT[:4], stated(A, 1, 3, 1, 2)], "deletions")
    assert not said.verdict
    [row] = found(said, "deletions")
    assert (row["state"], row["confirmed"]) == ("outstanding", None)
    assert row["outstanding"] == ["osd.1/0000000000000001"]


def test_a_deletion_is_confirmed_before_it_is_proven(tmp_path: Path) -> None:
    said = asked(tmp_path, RIGHT[:5], "deletions", object="b")
    [row] = found(said, "deletions")
    assert (row["state"], row["confirmed"]) == ("confirmed", "rg/2@4")
    assert row["silent"] == ["osd.1/0000000000000001"]
    copies = found(said, "every copy")
    assert [(row["version"], row["since"], row["until"]) for row in copies] == [
        (2, "rg/2@2", "rg/2@3"),
        (2, "rg/2@3", "rg/2@4"),
    ]


def test_what_is_staged_or_disagrees_proves_nothing(tmp_path: Path) -> None:
    for number, statement in enumerate([stated(A, 2, 3, 1, 2), stated(A, 2, 2, 1)]):
        (tmp_path / str(number)).mkdir()
        said = asked(tmp_path / str(number), [*RIGHT[:5], statement], "deletions")
        assert [row["state"] for row in found(said, "deletions")] == ["confirmed"]


def test_a_retired_store_is_waited_for_no_more(tmp_path: Path) -> None:
    events = [*RIGHT[:4], claimed(SECOND, B), stated(B, 1, 3), retired(SECOND, A)]
    said = asked(tmp_path, events, "deletions")
    assert [row["state"] for row in found(said, "deletions")] == ["proven"]


def test_deletions_can_be_chosen(tmp_path: Path) -> None:
    for values, count in (
        ({"object": "b"}, 1),
        ({"object": "a"}, 0),
        ({"prefix": "b"}, 1),
        ({"prefix": "c"}, 0),
        ({"since": "2023-11-14", "until": "2023-11-15"}, 1),
        ({"since": "2023-11-15T00:00+02:00"}, 1),
        ({"since": "2023-11-15T00:00+01:00"}, 0),
    ):
        folder = tmp_path / str(values).replace("/", "-")
        folder.mkdir()
        assert len(found(asked(folder, RIGHT, "deletions", **values), "deletions")) == count


@pytest.mark.parametrize(
    ("name", "what", "at"),
    [("a", "it is live", "rg/2@1"), ("never", "it was never stored", None), ("b", None, None)],
)
def test_only_what_was_deleted_is_proven_to_be_gone(
    name: str, what: str | None, at: str | None, tmp_path: Path
) -> None:
    said = asked(tmp_path, [*RIGHT[:6], stated(A, 3, 3, 1)], "deletions", object=name)
    assert said.verdict == (what is None)
    rows = found(said, "asked about, and not deleted")
    assert [(row["what"], row["position"]) for row in rows] == ([(what, at)] if what else [])


def test_an_osd_that_never_was_is_not_safe_to_destroy(tmp_path: Path) -> None:
    said = asked(tmp_path, RIGHT, "retire", osd=9)
    assert not said.verdict
    assert found(said, "asked about, and unknown") == [
        {"osd": "osd.9", "what": "no map ever had it"}
    ]


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"'soon' is no time.*Write it as 2026-11-22"):
        asked(tmp_path, RIGHT, "deletions", since="soon")


def test_a_live_object_without_a_good_copy_is_lost(tmp_path: Path) -> None:
    said = asked(tmp_path, [*RIGHT[:3], lost(A, 1, 1)], "lost")
    [row] = found(said, "live objects")
    assert (row["object"], row["copies"]) == ("a", ["osd.1/0000000000000001 lost"])


def test_a_stray_is_named_until_its_erasure_is_confirmed(tmp_path: Path) -> None:
    said = asked(tmp_path, RIGHT[:10], "strays")
    [row] = found(said, "strays")
    assert (row["store"], row["object"], row["status"]) == (str(A), "a", "doomed")


def test_an_osd_is_safe_to_destroy_when_it_has_closed_everything(tmp_path: Path) -> None:
    said = asked(tmp_path, RIGHT, "retire", osd=1)
    assert said.verdict
    assert [row["position"] for row in found(said, "where each RG ended")] == ["rg/2@11"]


def test_an_osd_that_holds_something_is_not(tmp_path: Path) -> None:
    said = asked(tmp_path, RIGHT[:11], "retire", osd=2)
    assert not said.verdict
    assert [row["object"] for row in found(said, "copies that are there still")] == ["a"]


def test_an_event_in_another_rgs_partition_is_named(tmp_path: Path) -> None:
    log = MemoryLog(IDENTITY)
    append(log, RIGHT)
    log.append([Entry(Topic.RG, Partition(0), rg_key(RG), encode(put(FIRST, 9, "x")))])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        said = report(connection, "integrity")
    assert [row["position"] for row in found(said, "events in another RG's partition")] == [
        "rg/0@0"
    ]


NOT_KNOWN = "it is not known, as the log cannot be read further than "


def test_what_cannot_be_read_is_no_fault_of_what_is_asked_about(tmp_path: Path) -> None:
    log = MemoryLog(IDENTITY)
    tell_map(log, CREATED, added(1), booted(1))
    log.append([Entry(Topic.MAP, Partition(0), b"map", b"not a record")])
    append(log, [claimed(FIRST, replicas=2), claimed(SECOND, B)])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        for name in KINDS:
            said = report(connection, name, {"osd": 1})
            assert not said.verdict
            if name != "retire":
                assert (name, said.sentence) == (name, NOT_KNOWN + "map/0@1")
        log.append([Entry(Topic.RG, Partition(1), rg_key(RgId(1)), b"not a record")])
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        assert report(connection, "lost").sentence == NOT_KNOWN + "map/0@1 and in 1 more"


def test_what_cannot_be_read_is_named_and_nothing_after_it_proven(tmp_path: Path) -> None:
    log = MemoryLog(IDENTITY)
    append(log, RIGHT)
    log.append([Entry(Topic.RG, Partition(2), rg_key(RG), b"not a record")])
    append(log, RIGHT[:1])
    assert sync(tmp_path / "audit", log).events == len(RIGHT) + 2
    with reading(tmp_path / "audit") as connection:
        for name in KINDS:
            said = report(connection, name, {"osd": 1})
            assert not said.verdict
            [row] = found(said, "where the log cannot be read further")
            assert row["position"] == "rg/2@12"
            if name == "lost":
                assert said.sentence == NOT_KNOWN + "rg/2@12"
            assert "it does not begin with C3 01" in str(row["why"])
        deletions = report(connection, "deletions")
        assert [row["state"] for row in found(deletions, "deletions")] == ["confirmed"]


@pytest.mark.parametrize("seed", [0, 1, 2, *LATE_IMPORTS])
def test_simulated_clusters_keep_the_rules(seed: int, tmp_path: Path) -> None:
    """All but those whose log repeated or lost a record: each such place is named."""
    run = Run(seed)
    assert run.go() is None
    sync(tmp_path / "audit", run.cluster.log)
    with reading(tmp_path / "audit") as connection:
        for name in ("lost", "strays"):
            said = report(connection, name)
            assert said.verdict, said
        said = report(connection, "integrity")
    rows = found(said, "versions out of seq")
    assert {str(row["position"]) for row in rows} == out_of_sequence(run.cluster.told)
    assert sum(len(table.rows) for table in said.tables if table.is_fault) == len(rows)
    assert said.verdict == all(row["first_said"] for row in rows)


def out_of_sequence(told: list[Told]) -> set[str]:
    """Where the folds say that an operation of a standing claim was not the next."""
    rgs: dict[RgId, RgProjection] = {}
    places = set()
    for record, event in told:
        if isinstance(event, MapChanged):
            continue
        projection = rgs.setdefault(event.rg, RgProjection(event.rg))
        if projection.fold(event, record.offset).void is Void.OUT_OF_SEQUENCE:
            places.add(str(record.position))
    return places


def test_a_page_says_what_the_report_says_and_no_name_becomes_markup(tmp_path: Path) -> None:
    events: list[RgEvent] = [claimed(FIRST), put(FIRST, 1, "<b>&"), deleted(FIRST, 2, "<b>&")]
    said = page(asked(tmp_path, events, "deletions"), "cluster")
    assert "&lt;b&gt;&amp;" in said
    assert "<b>" not in said
    assert "<strong>NO</strong>" in said
    assert "http" not in said.replace("http-equiv", "")


def test_every_kind_of_report_can_be_asked_of_an_empty_log(tmp_path: Path) -> None:
    for name in KINDS:
        (tmp_path / name).mkdir()
        assert asked(tmp_path / name, [], name, osd=1).verdict == (name != "retire")


def test_random_histories_are_dense(tmp_path: Path) -> None:
    said = asked(tmp_path, mixed(Random(1), rgs=5, length=100), "versions")
    assert found(said, "accepted versions are not") == []
