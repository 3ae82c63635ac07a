"""A log may be copied to any other kind and back: same values, same offsets, same state."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from contracts.logs import KINDS, RG, Room
from eventlog import catalogue
from eventlog.copying import Copied, copy_log, plan_copy
from eventlog.errors import WrongLog
from eventlog.ids import Offset, OsdId, Partition, RgId, Topic, rg_key
from eventlog.log import Entry, Log, Record, TopicPartition
from eventlog.memory import MemoryLog
from eventlog.places import all_places
from osd.client.map_reader import MapReader
from osd.client.replay import Replay
from simulation.asking import Asker
from simulation.cluster import Cluster

Content = dict[TopicPartition, list[tuple[bytes, bytes]]]


@pytest.fixture(scope="module")
def history() -> MemoryLog:
    """What a small cluster said in an eventful life."""
    cluster, random = Cluster(rgs=3), Random(3)
    asker = Asker(cluster)
    for osd in range(3):
        cluster.add(OsdId(osd))
    for step in range(80):
        asker.put(f"object-{random.randrange(9)}", b"%d" % step)
        cluster.world.run(random.choice([1, 40, 300]))
        if step == 50:
            cluster.kill(OsdId(1))
            cluster.start(OsdId(1))
    assert cluster.settle()
    catalogue.publish(cluster.log)
    return cluster.log


@pytest.fixture
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Room:
    return Room(tmp_path, request)


@pytest.fixture(params=KINDS)
def log(request: pytest.FixtureRequest, room: Room, history: Log) -> Iterator[Log]:
    with KINDS[request.param](room, history.identity) as made:
        yield made


def copy(source: Log, target: Log) -> Copied:
    steps: list[int] = []
    plan = plan_copy(source, target)
    done = copy_log(source, target, plan, steps.append)
    assert sum(steps) == plan.records == done.records + done.there
    return done


def content(log: Log) -> Content:
    return {
        place: [(record.key, record.value) for record in _all_of(log, place)]
        for place in all_places(log.identity)
    }


def _all_of(log: Log, place: TopicPartition) -> list[Record]:
    records: list[Record] = []
    while some := log.read(*place, Offset(len(records))):
        records += some
    assert [record.offset for record in records] == list(range(len(records)))
    return records


def replayed(log: Log) -> object:
    """All that the folds make of it; between partitions there is no order."""
    now = MapReader(log).refresh()
    replay = Replay(log, now)
    told = [
        (each.position, each.event, each.folded.state, each.folded.void)
        for each in replay.fold_all()
    ]
    told.sort(key=lambda each: (each[0].partition, each[0].offset))
    return now, told, {rg: group.state for rg, group in sorted(replay.rgs.items())}


@pytest.mark.parametrize("back", ["memory", "sqlite"])
def test_there_and_back(log: Log, back: str, history: Log, room: Room) -> None:
    done = copy(history, log)
    assert done.there == 0
    assert done.records > 90
    assert content(log) == content(history)
    assert replayed(log) == replayed(history)
    with KINDS[back](room, history.identity) as returned:
        copy(log, returned)
        assert content(returned) == content(history)
        assert replayed(returned) == replayed(history)


def test_a_copy_that_was_interrupted_goes_on(log: Log, history: Log) -> None:
    whole = content(history)
    for place, records in whole.items():
        log.append([Entry(*place, key, value) for key, value in records[: len(records) // 2]])
    there = sum(log.end_offsets(all_places(log.identity)).values())
    done = copy(history, log)
    assert done.there == there
    assert content(log) == whole
    assert copy(history, log) == Copied(0, sum(map(len, whole.values())), 0)


def test_a_copy_follows_what_came_since(log: Log, history: Log) -> None:
    source = MemoryLog(history.identity)
    copy(history, source)
    copy(source, log)
    source.append([Entry(RG, Partition(1), rg_key(RgId(1)), b"later")])
    assert copy(source, log).records == 1
    assert content(log) == content(source)


def test_schemas_that_were_published_twice_are_one(log: Log, history: Log) -> None:
    """As by several processes at once; a compacted topic has each once, in another order."""
    twice, once = MemoryLog(history.identity), MemoryLog(history.identity)
    a, b = (Entry(Topic.SCHEMAS, Partition(0), key, key * 9) for key in (b"a", b"b"))
    twice.append([a, b, a])
    once.append([b, a])
    assert copy(twice, log) == Copied(2, 1, 18)
    assert copy(twice, log) == Copied(0, 3, 0)
    assert copy(once, log) == Copied(0, 2, 0)
    once.append([b._replace(value=b"other")])
    with pytest.raises(WrongLog, match=r"has another record at schemas/0@"):
        copy(once, log)


def test_what_is_no_copy_is_refused(log: Log, history: Log) -> None:
    log.append([Entry(Topic.MAP, Partition(0), b"map", b"of another")])
    with pytest.raises(WrongLog, match=r"has another record at map/0@0\. It is no copy of this"):
        copy(history, log)


def test_a_log_that_went_on_by_itself_is_refused(log: Log, history: Log) -> None:
    copy(history, log)
    log.append([Entry(RG, Partition(2), rg_key(RgId(2)), b"its own")])
    with pytest.raises(WrongLog, match=r"has rg/2@\d+, and memory:simulated ends before it\. It"):
        copy(history, log)


def test_the_log_of_another_cluster_is_refused(log: Log, history: Log) -> None:
    other = MemoryLog(history.identity._replace(cluster="another"))
    with pytest.raises(WrongLog, match=r"Copy to a new log, or to one that is a copy of this one"):
        plan_copy(other, log)
