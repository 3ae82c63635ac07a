"""Each fault, injected into a cluster that then comes to rest: the explanation names it.

Of each case: what the primary says, and what the log alone tells.
"""

from msgspec.structs import replace

from eventlog.ids import Boot, Epoch, Fence, Offset, OsdId, Partition, Round, Topic, rg_key
from eventlog.log import Entry
from eventlog.map_events import (
    MapChange,
    OsdBooted,
    OsdDown,
    OsdLeaving,
    OsdOut,
    ReplicasSet,
    RgPinned,
)
from eventlog.rg_events import CopiesDoomed, RgClaimed
from explanations.causes import RG, Scene
from projections.explain import Explanation, Reason
from simulation.cluster import Copies
from simulation.network import LOG
from simulation.pump import AppendFault

BY = "by operator for"
TWO = Copies(2, 1)
BOTH = Copies(2, 2)


def down(scene: Scene, osd: int) -> MapChange:
    """A monitor's verdict."""
    known = scene.cluster.map.osds[OsdId(osd)]
    assert known.store is not None
    return OsdDown(store=known.store, boot=known.boot, why="does not answer")


def crash(scene: Scene, osd: int) -> None:
    """Its process dies, and the map has it."""
    scene.cluster.kill(OsdId(osd))
    scene.change(down(scene, osd))


def check(said: Explanation, reason: Reason, who: tuple[str, ...], sentence: str) -> None:
    assert (said.reason, said.who, said.sentence) == (reason, who, sentence)


def both(scene: Scene, reason: Reason, who: tuple[str, ...], sentence: str) -> None:
    """The primary and the log say the same."""
    check(scene.at_primary(), reason, who, sentence)
    check(scene.told().explain(), reason, who, sentence)


def lines(scene: Scene) -> list[str]:
    """The chain: positions and words."""
    return [f"{step.position} {step.text}" for step in scene.told().chain]


def moved(*names: str) -> Scene:
    """Objects on osd.1, whose RG the map then gives to osd.2; nothing was imported yet."""
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put(*names)
    scene.settle()
    scene.change(pinned_to(2))
    return scene


def pinned_to(*osds: int) -> MapChange:
    return RgPinned(rg=RG, osds=tuple(map(OsdId, osds)))


def test_clean() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    scene.settle()
    both(scene, Reason.CLEAN, (), "rg 0 is clean: 1 object on osd.1.")
    told = scene.told()
    assert (told.chain, told.since) == ((), None)


def test_waiting_for_calm() -> None:
    scene = moved("a", "b")
    sentence = (
        "osd.2 must still import 2 objects of rg 0; osd.1 holds copies, "
        "but it waits until the map has stood for 1 s."
    )
    check(scene.at(2), Reason.CALM, ("osd.2",), sentence)
    assert scene.told().explain().reason is Reason.IMPORTING
    scene.settle()
    both(scene, Reason.CLEAN, (), "rg 0 is clean: 2 objects on osd.2.")


def test_the_source_is_down() -> None:
    scene = moved("a", "b")
    crash(scene, 1)
    scene.settle()
    sentence = "osd.2 lacks 2 objects of rg 0; osd.1 holds copies, of which osd.1 must come up."
    both(scene, Reason.HOLDER_DOWN, ("osd.1",), sentence)
    assert lines(scene) == [
        "map/0@6 map pinned rg 0 to osd.2; by operator for layout 4",
        "rg/0@3 rg 0 claimed e7.1 osd.2 boot 1, placed osd.2",
        "rg/0@4 rg 0 osd.1 holds 2 at v2, answers e7.1 osd.2 boot 1",
        f"map/0@7 map down {scene.machine(1).store}, boot 1: does not answer; {BY} layout 5",
    ]
    since = scene.told().since
    assert since is not None
    assert str(since.position) == "map/0@6"


def test_the_source_is_silent_though_the_map_has_it_up() -> None:
    scene = moved("a")
    scene.cluster.kill(OsdId(1))
    scene.settle()
    said = scene.at(2)
    assert (said.reason, said.who) == (Reason.IMPORT_FAILS, ("osd.1",))
    assert said.sentence == (
        "osd.2 must still import 1 object of rg 0; osd.1 holds copies, "
        "but the last try failed: no source gave it."
    )


