"""Plans of map changes: what they move, against the placements and against the minimum."""

from collections import Counter
from itertools import starmap

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eventlog.ids import OsdId, RgId
from folds.building import store
from folds.planning import RGS, cluster_of, maps, osd, placed_stats, stats, with_osds
from projections.cluster_map import ClusterMap, candidates
from projections.map_plan import (
    Disk,
    ImportLimits,
    MapPlan,
    Survey,
    Transfer,
    copies_left,
    make_plan,
    table_after,
    table_of,
)
from projections.placement_one import place_one
from projections.placement_rows import MISSING
from projections.rg_stats import Amount, Copies, RgStat, RgStats, placed_copies, stats_of

SIZES = {rg: 100 * (rg + 1) for rg in range(RGS)}
THREE = cluster_of(osd(1), osd(2), osd(3))


def plan(before: ClusterMap, after: ClusterMap, survey: Survey | None = None) -> MapPlan:
    """Of a cluster that is clean, if nothing else is said."""
    return make_plan(before, after, survey or Survey(placed_stats(before, SIZES)))


class TestMoves:
    def test_an_osd_more_takes_only_what_is_to_be_its_own(self) -> None:
        found = plan(THREE, with_osds(THREE, osd(4)))
        (new,) = [one for one in found.osds if one.osd == 4]
        assert found.moved == new.incoming == new.after
        assert found.moved.size == found.minimum > 0
        assert all(one.incoming == Amount() for one in found.osds if one.osd != 4)
        assert {rg.after for rg in found.rgs()} == {(OsdId(4),)}
        assert sum(rg.amount.size for rg in found.rgs()) == found.moved.size

    def test_an_osd_that_is_added_counts_as_started(self) -> None:
        unstarted = with_osds(THREE, osd(4, store=None, is_up=False))
        assert plan(THREE, unstarted).moved == plan(THREE, with_osds(THREE, osd(4))).moved
        assert plan(unstarted, with_osds(unstarted, osd(1))).moved == Amount()

    def test_one_that_leaves_gives_all_away(self) -> None:
        found = plan(THREE, with_osds(THREE, osd(1, weight=0, is_leaving=True)))
        (gone,) = [one for one in found.osds if one.osd == 1]
        assert gone.outgoing == gone.held == found.moved
        assert gone.after == Amount()
        assert found.minimum == found.moved.size

    def test_what_has_no_other_place_is_kept(self) -> None:
        after = with_osds(THREE, *(osd(n, is_in=False) for n in (1, 2, 3)))
        found = plan(THREE, after)
        assert found.moved == Amount()
        assert all(one.outgoing == Amount() for one in found.osds)

    def test_another_rack_moves_more_than_the_minimum(self) -> None:
        spread = cluster_of(*(osd(n, f"h{n}/r{n % 2}") for n in range(6)))
        found = plan(spread, with_osds(spread, osd(5, "h5/r0")))
        assert found.moved.size > found.minimum > 0

    def test_what_is_there_already_is_not_copied_again(self) -> None:
        after = with_osds(THREE, osd(4))
        moving = {rg.rg: rg for rg in plan(THREE, after).rgs()}
        rows = [
            RgStat(RgId(rg), 4, 400, {store(1): 4, store(4): 3 if rg in moving else 0})
            for rg in range(RGS)
        ]
        found = plan(after, after, Survey(stats_of(after, rows)))
        mine = [rg for rg in found.rgs() if rg.after == (OsdId(4),)]
        assert {rg.amount for rg in mine} == {Amount(1, 100)}
        assert found.under_way == found.moved

    def test_copies_of_a_retired_store_are_given_up(self) -> None:
        both = replace(THREE, replicas=2)
        found = plan(both, with_osds(both, osd(1, store=None, is_up=False)))
        assert found.moved.size == sum(
            size for rg, size in SIZES.items() if OsdId(1) in table_of(both).placed(RgId(rg))
        )

    def test_what_has_no_copy_left_cannot_be_copied(self) -> None:
        found = plan(THREE, with_osds(THREE, osd(1, store=None, is_up=False)))
        assert found.moved == Amount()


