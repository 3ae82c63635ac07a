"""Verdicts of one monitor, from who answered when."""

import msgspec
import pytest

from eventlog.ids import WEIGHT_ONE, Boot, Epoch, Incarnation, Micros, Offset, OsdId, Store
from eventlog.map_events import (
    MapChange,
    OsdAdded,
    OsdBooted,
    OsdDown,
    OsdIn,
    OsdLeaving,
    OsdOut,
    OsdUp,
)
from folds.mapping import CREATED, event
from osd.client.answers import MapRecord
from osd.lately import LATELY_S
from osd.monitor import Judge, Patience, Verdict
from osd.monitor.loop import take_note
from projections.cluster_map import EMPTY, ClusterMap, Refusal
from projections.map_departures import departures
from projections.map_fold import fold

PATIENCE = Patience(probe_s=1, grace_s=10, out_s=100, share=0.5)
MONITOR, OPERATOR = "osdlog monitor there", "ann"


def store(osd: int) -> Store:
    return Store(OsdId(osd), Incarnation(100 + osd))


def booted(osd: int, boot: int = 1) -> OsdBooted:
    return OsdBooted(store=store(osd), boot=Boot(boot), address=f"there:{osd}", replaces=None)


class World:
    """A map with OSDs, one judge, and a clock."""

    def __init__(self, osds: int, patience: Patience = PATIENCE) -> None:
        self.map: ClusterMap = EMPTY
        self.judge = Judge(patience)
        self.now = 0.0
        self.osds = osds
        self.change(CREATED)
        for osd in range(osds):
            added = OsdAdded(osd=OsdId(osd), weight=WEIGHT_ONE, host=f"host-{osd}", rack="rack")
            self.change(added)
            self.change(booted(osd))

    def change(self, change: MapChange, author: str = OPERATOR) -> None:
        guarded = isinstance(change, OsdBooted | OsdUp | OsdDown)
        self.take(change, layout=None if guarded else self.map.layout, author=author)

    def take(self, *changes: MapChange, layout: int | None, author: str = OPERATOR) -> None:
        said = event(*changes, layout=layout, author=author)
        after = fold(self.map, said)
        assert not isinstance(after, Refusal), after.why
        self.map = after
        self.judge.read(said, self.now)

    def round(self, seconds: float, *silent: int) -> list[Verdict]:
        """So much later all but these answer."""
        self.now += seconds
        alive = [OsdId(osd) for osd in range(self.osds) if osd not in silent]
        answered = [(store(osd), self.map.osds[osd].boot) for osd in alive]
        return self.judge.judge(self.map, answered, self.now)

    def rounds(self, seconds: int, *silent: int) -> list[Verdict]:
        """The first verdicts within so many rounds of a second, put into the map."""
        for _ in range(seconds):
            if verdicts := self.round(1, *silent):
                for verdict in verdicts:
                    self.change(verdict.change, MONITOR)
                return verdicts
        return []

    def start(self, osd: int) -> None:
        """A new process of it."""
        self.change(booted(osd, self.map.osds[OsdId(osd)].boot + 1))

    def crash(self, osd: int, seconds: int) -> list[str]:
        """For so long it starts, answers for 3 s, and is dead for 4; the reasons of verdicts."""
        reasons = []
        for second in range(seconds):
            if second % 7 == 0:
                self.start(osd)
            verdicts = self.rounds(1, *([osd] if second % 7 > 2 else []))
            reasons += [f"{type(change).__name__}: {why}" for change, why in verdicts]
        return reasons


def doubt_of(world: World) -> str | None:
    return world.judge.doubt


def down(osd: int) -> OsdDown:
    return OsdDown(store=store(osd), boot=Boot(1), why="does not answer")


def up(osd: int) -> OsdUp:
    return OsdUp(store=store(osd), boot=Boot(1))


def test_who_answers_is_left_alone() -> None:
    assert World(4).rounds(1_000) == []


def test_who_is_silent_for_the_grace_is_down_and_then_out() -> None:
    world = World(4)
    assert world.round(1) == []
    assert world.rounds(9, 2) == []
    assert world.rounds(1, 2) == [Verdict(down(2), "no answer for 10 s")]
    assert world.rounds(99, 2) == []
    assert world.rounds(2, 2) == [Verdict(OsdOut(osd=OsdId(2)), "down for 100 s")]
    assert world.rounds(1_000, 2) == []


