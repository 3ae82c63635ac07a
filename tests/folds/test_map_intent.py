"""Undoing: the changes that make a map as it was, and what they cannot bring back."""

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from eventlog.ids import WEIGHT_ONE, OsdId, RgId
from eventlog.map_events import (
    MapChange,
    OsdAdded,
    OsdBooted,
    OsdLeaving,
    ReplicasSet,
    RgPinned,
    RgUnpinned,
)
from folds.building import store
from folds.mapping import (
    added,
    booted,
    changed,
    cluster,
    event,
    into,
    leaving,
    moved,
    out,
    pinned,
    unpinned,
    weighed,
    written_off,
)
from folds.planning import maps, placed_stats
from projections.cluster_map import ClusterMap, Refusal
from projections.map_departures import departures
from projections.map_fold import fold
from projections.map_intent import (
    Intent,
    Restoration,
    changes_to,
    intent_of,
    lost_stores,
    without_change,
)
from projections.map_plan import Survey, make_plan

CLUSTER = cluster()


def restored(now: ClusterMap, wanted: Intent) -> tuple[ClusterMap, Restoration]:
    """The map after the changes."""
    found = changes_to(now, wanted, "ann")
    return changed(now, *found.changes) if found.changes else now, found


def undone(before: ClusterMap, *changes: object) -> ClusterMap:
    """The map after these changes and their undoing."""
    after = changed(before, *changes)  # type: ignore[arg-type]
    wanted = without_change(intent_of(after), intent_of(before), intent_of(after))
    return restored(after, wanted)[0]


class TestUndoing:
    def test_weights_places_in_and_out(self) -> None:
        back = undone(CLUSTER, weighed(1, 7), moved(2), out(3))
        assert intent_of(back) == intent_of(CLUSTER)
        assert back.layout == CLUSTER.layout + 2

    def test_one_that_leaves_is_taken_back_with_what_it_was(self) -> None:
        before = changed(CLUSTER, weighed(1, 0), out(1))
        back = undone(before, leaving(1))
        assert back.osds == before.osds

    def test_one_that_is_out_and_leaving_comes_back_in(self) -> None:
        after = changed(CLUSTER, out(1), leaving(1))
        back, found = restored(after, intent_of(CLUSTER))
        assert found.changes == (
            OsdAdded(osd=OsdId(1), weight=WEIGHT_ONE, host="h1", rack="r1"),
            into(1),
        )
        assert back.osds == CLUSTER.osds

    def test_one_that_was_added_leaves(self) -> None:
        after = changed(changed(CLUSTER, added(4)), booted(4))
        back, found = restored(after, intent_of(CLUSTER))
        assert found.changes == (OsdLeaving(osd=OsdId(4)),)
        assert back.osds[OsdId(4)].is_leaving

    def test_one_that_was_added_and_never_started_is_gone(self) -> None:
        assert undone(CLUSTER, added(4)).osds == CLUSTER.osds

    def test_pins_and_replicas(self) -> None:
        before = changed(CLUSTER, pinned(3, 1, 2), pinned(4, 1))
        back = undone(
            before, unpinned(3), pinned(4, 2), pinned(5, 3), ReplicasSet(replicas=3, min_replicas=2)
        )
        assert intent_of(back) == intent_of(before)

    def test_more_replicas_again_before_longer_pins(self) -> None:
        before = changed(CLUSTER, pinned(3, 1, 2))
        back = undone(before, unpinned(3), ReplicasSet(replicas=1, min_replicas=1))
        assert intent_of(back) == intent_of(before)

    def test_fewer_replicas_again_after_shorter_pins(self) -> None:
        before = changed(CLUSTER, ReplicasSet(replicas=1, min_replicas=1), pinned(3, 1))
        back = undone(before, ReplicasSet(replicas=2, min_replicas=1), pinned(3, 2, 1))
        assert intent_of(back) == intent_of(before)

    def test_a_pin_to_one_that_leaves_by_it_goes(self) -> None:
        grown = changed(changed(CLUSTER, added(4)), booted(4))
        back, found = restored(changed(grown, pinned(3, 4)), intent_of(CLUSTER))
        assert back.pins == {}
        assert found.impossible == ()

    @pytest.mark.parametrize("way", [out(1), weighed(1, 0), written_off(store(1))])
    def test_a_pin_stays_whose_osd_holds_no_data_by_now(self, way: MapChange) -> None:
        stale = changed(changed(CLUSTER, pinned(3, 1, 2)), way)
        assert undone(stale, weighed(2, 7)).pins == {RgId(3): (OsdId(1), OsdId(2))}
        assert changes_to(stale, intent_of(stale), "ann") == Restoration((), ())

    def test_also_when_others_leave_by_it(self) -> None:
        grown = changed(changed(CLUSTER, added(4)), booted(4))
        stale = changed(changed(grown, pinned(3, 1), pinned(5, 2, 4)), out(1))
        wanted = intent_of(stale)._replace(osds=intent_of(changed(CLUSTER, out(1), out(2))).osds)
        back, found = restored(stale, wanted)
        assert back.pins == {RgId(3): (OsdId(1),)}
        assert found.impossible == ("rg 5 is pinned no more: osd.2, osd.4 cannot hold data",)

    def test_what_was_changed_since_stays(self) -> None:
        after = changed(CLUSTER, weighed(1, 7), out(2))
        later = changed(after, weighed(1, 9), pinned(3, 1))
        wanted = without_change(intent_of(later), intent_of(CLUSTER), intent_of(after))
        back, _ = restored(later, wanted)
        assert back.osds[OsdId(1)].weight == 9
        assert back.osds[OsdId(2)].is_in
        assert RgId(3) in back.pins


