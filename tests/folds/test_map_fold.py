"""The fold of the map: guards, epochs, layouts, and events that apply as a whole or not at all."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.errors import BadRecord
from eventlog.ids import WEIGHT_ONE, OsdId, Partition, RgId, Store, Topic
from eventlog.map_events import (
    EpochBumped,
    MapChange,
    MapChanged,
    RecordSkipped,
    ReplicasSet,
    RulesRaised,
)
from folds.building import store
from folds.mapping import (
    CREATED,
    added,
    booted,
    changed,
    cluster,
    down,
    event,
    into,
    leaving,
    moved,
    out,
    pinned,
    refused,
    unpinned,
    up,
    weighed,
    written_off,
)
from projections.cluster_map import EMPTY, ClusterMap, Refusal, candidates
from projections.map_fold import fold, moves_data, skipped_records
from projections.placement import place_all

CLUSTER = cluster()
A = store(1)
SKIP = RecordSkipped(
    topic=Topic.MAP, partition=Partition(0), offset=7, sha256=bytes(32), by="ann", why="damaged"
)


class TestGuards:
    @pytest.mark.parametrize("layout", [0, 1, 3])
    def test_a_change_made_for_another_layout_is_void(self, layout: int) -> None:
        assert fold(CLUSTER, event(out(1), layout=layout)) == Refusal(
            f"the change was made for layout {layout}, the map is at 2",
            "Look at the map again; if the change still makes sense, apply it to the new layout.",
        )

    def test_what_moves_no_data_does_not_make_a_plan_old(self) -> None:
        later = changed(changed(CLUSTER, down(2)), RulesRaised(rules=2))
        assert not isinstance(fold(later, event(out(1), layout=2)), Refusal)

    @pytest.mark.parametrize("change", [booted(1, boot=2), down(1)])
    def test_boots_and_verdicts_guard_themselves(self, change: MapChange) -> None:
        assert isinstance(fold(CLUSTER, event(change, layout=None)), ClusterMap)

    def test_so_does_up(self) -> None:
        before = changed(CLUSTER, down(1))
        assert isinstance(fold(before, event(up(1), layout=None)), ClusterMap)

    def test_a_boot_that_names_a_layout_is_held_to_it(self) -> None:
        assert isinstance(fold(CLUSTER, event(booted(1, boot=2), layout=1)), Refusal)

    @pytest.mark.parametrize(
        "change",
        [
            CREATED,
            added(4),
            leaving(1),
            weighed(1, 5),
            moved(1),
            into(1),
            out(1),
            written_off(A),
            pinned(1, 1),
            unpinned(1),
            ReplicasSet(replicas=1, min_replicas=1),
            RulesRaised(rules=2),
            EpochBumped(to=9),
            SKIP,
        ],
        ids=lambda change: type(change).__name__,
    )
    def test_every_other_change_names_its_layout(self, change: MapChange) -> None:
        refusal = Refusal(
            "the change does not name the layout it was made for",
            "Look at the map with `osdlog map show` and name its layout.",
        )
        assert fold(CLUSTER, event(change, layout=None)) == refusal
        assert fold(CLUSTER, event(booted(1, boot=2), change, layout=None)) == refusal

    def test_an_event_without_a_change_is_none(self) -> None:
        with pytest.raises(BadRecord, match="a map event without a change"):
            event(layout=2)


class TestEpochs:
    # What was folded before, the change, and whether it moves data.
    CASES: tuple[tuple[tuple[MapChange, ...], MapChange, bool], ...] = (
        ((), added(4), False),
        ((added(4),), booted(4), True),
        ((), booted(1, boot=2), False),
        ((down(1),), booted(1, boot=2), False),
        ((), booted(1, 2), True),
        ((out(1),), booted(1, 2), False),
        ((), leaving(1), True),
        ((out(1),), leaving(1), False),
        ((leaving(1),), added(1), True),
        ((), weighed(1, 5), True),
        ((), weighed(1, 0), True),
        ((out(1),), weighed(1, 5), False),
        ((), moved(1), True),
        ((out(1),), moved(1), False),
        ((), out(1), True),
        ((out(1),), into(1), True),
        ((leaving(1),), out(1), False),
        ((), down(1), False),
        ((down(1),), up(1), False),
        ((), written_off(A), True),
        ((out(1),), written_off(A), False),
        ((), pinned(1, 1), True),
        ((pinned(1, 1),), pinned(1, 1), False),
        ((pinned(1, 1),), pinned(1, 2), True),
        ((pinned(1, 1),), unpinned(1), True),
        ((), ReplicasSet(replicas=3, min_replicas=1), True),
        ((), ReplicasSet(replicas=2, min_replicas=2), False),
        ((), RulesRaised(rules=2), False),
        ((), EpochBumped(to=9), False),
        ((), SKIP, False),
    )

    @pytest.mark.parametrize(
        ("before", "change", "moves"), CASES, ids=lambda it: getattr(type(it), "__name__", None)
    )
    def test_the_layout_grows_only_with_what_placement_is_computed_from(
        self, before: tuple[MapChange, ...], change: MapChange, *, moves: bool
    ) -> None:
        made = changed(CLUSTER, *before) if before else CLUSTER
        after = changed(made, change)
        assert after.layout == made.layout + moves
        assert moves_data(made, after) == moves

    @pytest.mark.parametrize(("before", "change", "_moves"), CASES)
    def test_the_epoch_grows_always(
        self, before: tuple[MapChange, ...], change: MapChange, *, _moves: bool
    ) -> None:
        made = changed(CLUSTER, *before) if before else CLUSTER
        expected = change.to if isinstance(change, EpochBumped) else made.epoch + 1
        assert changed(made, change).epoch == expected

    def test_the_first_event_makes_epoch_and_layout_one(self) -> None:
        made = changed(EMPTY, CREATED)
        assert (made.epoch, made.layout) == (1, 1)

    def test_a_bump_beside_other_changes_is_the_epoch_of_them_all(self) -> None:
        after = changed(CLUSTER, EpochBumped(to=9), out(1), EpochBumped(to=12))
        assert (after.epoch, after.layout) == (12, 3)

    def test_changes_that_undo_each_other_in_one_event_move_nothing(self) -> None:
        after = changed(CLUSTER, out(1), into(1))
        assert (after.epoch, after.layout) == (4, 2)


class TestWholeEvents:
    def test_later_changes_see_the_earlier_ones(self) -> None:
        after = changed(CLUSTER, added(4), booted(4), out(1), pinned(3, 4))
        assert (after.epoch, after.layout) == (4, 3)
        assert after.pins == {3: (OsdId(4),)}

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_one_that_is_not_valid_voids_all(self, at: int) -> None:
        changes: list[MapChange] = [out(1), weighed(2, 5)]
        changes.insert(at, out(9))
        assert refused(CLUSTER, *changes).why == "osd.9 is not in the map"

    def test_one_that_an_earlier_one_made_wrong_voids_all(self) -> None:
        assert refused(CLUSTER, out(1), pinned(3, 1)).why == "osd.1 cannot hold data now"
        assert refused(CLUSTER, out(1), out(1)).why == "osd.1 is out already"

    def test_the_records_to_skip_are_told(self) -> None:
        assert skipped_records(event(out(1), SKIP, layout=2)) == (SKIP,)
        assert skipped_records(event(out(1), layout=2)) == ()


# Events made by chance: several changes each, many of them wrong.

OSDS = range(1, 5)


def any_event(random: Random, before: ClusterMap) -> MapChanged:
    changes = [_any_change(random, before) for _ in range(random.choice([1, 1, 1, 2, 3]))]
    layout = before.layout - (random.random() < 0.1)
    return event(*changes, layout=None if random.random() < 0.1 else layout)


def _any_change(random: Random, before: ClusterMap) -> MapChange:
    osd, rg = random.choice(OSDS), random.choice([0, 1, 16])
    known = before.osds.get(OsdId(osd))
    boot = (known.boot if known else 0) + random.choice([0, 1])
    incarnation = known.store.incarnation if known and known.store else 1
    incarnation += random.random() < 0.2
    host, rack = random.choice([("h1", "r1"), ("h2", "r1"), ("h3", "r2")])
    weight = random.choice([0, 1, 2, 3]) * WEIGHT_ONE
    changes: list[MapChange] = [
        added(osd, weight, host, rack),
        booted(osd, incarnation, max(1, boot)),
        booted(osd, incarnation, max(1, boot)),
        up(osd, incarnation, max(1, boot)),
        down(osd, incarnation, max(1, boot)),
        up(osd, incarnation, max(1, boot)),
        down(osd, incarnation, max(1, boot)),
        leaving(osd),
        weighed(osd, weight),
        moved(osd, host, rack),
        out(osd),
        into(osd),
        written_off(store(osd, incarnation)),
        pinned(rg, *random.sample(OSDS, random.choice([1, 2]))),
        unpinned(rg),
        ReplicasSet(replicas=random.choice([1, 2, 3]), min_replicas=1),
        EpochBumped(to=before.epoch + random.choice([0, 1, 5])),
    ]
    return random.choice(changes)


def placing(of: ClusterMap) -> list[list[Store | None]]:
    """Where every RG is placed, as stores."""
    table = place_all(candidates(of), of.rg_count, of.replicas, of.pins)
    return [[of.osds[osd].store for osd in table.placed(RgId(rg))] for rg in range(of.rg_count)]


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(1, 25))
def test_whatever_is_folded(random: Random, length: int) -> None:
    before = CLUSTER
    for _ in range(length):
        told = any_event(random, before)
        after = fold(before, told)
        if isinstance(after, Refusal):
            assert after.why
            assert after.hint.endswith(".")
            continue
        bumps = [change.to for change in told.changes if isinstance(change, EpochBumped)]
        assert after.epoch == max(before.epoch + 1, *bumps, 0)
        assert after.layout - before.layout in (0, 1)
        if after.layout == before.layout:
            assert placing(after) == placing(before)
        _check_stores(before, after)
        assert fold(before, told) == after
        before = after


def _check_stores(before: ClusterMap, after: ClusterMap) -> None:
    present = {osd.store for osd in after.osds.values() if osd.store is not None}
    assert not present & after.retired.keys()
    assert before.retired.items() <= after.retired.items()
    assert all(
        after.retired[one].epoch == after.epoch for one in after.retired.keys() - before.retired
    )
    had = {osd.store for osd in before.osds.values() if osd.store is not None}
    assert had <= present | after.retired.keys()
    for osd in after.osds.values():
        was = before.osds.get(osd.osd)
        assert was is None or was.store != osd.store or osd.boot >= was.boot
        assert not osd.is_up or osd.store is not None
        assert not osd.is_leaving or osd.weight == 0
    assert all(len(osds) <= after.replicas for osds in after.pins.values())


def test_the_events_made_by_chance_are_accepted_and_refused() -> None:
    """Or the property would say less than it seems to."""
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for seed in range(150):
        random, before = Random(seed), CLUSTER
        for _ in range(20):
            told = any_event(random, before)
            after = fold(before, told)
            accepted = not isinstance(after, Refusal)
            if len(told.changes) == 1:
                kinds[accepted].add(type(told.changes[0]).__name__)
            before = before if isinstance(after, Refusal) else after
    assert kinds[True] == kinds[False]
    assert len(kinds[True]) == 14