def test_one_answer_begins_the_grace_anew() -> None:
    world = World(4)
    world.round(1)
    assert world.rounds(9, 2) == []
    assert world.round(1) == []
    assert world.rounds(9, 2) == []


def test_who_answers_again_is_up_and_in_again() -> None:
    world = World(4)
    world.rounds(20, 2)
    world.rounds(200, 2)
    assert not world.map.osds[OsdId(2)].is_in
    assert world.rounds(1) == []  # it may have said so itself
    assert world.rounds(1) == [Verdict(up(2), "it answers again")]
    assert world.rounds(1) == [Verdict(OsdIn(osd=OsdId(2)), "it is up again")]
    assert world.rounds(100) == []


def test_an_operators_word_stands() -> None:
    world = World(4)
    world.change(down(1))
    world.change(OsdOut(osd=OsdId(3)))
    assert world.rounds(50) == []
    world.change(up(1))
    world.change(OsdIn(osd=OsdId(3)))
    assert world.rounds(50) == []


def test_a_share_is_never_exceeded_and_the_doubt_is_said() -> None:
    world = World(4)
    world.round(1)
    assert world.rounds(50, 0, 1, 2) == []
    assert doubt_of(world) == (
        "osd.0, osd.1, osd.2 of 4 OSDs do not answer, and 0 are down by verdicts: no more than 2"
        " may be, so this monitor may itself be cut off"
    )
    assert len(world.rounds(2, 0, 1)) == 2
    assert doubt_of(world) is None
    assert world.rounds(50, 0, 1, 2) == []
    assert doubt_of(world) == (
        "osd.2 of 4 OSDs does not answer, and 2 are down by verdicts: no more than 2"
        " may be, so this monitor may itself be cut off"
    )


def test_outs_stay_within_the_share_too() -> None:
    world = World(4, PATIENCE._replace(share=0.25))
    world.change(down(0))
    world.change(down(1))
    assert [verdict.change for verdict in world.rounds(200, 0, 1)] == [OsdOut(osd=OsdId(0))]
    assert world.rounds(200, 0, 1) == []


def test_at_least_one_may_always_be_marked() -> None:
    world = World(2, PATIENCE._replace(share=0.1))
    world.round(1)
    assert [verdict.change for verdict in world.rounds(20, 0)] == [down(0)]


def test_the_last_one_is_never_marked() -> None:
    """Nobody would take its place: it does no good, and harm where the monitor is cut off."""
    world = World(1)
    world.round(1)
    assert world.rounds(20, 0) == []
    assert (
        doubt_of(world) == "osd.0 does not answer, and no other OSD is up that could take its place"
    )
    world = World(3)
    for osd in (1, 2):
        world.change(down(osd), f"osd.{osd}")
    world.round(1)
    assert world.rounds(20, 0, 1, 2) == []
    world = World(3, PATIENCE._replace(share=1.0))
    world.round(1)
    assert len(world.rounds(20, 0, 1)) == 2
    assert world.rounds(50, 0, 1, 2) == []


def test_the_last_one_is_never_taken_out() -> None:
    """A cluster of one that is stopped for long has its data where it was."""
    world = World(1)
    world.change(down(0), "osd.0")
    assert world.rounds(300, 0) == []


def test_each_verdict_of_down_doubles_the_grace_for_a_while() -> None:
    world = World(4)
    graces, reasons = [], []
    for _ in range(3):
        graces.append(world.judge.grace(OsdId(2), world.now))
        world.round(1)
        (verdict,) = world.rounds(400, 2)
        assert verdict.change == down(2)
        reasons.append(verdict.reason)
        world.change(up(2), "osd.2")
    assert graces == [10, 20, 40]
    assert reasons == [
        "no answer for 10 s",
        "no answer for 20 s; down 2 times in 10 min, so its grace is now 40 s",
        "no answer for 40 s; down 3 times in 10 min, so its grace is now 80 s",
    ]
    assert world.judge.grace(OsdId(2), world.now) == 80
    assert world.judge.grace(OsdId(1), world.now) == 10
    assert world.judge.grace(OsdId(2), world.now + 601) == 10


