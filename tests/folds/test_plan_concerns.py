"""What speaks against a change: each concern in its own words, and none where there is none."""

from msgspec.structs import replace

from eventlog.ids import Epoch, OsdId, RgId
from folds.building import store
from folds.planning import RGS, cluster_of, osd, placed_stats, with_osds
from projections.cluster_map import ClusterMap, Retirement
from projections.map_plan import Disk, Survey, make_plan
from projections.plan_concerns import Concern, concerns
from projections.rg_stats import RgStat, stats_of

SIZES = dict.fromkeys(range(RGS), 1_000)
ROOMY = Disk(total=10**9, free=10**8, reserve=10**6)
TWO = cluster_of(osd(1), osd(2), replicas=2)
SPREAD = cluster_of(*(osd(n, f"h{n}/r{n % 2}") for n in range(4)), replicas=2)


def found(before: ClusterMap, after: ClusterMap, disk: Disk | None = ROOMY) -> list[Concern]:
    """What speaks against it in a clean cluster in which each disk is as full as that."""
    stats = placed_stats(before, SIZES)
    disks = dict.fromkeys(after.osds, disk) if disk is not None else {}
    return list(concerns(make_plan(before, after, Survey(stats, disks)), stats))


def test_nothing_speaks_against_a_change_that_does_no_harm() -> None:
    assert found(SPREAD, SPREAD, None) == []
    assert found(SPREAD, with_osds(SPREAD, osd(4, "h4/r0"))) == []
    assert found(TWO, with_osds(TWO, osd(1, weight=3))) == []


class TestDisks:
    BEFORE = cluster_of(osd(1), osd(2))
    AFTER = with_osds(BEFORE, osd(1, weight=0))

    def test_one_that_would_be_overfilled(self) -> None:
        (concern,) = found(self.BEFORE, self.AFTER, Disk(10**6, 5_500, 500))
        assert concern.is_grave
        assert concern.what.startswith("osd.2 would get ")
        assert concern.what.endswith(" bytes, but has room for 5,000")

    def test_one_that_has_room_only_once_it_gave_some_away(self) -> None:
        pair = cluster_of(osd(1, "a/r1"), osd(2, "b/r1"))
        stats = placed_stats(pair, SIZES)
        pins = {RgId(rg): (OsdId(2 if rg % 2 else 1),) for rg in range(RGS)}
        plan = make_plan(pair, replace(pair, pins=pins), Survey(stats))
        (two,) = [one for one in plan.osds if one.osd == 2]
        assert two.outgoing.size
        room = two.incoming.size - 1
        assert two.growth <= room
        disks = {OsdId(1): ROOMY, OsdId(2): Disk(10**6, room, 0)}
        (concern,) = concerns(make_plan(pair, plan.after, Survey(stats, disks)), stats)
        assert not concern.is_grave
        assert concern.what == (
            f"osd.2 would get {two.incoming.size:,} bytes and lose {two.outgoing.size:,},"
            f" but has at first room for {room:,}"
        )

    def test_one_that_did_not_say(self) -> None:
        assert found(self.BEFORE, self.AFTER, None) == [
            Concern(False, "how full the disk of osd.2 is, is not known")
        ]


class TestDomains:
    def test_all_copies_in_one_rack(self) -> None:
        after = with_osds(SPREAD, *(replace(one, rack="r0") for one in SPREAD.osds.values()))
        (concern,) = found(SPREAD, after)
        assert concern == Concern(
            True, "all copies of 16 RGs would be in one rack; now they are spread over several"
        )

    def test_all_copies_on_one_host(self) -> None:
        after = with_osds(TWO, osd(1, "h2/r1"))
        (concern,) = found(TWO, after)
        assert "all copies of 16 RGs would be in one host" in concern.what
        assert concern.is_grave

    def test_fewer_racks_than_now(self) -> None:
        three = cluster_of(*(osd(n, f"h{n}/r{n}") for n in range(3)), replicas=3)
        (concern,) = found(three, with_osds(three, osd(2, "h2/r1")))
        assert concern == Concern(False, "16 RGs would be in fewer racks than now")

    def test_one_copy_less_is_no_lost_domain(self) -> None:
        (concern,) = found(SPREAD, replace(SPREAD, replicas=1))
        assert concern == Concern(False, "every object would have one copy instead of 2")


class TestLengths:
    def test_nowhere(self) -> None:
        (first, *_) = found(TWO, with_osds(TWO, osd(1, weight=0), osd(2, weight=0)))
        assert first == Concern(True, "16 RGs would be placed nowhere")

    def test_too_few_for_a_write(self) -> None:
        both = replace(TWO, min_replicas=2)
        assert found(both, with_osds(both, osd(1, weight=0))) == [
            Concern(True, "16 RGs would be placed on fewer OSDs than the 2 that a write needs")
        ]

    def test_fewer_than_replicas(self) -> None:
        said = Concern(False, "16 RGs would be placed on fewer OSDs than the 3 replicas")
        assert found(TWO, replace(TWO, replicas=3)) == [said]
        assert found(replace(TWO, replicas=3), replace(TWO, replicas=3)) == []


