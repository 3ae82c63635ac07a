"""Corners of the RG fold: several items of one object in one event, retired primaries, reuse."""

import pytest

from eventlog.errors import BadRecord
from eventlog.rg_events import RgEvent
from folds.building import (
    A,
    B,
    C,
    claimed,
    closed,
    deleted,
    doomed,
    erased,
    facts,
    fence,
    folded,
    imported,
    lost,
    put,
    retired,
    stated,
)
from projections.rg_state import OpKind
from projections.voids import Void

F1 = fence(1)
F2 = fence(2, by=B)
START = (claimed(F1), put(F1, 1, "a"), put(F1, 2, "b"))
MOVED = (*START, claimed(F2), imported(B, 1, 1, 2))


def rules(*events: RgEvent) -> list[tuple[int, Void]]:
    return [(item.version, item.rule) for item in folded(*events)[1].items]


class TestSeveralItems:
    def test_an_old_and_the_current_version_are_one_fact(self) -> None:
        events = (*START, imported(B, 1, 1), put(F1, 3, "a"))
        projection, _ = folded(*events, imported(C, 1, 1, 3))
        assert facts(projection)["a"] == ["osd.1 v3 held", "osd.2 v1 doomed", "osd.3 v3 held"]

    def test_an_erasure_up_to_a_version_takes_the_older_fact_once(self) -> None:
        events = (*START, put(F1, 3, "a", A), imported(B, 1, 1), deleted(F1, 4, "a"))
        projection, result = folded(*events, erased(B, 2, 1, 4))
        assert facts(projection)["a"] == ["osd.1 v3 doomed"]
        assert [tuple(item) for item in result.items] == [(4, Void.NO_SUCH_COPY)]

    def test_an_erasure_of_an_older_version_leaves_the_newer_copy(self) -> None:
        events = (*START, imported(B, 1, 1), put(F1, 3, "a"))
        assert rules(*events, erased(A, 1, 1)) == [(1, Void.NO_SUCH_COPY)]
        assert facts(folded(*events, erased(A, 1, 1))[0])["a"] == [
            "osd.1 v3 held",
            "osd.2 v1 doomed",
        ]

    def test_an_erasure_may_name_the_deletion_itself(self) -> None:
        projection, result = folded(*START, deleted(F1, 3, "a"), erased(A, 1, 3))
        assert result.items == ()
        assert facts(projection) == {"b": ["osd.1 v2 held"]}

    def test_some_items_are_void_and_the_others_are_not(self) -> None:
        assert rules(*MOVED, doomed(F2, A, 1, 2, 7)) == [(7, Void.NO_SUCH_COPY)]
        projection, _ = folded(*MOVED, doomed(F2, A, 1, 2, 7))
        assert projection.state.ledger(A).doomed == 2

    def test_bare_copies_are_kept_apart_from_a_new_object_of_the_name(self) -> None:
        events = (*START, deleted(F1, 3, "a"), erased(A, 1, 1), put(F1, 4, "a"), imported(B, 1, 1))
        projection, _ = folded(*events, imported(B, 2, 4), erased(B, 3, 1))
        assert facts(projection)["a"] == ["osd.1 v4 held", "osd.2 v4 held"]
        assert "?" not in facts(projection)
        assert rules(*events, imported(B, 2, 1)) == [(1, Void.NO_CHANGE)]

    def test_a_bare_copy_is_erased_exactly(self) -> None:
        gone = (*START, deleted(F1, 3, "a"), erased(A, 1, 1), imported(B, 1, 1))
        assert rules(*gone, erased(B, 2, 3)) == [(3, Void.NO_SUCH_COPY)]
        assert facts(folded(*gone, erased(B, 2, 3))[0])["?"] == ["osd.2 v1"]

    def test_a_bare_copy_can_be_gone_but_not_lost(self) -> None:
        gone = (*START, deleted(F1, 3, "a"), erased(A, 1, 1), imported(B, 1, 1))
        assert rules(*gone, lost(B, 2, 1)) == [(1, Void.NO_SUCH_COPY)]
        assert rules(*gone, lost(B, 2, 1, gone=True)) == []
        assert "?" not in facts(folded(*gone, lost(B, 2, 1, gone=True))[0])


class TestRetiredPrimaries:
    def test_what_it_puts_alone_is_held_by_nobody(self) -> None:
        projection, result = folded(*START, retired(F1, A), put(F1, 3, "c"))
        assert result.void is None
        assert facts(projection) == {"a": [], "b": [], "c": []}
        assert (projection.state.live, projection.state.unheld) == (3, 3)
        assert A not in projection.state.ledgers

    def test_what_it_puts_elsewhere_too_is_held_there(self) -> None:
        projection, _ = folded(*START, retired(F1, A), put(F1, 3, "c", A, B))
        assert facts(projection)["c"] == ["osd.2 v3 held"]

    def test_a_copy_of_a_retired_placed_store_keeps_others_from_being_doomed(self) -> None:
        events = (*START, claimed(F2, B, C), imported(B, 1, 1), imported(C, 1, 1), retired(F2, C))
        assert rules(*events, doomed(F2, A, 1)) == [(1, Void.NOT_ALL_COUNT)]

    def test_once_is_enough(self) -> None:
        assert folded(*START, retired(F1, B), retired(F1, B))[1].void is Void.STORE_RETIRED


class TestPuts:
    def test_a_store_is_listed_once(self) -> None:
        with pytest.raises(BadRecord, match="a store is listed twice"):
            put(F1, 1, "a", A, B, A)

    def test_the_primary_is_listed(self) -> None:
        with pytest.raises(BadRecord, match="the primary's own store must be listed"):
            put(F1, 1, "a", B)

    def test_a_store_that_is_listed_again_has_the_new_version(self) -> None:
        projection, _ = folded(*MOVED, put(F2, 3, "a", B, A))
        assert facts(projection)["a"] == ["osd.1 v3 held", "osd.2 v3 held"]

    def test_a_request_id_used_again_names_the_last_operation(self) -> None:
        projection, _ = folded(
            claimed(F1), put(F1, 1, "a", request="r"), deleted(F1, 2, "b", request="r")
        )
        memo = projection.memo("r")
        assert memo is not None
        assert (memo.kind, memo.object, memo.version) == (OpKind.DELETE, "b", 2)

    def test_a_put_opens_a_closed_store_again(self) -> None:
        events = (claimed(F1), put(F1, 1, "a"), closed(B, 1))
        assert folded(*events)[0].state.ledger(B).closed == 2
        assert folded(*events, put(F1, 2, "a", A, B))[0].state.ledger(B).closed is None


class TestStatements:
    def test_a_void_statement_does_not_use_up_its_number(self) -> None:
        assert folded(*START, closed(A, 1), imported(A, 1, 1))[1].void is None

    def test_one_whose_items_are_all_void_does(self) -> None:
        events = (*START, imported(B, 1, 9))
        assert folded(*events, imported(B, 1, 1))[1].void is Void.STATEMENT_NOT_NEWER

    def test_each_store_counts_for_itself(self) -> None:
        assert folded(*START, imported(B, 5, 1), imported(C, 1, 1))[1].void is None

    def test_holdings_of_nothing_agree_with_nothing(self) -> None:
        projection, _ = folded(*START, stated(C, 1, 0))
        said = projection.state.ledger(C).stated
        assert said is not None
        assert (said.attests, said.agrees) == (True, True)
        assert projection.state.holders == (A,)