def test_a_new_boot_gets_a_grace_of_its_own() -> None:
    world = World(4)
    world.round(1)
    assert world.rounds(9, 2) == []
    world.change(booted(2, boot=2))
    assert world.rounds(10, 2) == []  # the old boot answers nobody: the new one is waited for
    assert [verdict.change for verdict in world.rounds(1, 2)] == [
        OsdDown(store=store(2), boot=Boot(2), why="does not answer")
    ]


def test_who_dies_and_starts_again_and_again_is_down_and_then_out() -> None:
    """No process of it is silent for a grace; what it was silent in all is held against it."""
    world = World(4, PATIENCE._replace(out_s=60))
    world.rounds(600)
    assert world.crash(2, 7 * 20) == [
        "OsdDown: no answer for 2 s, and 8 s before it started",
        (
            "OsdDown: no answer for 4 s, and 16 s before it started; down 2 times in 10 min, so its"
            " grace is now 40 s"
        ),
        (
            "OsdDown: no answer for 4 s, and 36 s before it started; down 3 times in 10 min, so its"
            " grace is now 80 s"
        ),
        "OsdOut: not steady for 125 s: it started 18 times in 10 min",
    ]
    assert not world.map.osds[OsdId(2)].is_in
    world.start(2)
    assert world.rounds(319) == []
    assert world.rounds(1) == [Verdict(OsdIn(osd=OsdId(2)), "it is up again")]
    assert world.rounds(1_000) == []


@pytest.mark.parametrize(("period", "former_s"), [(1, 21), (2, 22), (5, 25)])
def test_who_dies_before_it_ever_answers_is_down_and_then_out(period: int, former_s: int) -> None:
    """The map shows one process after the other, and none serves."""
    world = World(4)
    world.rounds(600)
    said: list[Verdict] = []
    for second in range(200):
        if second % period == 0:
            world.start(2)
        said += world.rounds(1, 2)
    assert said[0].reason == f"no answer for 0 s, and {former_s} s before it started"
    assert [type(verdict.change) for verdict in said] == [OsdDown] * 3 + [OsdOut]


def test_one_missed_probe_after_a_power_cut_is_no_death() -> None:
    """All were silent, and nobody was marked: that is no silence of processes that died."""
    world = World(4)
    world.rounds(600)
    assert world.rounds(300, 0, 1, 2, 3) == []
    for osd in range(4):
        world.start(osd)
    assert world.rounds(1) == []
    assert world.rounds(1, 2) == []
    assert world.rounds(8, 2) == []
    assert [verdict.change for verdict in world.rounds(1, 2)] == [
        OsdDown(store=store(2), boot=Boot(2), why="does not answer")
    ]


def test_one_missed_probe_after_a_former_process_was_silent_is_no_death() -> None:
    world = World(4)
    world.rounds(600)
    assert world.rounds(9, 2) == []
    world.start(2)
    assert world.rounds(1) == []
    assert world.rounds(1, 2) == []
    assert [verdict.reason for verdict in world.rounds(1, 2)] == [
        "no answer for 2 s, and 9 s before it started"
    ]


def test_one_whose_end_is_said_at_once_is_out_too_if_it_is_never_steady() -> None:
    """As `osdlog up` says it of a process of its own."""
    world = World(4)
    for _ in range(11):
        world.start(2)
        world.rounds(5)
        boot = world.map.osds[OsdId(2)].boot
        world.change(OsdDown(store=store(2), boot=boot, why="its process ended"))
        verdicts = world.rounds(5, 2)
    assert verdicts == [
        Verdict(OsdOut(osd=OsdId(2)), "not steady for 100 s: it started 12 times in 10 min")
    ]


def test_who_is_steady_between_two_starts_begins_anew() -> None:
    world = World(4)
    world.rounds(600)
    for _ in range(10):
        world.start(2)
        assert world.rounds(9, 2) == []
        assert world.rounds(200) == []


def test_time_in_which_nobody_was_asked_is_no_silence() -> None:
    """The monitor was suspended, or its log did not answer."""
    world = World(4)
    world.round(1)
    assert world.round(3_600, 0, 1) == []
    assert world.rounds(7, 0) == []
    assert [verdict.change for verdict in world.rounds(1, 0)] == [down(0)]


