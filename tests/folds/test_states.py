"""What an RG is to one OSD: every case of the table of states, and of sources."""

import pytest

from eventlog.ids import Fence, Store
from eventlog.rg_events import RgEvent
from folds.building import (
    A,
    B,
    C,
    claimed,
    deleted,
    doomed,
    erased,
    fence,
    folded,
    imported,
    lost,
    put,
    stated,
)
from projections.rg_state import RgState
from projections.states import (
    SOURCE_TRANSITIONS,
    SourceState,
    State,
    View,
    flags,
    is_claimed_for,
    is_complete,
    source_state,
    sources,
)

F1 = fence(1)
F2 = fence(2, by=B)
START = (claimed(F1), put(F1, 1, "a"), put(F1, 2, "b"))
MOVED = (*START, claimed(F2), imported(B, 1, 1, 2))
CLEANED = (*MOVED, doomed(F2, A, 1, 2), erased(A, 1, 1, 2))


def state_of(*events: RgEvent) -> RgState:
    return folded(*events)[0].state if events else RgState()


def seen(
    *events: RgEvent,
    me: Store = B,
    placed: tuple[Store, ...] = (B,),
    up: tuple[Store, ...] | None = None,
    replicas: int | None = None,
    mine: Fence | None = F2,
) -> str:
    """The flags, as people see them."""
    acting = placed if up is None else tuple(store for store in placed if store in up)
    view = View(me, placed, acting, replicas or len(placed), state_of(*events), mine)
    return "+".join(flags(view))


class TestPrimary:
    def test_without_any_event_it_is_clean(self) -> None:
        assert seen(mine=None) == "clean"

    def test_but_not_before_it_knows_that_there_is_none(self) -> None:
        view = View(B, (B,), (B,), 1, RgState(), None, is_caught_up=False)
        assert flags(view) == (State.UNDEF,)

    def test_until_its_own_claim_stands_it_is_undef(self) -> None:
        assert seen(*START, mine=None) == "undef"
        assert seen(*MOVED, mine=None) == "undef"

    def test_also_under_a_claim_of_its_own_before(self) -> None:
        assert seen(*MOVED, claimed(fence(3, by=B)), mine=F2) == "undef"
        assert seen(*MOVED, claimed(fence(2, 2, by=B, boot=2)), mine=F2) == "undef"

    def test_and_after_its_claim_has_ended(self) -> None:
        assert seen(*CLEANED, put(F2, 9, "c")) == "undef"

    @pytest.mark.parametrize(
        "events",
        [
            (*START, claimed(F2)),
            (*START, claimed(F2), imported(B, 1, 1)),
            (*CLEANED, lost(B, 2, 1)),
            (*CLEANED, lost(B, 2, 1), imported(A, 2, 1)),
        ],
    )
    def test_it_is_importing_while_it_lacks_a_live_object(
        self, events: tuple[RgEvent, ...]
    ) -> None:
        assert seen(*events).startswith("importing")

    @pytest.mark.parametrize(
        "events",
        [
            MOVED,
            (*MOVED, doomed(F2, A, 1, 2)),
            (*MOVED, doomed(F2, A, 1, 2), erased(A, 1, 1)),
            (*MOVED, lost(A, 1, 1), doomed(F2, A, 2), erased(A, 2, 2)),
            (*MOVED, deleted(F2, 3, "a"), deleted(F2, 4, "b")),
            (*CLEANED, deleted(F2, 3, "a"), erased(B, 2, 1), imported(A, 2, 1)),
        ],
        ids=["held", "doomed", "doomed, another erased", "lost", "tombstones", "bare"],
    )
    def test_and_while_a_store_outside_placed_has_any_fact(
        self, events: tuple[RgEvent, ...]
    ) -> None:
        assert seen(*events) == "importing"

    def test_it_is_clean_when_nothing_is_left(self) -> None:
        assert seen(*CLEANED) == "clean"

    def test_its_own_tombstones_leave_it_clean(self) -> None:
        assert seen(*CLEANED, deleted(F2, 3, "a")) == "clean"

    def test_a_copy_at_a_placed_store_is_no_source(self) -> None:
        assert seen(*MOVED, placed=(B, A)) == "clean"

    def test_it_is_degraded_while_a_placed_store_is_down(self) -> None:
        assert seen(*MOVED, placed=(B, A), up=(B,)) == "degraded"

    def test_also_as_primary_in_place_of_one_that_is_down(self) -> None:
        assert seen(*MOVED, placed=(A, B), up=(B,)) == "degraded"

    def test_and_while_fewer_stores_are_placed_than_replicas(self) -> None:
        assert seen(*CLEANED, replicas=2) == "degraded"

    def test_and_while_a_placed_store_lacks_a_copy(self) -> None:
        assert seen(*CLEANED, placed=(B, A), replicas=2) == "degraded"
        assert seen(*CLEANED, imported(A, 2, 1, 2), placed=(B, A), replicas=2) == "clean"
        assert seen(*MOVED, lost(A, 2, 1), placed=(B, A), replicas=2) == "degraded"

    def test_both_at_once_are_shown_in_order(self) -> None:
        assert seen(*MOVED, replicas=2) == "importing+degraded"
        assert seen(*MOVED, placed=(B, C), up=(B,)) == "importing+degraded"

    def test_an_object_without_a_copy_that_counts_is_both(self) -> None:
        assert seen(*CLEANED, lost(B, 2, 1)) == "importing+degraded"
        assert seen(*CLEANED, lost(B, 2, 1, gone=True)) == "importing+degraded"

    def test_one_that_can_be_imported_is_not_degraded(self) -> None:
        assert seen(*START, claimed(F2)) == "importing"
        assert seen(*MOVED, lost(B, 2, 1)) == "importing"


