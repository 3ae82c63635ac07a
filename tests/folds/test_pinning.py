"""Freezing RGs where their data is, and releasing them."""

from msgspec.structs import replace

from eventlog.ids import Layout, OsdId, RgId
from eventlog.map_events import RgPinned
from folds.building import store
from folds.mapping import changed, event
from folds.planning import RGS, cluster_of, osd, placed_stats, with_osds
from projections.cluster_map import ClusterMap
from projections.map_fold import fold
from projections.map_plan import Survey, make_plan, table_of
from projections.pinning import freeze, homes_of, placed_homes, release
from projections.rg_stats import RgStat, stats_of

THREE = cluster_of(osd(1), osd(2), osd(3), replicas=2)
SIZES = dict.fromkeys(range(RGS), 100)
ALL = [RgId(rg) for rg in range(RGS)]


def test_a_frozen_cluster_moves_nothing_whatever_the_weights() -> None:
    stats = placed_stats(THREE, SIZES)
    heavier = with_osds(THREE, osd(1, weight=9))
    frozen = changed(heavier, *freeze(ALL, homes_of(THREE, stats), heavier))
    assert make_plan(THREE, frozen, Survey(stats)).moved.objects == 0
    assert make_plan(THREE, heavier, Survey(stats)).moved.objects > 0


def test_it_is_released_part_by_part() -> None:
    heavier = with_osds(THREE, osd(1, weight=9))
    frozen = changed(heavier, *freeze(ALL, placed_homes(THREE), heavier))
    some = changed(frozen, *release(frozen, 4))
    assert sorted(some.pins) == ALL[4:]
    rest = changed(some, *release(some, 100))
    assert table_of(rest).rows.tolist() == table_of(heavier).rows.tolist()


def test_where_the_data_is_counts_not_where_the_map_wants_it() -> None:
    one = cluster_of(osd(1), osd(2))
    slip = with_osds(one, osd(2, weight=0))
    rows = [
        RgStat(RgId(0), 10, 100, {store(1): 3, store(2): 10}),
        RgStat(RgId(1), 10, 100, {store(1): 10, store(2): 10}),
        RgStat(RgId(2), 10, 100, {}),
    ]
    homes = homes_of(slip, stats_of(slip, rows))
    assert homes[RgId(0)] == (OsdId(2),)
    assert homes[RgId(1)] == homes[RgId(2)] == homes[RgId(3)] == (OsdId(1),)


def test_one_that_may_hold_nothing_is_left_out() -> None:
    after = with_osds(THREE, osd(1, is_in=False))
    pins = list(freeze(ALL, placed_homes(THREE), after))
    assert all(OsdId(1) not in pin.osds for pin in pins)
    assert {pin.rg for pin in pins if len(pin.osds) == 1}


def test_what_is_pinned_there_already_is_not_said_again() -> None:
    frozen = changed(THREE, *freeze(ALL, placed_homes(THREE), THREE))
    assert list(freeze(ALL, placed_homes(frozen), frozen)) == []
    assert list(freeze(ALL[:1], placed_homes(frozen), replace(frozen, pins={}))) == [
        RgPinned(rg=RgId(0), osds=frozen.pins[RgId(0)])
    ]


def test_many_pins_of_one_event_are_as_one_after_the_other() -> None:
    pins = list(freeze(ALL, placed_homes(THREE), THREE))
    at_once = fold(THREE, event(*pins, layout=THREE.layout))
    assert isinstance(at_once, ClusterMap)
    step = THREE
    for pin in pins:
        step = changed(step, pin)
    assert at_once.pins == step.pins
    assert at_once.layout == Layout(THREE.layout + 1)