def test_probes_that_are_far_apart_take_longer_to_tell() -> None:
    world = World(4)
    world.round(1)
    verdicts = [world.round(60, 2) for _ in range(5)]
    assert [len(found) for found in verdicts] == [0, 0, 0, 0, 1]


def test_whom_others_took_down_is_not_in_the_share() -> None:
    """Two of four were emptied and stopped: one of the other two may be marked, and not both."""
    world = World(4)
    for osd in (2, 3):
        world.change(OsdLeaving(osd=OsdId(osd)))
        world.change(down(osd), f"osd.{osd}")
    world.round(1)
    assert world.rounds(50, 0, 1, 2, 3) == []
    assert doubt_of(world) == (
        "osd.0, osd.1 of 2 OSDs do not answer, and 0 are down by verdicts: no more than 1"
        " may be, so this monitor may itself be cut off"
    )
    world.round(1, 2, 3)
    assert [verdict.change for verdict in world.rounds(50, 0, 2, 3)] == [down(0)]
    assert world.rounds(50, 0, 1, 2, 3) == []


def test_whom_an_operator_took_out_is_not_in_the_share() -> None:
    world = World(4)
    for osd in (2, 3):
        world.change(OsdOut(osd=OsdId(osd)))
    world.change(down(0))
    world.change(down(1))
    assert [verdict.change for verdict in world.rounds(200, 0, 1)] == [OsdOut(osd=OsdId(0))]
    assert world.rounds(200, 0, 1) == []


def test_what_is_read_of_the_past_is_as_old_as_the_log_says() -> None:
    """A monitor that starts reads the whole history at once; clocks of authors are anyhow."""
    hour, today = 3_600_000_000, 10 * 3_600_000_000
    times = [today - 5 * hour] * 5 + [today - 60_000_000]
    verdict = event(down(2), layout=None, author=MONITOR)
    authors = [Micros(0), Micros(2 * today)]
    said = [msgspec.structs.replace(verdict, time=authors[n % 2]) for n in range(len(times))]
    records = [
        MapRecord(Offset(n), it, Epoch(n + 1), None, Micros(time))
        for n, (it, time) in enumerate(zip(said, times, strict=True))
    ]
    judge = Judge(PATIENCE)
    take_note(judge, records, 1_000.0, today)
    assert judge.grace(OsdId(2), 1_000.0) == 20
    assert judge.grace(OsdId(2), 1_000.0 + 539) == 20
    assert judge.grace(OsdId(2), 1_000.0 + 541) == 10
    behind = Judge(PATIENCE)
    take_note(behind, records, 1_000.0, 0)  # its own clock is of no use: the log's time is
    assert behind.grace(OsdId(2), 1_000.0) == 20


def test_what_is_new_in_the_log_has_just_happened_whatever_clocks_say() -> None:
    """Else a monitor whose clock is an hour ahead would see no OSD start or flap."""
    hour, today = 3_600_000_000, 10 * 3_600_000_000
    verdict = event(down(2), layout=None, author=MONITOR)
    record = MapRecord(Offset(0), verdict, Epoch(1), None, Micros(today))
    judge = Judge(PATIENCE)
    take_note(judge, [record], 1_000.0, today + hour, oldest=2.0)
    assert judge.grace(OsdId(2), 998.0 + LATELY_S - 1) == 20
    assert judge.grace(OsdId(2), 998.0 + LATELY_S + 1) == 10


def test_how_an_osd_leaves_that_never_started_is_no_start() -> None:
    """Who then comes for the first time is steady after one grace, as everybody is."""
    world, fresh = World(3), OsdId(3)
    added = OsdAdded(osd=fresh, weight=WEIGHT_ONE, host="host", rack="rack")
    for _ in range(3):
        world.change(added)
        world.take(*departures(world.map, [fresh], OPERATOR), layout=world.map.layout)
    world.change(added)
    world.change(booted(3))
    world.change(OsdOut(osd=fresh), MONITOR)
    world.osds = 4
    assert world.rounds(9) == []
    assert world.rounds(2) == [Verdict(OsdIn(osd=fresh), "it is up again")]