def test_the_importers_own_disk_fails() -> None:
    """No source can do anything about that."""
    scene = moved("a")
    scene.machine(2).disk_trouble = "cannot write a body: Input/output error"
    scene.settle()
    said = scene.at(2)
    assert (said.reason, said.who) == (Reason.IMPORT_FAILS, ("operator",))
    assert said.sentence == (
        "osd.2 must still import 1 object of rg 0; osd.1 holds copies, "
        "but the last try failed: cannot write a body: Input/output error."
    )


def test_of_two_holders_one_is_down() -> None:
    """What keeps the new primary from importing from the other one is said."""
    scene = Scene(1, 2, 3, copies=TWO)
    scene.pin(1, 3)
    scene.put("a")
    scene.settle()
    crash(scene, 3)
    scene.pin(2, 1)
    sentence = (
        "osd.2 must still import 1 object of rg 0; osd.1 and osd.3 hold copies, "
        "but it waits until the map has stood for 1 s."
    )
    check(scene.at(2), Reason.CALM, ("osd.2",), sentence)
    scene.machine(2).disk_trouble = "cannot write a body: Input/output error"
    scene.run(3_000)
    assert (scene.at(2).reason, scene.at(2).who) == (Reason.IMPORT_FAILS, ("operator",))
    scene.machine(2).disk_trouble = ""
    scene.cluster.kill(OsdId(1))
    scene.settle()
    assert (scene.at(2).reason, scene.at(2).who) == (Reason.IMPORT_FAILS, ("osd.1",))


def test_a_placed_osd_died_and_another_takes_its_place() -> None:
    scene = Scene(1, 2, 3, copies=TWO)
    scene.pin(1, 3)
    scene.put("a")
    scene.settle()
    crash(scene, 3)
    scene.machine(2).disk_trouble = "cannot write a body: Input/output error"
    scene.pin(1, 2)
    scene.settle()
    sentence = "osd.2 must import all of rg 0 before 1 copy on osd.3 may go."
    both(scene, Reason.REPLICA_BEHIND, ("osd.2",), sentence)
    assert (scene.at(2).reason, scene.at(2).who) == (Reason.IMPORT_FAILS, ("operator",))
    scene.machine(2).disk_trouble = ""
    scene.settle()
    sentence = (
        "all of rg 0 is imported, but osd.3 must come up to erase 1 copy; "
        "if a disk is gone, `osdlog map apply --retire` says so."
    )
    both(scene, Reason.ERASER_DOWN, ("osd.3",), sentence)


def test_no_puts_are_taken_while_a_placed_osd_is_down_and_has_nothing_yet() -> None:
    scene = Scene(1, 2, 3, copies=BOTH)
    scene.pin(1, 3)
    scene.put("a")
    scene.settle()
    scene.cluster.kill(OsdId(2))
    scene.pin(1, 2)
    scene.change(down(scene, 2))
    scene.settle()
    sentence = (
        "rg 0 takes no puts: min_replicas is 2, and only osd.1 is up; "
        "osd.2, where it is placed, must come up."
    )
    both(scene, Reason.MIN_REPLICAS, ("osd.2",), sentence)


def test_the_sources_disk_is_lost() -> None:
    scene = moved("a", "b")
    scene.cluster.kill(OsdId(1))
    scene.cluster.wipe(OsdId(1))
    scene.cluster.start(OsdId(1), may_rebuild=True)
    scene.settle()
    sentence = (
        "osd.2 lacks 2 objects of rg 0, and no store holds a good copy: "
        "write anew or delete what is lost."
    )
    both(scene, Reason.NO_GOOD_COPY, ("operator",), sentence)
    assert "rg 0 retired osd.1/0000000000000001, under e7.1 osd.2 boot 1" in lines(scene)[-1]


def test_a_placed_osd_is_down() -> None:
    scene = Scene(1, 2, copies=TWO)
    scene.pin(1, 2)
    scene.put("a")
    crash(scene, 2)
    scene.settle()
    sentence = "rg 0 is served, but osd.2, where it is placed, must come up."
    both(scene, Reason.PLACED_DOWN, ("osd.2",), sentence)
    assert lines(scene)[0].startswith("map/0@6 map down osd.2/")


