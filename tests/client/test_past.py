"""The cluster as of a moment is what folding exactly the records before it gives."""

import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from client.past_logs import as_sqlite, eventful_log
from eventlog.codec import encode
from eventlog.errors import (
    AppendUnknown,
    BadName,
    BadRecord,
    LogCorrupt,
    LogError,
    LogMissing,
    LogReadOnly,
    LogReplaced,
    OsdlogError,
    UnknownSchema,
    WrongLog,
)
from eventlog.ids import Epoch, Micros, Offset, Partition, RgId, Topic, rg_key
from eventlog.log import Entry, Log
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgClaimed
from osd.client.errors import NotThere
from osd.client.history_cut import naming_cuts
from osd.client.map_reader import MapReader
from osd.client.moments import Moment, moment_of, shown_time
from osd.client.past import fold_past
from osd.client.replay import Replay, Told
from osd.client.stories import read_story
from projections.differences import Became, object_differences, rg_differences
from projections.overview import at_osd, overview
from projections.rg_memory import RgProjection
from projections.states import State
from projections.story import Story

FAR = Micros(4_000_000_000_000_000)


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return eventful_log()


@pytest.fixture(scope="module")
def told(log: MemoryLog) -> list[Told]:
    return list(Replay(log, MapReader(log).refresh()).fold_all())


def digests(log: Log, moment: Moment) -> dict[RgId, str]:
    return {rg: found.digest() for rg, found in fold_past(log, moment, {}).items()}


def folded(told: list[Told], belongs: Callable[[Told], bool]) -> dict[RgId, str]:
    rgs: dict[RgId, RgProjection] = {}
    for position, event, _ in filter(belongs, told):
        rgs.setdefault(event.rg, RgProjection(event.rg)).fold(event, position.offset)
    return {rg: found.digest() for rg, found in rgs.items()}


def test_the_end_is_all_that_is_there(log: MemoryLog, told: list[Told]) -> None:
    moment = moment_of(log, None, FAR)
    assert digests(log, moment) == folded(told, lambda _: True)
    assert moment.map == MapReader(log).refresh()


def test_an_epoch_ends_at_each_rgs_first_claim_of_a_later_one(
    log: MemoryLog, told: list[Told]
) -> None:
    last = MapReader(log).refresh().epoch
    for number in range(1, last + 1):
        over: set[RgId] = set()

        def belongs(one: Told, epoch: Epoch = Epoch(number), over: set[RgId] = over) -> bool:
            is_claim = isinstance(one.event, RgClaimed) and one.folded.void is None
            if is_claim and one.event.fence.epoch > epoch:  # type: ignore[union-attr]
                over.add(one.event.rg)
            return one.event.rg not in over

        moment = moment_of(log, f"epoch:{number}", FAR)
        assert moment.map.epoch == number
        assert digests(log, moment) == folded(told, belongs)


def test_a_time_ends_each_partition_at_its_first_later_record(
    log: MemoryLog, told: list[Told]
) -> None:
    taken = {
        record.position: record.timestamp
        for partition in range(log.identity.partitions)
        for record in log.read(Topic.RG, Partition(partition), Offset(0))
    }
    for time in sorted(set(taken.values()))[::7]:
        moment = moment_of(log, shown_time(time), FAR)
        expected = folded(told, lambda one, time=time: taken[one.position] <= time)  # type: ignore[misc]
        assert digests(log, moment) == expected


def test_a_position_belongs_to_its_moment_and_the_next_does_not(
    log: MemoryLog, told: list[Told]
) -> None:
    for one in told[::9]:
        moment = moment_of(log, str(one.position), FAR)
        rgs = fold_past(log, moment, {}, [one.event.rg])
        assert {rg: found.next_offset for rg, found in rgs.items()} == {
            one.event.rg: one.position.offset + 1
        }


def test_every_log_gives_the_same_past(log: MemoryLog, tmp_path: Path) -> None:
    with as_sqlite(log, tmp_path / "log.sqlite") as copy:
        for text in (None, "epoch:3", "rg/1@9"):
            ours = fold_past(log, moment_of(log, text, FAR), {})
            if text != "rg/1@9":  # of the others a copy's own times tell
                theirs = fold_past(copy, moment_of(copy, text, FAR), {})
                assert {r: f.digest() for r, f in theirs.items()} == {
                    r: f.digest() for r, f in ours.items()
                }


