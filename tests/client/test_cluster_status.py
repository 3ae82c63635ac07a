"""The cluster's status, put together from what OSDs say: rates, lag, the worst, the silent."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from eventlog.codec import Decoder
from eventlog.errors import LogUnavailable
from eventlog.ids import (
    Boot,
    Epoch,
    Incarnation,
    Micros,
    Offset,
    OsdId,
    Partition,
    RgId,
    Store,
    Topic,
)
from eventlog.log import Record
from eventlog.map_events import OsdAdded, OsdDown, OsdIn, OsdOut, OsdUp
from folds.mapping import event
from osd.cli.glances import Screen, words
from osd.client.answers import OsdStatus
from osd.client.cluster_status import ClusterStatus, put_together
from osd.client.known import why_no_disk
from osd.client.map_reader import MapReader, many_comings
from osd.client.placing import Placing
from osd.core.membership import Phase
from osd.lately import LATELY_S
from projections.cluster_map import ClusterMap, Osd, Retirement
from projections.explain import Reason
from projections.map_departures import departures
from simulation.cluster import Cluster
from simulation.stores import START_MICROS

RGS = 10_000
MAP = ClusterMap(cluster="c", rg_count=RGS, partitions=RGS)
IMPORTING = {
    "rg": 7,
    "reason": "importing",
    "explanation": "osd.1 must still import.",
    "who_acts": ["osd.1"],
}
LOST = {
    "rg": 9,
    "reason": "no-good-copy",
    "explanation": "rg 9 lacks an object.",
    "who_acts": ["operator"],
}
ROOMY = {"is_nearly_full": False, "takes_imports": True, "takes_puts": True}
NEARLY_FULL = {"is_nearly_full": True, "takes_imports": False, "takes_puts": True}
FULL = {"is_nearly_full": True, "takes_imports": False, "takes_puts": False}


def osd(number: int, *, is_up: bool = True) -> Osd:
    known = Osd(osd=OsdId(number), weight=1, host="h", rack="r", is_up=is_up, boot=Boot(1))
    return replace(known, store=store(number))


def store(number: int) -> Store:
    return Store(OsdId(number), Incarnation(number))


def says(number: int, **changed: Any) -> OsdStatus:
    said = {
        "name": f"osd.{number}",
        "phase": Phase.RUNNING,
        "epoch": 0,
        "leading": {"clean": RGS // 2},
        "missing": {"objects": 0},
        "to_erase": 0,
        "copied": {"objects": 0, "bytes": 0, "busy_ms": 0},
        "limits": {"pulls": 4, "rate": 0},
        "log": {"next_offsets": {"3": 10}, "map_next_offset": 5, "stalled": None},
        "worst": [],
        "disk": ROOMY,
    }
    return OsdStatus(osd(number), said | changed, None)


def status(*osds: OsdStatus, leaderless: tuple[int, ...] = ()) -> ClusterStatus:
    ends = {(Topic.RG, Partition(3)): Offset(12), (Topic.MAP, Partition(0)): Offset(5)}
    placed = {RgId(rg): (store(2), store(3)) for rg in leaderless}
    return put_together(MAP, osds, placed, ends, {})


def test_all_is_well() -> None:
    found = status(says(1), says(2))
    assert found.is_healthy
    assert words(found)[:2] == [
        "healthy: 2 of 2 OSDs answer, 10000 of 10000 RGs clean",
        "RGs: 10000 clean",
    ]


def test_what_nobody_says_is_unknown() -> None:
    silent = OsdStatus(osd(2), None, "it does not answer")
    found = status(says(1), silent, leaderless=(4, 5))
    assert found.states == {"clean": RGS // 2, "unknown": RGS // 2}
    assert not found.is_healthy
    assert [(worst.rg, worst.reason) for worst in found.worst] == [
        (None, Reason.SILENT),
        (4, Reason.ALL_DOWN),
        (5, Reason.ALL_DOWN),
    ]
    assert found.worst[0].sentence == "osd.2 should be up by the map, and does not answer."
    assert found.worst[1][2:] == (
        "rg 4 is unavailable: osd.2 and osd.3, where it is placed, must come up.",
        ("osd.2", "osd.3"),
    )


def test_why_nobody_leads_an_rg_is_told_from_the_map() -> None:
    cluster = Cluster(rgs=2)
    cluster.add(OsdId(1))
    cluster.world.run(100)
    reader = MapReader(cluster.log)
    reader.refresh()
    placing = Placing(reader)
    assert placing.leaderless() == {}
    assert cluster.change_map(OsdOut(osd=OsdId(1))) is None
    reader.refresh()
    assert placing.leaderless() == {0: (), 1: ()}
    worst = put_together(placing.map, [], placing.leaderless(), {}, {}).worst
    assert (worst[0].reason, worst[0].who_acts) == (Reason.PLACED_NOWHERE, ("operator",))
    machine = cluster.machines[OsdId(1)]
    down = OsdDown(store=machine.store, boot=machine.boot, why="does not answer")
    assert cluster.change_map(OsdIn(osd=OsdId(1))) is None
    assert cluster.change_map(down) is None
    reader.refresh()
    assert placing.leaderless() == {0: (machine.store,), 1: (machine.store,)}


def told(of: Osd, *, gone: Mapping[Store, Retirement] = {}) -> list[str]:
    """What is said of an OSD that is not up."""
    absent = OsdStatus(of, None, "it does not answer")
    found = put_together(replace(MAP, retired=gone), [says(1), absent], {}, {}, {})
    assert not found.is_healthy
    return [one.sentence for one in found.worst]


def test_one_that_need_not_answer_is_told_with_what_makes_all_well_again() -> None:
    down, new = osd(2, is_up=False), replace(osd(2, is_up=False), store=None)
    assert told(down) == [
        "osd.2 is down by the map: start it, or let it leave with `osdlog map apply --remove 2`."
    ]
    assert told(replace(down, is_leaving=True)) == [
        (
            "osd.2 is leaving, and down: once all RGs are clean, `osdlog map apply --retire 2`"
            " takes it out of the map."
        )
    ]
    rest = (
        "`osdlog osd --id 2 --data DIR` starts it on an empty one, `osdlog map apply --remove 2`"
        " takes it out of the map."
    )
    assert told(new) == [f"osd.2 has not started yet: {rest}"]
    older = Store(OsdId(2), Incarnation(9))
    gone = {
        which: Retirement(epoch=Epoch(epoch), by="ann", why=why)
        for epoch, which, why in ((4, store(2), "burnt"), (3, older, "old"), (5, store(1), "x"))
    }
    assert told(new, gone=gone) == [f"osd.2 has no disk: {store(2)} was retired (burnt): {rest}"]


def test_one_that_was_removed_and_added_before_it_started_never_did() -> None:
    cluster = Cluster(rgs=2)
    reader = MapReader(cluster.log)
    added = OsdAdded(osd=OsdId(5), weight=1, host="h", rack="r")
    for _ in range(2):
        assert cluster.change_map(added) is None
        reader.refresh()
        assert why_no_disk(reader.map, OsdId(5)) == "it has not started yet"
        assert cluster.change_map(*departures(reader.map, [OsdId(5)], "ann")) is None
    assert cluster.change_map(added) is None
    reader.refresh()
    assert reader.comings.times(OsdId(5), 0.0) == 0
    assert why_no_disk(reader.map, OsdId(5)) == "it has not started yet"


def test_one_that_is_down_is_told_once() -> None:
    down = OsdStatus(osd(2, is_up=False), None, "it does not answer")
    lacking = IMPORTING | {"reason": "placed-down", "who_acts": ["osd.2"]}
    assert [one.reason for one in status(says(1, worst=[lacking]), down).worst] == [
        Reason.PLACED_DOWN
    ]


def test_one_that_comes_and_goes_is_told_though_all_is_well() -> None:
    said, known = [says(1), says(2)], {OsdId(2): osd(2)}
    found = put_together(replace(MAP, osds=known), said, {}, {}, {OsdId(2): 4})
    assert found.is_healthy
    often = "osd.2 came up 4 times in 10 min: why is told where it runs, and in `osdlog map log`."
    out = " `osdlog map apply --out 2` moves its part to others."
    assert words(found)[-2:] == ["worst:", f"  {often}{out}"]
    known = {OsdId(2): replace(osd(2), is_in=False)}
    (worst,) = put_together(replace(MAP, osds=known), said, {}, {}, {OsdId(2): 4}).worst
    assert worst.sentence == often


def test_who_came_up_how_often_is_read_from_the_map() -> None:
    cluster = Cluster(rgs=2)
    cluster.add(OsdId(1))
    cluster.world.run(100)
    machine = cluster.machines[OsdId(1)]
    for _ in range(2):
        down = OsdDown(store=machine.store, boot=machine.boot, why="does not answer")
        assert cluster.change_map(down) is None
        assert cluster.change_map(OsdUp(store=machine.store, boot=machine.boot)) is None
    reader = MapReader(cluster.log)
    reader.refresh()
    last = reader.comings.last(OsdId(1))
    assert many_comings(reader, last) == {OsdId(1): 3}
    assert many_comings(reader, last + LATELY_S) == {}


def test_what_was_read_before_the_log_was_gone_is_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a monitor would not know its own verdict, and never take it back."""
    cluster = Cluster(rgs=2)
    cluster.add(OsdId(1))
    reader, read = MapReader(cluster.log), cluster.log.read

    def read_once(topic: Topic, partition: Partition, offset: Offset) -> Sequence[Record]:
        if offset:
            raise LogUnavailable("it is gone", "Wait.")
        return read(topic, partition, offset)

    with monkeypatch.context() as patch:
        patch.setattr(cluster.log, "read", read_once)
        with pytest.raises(LogUnavailable, match="it is gone"):
            reader.refresh()
    assert reader.maps() == MapReader(cluster.log).maps() != []
    assert reader.maps() == []


