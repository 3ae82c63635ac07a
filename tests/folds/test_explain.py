"""Every sentence in which an RG is explained, with the situation that it tells of."""

from random import Random

import pytest

from eventlog.ids import Fence, Store
from eventlog.rg_events import RgEvent
from folds.building import (
    RG,
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
)
from folds.generated import fold_all, history, seat
from folds.mapping import changed, cluster, down
from projections.cluster_map import ClusterMap
from projections.explain import explain
from projections.rg_state import RgState
from projections.states import View

F1 = fence(1)
F2 = fence(2, by=B)
START = (claimed(F1), put(F1, 1, "a"), put(F1, 2, "b"))
TAKEN = (*START, claimed(F2))
MOVED = (*TAKEN, imported(B, 1, 1, 2))
CLEANED = (*MOVED, doomed(F2, A, 1, 2), erased(A, 1, 1, 2))

MAP = cluster()


def said(
    *events: RgEvent,
    me: Store = B,
    placed: tuple[Store, ...] = (B,),
    downs: tuple[int, ...] = (),
    replicas: int | None = None,
    mine: Fence | None = F2,
) -> str:
    """The sentence at `me`, where these OSDs are down by the map."""
    cluster_map: ClusterMap = MAP
    for osd in downs:
        cluster_map = changed(cluster_map, down(osd))
    acting = tuple(store for store in placed if store.osd not in downs)
    state = folded(*events)[0].state if events else RgState()
    view = View(me, placed, acting, replicas or len(placed), state, mine)
    return explain(RG, view, cluster_map).sentence


class TestNobodyLeads:
    def test_placed_nowhere(self) -> None:
        assert said(*START, me=A, placed=()) == (
            "rg 5 is placed nowhere: no OSD is in, has booted and has a weight."
        )

    def test_no_placed_store_is_up(self) -> None:
        assert said(*START, me=A, placed=(B, C), downs=(2, 3)) == (
            "rg 5 is unavailable: osd.2 and osd.3, where it is placed, must come up."
        )


class TestUndef:
    def test_the_primary_waits_for_its_claim(self) -> None:
        assert said(*START, mine=None) == (
            "rg 5 waits for osd.2 to read its claim back from the log."
        )

    def test_nothing_is_here_and_nothing_should_be(self) -> None:
        assert said(*MOVED, me=C) == "osd.3 has nothing of rg 5; osd.2 should have it."


class TestClean:
    def test_it_says_what_is_where(self) -> None:
        assert said(*CLEANED) == "rg 5 is clean: 2 objects on osd.2."
        assert said(*MOVED, placed=(B, A)) == "rg 5 is clean: 2 objects on osd.2 and osd.1."
        assert said(*CLEANED, deleted(F2, 3, "a")) == "rg 5 is clean: 1 object on osd.2."

    def test_also_of_an_rg_without_any_event(self) -> None:
        assert said(mine=None) == "rg 5 is clean: 0 objects on osd.2."