def assert_refused(log: MemoryLog, text: str, kind: type[OsdlogError], what: str) -> None:
    with pytest.raises(kind) as caught:
        moment_of(log, text, FAR)
    assert caught.value.what.startswith(what)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("epoch:0", "there is no epoch 0: the map has 1 to "),
        ("epoch:99", "there is no epoch 99: the map has 1 to "),
        ("rg/1@99999", "there is no record at rg/1@99999: its last record is rg/1@"),
        ("1969-01-01", "at 1969-01-01T00:00:00.000000Z there was no cluster: its log begins at "),
        ("2999-01-01", "2999-01-01T00:00:00.000000Z has not come yet: it is 2096-"),
    ],
)
def test_a_moment_that_does_not_exist_is_not_there(log: MemoryLog, text: str, what: str) -> None:
    assert_refused(log, text, NotThere, what)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("epoch:two", "'two' is not an epoch"),
        ("rg/77@1", "the log has no partition rg/77"),
        ("rg/x@1", "'rg/x@1' is not a position"),
        ("yesterday", "'yesterday' is no moment"),
        ("", "'' is no moment"),
    ],
)
def test_what_cannot_be_a_moment_is_refused(log: MemoryLog, text: str, what: str) -> None:
    assert_refused(log, text, BadName, what)


def test_history_that_was_cut_is_named(log: MemoryLog, tmp_path: Path) -> None:
    with as_sqlite(log, tmp_path / "log.sqlite") as copy:
        delete(tmp_path / "log.sqlite", "topic = 'rg' AND partition = 1 AND offset < 5")
        moment = moment_of(copy, None, FAR)
        with pytest.raises(LogReplaced) as caught:
            fold_past(copy, moment, {})
        assert caught.value.what == (
            "the history of rg/1 was cut: its records @0 to @4 are gone, "
            "what is left begins at rg/1@5"
        )
        assert "--rg" in caught.value.hint


def test_all_that_was_cut_is_named(log: MemoryLog, tmp_path: Path) -> None:
    with as_sqlite(log, tmp_path / "log.sqlite") as copy:
        moment = moment_of(copy, None, FAR)
        delete(tmp_path / "log.sqlite", "topic = 'rg' AND offset < 2 + partition")
        with pytest.raises(LogReplaced) as caught:
            fold_past(copy, moment, {})
        assert caught.value.what == (
            "the history of rg/0 was cut: its records @0 to @1 are gone, what is left begins at "
            "rg/0@2; cut are also rg/1 (left from @3 on), rg/2 (left from @4 on)"
        )
        assert "--rg" not in caught.value.hint


def test_nothing_can_be_told_without_the_beginning_of_the_map(
    log: MemoryLog, tmp_path: Path
) -> None:
    with as_sqlite(log, tmp_path / "log.sqlite") as copy:
        delete(tmp_path / "log.sqlite", "topic = 'map' AND offset < 3")
        what = "the history of map/0 was cut: .* what is left begins at map/0@3"
        for ask in (lambda: moment_of(copy, None, FAR), MapReader(copy).refresh):
            with pytest.raises(LogReplaced, match=what) as caught:
                ask()
            assert "--rg" not in caught.value.hint


def test_a_story_without_its_beginning_is_not_told(log: MemoryLog, tmp_path: Path) -> None:
    with as_sqlite(log, tmp_path / "log.sqlite") as copy:
        delete(tmp_path / "log.sqlite", "topic = 'rg' AND partition = 1 AND offset < 5")
        with pytest.raises(LogReplaced, match="what is left begins at rg/1@5"):
            read_story(copy, RgId(1), Story(RgId(1)))
        read_story(copy, RgId(2), Story(RgId(2)))