class TestTimeAndRoom:
    def test_each_osd_by_its_own_rate_the_others_by_the_average(self) -> None:
        slow, fast = Transfer(10, 1_000, 10_000), Transfer(10, 1_000, 1_000)
        survey = Survey(placed_stats(THREE, SIZES), {}, {OsdId(2): slow, OsdId(3): fast})
        found = plan(THREE, with_osds(THREE, osd(1, weight=0, is_leaving=True)), survey)
        by_osd = {one.osd: one for one in found.osds}
        two, three = by_osd[OsdId(2)], by_osd[OsdId(3)]
        assert two.ms == max(10 * two.incoming.size, 1_000 * two.incoming.objects)
        assert three.ms == max(three.incoming.size, 100 * three.incoming.objects)
        assert found.ms == max(two.ms, three.ms)
        assert found.rate == Transfer(20, 2_000, 11_000)

    def test_without_a_rate_no_time(self) -> None:
        found = plan(THREE, with_osds(THREE, osd(4)))
        assert found.ms is None
        assert found.rate is None

    def test_no_faster_than_its_limit_also_where_it_has_copied_nothing(self) -> None:
        limits = {OsdId(2): ImportLimits(rate=1_000), OsdId(3): ImportLimits(rate=1 << 40)}
        transfers = {OsdId(3): Transfer(100, 10_000_000, 1)}
        survey = Survey(placed_stats(THREE, SIZES), {}, transfers, limits)
        found = plan(THREE, with_osds(THREE, osd(1, weight=0, is_leaving=True)), survey)
        by_osd = {one.osd: one for one in found.osds}
        assert by_osd[OsdId(2)].ms == by_osd[OsdId(2)].incoming.size > 0
        assert by_osd[OsdId(3)].ms == 1

    def test_who_may_import_nothing_has_no_time_unless_nothing_comes(self) -> None:
        limits = {OsdId(n): ImportLimits(is_paused=True) for n in (1, 2)}
        transfers = {OsdId(3): Transfer(10, 1_000, 1_000)}
        survey = Survey(placed_stats(THREE, SIZES), {}, transfers, limits)
        found = plan(THREE, with_osds(THREE, osd(1, weight=0, is_leaving=True)), survey)
        by_osd = {one.osd: one for one in found.osds}
        assert (by_osd[OsdId(1)].ms, by_osd[OsdId(2)].ms) == (0, None)
        assert by_osd[OsdId(3)].ms is not None
        assert found.ms is None

    def test_nothing_takes_no_time(self) -> None:
        survey = Survey(placed_stats(THREE, SIZES), {}, {OsdId(2): Transfer(1, 1, 1)})
        assert plan(THREE, THREE, survey).ms == 0

    def test_room_is_what_is_free_but_for_the_reserve(self) -> None:
        assert Disk(100, 30, 10).room == 20
        assert Disk(100, 5, 10).room == 0


@given(maps(), maps(), st.data())
@settings(max_examples=100)
def test_a_plan_moves_the_difference_of_the_placements(
    before: ClusterMap, after: ClusterMap, data: st.DataObject
) -> None:
    """From copies that are exactly where the map places them."""
    some = data.draw(stats(before))
    table = table_of(before)
    clean = type(some)(some.objects, some.sizes, placed_copies(some, table.rows))
    found = make_plan(before, after, Survey(clean))
    assert found.under_way == Amount()
    new = table_after(table, before, after)
    copied = 0
    for rg in map(RgId, range(RGS)):
        had = {(osd, before.osds[osd].store) for osd in table.placed(rg)}
        has = {(osd, after.osds[osd].store) for osd in new.placed(rg)}
        is_left = any(after.osds[osd].store == it for osd, it in had if osd in after.osds)
        copied += int(some.sizes[rg]) * len(has - had) * bool(some.objects[rg]) * is_left
    assert found.moved.size == copied


@given(maps(), maps(), st.data())
@settings(max_examples=100)
def test_never_less_than_the_minimum_and_every_byte_is_accounted_for(
    before: ClusterMap, after: ClusterMap, data: st.DataObject
) -> None:
    """From copies that are anywhere."""
    some = data.draw(stats(before))
    found = make_plan(before, after, Survey(some))
    assert found.moved.size >= found.minimum >= 0
    left = copies_left(before, after, some.copies)
    placed = placed_copies(_at_most(some, left), found.placed_after.rows).by_osd()
    is_full = (found.placed_after.rows != MISSING).all()
    for one in found.osds:
        assert one.after == placed.get(one.osd, Amount()) or not is_full
        assert one.after >= placed.get(one.osd, Amount())
    by_rg = list(found.rgs())
    assert Amount(*starmap(_sum, zip(*(rg.amount for rg in by_rg), strict=True))) == found.moved


def _at_most(some: RgStats, left: Copies) -> RgStats:
    """Of each RG as many objects as the copies that are left have together."""
    there = Counter[int]()
    for rg, count in zip(left.rgs.tolist(), left.objects.tolist(), strict=True):
        there[rg] += count
    known = list(zip(some.objects.tolist(), some.sizes.tolist(), strict=True))
    objects = [min(count, there[rg]) for rg, (count, _) in enumerate(known)]
    parts = zip(objects, known, strict=True)
    sizes = [size * here // count if count else 0 for here, (count, size) in parts]
    return RgStats(np.array(objects), np.array(sizes), left)


def _sum(*numbers: int) -> int:
    return sum(numbers)


@given(maps())
@settings(max_examples=50)
def test_the_tables_are_those_of_the_rule(cluster_map: ClusterMap) -> None:
    table, chosen = table_of(cluster_map), candidates(cluster_map)
    for rg in map(RgId, range(RGS)):
        placed = place_one(rg, chosen, cluster_map.replicas, cluster_map.pins)
        assert table.placed(rg) == placed