class TestUpAndDown:
    def test_the_only_copy_goes_down(self) -> None:
        before = cluster_of(osd(1), osd(2))
        (concern,) = found(before, with_osds(before, osd(1, is_up=False)))
        assert concern.is_grave
        said = " RGs would have no OSD that is up: reads and writes would stop"
        assert concern.what.endswith(said)

    def test_too_few_for_a_write_are_up(self) -> None:
        both = replace(TWO, min_replicas=2)
        said = "16 RGs would have fewer OSDs up than the 2 that a write needs"
        assert found(both, with_osds(both, osd(1, is_up=False))) == [Concern(True, said)]
        one_down = with_osds(TWO, osd(1, is_up=False))
        assert found(one_down, replace(one_down, min_replicas=2)) == [Concern(True, said)]

    def test_what_is_so_already_is_not_said(self) -> None:
        down = with_osds(replace(TWO, min_replicas=2), osd(1, is_up=False))
        assert found(down, with_osds(down, osd(1, is_up=False, weight=3))) == []
        assert found(down, with_osds(down, osd(1))) == []

    def test_enough_are_left(self) -> None:
        assert found(TWO, with_osds(TWO, osd(1, is_up=False))) == []

    def test_a_source_that_the_change_itself_marks_down(self) -> None:
        before = cluster_of(osd(1), osd(2))
        (concern,) = found(before, with_osds(before, osd(1, weight=0, is_up=False)))
        assert not concern.is_grave
        assert concern.what.endswith(" RGs can only be copied from what is down: osd.1")

    def test_a_source_that_it_marks_up(self) -> None:
        before = cluster_of(osd(1, is_up=False), osd(2))
        assert found(before, with_osds(before, osd(1, weight=0))) == []

    def test_what_comes_to_one_that_is_down(self) -> None:
        before = cluster_of(osd(1), osd(2), osd(3, weight=0, is_up=False), replicas=2)
        says = Concern(False, "osd.3 is down; nothing comes to it until it is up")
        assert found(before, with_osds(before, osd(3, is_up=False))) == [says]
        alone = replace(before, replicas=1)
        nobody, caution = found(alone, with_osds(alone, osd(3, is_up=False)))
        assert nobody.what.endswith(" would have no OSD that is up: reads and writes would stop")
        assert (nobody.is_grave, caution) == (True, says)
        two = cluster_of(osd(1), *(osd(n, weight=0, is_up=False) for n in (3, 4)), replicas=3)
        both = with_osds(two, *(osd(n, is_up=False) for n in (3, 4)))
        assert Concern(
            False, "osd.3 and osd.4 are down; nothing comes to them until they are up"
        ) in found(two, both)


class TestSources:
    def test_last_copies_of_a_retired_store(self) -> None:
        before = cluster_of(osd(1), osd(2))
        retired = {store(1): Retirement(Epoch(6), "ann", "burnt")}
        after = with_osds(before, osd(1, store=None, is_up=False), retired=retired)
        (concern,) = found(before, after)
        assert concern.is_grave
        assert concern.is_loss
        assert concern.what.endswith(" RGs would be given up: only osd.1 has copies")

    def test_what_is_only_on_an_osd_that_is_down(self) -> None:
        before = cluster_of(osd(1, is_up=False), osd(2))
        (concern,) = found(before, with_osds(before, osd(1, weight=0, is_up=False)))
        assert concern.what.endswith(" RGs can only be copied from what is down: osd.1")

    def test_what_others_have_a_part_of(self) -> None:
        """An import that is under way: 3 of each RG's 100 objects have come to osd.2."""
        before = cluster_of(osd(1), osd(2))
        retired = {store(1): Retirement(Epoch(6), "ann", "burnt")}
        after = with_osds(before, osd(1, store=None, is_up=False), retired=retired)
        held = {store(1): 100, store(2): 3}
        stats = stats_of(before, [RgStat(RgId(rg), 100, 1_000, held) for rg in range(RGS)])
        plan = make_plan(before, after, Survey(stats, {OsdId(2): ROOMY}))
        assert plan.moved == (0, 0)
        assert concerns(plan, stats) == (
            Concern(
                True,
                "up to 1,552 objects of 16 RGs would be given up: only osd.1 has copies of them",
                is_loss=True,
            ),
        )
        silent = cluster_of(osd(1, is_up=False), osd(2))
        leaving = with_osds(silent, osd(1, weight=0, is_up=False))
        plan = make_plan(silent, leaving, Survey(stats, {OsdId(2): ROOMY}))
        assert plan.moved == (1_552, 15_520)
        assert concerns(plan, stats) == (
            Concern(
                False,
                "up to 1,552 objects of 16 RGs can only be copied from what is down: osd.1",
            ),
        )

    def test_what_others_have_all_of_speaks_against_nothing(self) -> None:
        before = cluster_of(osd(1), osd(2), osd(3))
        retired = {store(1): Retirement(Epoch(6), "ann", "burnt")}
        after = with_osds(before, osd(1, store=None, is_up=False), retired=retired)
        rows = [
            RgStat(RgId(0), 100, 1_000, {store(1): 40, store(2): 100}),
            RgStat(RgId(1), 100, 1_000, {store(2): 50, store(3): 50}),
            RgStat(RgId(2), 100, 1_000, {}),
            RgStat(RgId(3), 0, 0, {}),
        ]
        stats = stats_of(before, rows)
        disks = dict.fromkeys(before.osds, ROOMY)
        assert concerns(make_plan(before, after, Survey(stats, disks)), stats) == ()

    def test_one_that_is_added_and_must_start(self) -> None:
        after = with_osds(SPREAD, osd(4, "h4/r0", store=None), osd(5, "h5/r1", store=None))
        assert found(SPREAD, after) == [
            Concern(
                False,
                "osd.4 and osd.5 count as started here; nothing comes to them until they are",
            )
        ]