class TestImporting:
    def test_objects_are_to_be_imported(self) -> None:
        assert said(*TAKEN) == "osd.2 must still import 2 objects of rg 5; osd.1 holds copies."

    def test_every_store_with_copies_that_count_is_named(self) -> None:
        events = (*TAKEN, imported(C, 1, 1))
        assert said(*events) == (
            "osd.2 must still import 2 objects of rg 5; osd.1 and osd.3 hold copies."
        )

    def test_a_placed_store_among_them(self) -> None:
        assert said(*MOVED, put(F2, 3, "c"), lost(B, 2, 1), placed=(B, A)) == (
            "osd.2 must still import 1 object of rg 5; osd.1 holds copies."
        )

    def test_one_whose_copies_are_all_doomed_is_not(self) -> None:
        events = (*MOVED, doomed(F2, A, 1, 2), imported(C, 1, 1), lost(B, 2, 1))
        assert said(*events) == "osd.2 must still import 1 object of rg 5; osd.3 holds copies."

    def test_a_holder_that_is_down_must_come_up(self) -> None:
        assert said(*TAKEN, imported(B, 1, 1), downs=(1,)) == (
            "osd.2 lacks 1 object of rg 5; osd.1 holds copies, of which osd.1 must come up."
        )
        assert said(*TAKEN, imported(C, 1, 1), downs=(1,)) == (
            "osd.2 lacks 2 objects of rg 5; osd.1 and osd.3 hold copies, "
            "of which osd.1 must come up."
        )

    def test_but_not_where_one_that_is_up_has_everything(self) -> None:
        events = (*TAKEN, imported(C, 1, 1, 2))
        for down_too in (1, 3):
            assert said(*events, downs=(down_too,)) == (
                "osd.2 must still import 2 objects of rg 5; osd.1 and osd.3 hold copies."
            )
        assert said(*events, lost(C, 2, 1), downs=(1,)).endswith("of which osd.1 must come up.")
        only_held = (*events, lost(A, 1, 1), lost(C, 2, 1))
        assert "must still import 1 object" in said(*only_held, downs=(1,))

    def test_what_nobody_holds_cannot_be_imported(self) -> None:
        assert said(*CLEANED, lost(B, 2, 1)) == (
            "osd.2 lacks 1 object of rg 5, and no store holds a good copy: "
            "write anew or delete what is lost."
        )

    def test_also_where_other_copies_are_left_to_clean_up(self) -> None:
        assert said(*MOVED, lost(A, 1, 1), lost(B, 2, 1)).startswith(
            "osd.2 lacks 1 object of rg 5, and no store holds a good copy"
        )

    def test_what_can_be_imported_comes_first(self) -> None:
        assert said(*TAKEN, lost(A, 1, 1)) == (
            "osd.2 must still import 1 object of rg 5; osd.1 holds copies."
        )


class TestCleaningUp:
    def test_copies_are_to_be_doomed(self) -> None:
        assert said(*MOVED) == (
            "osd.2 has imported all of rg 5 and must still doom 2 copies on osd.1."
        )

    def test_only_by_those_who_have_any(self) -> None:
        events = (*MOVED, doomed(F2, A, 1, 2), imported(C, 1, 1))
        assert said(*events) == (
            "osd.2 has imported all of rg 5 and must still doom 1 copy on osd.3."
        )

    def test_not_before_every_placed_store_has_all(self) -> None:
        assert said(*MOVED, placed=(B, C)) == (
            "osd.3 must import all of rg 5 before 2 copies on osd.1 may go."
        )

    def test_nor_while_too_few_are_placed(self) -> None:
        assert said(*MOVED, replicas=2) == (
            "2 copies of rg 5 on osd.1 stay while it is placed on 1 of 2 stores: "
            "more OSDs must be added."
        )

    def test_doomed_copies_are_to_be_erased(self) -> None:
        assert said(*MOVED, doomed(F2, A, 1, 2)) == (
            "osd.1 must erase 2 copies of rg 5, doomed in the log."
        )
        assert said(*MOVED, deleted(F2, 3, "a"), deleted(F2, 4, "b"), erased(A, 1, 1)) == (
            "osd.1 must erase 1 copy of rg 5, doomed in the log."
        )

    def test_by_a_store_that_is_up(self) -> None:
        assert said(*MOVED, doomed(F2, A, 1), downs=(1,)) == (
            "all of rg 5 is imported, but osd.1 must come up to erase 2 copies; "
            "if a disk is gone, `osdlog map apply --retire` says so."
        )

    def test_what_placed_stores_lack_comes_before_that(self) -> None:
        """A was placed, is down, and was marked out: C took its place."""
        events = (*TAKEN, imported(B, 1, 1, 2))
        waits = " before 2 copies on osd.1 may go."
        assert said(*events, placed=(B, C), downs=(1,)) == f"osd.3 must import all of rg 5{waits}"
        assert said(*events, placed=(B, C), downs=(1, 3)) == (
            f"osd.3, where rg 5 is placed, must come up and import all of it{waits}"
        )
        assert said(*events, replicas=2, downs=(1,)) == (
            "2 copies of rg 5 on osd.1 stay while it is placed on 1 of 2 stores: "
            "more OSDs must be added."
        )

    def test_also_where_nothing_else_is_left_to_doom(self) -> None:
        events = (*MOVED, doomed(F2, A, 1, 2))
        assert said(*events, placed=(B, C), downs=(1,)) == (
            "rg 5 is served, but osd.3 must still import 2 objects of it."
        )
        assert said(*events, imported(C, 1, 1, 2), placed=(B, C), downs=(1, 3)) == (
            "rg 5 is served, but osd.3, where it is placed, must come up."
        )
        assert said(*events, imported(C, 1, 1, 2), placed=(B, C), downs=(1,)).startswith(
            "all of rg 5 is imported, but osd.1 must come up to erase 2 copies"
        )


