"""Plans: what is to be imported, what may be doomed, and the sets of each source."""

from collections.abc import Iterable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.ids import Store, Version
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
    stated,
    store,
)
from folds.generated import fold_all, histories, seat
from projections.plans import (
    Source,
    Stray,
    Wanted,
    doomable,
    import_plan,
    imports,
    lacking,
    scarcities,
    strays,
    want,
)
from projections.replica_group import fold
from projections.rg_memory import RgProjection
from projections.rg_state import Entry, Status
from projections.states import SourceState

F1 = fence(1)
F2 = fence(2, by=B)
START = (claimed(F1), put(F1, 1, "a"), put(F1, 2, "b"), put(F1, 3, "c"))
TAKEN = (*START, claimed(F2))


def rg(*events: RgEvent) -> RgProjection:
    return folded(*events)[0]


def entry_of(projection: RgProjection, name: str) -> Entry:
    found = projection.entry(name)
    assert found is not None
    return found


def wanted(projection: RgProjection, store: Store, copies: int = 9) -> list[str]:
    found = imports(projection.state, projection, store, copies)
    return [f"{it.name} v{it.version} from {_osds(it.holders)}" for it in found]


def may_go(
    projection: RgProjection, *placed: Store, replicas: int | None = None
) -> list[tuple[int, int]]:
    found = strays(projection.state, projection, placed, replicas or len(placed))
    return [(stray.store.osd, stray.version) for stray in found]


def _osds(stores: Iterable[Store]) -> str:
    return ",".join(str(store.osd) for store in stores)


class TestWanted:
    def test_a_live_object_that_does_not_count_here(self) -> None:
        entry = entry_of(rg(*TAKEN), "b")
        assert want("b", entry, B) == Wanted("b", Version(2), 10, bytes(32), (A,))

    def test_nothing_that_counts_here(self) -> None:
        assert want("b", entry_of(rg(*TAKEN), "b"), A) is None

    def test_nothing_that_is_deleted(self) -> None:
        assert want("b", entry_of(rg(*TAKEN, deleted(F2, 4, "b")), "b"), B) is None

    def test_nothing_that_nobody_holds(self) -> None:
        assert want("b", entry_of(rg(*TAKEN, lost(A, 1, 2)), "b"), B) is None
        assert want("b", entry_of(rg(*TAKEN, lost(A, 1, 2, gone=True)), "b"), B) is None

    def test_what_is_lost_or_doomed_here_is_wanted_again(self) -> None:
        moved = (*TAKEN, imported(B, 1, 2))
        assert want("b", entry_of(rg(*moved, lost(B, 2, 2)), "b"), B) is not None
        assert want("b", entry_of(rg(*moved, doomed(F2, A, 2)), "b"), A) is not None

    def test_every_holder_is_named_and_no_other(self) -> None:
        entry = entry_of(rg(*TAKEN, imported(B, 1, 2), lost(A, 1, 2), imported(C, 1, 2)), "b")
        found = want("b", entry, store(4))
        assert found is not None
        assert sorted(found.holders) == [B, C]


class TestImports:
    def test_all_that_is_lacking_in_the_order_of_names(self) -> None:
        assert wanted(rg(*TAKEN), B) == ["a v1 from 1", "b v2 from 1", "c v3 from 1"]

    def test_less_what_is_here_already(self) -> None:
        assert wanted(rg(*TAKEN, imported(B, 1, 2)), B) == ["a v1 from 1", "c v3 from 1"]

    def test_less_what_clients_wrote_or_deleted_meanwhile(self) -> None:
        assert wanted(rg(*TAKEN, put(F2, 4, "a"), deleted(F2, 5, "b")), B) == ["c v3 from 1"]

    def test_only_what_has_so_few_copies(self) -> None:
        moved = rg(*TAKEN, imported(C, 1, 2))
        assert wanted(moved, B, copies=1) == ["a v1 from 1", "c v3 from 1"]
        assert wanted(moved, B, copies=2) == ["a v1 from 1", "b v2 from 1,3", "c v3 from 1"]

    def test_nothing_where_all_counts(self) -> None:
        assert wanted(rg(*TAKEN), A) == []
        assert wanted(RgProjection(RG), B) == []

    def test_holders_may_differ_from_object_to_object(self) -> None:
        moved = (*TAKEN, imported(B, 1, 1), lost(A, 1, 1), imported(C, 1, 3), lost(A, 2, 3))
        assert wanted(rg(*moved), store(4)) == ["a v1 from 2", "b v2 from 1", "c v3 from 3"]