class TestWhatCannotBeBroughtBack:
    def test_a_retired_store(self) -> None:
        after = changed(CLUSTER, written_off(store(1)))
        (said,) = lost_stores(after, CLUSTER.osds.values())
        assert said == (
            "osd.1/0000000000000001 is retired for good (burnt): osd.1 comes back with an empty"
            " disk, once it is started on one"
        )
        assert changes_to(after, intent_of(CLUSTER), "ann").changes == ()

    def test_one_that_was_leaving_is_gone_and_no_change_adds_it(self) -> None:
        before = changed(CLUSTER, leaving(1))
        after = changed(before, written_off(store(1)))
        (said,) = lost_stores(after, before.osds.values())
        assert said == (
            "osd.1/0000000000000001 is retired for good (burnt), and osd.1 is not in the map:"
            " after `osdlog map apply --add 1` it comes back with an empty disk"
        )
        assert changes_to(after, intent_of(before), "ann").changes == ()

    def test_one_that_left_is_added_again(self) -> None:
        after = changed(changed(CLUSTER, leaving(1)), written_off(store(1)))
        back, _ = restored(after, intent_of(CLUSTER))
        assert back.osds[OsdId(1)].store is None
        assert intent_of(back) == intent_of(CLUSTER)

    def test_a_rebuilt_disk(self) -> None:
        after = changed(CLUSTER, booted(1, 2))
        (said,) = lost_stores(after, CLUSTER.osds.values())
        assert said == (
            "osd.1/0000000000000001 is retired for good (replaced by osd.1/0000000000000002);"
            " osd.1/0000000000000002 has taken its place"
        )

    def test_a_pin_to_one_that_has_no_store(self) -> None:
        before = changed(CLUSTER, pinned(3, 1, 2))
        after = changed(changed(before, unpinned(3)), written_off(store(1)))
        back, found = restored(after, intent_of(before))
        assert found.impossible == ("rg 3 is pinned no more: osd.1 cannot hold data",)
        assert back.pins == {}


@given(maps(), maps())
@settings(max_examples=150)
def test_the_changes_are_accepted_and_make_the_map_as_it_was(
    now: ClusterMap, then: ClusterMap
) -> None:
    wanted = intent_of(then)
    back, found = restored(now, wanted)
    got = intent_of(back)
    assert got.osds == wanted.osds
    assert (got.replicas, got.min_replicas) == (wanted.replicas, wanted.min_replicas)
    if not found.impossible:
        assert got.pins == wanted.pins
    assert changes_to(back, got, "ann") == Restoration((), ())


@given(maps(), maps())
@settings(max_examples=100)
def test_a_change_and_its_undoing_move_nothing(before: ClusterMap, other: ClusterMap) -> None:
    changes = changes_to(before, intent_of(other), "ann").changes
    after = changed(before, *changes) if changes else before
    back, found = restored(after, intent_of(before))
    assert found.impossible == () or before.pins
    if not found.impossible:
        plan = make_plan(before, back, Survey(placed_stats(before, {0: 1, 7: 2, 15: 3})))
        assert plan.moved.objects == 0


class TestDepartures:
    def test_pins_do_not_outlive_their_osd(self) -> None:
        before = changed(CLUSTER, pinned(3, 1), pinned(4, 2, 1), pinned(5, 2))
        assert departures(before, [OsdId(1)], "ann") == (
            RgUnpinned(rg=RgId(3)),
            RgPinned(rg=RgId(4), osds=(OsdId(2),)),
            OsdLeaving(osd=OsdId(1)),
        )
        after = changed(before, *departures(before, [OsdId(1)], "ann"))
        assert after.pins == {RgId(4): (OsdId(2),), RgId(5): (OsdId(2),)}

    def test_those_of_an_rg_that_is_spoken_of_are_left_alone(self) -> None:
        before = changed(CLUSTER, pinned(3, 1))
        assert departures(before, [OsdId(1)], "ann", {RgId(3)}) == (OsdLeaving(osd=OsdId(1)),)

    def test_one_that_never_started_is_gone_at_once_and_may_come_again(self) -> None:
        now = CLUSTER
        for _ in range(2):
            now = changed(now, added(4))
            now = changed(now, *departures(now, [OsdId(4)], "ann"))
            assert now.osds == CLUSTER.osds
        assert now.layout == CLUSTER.layout
        assert changed(changed(now, added(4)), booted(4)).osds[OsdId(4)].store == store(4)

    def test_one_that_is_leaving_without_a_store_too(self) -> None:
        before = changed(changed(CLUSTER, added(4)), leaving(4))
        first, *_ = departures(before, [OsdId(4)], "ann")
        assert isinstance(first, OsdBooted)
        assert changed(before, *departures(before, [OsdId(4)], "ann")).osds == CLUSTER.osds

    def test_one_that_starts_meanwhile_makes_the_departure_void(self) -> None:
        before = changed(CLUSTER, added(4))
        started = changed(before, booted(4))
        late = departures(before, [OsdId(4)], "ann")
        assert isinstance(fold(started, event(*late, layout=before.layout)), Refusal)

    def test_one_that_is_not_there_is_refused_by_the_fold(self) -> None:
        assert departures(CLUSTER, [OsdId(9)], "ann") == (OsdLeaving(osd=OsdId(9)),)


def test_an_intent_is_without_what_happened() -> None:
    up = changed(CLUSTER, booted(1, boot=2))
    assert intent_of(up) == intent_of(CLUSTER)
    assert intent_of(replace(CLUSTER, rules=2)) == intent_of(CLUSTER)
