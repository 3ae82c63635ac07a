"""How many RGs an OSD gets, and how many move when the cluster changes.

Draws are fixed, so every number here is the same in every run; the bounds say
what a fair draw keeps to (five standard deviations, unless said otherwise).
"""

from collections.abc import Callable

import numpy as np
import pytest

from eventlog.ids import WEIGHT_ONE, OsdId
from projections.failure_domains import Candidate
from projections.placement import PlacementTable, moved, place_again, place_all

RG_COUNT = 50_000
OSD_COUNT = 40

Make = Callable[[int, int], Candidate]


def _one_host(osd: int, weight: int) -> Candidate:
    return Candidate(OsdId(osd), weight, "h", "r")


def _host_each(osd: int, weight: int) -> Candidate:
    return Candidate(OsdId(osd), weight, f"h{osd}", "r")


def _racks(osd: int, weight: int) -> Candidate:
    return Candidate(OsdId(osd), weight, f"h{osd // 5 % 4}", f"r{osd % 5}")


def _weights(osd: int) -> int:
    return WEIGHT_ONE * (1 + osd % 4) + 1_000 * osd


def _chi_square(table: PlacementTable, cluster: list[Candidate]) -> float:
    """Of the first copies; its mean is OSDs - 1 and its variance twice that."""
    counts = np.bincount(table.rows[:, 0], minlength=len(cluster))
    weights = np.array([c.weight for c in cluster], float)
    expected = table.rg_count * weights / weights.sum()
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("weight", [lambda _: WEIGHT_ONE, _weights, lambda osd: 1 + osd % 3])
@pytest.mark.parametrize("make", [_one_host, _host_each, _racks])
def test_the_first_copy_honours_weights(make: Make, weight: Callable[[int], int]) -> None:
    cluster = [make(osd, weight(osd)) for osd in range(OSD_COUNT)]
    freedom = OSD_COUNT - 1
    table = place_all(cluster, RG_COUNT, 1)
    assert abs(_chi_square(table, cluster) - freedom) < 5 * (2 * freedom) ** 0.5


def test_the_test_would_see_weights_that_are_a_little_wrong() -> None:
    cluster = [_one_host(osd, _weights(osd)) for osd in range(OSD_COUNT)]
    table = place_all(cluster, RG_COUNT, 1)
    believed = [_one_host(osd, _weights(osd) * (10 + osd % 2)) for osd in range(OSD_COUNT)]
    assert _chi_square(table, believed) > OSD_COUNT + 5 * (2 * OSD_COUNT) ** 0.5


@pytest.mark.parametrize("make", [_one_host, _host_each])
@pytest.mark.parametrize("weight", [lambda _: WEIGHT_ONE, _weights])
def test_flat_only_the_changed_osd_wins_and_loses(make: Make, weight: Callable[[int], int]) -> None:
    cluster = [make(osd, weight(osd)) for osd in range(OSD_COUNT)]
    before = place_all(cluster, RG_COUNT, 1)
    changed = 7
    for new_weight in (0, weight(changed) // 2, weight(changed) * 2):
        others = [c for c in cluster if c.osd != changed]
        after = place_again(before, [*others, make(changed, new_weight)], 1)
        grows = new_weight > weight(changed)
        gone = moved(before, after)
        assert len(gone)
        assert set((after if grows else before).rows[gone, 0].tolist()) == {changed}


@pytest.mark.parametrize("make", [_one_host, _host_each])
def test_flat_a_new_osd_takes_its_share_and_nothing_else_moves(make: Make) -> None:
    cluster = [make(osd, WEIGHT_ONE) for osd in range(OSD_COUNT)]
    before = place_all(cluster, RG_COUNT, 1)
    after = place_again(before, [*cluster, make(OSD_COUNT, WEIGHT_ONE)], 1)
    gone = moved(before, after)
    assert set(after.rows[gone, 0].tolist()) == {OSD_COUNT}
    share = RG_COUNT / (OSD_COUNT + 1)
    assert abs(len(gone) - share) < 5 * share**0.5


def test_in_racks_at_most_the_minimum_moves_at_each_of_three_levels() -> None:
    """At each level the changed child wins no more than the new OSD's own share of all."""
    cluster = [_racks(osd, WEIGHT_ONE) for osd in range(OSD_COUNT)]
    before = place_all(cluster, RG_COUNT, 1)
    after = place_again(before, [*cluster, _racks(OSD_COUNT, WEIGHT_ONE)], 1)
    share = RG_COUNT / (OSD_COUNT + 1)
    assert share < len(moved(before, after)) < 3 * share
    to_new_rack = after.rows[moved(before, after), 0] % 5 == OSD_COUNT % 5
    assert to_new_rack.all(), "no other rack gains anything"


def test_with_three_copies_flat_only_rows_with_the_changed_osd_move() -> None:
    cluster = [_host_each(osd, _weights(osd)) for osd in range(OSD_COUNT)]
    before = place_all(cluster, RG_COUNT, 3)
    after = place_again(before, [c for c in cluster if c.osd != 7], 3)
    gone = moved(before, after)
    assert (before.rows[gone] == 7).any(axis=1).all()
    assert len(gone) == (before.rows == 7).sum()
    for rg in gone.tolist():
        stayed = [osd for osd in before.rows[rg].tolist() if osd != 7]
        assert after.rows[rg].tolist()[:2] == stayed