class TestScarcities:
    def test_one_number_where_every_holder_has_all(self) -> None:
        assert list(scarcities(rg(*TAKEN).state, B)) == [1]
        everywhere = rg(*TAKEN, imported(C, 1, 1, 2, 3))
        assert list(scarcities(everywhere.state, B)) == [2]

    def test_from_what_the_holders_lack_altogether(self) -> None:
        assert list(scarcities(rg(*TAKEN, imported(C, 1, 1, 2)).state, B)) == [1, 2]
        three = rg(*TAKEN, imported(C, 1, 1, 2), imported(store(4), 1, 1, 2, 3))
        assert list(scarcities(three.state, B)) == [2, 3]

    def test_nothing_is_lacking_where_no_copy_counts(self) -> None:
        state = rg(*TAKEN, lost(A, 1, 1, 2, 3)).state
        assert (lacking(state, B), list(scarcities(state, B))) == (0, [])

    @settings(max_examples=200)
    @given(histories())
    def test_they_are_those_of_everything_that_is_imported(self, events: list[RgEvent]) -> None:
        projection = fold_all(events)
        for me in projection.state.ledgers:
            found = [len(it.holders) for it in imports(projection.state, projection, me, 99)]
            assert len(found) == max(0, lacking(projection.state, me))
            assert set(found) <= set(scarcities(projection.state, me))


class TestDoomable:
    def test_once_every_placed_store_has_its_own(self) -> None:
        projection = rg(*TAKEN, imported(B, 1, 1, 2), imported(C, 1, 2))
        assert doomable(entry_of(projection, "a"), (B,), 1) == (Stray(A, Version(1)),)
        assert doomable(entry_of(projection, "a"), (B, C), 2) == ()
        assert doomable(entry_of(projection, "b"), (B, C), 2) == (Stray(A, Version(2)),)
        assert doomable(entry_of(projection, "c"), (B,), 1) == ()

    def test_not_while_too_few_are_placed(self) -> None:
        projection = rg(*TAKEN, imported(B, 1, 1))
        assert doomable(entry_of(projection, "a"), (B,), 2) == ()
        assert doomable(entry_of(projection, "a"), (), 1) == ()

    def test_not_what_is_doomed_already(self) -> None:
        projection = rg(*TAKEN, imported(B, 1, 1), doomed(F2, A, 1))
        assert doomable(entry_of(projection, "a"), (B,), 1) == ()

    def test_a_lost_copy_too(self) -> None:
        projection = rg(*TAKEN, imported(B, 1, 1), lost(A, 1, 1))
        assert doomable(entry_of(projection, "a"), (B,), 1) == (Stray(A, Version(1)),)

    def test_nothing_of_a_placed_store(self) -> None:
        projection = rg(*TAKEN, imported(B, 1, 1))
        assert doomable(entry_of(projection, "a"), (A, B), 2) == ()

    def test_nothing_of_a_tombstone(self) -> None:
        projection = rg(*TAKEN, deleted(F2, 4, "a"))
        assert doomable(entry_of(projection, "a"), (B,), 1) == ()

    def test_strays_are_those_of_every_source_in_order(self) -> None:
        moved = (*TAKEN, imported(B, 1, 1, 2), imported(C, 1, 1, 3))
        assert may_go(rg(*moved), B) == [(1, 1), (1, 2), (3, 1)]
        assert may_go(rg(*moved), B, replicas=2) == []
        assert may_go(rg(*moved), A, B, C) == []

    def test_a_bare_copy_is_doomed_already(self) -> None:
        gone = (*START, deleted(F1, 4, "a"), erased(A, 1, 1), claimed(F2), imported(C, 1, 1))
        assert may_go(rg(*gone, imported(B, 1, 2, 3)), B) == [(1, 2), (1, 3)]

    @settings(max_examples=60)
    @given(histories(), st.randoms(use_true_random=False))
    def test_the_fold_accepts_every_dooming_of_what_the_plan_names(
        self, events: list[RgEvent], random: Random
    ) -> None:
        placed = seat(random).placed
        claim = fence(99, by=placed[0])
        projection = fold_all([*events, claimed(claim, *placed)])
        named = set(strays(projection.state, projection, placed, len(placed)))
        for where in {stray.store for stray in named}:
            versions = sorted(stray.version for stray in named if stray.store == where)
            told = doomed(claim, where, *versions)
            result = fold(projection.state, projection, told, projection.next_offset)
            assert (result.void, result.items) == (None, ())
        for where in projection.state.holders:
            others = {
                version
                for version, _ in projection.facts_of(where)
                if Stray(where, version) not in named
            }
            if others:
                told = doomed(claim, where, *sorted(others))
                result = fold(projection.state, projection, told, projection.next_offset)
                assert len(result.items) == len(others)