class TestDegraded:
    def test_a_placed_store_is_down(self) -> None:
        assert said(*MOVED, placed=(B, A), downs=(1,)) == (
            "rg 5 is served, but osd.1, where it is placed, must come up."
        )

    def test_too_few_are_placed(self) -> None:
        assert said(*CLEANED, replicas=2) == (
            "rg 5 is placed on 1 of 2 stores: more OSDs must be added."
        )


class TestFollowing:
    def test_a_replica_has_everything(self) -> None:
        assert (
            said(*MOVED, me=A, placed=(B, A)) == "osd.1 has every object of rg 5; osd.2 leads it."
        )

    def test_a_recovering_one_lacks_objects(self) -> None:
        assert said(*MOVED, me=C, placed=(B, C)) == "osd.3 must still import 2 objects of rg 5."

    def test_of_those_that_can_be_imported(self) -> None:
        events = (*MOVED, lost(A, 1, 1), lost(B, 2, 1))
        assert said(*events, me=C, placed=(B, C)) == "osd.3 must still import 1 object of rg 5."

    def test_or_nobody_has_what_it_lacks(self) -> None:
        assert said(*CLEANED, lost(B, 2, 1, 2), me=C, placed=(B, C)) == (
            "osd.3 lacks 2 objects of rg 5, and no store holds a good copy: "
            "write anew or delete what is lost."
        )

    def test_or_has_copies_left_to_erase(self) -> None:
        events = (*MOVED, deleted(F2, 3, "a"))
        assert said(*events, me=A, placed=(B, A)) == "osd.1 must still erase 1 copy of rg 5."


class TestOutside:
    def test_a_homeless_one_waits_for_the_claim(self) -> None:
        assert said(*START, me=A) == (
            "osd.1 has 2 copies of rg 5, which is now placed on osd.2; osd.2 must claim it."
        )

    def test_by_the_one_that_is_up(self) -> None:
        assert said(*START, me=A, placed=(B, C), downs=(2,)) == (
            "osd.1 has 2 copies of rg 5, which is now placed on osd.2 and osd.3; "
            "osd.3 must claim it."
        )

    def test_an_exporting_one_waits_for_the_primary(self) -> None:
        assert said(*TAKEN, me=A) == (
            "osd.1 has 2 copies of rg 5; osd.2 imports them and says what may go."
        )

    def test_until_all_is_doomed(self) -> None:
        assert said(*MOVED, doomed(F2, A, 1, 2), me=A) == (
            "osd.1 must erase its 2 copies of rg 5, doomed in the log."
        )


@pytest.mark.parametrize("seed", range(100))
def test_whatever_happens_is_explained_in_one_sentence(seed: int) -> None:
    random = Random(seed)
    where, projection = seat(random), fold_all(history(random))
    claim = projection.state.claim
    view = where.view(projection, claim.fence if claim else None)
    sentence = explain(RG, view, MAP).sentence
    assert "rg 5" in sentence
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert " 0 objects" not in sentence or "clean" in sentence
    assert " 0 cop" not in sentence
    assert "  " not in sentence