def test_what_was_folded_before_a_record_that_cannot_be_read_is_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its schema may be out of reach for a moment, in the middle of what was read at once."""
    cluster = Cluster(rgs=2)
    cluster.add(OsdId(1))
    reader, decode = MapReader(cluster.log), Decoder.decode

    def decode_first(decoder: Decoder, record: Record) -> object:
        if record.offset:
            raise LogUnavailable("it is gone", "Wait.")
        return decode(decoder, record)

    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "decode", decode_first)
        with pytest.raises(LogUnavailable, match="it is gone"):
            reader.refresh()
    assert reader.map.cluster
    assert reader.maps() == MapReader(cluster.log).maps()


@pytest.mark.parametrize(("hours", "later"), [(1, 0), (-1, -1)])
def test_who_came_up_did_so_by_the_earlier_of_two_clocks(hours: int, later: int) -> None:
    """His may be ahead; that of a log on Kafka says when a copy was made."""
    hour = 3_600_000_000
    cluster = Cluster(rgs=2)
    cluster.add(OsdId(1))
    cluster.world.run(100)
    machine = cluster.machines[OsdId(1)]
    now = START_MICROS + cluster.world.now * 1_000
    for change in (
        OsdDown(store=machine.store, boot=machine.boot, why="does not answer"),
        OsdUp(store=machine.store, boot=machine.boot),
    ):
        said = event(change, layout=None)
        cluster._append([replace(said, time=Micros(now + hours * hour))])
    reader = MapReader(cluster.log)
    reader.refresh()
    assert reader.comings.last(OsdId(1)) == (now + later * hour) / 1_000_000


def test_one_that_is_said_to_be_down_and_answers_is() -> None:
    """But for one that only begins, or ends: it says so itself in a moment."""
    found = status(says(1), says(2)._replace(osd=osd(2, is_up=False)))
    assert [(worst.reason, *worst[2:]) for worst in found.worst] == [
        (
            Reason.MARKED_DOWN,
            "osd.2 answers, but the map has it down: `osdlog map apply --up 2` ends that.",
            ("operator",),
        )
    ]
    for phase in ("reading the map", "booting", "stopping"):
        assert status(says(2, phase=phase)._replace(osd=osd(2, is_up=False))).worst == ()


def test_one_that_knows_a_newer_map_than_was_read_here_may_be_up_by_it() -> None:
    """It came up after the map was read, and before it was asked."""
    assert status(says(1), says(2, epoch=1)._replace(osd=osd(2, is_up=False))).worst == ()


def test_the_worst_come_first() -> None:
    found = status(says(1, worst=[IMPORTING]), says(2, worst=[LOST]))
    assert [worst.rg for worst in found.worst] == [9, 7]
    assert words(found)[-3:] == [
        "worst:",
        "  rg 9 lacks an object.",
        "  osd.1 must still import.",
    ]


def test_one_that_takes_deletes_only_is_not_well() -> None:
    found = status(says(1, disk=FULL), says(2, worst=[IMPORTING]))
    assert not found.is_healthy
    assert [(one.reason, one.sentence, one.who_acts) for one in found.worst[:1]] == [
        (Reason.DISK_FULL, "osd.1 takes deletes only: its disk is full.", ("operator",))
    ]
    both = status(says(1, disk=FULL), says(2, disk=FULL))
    assert both.worst[0].sentence == "osd.1 and osd.2 take deletes only: their disks are full."


def test_a_nearly_full_disk_is_told_though_all_is_well() -> None:
    found = status(says(1, disk=NEARLY_FULL), says(2))
    assert found.is_healthy
    assert words(found)[-2:] == ["worst:", "  the disk of osd.1 is nearly full."]
    both = status(says(1, disk=NEARLY_FULL), says(2, disk=NEARLY_FULL, worst=[IMPORTING, LOST]))
    assert [one.sentence for one in both.worst] == [
        "rg 9 lacks an object.",
        "the disks of osd.1 and osd.2 are nearly full.",
        "osd.1 must still import.",
    ]


def test_the_disk_of_one_that_nothing_is_placed_on_is_its_own_affair() -> None:
    full = says(1, disk=FULL)
    leaving = full._replace(osd=replace(full.osd, weight=0, is_leaving=True))
    assert status(leaving, says(2)).worst == ()
    assert status(leaving, says(2)).is_healthy


def test_rate_and_time_to_go() -> None:
    """Two OSDs import; the slower one decides when all is done."""
    fast = says(
        1,
        missing={"objects": 100},
        copied={"objects": 50, "bytes": 5_000, "busy_ms": 1_000},
    )
    slow = says(
        2,
        missing={"objects": 100},
        copied={"objects": 10, "bytes": 1_000, "busy_ms": 1_000},
        to_erase=1,
    )
    moving = status(fast, slow).moving
    assert (moving.objects, moving.objects_per_s, moving.bytes_per_s) == (200, 60, 6_000)
    assert moving.eta_s == 10
    assert words(status(fast, slow))[2] == (
        "moving: 200 objects to import, 1 copy to erase; 60.0 objects/s, 6.0 kB/s, about 10 s to go"
    )


def test_no_time_is_guessed_where_one_has_no_rate_yet() -> None:
    new = says(1, missing={"objects": 100})
    moving = status(new, says(2)).moving
    assert (moving.objects, moving.objects_per_s, moving.eta_s) == (100, None, None)
    assert words(status(new, says(2)))[2] == "moving: 100 objects to import"


def test_limits_are_kept_to_by_the_rate_that_is_told() -> None:
    """However fast it went before they were set."""
    copied = {"objects": 50, "bytes": 5_000, "busy_ms": 1_000}
    slowed = says(1, missing={"objects": 100}, copied=copied, limits={"pulls": 4, "rate": 500})
    moving = status(slowed, says(2)).moving
    assert (moving.objects_per_s, moving.bytes_per_s, moving.eta_s) == (5, 500, 20)
    held = says(1, missing={"objects": 100}, copied=copied, limits={"pulls": 0, "rate": 0})
    assert words(status(held, says(2)))[2] == "moving: 100 objects to import"


def test_one_object_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = dict.fromkeys(("epoch", "rgs", "objects", "bytes", "copies", "strays"), 1)
    disk = ROOMY | {"free": 500, "total": 1_000}
    found = says(1, missing={"objects": 1}, disk=disk, **numbers)
    Screen("", is_watched=False, json=False).show(status(found))
    assert (
        capsys.readouterr().out.splitlines()[-1].endswith(" 50% of 1.0 kB  still imports 1 object")
    )


def test_lag_counts_what_was_there_before_it_was_asked() -> None:
    behind = says(1, log={"next_offsets": {"3": 2}, "map_next_offset": 4, "stalled": None})
    ahead = says(2, log={"next_offsets": {"3": 20}, "map_next_offset": 9, "stalled": None})
    assert status(behind, ahead).lag == {"osd.1": 11}


def test_who_has_not_read_the_map_cannot_say_that_all_is_well() -> None:
    behind = says(1, log={"next_offsets": {"3": 12}, "map_next_offset": 2, "stalled": None})
    found = status(behind, says(2))
    assert not found.is_healthy
    assert found.worst[0][1:] == (
        Reason.MAP_BEHIND,
        "osd.1 has not read the last 3 records of the map.",
        ("osd.1",),
    )


def test_who_cannot_use_the_log_cannot_either() -> None:
    stall = {"since": 1.0, "position": "rg/3@10", "why": "the log does not answer"}
    log = {"next_offsets": {"3": 10}, "map_next_offset": 5, "stalled": stall}
    found = status(says(1, log=log), says(2))
    assert not found.is_healthy
    assert words(found)[0] == "not healthy: 2 of 2 OSDs answer, 10000 of 10000 RGs clean"
    assert (found.worst[0].reason, found.worst[0].who_acts) == (Reason.LOG_STALLED, ("operator",))
    since = "since 1970-01-01T00:00:01+00:00, at rg/3@10: the log does not answer."
    assert found.worst[0].sentence == f"osd.1 cannot use the log {since}"