@pytest.mark.parametrize("error", [WrongLog, LogReadOnly, AppendUnknown, LogMissing])
def test_what_has_nothing_to_do_with_a_cut_is_not_told_as_one(
    log: MemoryLog, tmp_path: Path, error: type[LogError]
) -> None:
    with as_sqlite(log, tmp_path / "log.sqlite") as copy:
        delete(tmp_path / "log.sqlite", "topic = 'rg' AND partition = 1 AND offset < 5")
        with pytest.raises(error), naming_cuts(copy, [(Topic.RG, Partition(1))]):
            raise error("it is so", "Do that.")


@pytest.mark.parametrize("which", ["offset = 0", "offset IN (0, 1)", "offset < 5"])
def test_what_is_damaged_is_not_told_as_gone(log: MemoryLog, tmp_path: Path, which: str) -> None:
    with as_sqlite(log, tmp_path / "log.sqlite") as copy:
        with sqlite3.connect(tmp_path / "log.sqlite") as file:
            file.execute(f"UPDATE records SET crc = crc + 1 WHERE topic = 'rg' AND {which}")
        moment = moment_of(copy, None, FAR)
        with pytest.raises(LogCorrupt, match=r"the record at rg/0@0 does not match its sum"):
            fold_past(copy, moment, {})


def delete(path: Path, what: str) -> None:
    with sqlite3.connect(path) as file:
        file.execute(f"DELETE FROM records WHERE {what}")


def test_a_record_that_cannot_be_decoded_stops_it_unless_it_is_skipped() -> None:
    log = eventful_log(steps=10)
    garbage = b"\xc3\x01" + bytes(12)
    (position,) = log.append([Entry(Topic.RG, Partition(0), rg_key(RgId(0)), garbage)])
    moment = moment_of(log, None, FAR)
    with pytest.raises(UnknownSchema, match=str(position)):
        fold_past(log, moment, {})
    assert fold_past(log, moment, {position: sha256(garbage).digest()})


def test_a_claim_under_unknown_rules_stops_it(told: list[Told]) -> None:
    log = eventful_log()
    claim = next(each.event for each in reversed(told) if isinstance(each.event, RgClaimed))
    later = replace(claim, fence=replace(claim.fence, epoch=Epoch(999)), rules=2)
    partition = Partition(claim.rg % log.identity.partitions)
    before = moment_of(log, None, FAR)
    log.append([Entry(Topic.RG, partition, rg_key(claim.rg), encode(later))])
    what = rf"rg/{partition}@\d+ claims its RG under rule set 2, unknown to this program"
    with pytest.raises(BadRecord, match=what):
        digests(log, moment_of(log, None, FAR))
    with pytest.raises(BadRecord, match=what):
        list(Replay(log, before.map).fold_all())
    assert digests(log, moment_of(log, f"epoch:{before.map.epoch}", FAR)), "it came later"


def test_overviews_are_the_sums_of_what_is_there(log: MemoryLog) -> None:
    moment = moment_of(log, None, FAR)
    rgs = fold_past(log, moment, {})
    states = {rg: found.state for rg, found in rgs.items()}
    found = overview(moment.map, states)
    assert all(row.states == (State.CLEAN,) for row in found.rgs)
    assert sum(row.objects for row in found.rgs) == sum(store.held for store in found.stores)
    for osd in moment.map.osds:
        for row in at_osd(moment.map, states, osd):
            assert row.held == row.lacking + row.held == states[row.rg].live


def test_a_difference_names_what_became_of_each_object(log: MemoryLog) -> None:
    ends = [moment_of(log, text, FAR) for text in ("epoch:5", None)]
    before, after = (fold_past(log, moment, {}) for moment in ends)
    views = [
        overview(moment.map, {rg: found.state for rg, found in rgs.items()})
        for moment, rgs in zip(ends, (before, after), strict=True)
    ]
    assert rg_differences(*views)
    assert not rg_differences(views[1], views[1])
    for rg in after:
        old = dict(before[rg].names()) if rg in before else {}
        new = dict(after[rg].names())
        differing = {row.name: row for row in object_differences(old.items(), new.items())}
        assert set(differing) == {n for n in old.keys() | new.keys() if old.get(n) != new.get(n)}
        for name in new.keys() - old.keys():
            assert differing[name].became is Became.CREATED
