"""Placement in full, again, and of one RG are the same placement."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.ids import WEIGHT_ONE, OsdId, RgId
from projections.draws import MAX_WEIGHT
from projections.failure_domains import Candidate
from projections.placement import (
    PlacementTable,
    moved,
    place_again,
    place_all,
)
from projections.placement_one import Pins, place_one
from projections.placement_rows import MISSING

RG_COUNT = 60
OSDS = [OsdId(osd) for osd in [*range(12), 5_000_000, 999_999_999]]
WEIGHTS = [0, 1, WEIGHT_ONE, WEIGHT_ONE, 2 * WEIGHT_ONE, 3 * WEIGHT_ONE + 7, MAX_WEIGHT]

Cluster = dict[OsdId, Candidate]

candidates = st.builds(
    Candidate,
    osd=st.sampled_from(OSDS),
    weight=st.sampled_from(WEIGHTS),
    host=st.sampled_from(["a", "b", "b/c", "ä"]),
    rack=st.sampled_from(["a", "a/b", "z"]),
)
clusters = st.lists(candidates, max_size=14, unique_by=lambda c: c.osd)
pins = st.dictionaries(
    st.integers(0, RG_COUNT - 1).map(RgId),
    st.lists(st.sampled_from(OSDS), max_size=5).map(tuple),
    max_size=8,
)
replica_counts = st.integers(1, 4)
Edit = Callable[[Cluster], Cluster]
edits = st.one_of(
    candidates.map(lambda c: lambda cluster: {**cluster, c.osd: c}),
    st.sampled_from(OSDS).map(
        lambda osd: lambda cluster: {k: c for k, c in cluster.items() if k != osd}
    ),
    st.tuples(st.sampled_from(OSDS), st.sampled_from(WEIGHTS)).map(
        lambda it: lambda cluster: _reweighted(cluster, *it)
    ),
)


def _reweighted(cluster: Cluster, osd: OsdId, weight: int) -> Cluster:
    if osd not in cluster:
        return cluster
    old = cluster[osd]
    return {**cluster, osd: Candidate(old.osd, weight, old.host, old.rack)}


def _rows(table: PlacementTable) -> list[tuple[OsdId, ...]]:
    return [table.placed(RgId(rg)) for rg in range(table.rg_count)]


@given(clusters, replica_counts, pins)
def test_one_by_one_is_all_at_once(cluster: list[Candidate], replicas: int, pins: Pins) -> None:
    table = place_all(cluster, RG_COUNT, replicas, pins)
    expected = [place_one(RgId(rg), cluster, replicas, pins) for rg in range(RG_COUNT)]
    assert _rows(table) == expected


@settings(max_examples=300)
@given(
    clusters,
    st.lists(st.tuples(st.lists(edits, max_size=2), replica_counts, pins), max_size=5),
)
def test_again_is_all_at_once(
    start: list[Candidate], steps: list[tuple[list[Edit], int, Pins]]
) -> None:
    cluster = {c.osd: c for c in start}
    table = place_all(start, RG_COUNT, 2)
    for changes, replicas, pins in steps:
        for change in changes:
            cluster = change(cluster)
        table = place_again(table, cluster.values(), replicas, pins)
        afresh = place_all(cluster.values(), RG_COUNT, replicas, pins)
        assert table.rows.tolist() == afresh.rows.tolist()


def test_again_is_all_at_once_in_a_larger_cluster() -> None:
    random = Random(7)
    cluster = {OsdId(osd): _in_hierarchy(OsdId(osd), random) for osd in range(60)}
    for replicas in (1, 2, 3):
        table = place_all(cluster.values(), 3_000, replicas)
        for step in range(12):
            for _ in range(1 + step % 4):
                _edit(cluster, OsdId(random.randrange(70)), random)
            table = place_again(table, cluster.values(), replicas)
            afresh = place_all(cluster.values(), 3_000, replicas)
            assert table.rows.tolist() == afresh.rows.tolist()


def test_of_two_that_become_heavier_one_may_take_from_the_other() -> None:
    def cluster(weight: int) -> list[Candidate]:
        weights = [8 * WEIGHT_ONE, weight, weight]
        return [Candidate(OsdId(osd), each, "h", "r") for osd, each in enumerate(weights)]

    before = place_all(cluster(WEIGHT_ONE), 3_000, 1)
    heavier = [*cluster(WEIGHT_ONE)[:2], *cluster(4 * WEIGHT_ONE)[2:]]
    heavier[1] = Candidate(OsdId(1), 2 * WEIGHT_ONE, "h", "r")
    after = place_again(before, heavier, 1)
    assert after.rows.tolist() == place_all(heavier, 3_000, 1).rows.tolist()
    taken = [row for row in zip(_rows(before), _rows(after), strict=True) if row == ((1,), (2,))]
    assert taken


def _edit(cluster: Cluster, osd: OsdId, random: Random) -> None:
    if osd in cluster and random.random() < 0.3:
        del cluster[osd]
    else:
        cluster[osd] = _in_hierarchy(osd, random)


def _in_hierarchy(osd: OsdId, random: Random) -> Candidate:
    weight = random.choice([WEIGHT_ONE, WEIGHT_ONE, random.randrange(1, 4 * WEIGHT_ONE)])
    return Candidate(osd, weight, f"host{osd % 20}", f"rack{osd % 5}")


@given(clusters, st.randoms(use_true_random=False), replica_counts, pins)
def test_the_order_of_listing_does_not_matter(
    cluster: list[Candidate], random: Random, replicas: int, pins: Pins
) -> None:
    shuffled = list(cluster)
    random.shuffle(shuffled)
    one, other = (place_all(listed, RG_COUNT, replicas, pins) for listed in (cluster, shuffled))
    assert one.rows.tolist() == other.rows.tolist()
    assert one.cluster == other.cluster, "ties would be decided by the listing"


@given(clusters, replica_counts, pins)
def test_rows_are_as_long_as_they_can_be_and_end_in_missing(
    cluster: list[Candidate], replicas: int, pins: Pins
) -> None:
    present = {c.osd for c in cluster if c.weight}
    table = place_all(cluster, RG_COUNT, replicas, pins)
    for rg, row in enumerate(table.rows.tolist()):
        length = min(replicas, len(present))
        assert row[length:] == [MISSING] * (replicas - length)
        assert len(set(row[:length])) == length
        assert set(row[:length]) <= present
        assert table.placed(RgId(rg)) == tuple(row[:length])


@pytest.mark.parametrize("cluster", [[], [Candidate(OsdId(3), 0, "h", "r")]])
def test_without_weight_nothing_is_placed(cluster: list[Candidate]) -> None:
    pins: Pins = {RgId(0): (OsdId(3),)}
    table = place_all(cluster, 5, 2, pins)
    assert _rows(table) == [()] * 5
    assert place_one(RgId(0), cluster, 2, pins) == ()
    assert _rows(place_again(table, cluster, 3)) == [()] * 5


@given(clusters, st.integers(2, 4))
def test_domains_are_kept_apart_as_far_as_there_are_enough(
    cluster: list[Candidate], replicas: int
) -> None:
    home = {c.osd: (c.rack, c.host) for c in cluster if c.weight}
    for row in _rows(place_all(cluster, RG_COUNT, replicas)):
        racks = [home[osd][0] for osd in row]
        assert len(set(racks)) == min(len(row), len({rack for rack, _ in home.values()}))
        for rack in set(racks):
            hosts = {host for r, host in home.values() if r == rack}
            placed = [home[osd] for osd in row if home[osd][0] == rack]
            assert len(set(placed)) == min(len(placed), len(hosts))


@given(clusters, replica_counts)
def test_fewer_replicas_are_the_first_of_more(cluster: list[Candidate], replicas: int) -> None:
    fewer, more = (place_all(cluster, RG_COUNT, n) for n in (replicas, replicas + 1))
    assert [row[:replicas] for row in _rows(more)] == _rows(fewer)


def test_pins_come_first_and_count_in_their_domains() -> None:
    cluster = [Candidate(OsdId(n), WEIGHT_ONE, f"h{n}", f"r{n % 2}") for n in range(6)]
    pins: Pins = {
        RgId(0): (OsdId(4), OsdId(99), OsdId(2), OsdId(4)),
        RgId(1): (OsdId(5), OsdId(4), OsdId(3), OsdId(1)),
    }
    table = place_all(cluster, 8, 3, pins)
    placed = table.placed(RgId(0))
    assert placed[:2] == (4, 2)
    assert placed[2] % 2 == 1, "rack r0 has two copies, so the third belongs in r1"
    assert table.placed(RgId(1)) == (5, 4, 3)
    unpinned = place_again(table, cluster, 3)
    assert _rows(unpinned) == _rows(place_all(cluster, 8, 3))
    assert set(moved(table, unpinned).tolist()) <= {0, 1}


def test_moved_lists_rows_that_differ_also_in_width() -> None:
    cluster = [Candidate(OsdId(n), WEIGHT_ONE, "h", "r") for n in range(3)]
    tables = [place_all(cluster[:osds], 20, n) for osds, n in [(1, 1), (1, 3), (3, 2), (3, 3)]]
    for before, after in [*pairwise(tables), *pairwise(tables[::-1])]:
        pairs = enumerate(zip(_rows(before), _rows(after), strict=True))
        assert moved(before, after).tolist() == [rg for rg, (old, new) in pairs if old != new]
    assert not len(moved(tables[0], tables[1]))
    assert len(moved(tables[2], tables[3])) == 20


def test_a_table_cannot_be_written() -> None:
    table = place_all([Candidate(OsdId(1), WEIGHT_ONE, "h", "r")], 4, 1)
    with pytest.raises(ValueError, match="read-only"):
        table.rows[0, 0] = 2


def test_an_osd_listed_twice_is_our_own_mistake() -> None:
    twice = [Candidate(OsdId(1), WEIGHT_ONE, host, "r") for host in ("a", "b")]
    with pytest.raises(AssertionError, match="twice"):
        place_all(twice, 4, 1)