class TestImportPlan:
    """The sets of the notes: what remains to be read, and what is read and not yet gone."""

    def plan(
        self, *events: RgEvent, placed: tuple[Store, ...] = (B,)
    ) -> dict[int, tuple[str, set[int], set[int]]]:
        projection = rg(*events)
        return {
            source.store.osd: (source.state.value, set(source.remaining), set(source.strays))
            for source in import_plan(projection.state, projection, placed)
        }

    def test_at_first_all_remains(self) -> None:
        assert self.plan(*TAKEN) == {1: ("starting", {1, 2, 3}, set())}

    def test_what_is_imported_becomes_a_stray(self) -> None:
        answered = (*TAKEN, stated(A, 1, 3, 1, 2, 3, answers=F2))
        assert self.plan(*answered) == {1: ("importing", {1, 2, 3}, set())}
        assert self.plan(*answered, imported(B, 1, 1, 3)) == {1: ("importing", {2}, {1, 3})}

    def test_a_stray_stays_one_until_its_erasure_is_confirmed(self) -> None:
        moved = (*TAKEN, stated(A, 1, 3, 1, 2, 3, answers=F2), imported(B, 1, 1, 2, 3))
        assert self.plan(*moved) == {1: ("finishing", set(), {1, 2, 3})}
        dead = (*moved, doomed(F2, A, 1, 2, 3))
        assert self.plan(*dead) == {1: ("finishing", set(), {1, 2, 3})}
        assert self.plan(*dead, erased(A, 2, 1, 2)) == {1: ("finishing", set(), {3})}
        assert self.plan(*dead, erased(A, 2, 1, 2), erased(A, 3, 3)) == {}

    def test_a_client_operation_moves_an_object_at_once(self) -> None:
        assert self.plan(*TAKEN, put(F2, 4, "a"), deleted(F2, 5, "b")) == {
            1: ("starting", {3}, {1, 2})
        }

    def test_an_import_with_only_deletions_left_is_finishing(self) -> None:
        answered = (*TAKEN, stated(A, 1, 3, 1, 2, 3, answers=F2))
        gone = [deleted(F2, 4 + at, name) for at, name in enumerate("abc")]
        assert self.plan(*answered, *gone) == {1: ("finishing", set(), {1, 2, 3})}

    def test_a_lost_copy_does_not_remain(self) -> None:
        assert self.plan(*TAKEN, lost(A, 1, 2)) == {1: ("starting", {1, 3}, {2})}

    def test_a_bare_copy_is_a_stray(self) -> None:
        gone = (*START, deleted(F1, 4, "a"), erased(A, 1, 1), claimed(F2), imported(C, 1, 1))
        assert self.plan(*gone)[3] == ("starting", set(), {1})

    def test_many_sources_each_with_its_own_sets(self) -> None:
        moved = (*TAKEN, imported(B, 1, 1), claimed(fence(3, by=C)))
        assert self.plan(*moved, placed=(C,)) == {
            1: ("starting", {1, 2, 3}, set()),
            2: ("starting", {1}, set()),
        }

    def test_it_remains_until_every_placed_store_has_it(self) -> None:
        moved = (*TAKEN, imported(B, 1, 1, 2, 3), imported(C, 1, 2))
        assert self.plan(*moved, placed=(B, C)) == {1: ("starting", {1, 3}, {2})}

    def test_no_source_no_plan(self) -> None:
        assert self.plan(*START, placed=(A,)) == {}

    @settings(max_examples=60)
    @given(histories(), st.randoms(use_true_random=False))
    def test_the_sets_are_what_the_words_say(self, events: list[RgEvent], random: Random) -> None:
        projection, placed = fold_all(events), seat(random).placed
        for source in import_plan(projection.state, projection, placed):
            assert isinstance(source, Source)
            assert source.store not in placed
            has = {version for version, _ in projection.facts_of(source.store)}
            assert source.remaining | source.strays == has
            assert not source.remaining & source.strays
            for name, entry in projection.names():
                fact = entry.fact_of(source.store)
                if fact is not None:
                    lacks = [one for one in placed if not entry.counts_at(one)]
                    is_needed = fact.status is Status.HELD and bool(lacks)
                    assert (fact.version in source.remaining) == is_needed, name
            if source.state is not SourceState.STARTING:
                is_importing = source.state is SourceState.IMPORTING
                assert is_importing == bool(source.remaining)