def test_min_replicas_is_not_reached() -> None:
    scene = Scene(1, 2, copies=BOTH)
    scene.pin(1, 2)
    scene.put("a")
    crash(scene, 2)
    scene.settle()
    sentence = (
        "rg 0 takes no puts: min_replicas is 2, and only osd.1 is up; "
        "osd.2, where it is placed, must come up."
    )
    both(scene, Reason.MIN_REPLICAS, ("osd.2",), sentence)


def test_every_placed_osd_is_down() -> None:
    scene = Scene(1, 2, copies=TWO)
    scene.pin(1, 2)
    scene.put("a")
    crash(scene, 2)
    crash(scene, 1)
    scene.settle()
    sentence = "rg 0 is unavailable: osd.1 and osd.2, where it is placed, must come up."
    check(scene.told().explain(), Reason.ALL_DOWN, ("osd.1", "osd.2"), sentence)
    assert [line.partition(" ")[2].split("/")[0] for line in lines(scene)[-1:]] == [
        "map down osd.1"
    ]


def test_too_few_osds() -> None:
    scene = Scene(1)
    scene.put("a")
    scene.change(ReplicasSet(replicas=2, min_replicas=1))
    scene.settle()
    sentence = "rg 0 is placed on 1 of 2 stores: more OSDs must be added."
    both(scene, Reason.TOO_FEW_OSDS, ("operator",), sentence)
    assert lines(scene)[0].startswith("map/0@3 map replicas 2, at least 1")


def test_placed_nowhere() -> None:
    scene = Scene(1)
    scene.put("a")
    scene.change(OsdOut(osd=OsdId(1)))
    scene.settle()
    sentence = "rg 0 is placed nowhere: no OSD is in, has booted and has a weight."
    check(scene.at(1), Reason.PLACED_NOWHERE, ("operator",), sentence)
    check(scene.told().explain(), Reason.PLACED_NOWHERE, ("operator",), sentence)


def test_a_placed_member_is_behind() -> None:
    scene = Scene(1, 2, 3, copies=TWO)
    scene.pin(1, 2)
    scene.put("a")
    scene.settle()
    scene.cluster.kill(OsdId(3))
    scene.pin(2, 3)
    scene.settle()
    sentence = "osd.3 must import all of rg 0 before 1 copy on osd.1 may go."
    both(scene, Reason.REPLICA_BEHIND, ("osd.3",), sentence)
    scene.change(down(scene, 3))
    scene.settle()
    sentence = (
        "osd.3, where rg 0 is placed, must come up and import all of it "
        "before 1 copy on osd.1 may go."
    )
    both(scene, Reason.PLACED_DOWN, ("osd.3",), sentence)


def test_a_replica_has_not_everything_yet() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    scene.put("b")
    scene.settle()
    scene.cluster.kill(OsdId(2))
    scene.change(ReplicasSet(replicas=2, min_replicas=1))
    scene.settle()
    sentence = "rg 0 is served, but osd.2 must still import 2 objects of it."
    both(scene, Reason.REPLICA_BEHIND, ("osd.2",), sentence)
    scene.cluster.start(OsdId(2))
    scene.settle()
    check(scene.at(1), Reason.CLEAN, (), "rg 0 is clean: 2 objects on osd.1 and osd.2.")


def test_a_source_died_before_it_erased() -> None:
    scene = moved("a")
    assert scene.cluster.world.run_until(
        lambda: any(isinstance(told.event, CopiesDoomed) for told in scene.cluster.told)
    )
    crash(scene, 1)
    scene.settle()
    sentence = (
        "all of rg 0 is imported, but osd.1 must come up to erase 1 copy; "
        "if a disk is gone, `osdlog map apply --retire` says so."
    )
    both(scene, Reason.ERASER_DOWN, ("osd.1",), sentence)


def test_a_damaged_copy() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    machine = scene.machine(1)
    for _, copy in machine.disk(RG).copies():
        machine.spoil(RG, copy.body)
    scene.asker.get("a")
    scene.settle()
    sentence = (
        "osd.1 lacks 1 object of rg 0, and no store holds a good copy: "
        "write anew or delete what is lost."
    )
    both(scene, Reason.NO_GOOD_COPY, ("operator",), sentence)
    assert "rg 0 osd.1 lost v1: " in lines(scene)[0]


