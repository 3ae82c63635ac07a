"""The rules of the RG fold, one by one, each with what it must refuse."""

import pytest

from eventlog.errors import BadRecord
from eventlog.ids import Version
from eventlog.rg_events import RgEvent
from folds.building import (
    A,
    B,
    C,
    claimed,
    closed,
    declared_lost,
    deleted,
    doomed,
    erased,
    facts,
    fence,
    folded,
    holdings_of,
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


def void_of(*events: RgEvent) -> Void | None:
    return folded(*events)[1].void


class TestClaims:
    @pytest.mark.parametrize("later", [fence(2), fence(1, 2), fence(2, 1, B)])
    def test_a_later_pair_is_accepted(self, later: object) -> None:
        assert void_of(claimed(F1), claimed(later)) is None  # type: ignore[arg-type]

    @pytest.mark.parametrize("older", [fence(1), fence(1, 1, B), fence(1, 1, boot=9)])
    def test_an_equal_or_older_pair_is_void(self, older: object) -> None:
        assert void_of(claimed(F1), claimed(older)) is Void.CLAIM_NOT_NEWER  # type: ignore[arg-type]

    def test_the_older_epoch_is_void_whatever_its_round(self) -> None:
        assert void_of(claimed(F2), claimed(fence(1, 99))) is Void.CLAIM_NOT_NEWER

    def test_an_ended_claim_still_shuts_out_older_ones(self) -> None:
        events = (claimed(F1), put(F1, 7, "a"), claimed(F1))
        assert void_of(*events) is Void.CLAIM_NOT_NEWER


class TestOperations:
    def test_the_next_version_under_the_standing_fence_is_accepted(self) -> None:
        projection, result = folded(*START)
        assert result.void is None
        assert projection.state.version == 2
        assert facts(projection) == {"a": ["osd.1 v1 held"], "b": ["osd.1 v2 held"]}

    def test_without_a_claim_it_is_fenced(self) -> None:
        assert void_of(put(F1, 1, "a")) is Void.FENCED

    @pytest.mark.parametrize("other", [fence(1, 2), fence(2), fence(1, by=B), fence(1, boot=2)])
    def test_every_part_of_the_fence_counts(self, other: object) -> None:
        assert void_of(claimed(F1), put(other, 1, "a")) is Void.FENCED  # type: ignore[arg-type]

    @pytest.mark.parametrize("version", [1, 2, 4, 9])
    def test_any_other_version_is_void_and_ends_the_claim(self, version: int) -> None:
        projection, result = folded(*START, put(F1, version, "c"))
        assert result.void is Void.OUT_OF_SEQUENCE
        assert projection.state.standing is None

    def test_after_the_end_of_the_claim_the_right_version_is_void_too(self) -> None:
        events = (*START, put(F1, 9, "c"), put(F1, 3, "c"))
        assert void_of(*events) is Void.CLAIM_ENDED

    def test_a_void_operation_changes_no_object(self) -> None:
        projection, _ = folded(*START, put(F1, 9, "a", A, B))
        assert facts(projection) == {"a": ["osd.1 v1 held"], "b": ["osd.1 v2 held"]}
        assert projection.state.voids == 1

    def test_a_put_dooms_every_other_copy(self) -> None:
        projection, _ = folded(*MOVED, put(F2, 3, "a"))
        assert facts(projection)["a"] == ["osd.1 v1 doomed", "osd.2 v3 held"]

    def test_a_delete_dooms_all_and_leaves_a_tombstone(self) -> None:
        projection, _ = folded(*START, deleted(F1, 3, "a"))
        assert facts(projection)["a"] == ["osd.1 v1 doomed"]
        assert (projection.state.live, projection.state.tombstones) == (1, 1)

    def test_a_tombstone_goes_with_the_last_fact(self) -> None:
        projection, _ = folded(*START, deleted(F1, 3, "a"), erased(A, 1, 1))
        assert facts(projection) == {"b": ["osd.1 v2 held"]}
        assert projection.state.tombstones == 0

    def test_versions_are_not_reused_after_a_delete_and_a_new_put(self) -> None:
        projection, _ = folded(
            *START, deleted(F1, 3, "a"), erased(A, 1, 1), put(F1, 4, "a"), imported(B, 1, 1)
        )
        assert facts(projection)["a"] == ["osd.1 v4 held"]
        assert facts(projection)["?"] == ["osd.2 v1"]

    def test_a_delete_of_nothing_is_accepted_and_forgotten(self) -> None:
        projection, result = folded(claimed(F1), deleted(F1, 1, "x"))
        assert result.void is None
        assert projection.state.version == 1
        assert facts(projection) == {}

    def test_declared_lost_is_as_deleted(self) -> None:
        projection, result = folded(*START, lost(A, 1, 1), declared_lost(F1, 3, "a", 1))
        assert result.void is None
        assert facts(projection)["a"] == ["osd.1 v1 doomed"]
        assert projection.state.unheld == 0

    def test_requests_are_remembered_for_a_thousand_versions(self) -> None:
        events: list[RgEvent] = [claimed(F1), put(F1, 1, "a", request="first")]
        events += [put(F1, version, "b", request=f"r{version}") for version in range(2, 1_001)]
        projection, _ = folded(*events)
        memo = projection.memo("first")
        assert memo is not None
        assert (memo.kind, memo.object, memo.version) == (OpKind.PUT, "a", 1)
        projection, _ = folded(*events, put(F1, 1_001, "b", request="last"))
        assert projection.memo("first") is None
        entry = projection.entry("a")
        assert entry is not None
        assert entry.last.request == "first"


class TestStatements:
    @pytest.mark.parametrize(("boot", "n"), [(1, 1), (1, 0), (0, 9)])
    def test_boot_and_number_must_grow(self, boot: int, n: int) -> None:
        if boot == 0 or n == 0:
            with pytest.raises(BadRecord, match="counted from 1"):
                imported(B, n, 1, boot=boot)
            return
        assert void_of(*START, imported(B, 1, 1), imported(B, n, 2, boot=boot)) is (
            Void.STATEMENT_NOT_NEWER
        )

    def test_an_older_boot_is_void_whatever_its_number(self) -> None:
        events = (*START, imported(B, 1, 1, boot=2), imported(B, 99, 2, boot=1))
        assert void_of(*events) is Void.STATEMENT_NOT_NEWER

    def test_a_newer_boot_counts_from_one_again(self) -> None:
        assert void_of(*START, imported(B, 7, 1), imported(B, 1, 2, boot=2)) is None

    def test_an_import_of_the_current_version_counts(self) -> None:
        projection, _ = folded(*MOVED)
        assert facts(projection)["a"] == ["osd.1 v1 held", "osd.2 v1 held"]

    def test_an_import_above_the_rg_version_is_void(self) -> None:
        _, result = folded(*START, imported(B, 1, 3))
        assert [item.rule for item in result.items] == [Void.ABOVE_RG_VERSION]

    def test_an_import_of_an_old_version_never_makes_an_object_live(self) -> None:
        projection, _ = folded(*START, deleted(F1, 3, "a"), imported(B, 1, 1))
        assert facts(projection)["a"] == ["osd.1 v1 doomed", "osd.2 v1 doomed"]
        assert projection.state.live == 1

    def test_an_import_below_the_stores_own_copy_is_void(self) -> None:
        moved = (*MOVED, put(F2, 3, "a", B))
        _, result = folded(*moved, imported(B, 2, 1))
        assert [item.rule for item in result.items] == [Void.BELOW_FACT]

    def test_an_import_of_a_forgotten_version_is_kept_as_a_bare_copy(self) -> None:
        gone = (*START, deleted(F1, 3, "a"), erased(A, 1, 1))
        projection, _ = folded(*gone, imported(B, 1, 1))
        assert facts(projection) == {"b": ["osd.1 v2 held"], "?": ["osd.2 v1"]}
        assert projection.state.ledger(B).facts == 1
        projection, _ = folded(*gone, imported(B, 1, 1), erased(B, 2, 1))
        assert facts(projection) == {"b": ["osd.1 v2 held"]}
        assert projection.state.ledger(B).holdings == holdings_of()

    def test_a_lost_copy_does_not_count_and_an_import_heals_it(self) -> None:
        projection, _ = folded(*START, lost(A, 1, 1))
        assert facts(projection)["a"] == ["osd.1 v1 lost"]
        assert projection.state.unheld == 1
        projection, _ = folded(*START, lost(A, 1, 1), imported(A, 2, 1))
        assert facts(projection)["a"] == ["osd.1 v1 held"]
        assert projection.state.unheld == 0

    def test_a_copy_that_is_gone_is_dropped(self) -> None:
        projection, _ = folded(*START, lost(A, 1, 1, gone=True))
        assert facts(projection)["a"] == []
        assert projection.state.unheld == 1

    def test_a_doomed_copy_that_is_lost_stays_doomed(self) -> None:
        projection, _ = folded(*START, deleted(F1, 3, "a"), lost(A, 1, 1))
        assert facts(projection)["a"] == ["osd.1 v1 doomed"]

    def test_an_erasure_drops_copies_up_to_its_version_only(self) -> None:
        replaced = (*START, put(F1, 3, "a"))
        projection, result = folded(*replaced, imported(B, 1, 1), erased(A, 1, 1))
        assert facts(projection)["a"] == ["osd.1 v3 held"]
        assert [item.rule for item in result.items] == [Void.NO_SUCH_COPY]

    def test_nothing_left_is_accepted_only_when_no_fact_is_left(self) -> None:
        assert void_of(*START, closed(A, 1)) is Void.FACTS_ARE_LEFT
        projection, result = folded(*MOVED, doomed(F2, A, 1, 2), erased(A, 1, 1, 2), closed(A, 2))
        assert result.void is None
        assert projection.state.ledger(A).closed == len(MOVED) + 2

    def test_a_new_fact_opens_a_closed_store_again(self) -> None:
        events = (*MOVED, doomed(F2, A, 1, 2), erased(A, 1, 1, 2), closed(A, 2))
        projection, _ = folded(*events, imported(A, 3, 1))
        assert projection.state.ledger(A).closed is None


class TestHoldings:
    def test_holdings_that_agree_attest(self) -> None:
        projection, _ = folded(*START, stated(A, 1, 2, 1, 2))
        said = projection.state.ledger(A).stated
        assert said is not None
        assert (said.attests, said.agrees) == (True, True)

    def test_holdings_that_differ_are_a_named_fault(self) -> None:
        projection, _ = folded(*START, stated(A, 1, 2, 1))
        said = projection.state.ledger(A).stated
        assert said is not None
        assert (said.attests, said.agrees) == (True, False)

    def test_an_operation_since_that_named_the_store_takes_the_attest_away(self) -> None:
        projection, _ = folded(*START, put(F1, 3, "c"), stated(A, 1, 2, 1, 2))
        said = projection.state.ledger(A).stated
        assert said is not None
        assert not said.attests

    def test_doomed_and_lost_copies_are_part_of_the_holdings(self) -> None:
        projection, _ = folded(*START, deleted(F1, 3, "a"), lost(A, 1, 2))
        assert projection.state.ledger(A).holdings == holdings_of(1, 2)

    def test_the_answer_to_a_claim_is_kept(self) -> None:
        projection, _ = folded(*START, claimed(F2), stated(A, 1, 2, 1, 2, answers=F2))
        said = projection.state.ledger(A).stated
        assert said is not None
        assert said.answers == F2


class TestDooming:
    def test_a_copy_outside_placed_is_doomed_once_every_placed_copy_counts(self) -> None:
        projection, result = folded(*MOVED, doomed(F2, A, 1))
        assert result.items == ()
        assert facts(projection)["a"] == ["osd.1 v1 doomed", "osd.2 v1 held"]

    def test_not_before(self) -> None:
        _, result = folded(*START, claimed(F2), doomed(F2, A, 1))
        assert [item.rule for item in result.items] == [Void.NOT_ALL_COUNT]

    def test_not_when_the_placed_copy_is_lost(self) -> None:
        _, result = folded(*MOVED, lost(B, 2, 1), doomed(F2, A, 1, 2))
        assert [tuple(item) for item in result.items] == [(1, Void.NOT_ALL_COUNT)]

    def test_not_under_another_fence(self) -> None:
        assert void_of(*MOVED, doomed(F1, A, 1)) is Void.FENCED

    def test_not_a_placed_store(self) -> None:
        _, result = folded(*MOVED, doomed(F2, B, 1))
        assert [item.rule for item in result.items] == [Void.STORE_IS_PLACED]

    def test_not_another_version_than_the_copy_has(self) -> None:
        _, result = folded(*MOVED, put(F2, 3, "a"), doomed(F2, A, 1, 3))
        assert [item.rule for item in result.items] == [Void.NO_SUCH_COPY, Void.NO_SUCH_COPY]

    def test_not_while_fewer_are_placed_than_replicas(self) -> None:
        events = (*START, claimed(F2, B, replicas=2), imported(B, 1, 1), doomed(F2, A, 1))
        _, result = folded(*events)
        assert [item.rule for item in result.items] == [Void.NOT_ALL_COUNT]

    def test_judged_on_all_placed_stores(self) -> None:
        both = (*START, claimed(F2, B, C), imported(B, 1, 1), imported(C, 1, 2))
        _, result = folded(*both, doomed(F2, A, 1, 2))
        assert [item.rule for item in result.items] == [Void.NOT_ALL_COUNT, Void.NOT_ALL_COUNT]
        projection, _ = folded(*both, imported(C, 2, 1), doomed(F2, A, 1, 2))
        assert facts(projection)["a"] == ["osd.1 v1 doomed", "osd.2 v1 held", "osd.3 v1 held"]


class TestRetirement:
    def test_its_facts_count_nowhere_from_then_on(self) -> None:
        projection, _ = folded(*MOVED, deleted(F2, 3, "b"), retired(F2, A))
        assert facts(projection) == {"a": ["osd.2 v1 held"], "b": ["osd.2 v2 doomed"]}
        assert A not in projection.state.ledgers

    def test_tombstones_do_not_wait_for_it(self) -> None:
        events = (*MOVED, deleted(F2, 3, "b"), erased(B, 2, 2), retired(F2, A))
        projection, _ = folded(*events)
        assert facts(projection) == {"a": ["osd.2 v1 held"]}
        assert projection.state.tombstones == 0

    def test_its_statements_are_void(self) -> None:
        assert void_of(*MOVED, retired(F2, A), imported(A, 9, 1)) is Void.STORE_RETIRED

    def test_a_put_that_names_it_makes_no_fact_for_it(self) -> None:
        projection, _ = folded(*MOVED, retired(F2, A), put(F2, 3, "c", B, A))
        assert facts(projection)["c"] == ["osd.2 v3 held"]

    def test_only_the_standing_claim_retires(self) -> None:
        assert void_of(*MOVED, retired(F1, A)) is Void.FENCED

    def test_a_bare_copy_goes_with_it(self) -> None:
        gone = (*START, deleted(F1, 3, "a"), erased(A, 1, 1), imported(C, 1, 1))
        projection, _ = folded(*gone, retired(F1, C))
        assert "?" not in facts(projection)


def test_sums_in_the_ledgers_are_those_of_the_facts() -> None:
    projection, _ = folded(
        *MOVED,
        put(F2, 3, "c"),
        deleted(F2, 4, "b"),
        doomed(F2, A, 1),
        lost(B, 2, 1),
        erased(A, 1, 2),
    )
    for store, ledger in projection.state.ledgers.items():
        versions = [version for version, _ in projection.facts_of(store)]
        assert ledger.holdings == holdings_of(*versions)
        assert ledger.facts == ledger.held + ledger.doomed + ledger.lost
        assert Version(max(versions)) <= projection.state.version
