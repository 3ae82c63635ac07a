"""Every kind of map change: what it does, and every refusal in its own words."""

import pytest
from msgspec.structs import replace

from eventlog.errors import BadRecord
from eventlog.ids import (
    WEIGHT_ONE,
    Epoch,
    Offset,
    OsdId,
    Partition,
    Position,
    RgId,
    Topic,
    osd_name,
)
from eventlog.map_events import (
    EpochBumped,
    MapChange,
    OsdIn,
    OsdLeaving,
    OsdMoved,
    OsdOut,
    OsdReweighted,
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
from projections.cluster_map import EMPTY, ClusterMap, Osd, Refusal, Retirement, describe_osd
from projections.draws import MAX_WEIGHT
from projections.map_fold import fold

LOOK = "Look at the map with `osdlog map show`."
CLUSTER = cluster()
A, B, C = store(1), store(2), store(3)
A2 = store(1, 2)


def osd(of: ClusterMap, number: int) -> Osd:
    return of.osds[OsdId(number)]


def without(before: ClusterMap) -> ClusterMap:
    """The map but for its epoch and layout, to compare all else."""
    return replace(before, epoch=EMPTY.epoch, layout=EMPTY.layout)


class TestCreation:
    def test_it_gives_the_cluster_its_numbers(self) -> None:
        made = changed(EMPTY, CREATED)
        assert without(made) == ClusterMap(
            cluster="c1",
            rg_count=16,
            partitions=16,
            retention="unlimited",
            cleanup="none",
            replicas=2,
            min_replicas=1,
            rules=1,
        )

    def test_a_log_has_one_cluster(self) -> None:
        refusal = Refusal("the log already has cluster c1", "Use a new log.")
        assert refused(CLUSTER, CREATED) == refusal
        assert refused(EMPTY, CREATED, replace(CREATED, cluster="c2")) == refusal

    def test_also_one_without_a_name_is_there(self) -> None:
        nameless = changed(EMPTY, replace(CREATED, cluster=""))
        assert refused(nameless, replace(CREATED, rg_count=32)).hint == "Use a new log."
        assert OsdId(1) in changed(nameless, added(1)).osds

    def test_nothing_comes_before_it(self) -> None:
        refusal = Refusal("there is no cluster yet", "Make one with `osdlog init`.")
        assert refused(EMPTY, added(1)) == refusal
        assert refused(EMPTY, EpochBumped(to=5), CREATED) == refusal
        assert fold(EMPTY, event(booted(1), layout=None)) == refusal

    @pytest.mark.parametrize(
        ("wrong", "what"),
        [
            ({"partitions": 0}, "16 RGs in 0 partitions"),
            ({"partitions": 17}, "16 RGs in 17 partitions"),
            ({"min_replicas": 3}, "replicas 2, min_replicas 3"),
            ({"min_replicas": 0}, "replicas 2, min_replicas 0"),
        ],
    )
    def test_numbers_that_cannot_be_are_no_event(self, wrong: dict[str, int], what: str) -> None:
        with pytest.raises(BadRecord, match=what):
            type(CREATED)(
                **{key: getattr(CREATED, key) for key in CREATED.__struct_fields__} | wrong
            )


class TestAdding:
    def test_an_added_osd_has_no_store_and_is_not_placed(self) -> None:
        after = changed(CLUSTER, added(4, 2 * WEIGHT_ONE, "h7", "r7"))
        new = Osd(osd=OsdId(4), weight=2 * WEIGHT_ONE, host="h7", rack="r7")
        assert without(after) == without(replace(CLUSTER, osds={**CLUSTER.osds, OsdId(4): new}))
        assert not osd(after, 4).is_candidate
        assert describe_osd(osd(after, 4)) == "osd.4 down in h7/r7"

    @pytest.mark.parametrize("weight", [0, -1, MAX_WEIGHT + 1])
    def test_its_weight_has_limits(self, weight: int) -> None:
        assert refused(CLUSTER, added(4, weight)) == Refusal(
            "a weight is more than 0 and at most 65,536", "Give another weight."
        )

    @pytest.mark.parametrize("weight", [1, MAX_WEIGHT])
    def test_the_limits_themselves_are_accepted(self, weight: int) -> None:
        assert osd(changed(CLUSTER, added(4, weight)), 4).weight == weight

    @pytest.mark.parametrize("missing", ["host", "rack"])
    def test_it_needs_a_host_and_a_rack(self, missing: str) -> None:
        nowhere = replace(added(4), **{missing: ""})
        assert refused(CLUSTER, nowhere) == Refusal("osd.4 needs a host and a rack", "Name both.")

    def test_it_is_added_once(self) -> None:
        assert refused(CLUSTER, added(1)) == Refusal("osd.1 is in the map already", LOOK)


class TestLeaving:
    LEAVING = changed(CLUSTER, leaving(1))

    def test_it_weighs_nothing_and_keeps_its_store_and_address(self) -> None:
        before, after = osd(CLUSTER, 1), osd(self.LEAVING, 1)
        assert after == replace(before, is_leaving=True, weight=0)
        assert (after.store, after.address, after.is_up) == (A, "host:11", True)
        assert describe_osd(after) == "osd.1 up in leaving h1/r1"

    def test_it_takes_no_weight(self) -> None:
        assert refused(self.LEAVING, weighed(1, WEIGHT_ONE)) == Refusal(
            "osd.1 is leaving", "Take it back with --add 1."
        )

    def test_adding_takes_it_back_with_its_store(self) -> None:
        again = changed(self.LEAVING, added(1, 2 * WEIGHT_ONE, "h8", "r8"))
        assert osd(again, 1) == replace(
            osd(CLUSTER, 1), weight=2 * WEIGHT_ONE, host="h8", rack="r8"
        )

    def test_one_that_was_out_is_still_out_when_it_is_taken_back(self) -> None:
        after = changed(CLUSTER, out(1), leaving(1), added(1))
        assert not osd(after, 1).is_in

    def test_it_may_go_down_come_up_and_boot_meanwhile(self) -> None:
        after = changed(self.LEAVING, down(1))
        assert not osd(after, 1).is_up
        after = changed(after, booted(1, boot=2))
        assert (osd(after, 1).is_up, osd(after, 1).is_leaving, osd(after, 1).weight) == (
            True,
            True,
            0,
        )

    def test_its_entry_goes_with_its_store(self) -> None:
        after = changed(self.LEAVING, written_off(A))
        assert OsdId(1) not in after.osds
        assert after.retired.keys() == {A}

    def test_then_the_number_may_come_back_with_another_disk_only(self) -> None:
        again = changed(self.LEAVING, written_off(A), added(1))
        assert osd(again, 1) == Osd(osd=OsdId(1), weight=WEIGHT_ONE, host="h1", rack="r1")
        assert refused(again, booted(1, boot=9)).why == f"{A} is retired: burnt"
        assert osd(changed(again, booted(1, 2)), 1).store == A2


class TestOsdChanges:
    def test_weight(self) -> None:
        after = changed(CLUSTER, weighed(1, 7))
        assert osd(after, 1) == replace(osd(CLUSTER, 1), weight=7)

    @pytest.mark.parametrize("weight", [-1, MAX_WEIGHT + 1])
    def test_weight_has_limits(self, weight: int) -> None:
        assert refused(CLUSTER, weighed(1, weight)) == Refusal(
            "a weight is 0 to 65,536", "Give another weight."
        )

    @pytest.mark.parametrize("weight", [0, MAX_WEIGHT])
    def test_the_limits_themselves_are_accepted(self, weight: int) -> None:
        assert osd(changed(CLUSTER, weighed(1, weight)), 1).weight == weight

    def test_place(self) -> None:
        after = changed(CLUSTER, moved(1, "h5", "r5"))
        assert osd(after, 1) == replace(osd(CLUSTER, 1), host="h5", rack="r5")

    @pytest.mark.parametrize(("host", "rack"), [("", "r1"), ("h1", "")])
    def test_a_place_is_a_host_and_a_rack(self, host: str, rack: str) -> None:
        assert refused(CLUSTER, moved(1, host, rack)) == Refusal(
            "osd.1 needs a host and a rack", "Name both."
        )

    def test_out_and_in(self) -> None:
        after = changed(CLUSTER, out(1))
        assert osd(after, 1) == replace(osd(CLUSTER, 1), is_in=False)
        assert describe_osd(osd(after, 1)) == "osd.1 up out h1/r1"
        assert without(changed(after, into(1))) == without(CLUSTER)

    @pytest.mark.parametrize(
        ("before", "same", "state"),
        [
            ((), into(1), "in"),
            ((out(1),), out(1), "out"),
            ((leaving(1),), leaving(1), "leaving"),
            ((), weighed(1, WEIGHT_ONE), "of that weight"),
            ((), moved(1, "h1", "r1"), "there"),
        ],
    )
    def test_what_changes_nothing_is_void(
        self, before: tuple[MapChange, ...], same: MapChange, state: str
    ) -> None:
        made = changed(CLUSTER, *before) if before else CLUSTER
        assert refused(made, same) == Refusal(f"osd.1 is {state} already", LOOK)

    @pytest.mark.parametrize(
        "change",
        [
            OsdLeaving(osd=OsdId(9)),
            OsdReweighted(osd=OsdId(9), weight=1),
            OsdMoved(osd=OsdId(9), host="h", rack="r"),
            OsdIn(osd=OsdId(9)),
            OsdOut(osd=OsdId(9)),
            booted(9),
            up(9),
            down(9),
            pinned(1, 9),
        ],
        ids=lambda change: type(change).__name__,
    )
    def test_an_unknown_osd_is_named(self, change: MapChange) -> None:
        is_boot = type(change).__name__ == "OsdBooted"
        listed = "`osdlog map show` lists the OSDs there are."
        hint = "Add it with `osdlog map apply --add 9`." if is_boot else listed
        assert refused(CLUSTER, change) == Refusal(f"{osd_name(OsdId(9))} is not in the map", hint)


class TestVerdicts:
    def test_down_and_up(self) -> None:
        after = changed(CLUSTER, down(1))
        assert osd(after, 1) == replace(osd(CLUSTER, 1), is_up=False)
        assert after.is_up(A) is False
        assert without(changed(after, up(1))) == without(CLUSTER)

    @pytest.mark.parametrize(
        ("verdict", "meant"),
        [
            (down(1, boot=1), f"boot 1 of {A}"),
            (down(1, boot=3), f"boot 3 of {A}"),
            (up(1, boot=1), f"boot 1 of {A}"),
            (down(1, 2, boot=2), f"boot 2 of {A2}"),
        ],
    )
    def test_a_verdict_on_another_boot_is_void(self, verdict: MapChange, meant: str) -> None:
        before = changed(CLUSTER, booted(1, boot=2))
        assert refused(before, verdict) == Refusal(
            f"the verdict means {meant}, the map has boot 2",
            "Look again: the OSD has started anew since.",
        )

    def test_the_second_of_two_verdicts_is_void(self) -> None:
        assert refused(CLUSTER, up(1)) == Refusal("osd.1 is up already", LOOK)
        assert refused(changed(CLUSTER, down(1)), down(1)) == Refusal("osd.1 is down already", LOOK)

    def test_an_osd_that_never_booted_is_not_judged(self) -> None:
        before = changed(CLUSTER, added(4))
        assert refused(before, up(4)).why == (
            f"the verdict means boot 1 of {store(4)}, the map has boot 0"
        )


class TestRetiring:
    def test_the_store_is_retired_and_the_osd_is_left_without_one(self) -> None:
        after = changed(CLUSTER, written_off(A))
        assert osd(after, 1) == replace(osd(CLUSTER, 1), store=None, is_up=False, address=None)
        assert after.retired == {A: Retirement(after.epoch, "ben", "burnt")}
        assert not osd(after, 1).is_candidate

    @pytest.mark.parametrize("which", [A2, store(9)])
    def test_only_a_present_store_is_retired(self, which: object) -> None:
        assert refused(CLUSTER, written_off(which)) == Refusal(  # type: ignore[arg-type]
            f"{which} is no present store of the map", LOOK
        )

    def test_nor_is_it_retired_twice(self) -> None:
        after = changed(CLUSTER, written_off(A))
        assert refused(after, written_off(A)).why == f"{A} is no present store of the map"

    def test_its_osd_may_boot_another_store(self) -> None:
        after = changed(changed(CLUSTER, written_off(A)), booted(1, 2))
        assert (osd(after, 1).store, osd(after, 1).boot) == (A2, 1)
        assert after.retired.keys() == {A}

    @pytest.mark.parametrize("is_bumped_first", [True, False])
    @pytest.mark.parametrize("retiring", [written_off(A), booted(1, 2)], ids=["by hand", "by boot"])
    def test_it_is_retired_since_the_epoch_of_its_event(
        self, retiring: MapChange, *, is_bumped_first: bool
    ) -> None:
        both = [retiring, EpochBumped(to=40)]
        after = changed(CLUSTER, *(reversed(both) if is_bumped_first else both))
        assert (after.epoch, after.retired[A].epoch) == (40, 40)


class TestPins:
    def test_pin_and_unpin(self) -> None:
        after = changed(CLUSTER, pinned(15, 3, 1))
        assert after.pins == {RgId(15): (3, 1)}
        after = changed(after, pinned(15, 2))
        assert after.pins == {RgId(15): (2,)}
        assert without(changed(after, unpinned(15))) == without(CLUSTER)

    @pytest.mark.parametrize("change", [pinned(16, 1), unpinned(16), pinned(-1, 1)])
    def test_the_rg_must_be(self, change: MapChange) -> None:
        refusal = refused(CLUSTER, change)
        assert refusal.why.startswith("there is no rg ")
        assert refusal.hint == "The cluster has 16 RGs."

    @pytest.mark.parametrize("osds", [(), (1, 1), (1, 2, 3)])
    def test_a_pin_names_as_many_osds_as_there_are_replicas(self, osds: tuple[int, ...]) -> None:
        assert refused(CLUSTER, pinned(1, *osds)) == Refusal(
            "a pin names 1 to 2 different OSDs", "Name fewer, each once."
        )

    @pytest.mark.parametrize(
        "change",
        [out(1), leaving(1), weighed(1, 0), written_off(A)],
        ids=lambda c: type(c).__name__,
    )
    def test_a_pin_names_osds_that_can_hold_data(self, change: MapChange) -> None:
        after = changed(CLUSTER, change)
        assert refused(after, pinned(1, 2, 1)) == Refusal("osd.1 cannot hold data now", LOOK)

    def test_a_pin_outlives_what_it_names(self) -> None:
        after = changed(changed(CLUSTER, pinned(1, 1)), leaving(1), written_off(A))
        assert after.pins == {RgId(1): (1,)}

    def test_only_what_is_pinned_is_unpinned(self) -> None:
        assert refused(CLUSTER, unpinned(10)) == Refusal("rg a is not pinned", LOOK)


class TestNumbers:
    def test_replicas(self) -> None:
        after = changed(CLUSTER, ReplicasSet(replicas=8, min_replicas=8))
        assert without(after) == without(replace(CLUSTER, replicas=8, min_replicas=8))

    @pytest.mark.parametrize(("replicas", "least"), [(9, 1), (0, 0), (2, 3), (2, 0)])
    def test_replicas_have_limits(self, replicas: int, least: int) -> None:
        change = ReplicasSet(replicas=replicas, min_replicas=least)
        assert refused(CLUSTER, change) == Refusal(
            f"replicas {replicas} with min_replicas {least}",
            "Both are 1 to 8, min_replicas no more than replicas.",
        )

    def test_replicas_do_not_fall_below_a_pin(self) -> None:
        before = changed(CLUSTER, pinned(1, 1, 2))
        assert refused(before, ReplicasSet(replicas=1, min_replicas=1)) == Refusal(
            "an RG is pinned to more OSDs than that", "Unpin it first."
        )

    def test_the_rule_set_rises(self) -> None:
        assert changed(CLUSTER, RulesRaised(rules=3)).rules == 3
        refusal = Refusal("the rule set is 1 already", LOOK)
        assert refused(CLUSTER, RulesRaised(rules=1)) == refusal
        assert refused(CLUSTER, RulesRaised(rules=0)) == refusal

    def test_the_epoch_is_bumped_to_a_number(self) -> None:
        after = changed(CLUSTER, EpochBumped(to=40))
        assert after == replace(CLUSTER, epoch=Epoch(40))

    @pytest.mark.parametrize("to", [0, 2, 3])
    def test_it_is_not_bumped_down(self, to: int) -> None:
        assert refused(CLUSTER, EpochBumped(to=to)) == Refusal("the epoch is 3 already", LOOK)

    def test_a_record_is_skipped(self) -> None:
        skip = RecordSkipped(
            topic=Topic.RG,
            partition=Partition(3),
            offset=17,
            sha256=b"s" * 32,
            by="ann",
            why="damaged",
        )
        at = Position(Topic.RG, Partition(3), Offset(17))
        assert changed(CLUSTER, skip) == replace(CLUSTER, epoch=Epoch(4), skipped={at: b"s" * 32})