class TestPlaced:
    def test_one_that_has_all_is_a_replica(self) -> None:
        assert seen(*MOVED, me=A, placed=(B, A)) == "replica"

    def test_also_of_an_rg_without_any_event(self) -> None:
        assert seen(me=A, placed=(B, A)) == "replica"

    @pytest.mark.parametrize(
        "events",
        [
            (*MOVED, put(F2, 3, "c")),
            (*CLEANED, put(F2, 3, "a", B, A)),
            (*MOVED, lost(A, 1, 1)),
            (*MOVED, lost(A, 1, 1, gone=True)),
            (*MOVED, deleted(F2, 3, "a")),
            (*MOVED, deleted(F2, 3, "a"), deleted(F2, 4, "b")),
        ],
        ids=["behind", "lacks another", "lost", "gone", "doomed beside held", "only doomed"],
    )
    def test_one_that_is_not_is_recovering(self, events: tuple[RgEvent, ...]) -> None:
        assert seen(*events, me=A, placed=(B, A)) == "recovering"

    def test_a_placed_store_that_is_down_by_the_map_follows_too(self) -> None:
        assert seen(*MOVED, placed=(B,), up=()) == "replica"
        assert seen(*START, claimed(F2), placed=(B,), up=()) == "recovering"


class TestOutside:
    def test_without_facts_it_is_undef(self) -> None:
        assert seen(*MOVED, me=C) == "undef"
        assert seen(me=C) == "undef"

    def test_also_after_it_had_some(self) -> None:
        assert seen(*CLEANED, me=A) == "undef"

    def test_with_facts_and_no_claim_of_the_present_interval_it_is_homeless(self) -> None:
        assert seen(*START, me=A) == "homeless"
        assert seen(*MOVED, me=A, placed=(C,)) == "homeless"
        assert seen(*MOVED, me=A, placed=(B, C)) == "homeless"

    def test_also_where_the_rg_is_placed_nowhere(self) -> None:
        assert seen(*START, me=A, placed=()) == "homeless"

    def test_once_the_claim_is_there_it_is_exporting(self) -> None:
        assert seen(*START, claimed(F2), me=A) == "exporting"
        assert seen(*MOVED, me=A) == "exporting"

    def test_until_the_last_fact_is_gone(self) -> None:
        assert seen(*MOVED, doomed(F2, A, 1, 2), me=A) == "exporting"
        assert seen(*MOVED, doomed(F2, A, 1, 2), erased(A, 1, 1), me=A) == "exporting"

    def test_a_bare_copy_is_a_fact(self) -> None:
        gone = (*CLEANED, deleted(F2, 3, "a"), erased(B, 2, 1))
        assert seen(*gone, imported(A, 2, 1), me=A) == "exporting"

    def test_a_claim_that_has_ended_was_made_all_the_same(self) -> None:
        assert seen(*MOVED, put(F2, 9, "c"), me=A) == "exporting"