def test_the_new_primary_cannot_reach_the_log() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    scene.settle()
    scene.cluster.network.cut(scene.machine(2).address, LOG)
    scene.cluster.network.cut(LOG, scene.machine(2).address)
    scene.pin(2)
    scene.run(5_000)
    sentence = (
        "osd.2, by the map its primary, must claim rg 0; the last claim is e6.1 osd.1 boot 1."
    )
    check(scene.told().explain(), Reason.CLAIM_AWAITED, ("osd.2",), sentence)
    sentence = "osd.1 has 1 copy of rg 0, which is now placed on osd.2; osd.2 must claim it."
    check(scene.at(1), Reason.CLAIM_AWAITED, ("osd.2",), sentence)


def test_the_claim_is_not_read_back() -> None:
    scene = moved("a", "b")
    scene.settle()
    scene.cluster.fault = lambda: AppendFault.LOST
    scene.put("c")
    scene.run(3_000)
    sentence = (
        "rg 0 waits for osd.2 to read a new claim back from the log: "
        "what became of its last append is not known."
    )
    check(scene.at(2), Reason.CLAIM_AWAITED, ("osd.2",), sentence)


def test_a_record_that_cannot_be_decoded() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    entry = Entry(Topic.RG, Partition(0), rg_key(RG), b"\xc3\x01nonsense")
    scene.cluster.log.append([entry])
    said = scene.told().explain()
    assert (said.reason, said.who) == (Reason.STOPPED, ("operator",))
    assert said.sentence.startswith("rg 0 cannot be read any further: ")
    assert "rg/0@2" in said.sentence


def test_a_claim_under_a_rule_set_that_is_not_known() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    scene.settle()
    first = next(told.event for told in scene.cluster.told if isinstance(told.event, RgClaimed))
    fence = Fence(Epoch(5), Round(7), first.fence.store, first.fence.boot)
    scene.cluster._append([replace(first, fence=fence, rules=9, next_offset=Offset(2))])
    scene.settle()
    sentence = (
        "rg 0 is stopped at osd.1: it was claimed under rule set 9, which this program lacks."
    )
    check(scene.at(1), Reason.STOPPED, ("operator",), sentence)
    said = scene.told().explain()
    assert said.reason is Reason.STOPPED
    assert "rule set 9" in said.sentence


def test_all_places_for_imports_are_taken() -> None:
    scene = moved("a")
    node = scene.machine(2).node
    assert node is not None
    node.context.pulls.under_way = node.context.pulls.limits.pulls
    scene.run(3_000)
    said = scene.at(2)
    assert said.reason is Reason.LIMITED
    assert said.sentence.endswith("but all 4 places for imports are taken by other RGs.")


def test_a_store_that_left_holds_the_rest() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    scene.settle()
    scene.cluster.network.cut(scene.machine(2).address, scene.machine(1).address)
    scene.change(OsdLeaving(osd=OsdId(1)))
    scene.settle()
    said = scene.at(2)
    assert (said.reason, said.who) == (Reason.IMPORT_FAILS, ("osd.1",))
    assert "osd.1 is leaving" in lines(scene)[0]


def test_many_maps_are_told_by_the_first_and_the_last() -> None:
    scene = moved("a")
    for _ in range(10):
        scene.cluster.change_map(pinned_to(1))
        scene.cluster.change_map(pinned_to(2))
    scene.run(100)
    maps = [line for line in lines(scene) if line.startswith("map/")]
    assert [line.partition(" ")[2] for line in maps] == [
        "map pinned rg 0 to osd.2; by operator for layout 4",
        "map changed 19 times more",
        "map pinned rg 0 to osd.2; by operator for layout 24",
    ]


def test_a_new_boot_is_told() -> None:
    scene = Scene(1, 2)
    scene.pin(1)
    scene.put("a")
    scene.settle()
    store = scene.machine(1).store
    scene.change(OsdBooted(store=store, boot=Boot(2), address="osd.1", replaces=None))
    assert scene.told().explain().reason is Reason.CLAIM_AWAITED
    assert "map booted osd.1" in lines(scene)[0]