def test_claimed_for_means_these_stores_in_this_order() -> None:
    state = state_of(claimed(fence(1), A, B))
    assert is_claimed_for(state, (A, B))
    assert not is_claimed_for(state, (B, A))
    assert not is_claimed_for(state, (A,))
    assert not is_claimed_for(state, ())
    assert not is_claimed_for(RgState(), (A,))


def test_complete_is_a_copy_that_counts_of_every_live_object() -> None:
    state = state_of(*MOVED, deleted(F2, 3, "a"), put(F2, 4, "c"))
    assert (is_complete(state, A), is_complete(state, B)) == (False, True)
    assert not is_complete(state, C)
    assert is_complete(RgState(), C)


def test_sources_are_the_holders_outside_placed() -> None:
    state = state_of(*MOVED, imported(C, 1, 1))
    assert sources(state, (B,)) == (A, C)
    assert sources(state, (C, A)) == (B,)
    assert sources(state, ()) == (A, B, C)
    assert sources(state_of(*CLEANED), (B,)) == ()


def test_sources_are_in_order_whichever_came_first() -> None:
    state = state_of(claimed(F2), put(F2, 1, "a"), imported(C, 1, 1), imported(A, 1, 1))
    assert list(state.ledgers) == [B, C, A]
    assert sources(state, ()) == state.holders == (A, B, C)


class TestSourceStates:
    def shown(self, *events: RgEvent, has_remaining: bool = True) -> SourceState:
        state = state_of(*events)
        return source_state(state.ledger(A), state.standing, has_remaining)

    def test_starting_until_it_answers_the_claim(self) -> None:
        moved = (*START, claimed(F2))
        assert self.shown(*moved) is SourceState.STARTING
        assert self.shown(*moved, stated(A, 1, 2, 1, 2)) is SourceState.STARTING
        assert self.shown(*moved, stated(A, 1, 2, 1, 2, answers=F1)) is SourceState.STARTING

    def test_then_importing_or_finishing(self) -> None:
        answered = (*START, claimed(F2), stated(A, 1, 2, 1, 2, answers=F2))
        assert self.shown(*answered) is SourceState.IMPORTING
        assert self.shown(*answered, has_remaining=False) is SourceState.FINISHING

    def test_a_new_claim_starts_it_anew(self) -> None:
        answered = (*START, claimed(F2), stated(A, 1, 2, 1, 2, answers=F2))
        assert self.shown(*answered, claimed(fence(2, 2, by=B))) is SourceState.STARTING

    def test_without_a_claim_that_stands_too(self) -> None:
        answered = (*START, claimed(F2), stated(A, 1, 2, 1, 2, answers=F2))
        assert self.shown(*answered, put(F2, 9, "c")) is SourceState.STARTING

    def test_every_state_is_left_and_entered(self) -> None:
        everything = {None, *SourceState}
        assert set(SOURCE_TRANSITIONS) == everything
        for before, after in SOURCE_TRANSITIONS.items():
            assert after == everything - {before}


def test_states_are_shown_in_the_order_of_the_table() -> None:
    assert " ".join(State) == (
        "undef importing degraded clean homeless exporting recovering replica"
    )
