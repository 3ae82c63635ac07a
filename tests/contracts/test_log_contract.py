"""What every log promises (`eventlog.log`), tried on each."""

import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from contracts.logs import (
    IDENTITY,
    KINDS,
    P0,
    P1,
    P2,
    RG,
    START,
    Room,
    drain,
    entry,
    in_order,
    values,
)
from eventlog.errors import BadName, LogReplaced, LogUnavailable
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.log import Entry, Log, Record, Tail

LONG_MS = 60_000
"""So long that only being woken ends it: a test that waits for it has failed."""


@pytest.fixture(params=KINDS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    with KINDS[request.param](Room(tmp_path, request), IDENTITY) as made:
        yield made


@pytest.fixture
def tail(log: Log) -> Iterator[Tail]:
    made = log.tail()
    yield made
    made.close()


def test_it_is_who_it_was_made_as(log: Log) -> None:
    assert log.identity == IDENTITY


def test_append_gives_a_position_for_each_entry(log: Log) -> None:
    first = log.append([entry(0, b"a"), entry(1, b"b"), entry(0, b"c")])
    second = log.append([entry(0, b"d")])
    assert first == [
        Position(RG, P0, Offset(0)),
        Position(RG, P1, Offset(0)),
        Position(RG, P0, Offset(1)),
    ]
    assert second == [Position(RG, P0, Offset(2))]


def test_appending_nothing_gives_nothing(log: Log) -> None:
    assert log.append([]) == []


def test_a_record_is_read_as_it_was_appended(log: Log) -> None:
    every_byte = bytes(range(256))
    appended = [
        Entry(RG, P0, b"\0\0\0\x01", every_byte),
        Entry(Topic.MAP, P0, b"k\0ey", b""),
        Entry(Topic.SCHEMAS, P0, b"\xff\xfe", b"\xff" * 300_000),
        Entry(RG, Partition(7), b"", b"\0"),
    ]
    positions = log.append(appended)
    for wanted, position in zip(appended, positions, strict=True):
        [record] = log.read(wanted.topic, wanted.partition, position.offset)
        assert (record.topic, record.partition, record.key, record.value) == wanted
        assert type(record.key) is bytes
        assert type(record.value) is bytes
        assert isinstance(record.topic, Topic)
        assert record.position == position


def test_a_record_has_the_time_of_its_append(log: Log) -> None:
    log.append([entry(0, b"a")])
    log.append([entry(0, b"b")])
    first, second = log.read(RG, P0, START)
    assert 1_700_000_000_000_000 < first.timestamp <= second.timestamp


def test_a_partition_keeps_its_order(log: Log) -> None:
    said = [b"%d" % number for number in range(50)]
    for value in said:
        log.append([entry(0, value)])
    records = log.read(RG, P0, START)
    assert values(records) == said
    assert [record.offset for record in records] == list(range(50))


def test_entries_of_a_mixed_batch_keep_their_order(log: Log, tail: Tail) -> None:
    random = Random(7)
    batch = [entry(random.randrange(3), b"%d" % number) for number in range(200)]
    log.append(batch)
    for partition in (P0, P1, P2):
        tail.follow(RG, partition, START)
        wanted = [each.value for each in batch if each.partition == partition]
        assert values(log.read(RG, partition, START)) == wanted
    assert in_order(drain(tail)) == {
        (RG, p): [each.value for each in batch if each.partition == p] for p in (P0, P1, P2)
    }


def test_topics_do_not_mix(log: Log) -> None:
    log.append([entry(0, b"map", Topic.MAP), entry(0, b"rg"), entry(0, b"schema", Topic.SCHEMAS)])
    assert values(log.read(Topic.MAP, P0, START)) == [b"map"]
    assert values(log.read(RG, P0, START)) == [b"rg"]
    assert values(log.read(Topic.SCHEMAS, P0, START)) == [b"schema"]


def test_end_offsets_are_exclusive(log: Log) -> None:
    asked = [(RG, P0), (RG, P1), (Topic.MAP, P0)]
    assert log.end_offsets(asked) == dict.fromkeys(asked, 0)
    log.append([entry(0, b"a"), entry(0, b"b"), entry(0, b"m", Topic.MAP)])
    assert log.end_offsets(asked) == {(RG, P0): 2, (RG, P1): 0, (Topic.MAP, P0): 1}
    assert log.end_offsets([]) == {}


def test_read_begins_at_any_offset(log: Log) -> None:
    log.append([entry(0, b"%d" % number) for number in range(5)])
    assert values(log.read(RG, P0, Offset(3))) == [b"3", b"4"]
    assert log.read(RG, P0, Offset(5)) == []


def test_read_in_pieces_gives_the_whole(log: Log) -> None:
    said = [b"%d" % number for number in range(25)]
    log.append([entry(0, value) for value in said])
    found: list[Record] = []
    while some := log.read(RG, P0, Offset(len(found)), max_records=4):
        assert len(some) <= 4
        found += some
    assert values(found) == said


def test_read_after_the_end_says_that_the_log_is_another(log: Log) -> None:
    log.append([entry(0, b"a")])
    with pytest.raises(LogReplaced, match=r"the log ends at rg/0@1, but @2 was read before"):
        log.read(RG, P0, Offset(2))


@pytest.mark.parametrize(
    ("topic", "partition"), [(RG, 8), (RG, -1), (Topic.MAP, 1), (Topic.SCHEMAS, 1)]
)
def test_a_partition_that_is_not_there_is_refused(
    log: Log, tail: Tail, topic: Topic, partition: int
) -> None:
    place = Partition(partition)
    wanted = rf"the log has no partition {topic}/{partition}\. Of rg it has 0 to 7"
    with pytest.raises(BadName, match=wanted):
        log.append([entry(0, b"before"), Entry(topic, place, b"key", b"value")])
    with pytest.raises(BadName, match=wanted):
        log.read(topic, place, START)
    with pytest.raises(BadName, match=wanted):
        log.end_offsets([(topic, place)])
    with pytest.raises(BadName, match=wanted):
        tail.follow(topic, place, START)
    assert log.end_offsets([(RG, P0)]) == {(RG, P0): 0}, "nothing of that batch was appended"


def test_a_poll_of_nothing_gives_nothing(log: Log, tail: Tail) -> None:
    assert tail.poll(0) == []
    log.append([entry(0, b"a")])
    assert tail.poll(0) == [], "what is not followed is not read"
    tail.follow(RG, P1, START)
    assert tail.poll(0) == []
    assert tail.poll(5) == []


def test_a_tail_reads_history_and_then_what_comes(log: Log, tail: Tail) -> None:
    log.append([entry(0, b"a"), entry(1, b"x"), entry(0, b"b")])
    tail.follow(RG, P0, START)
    assert values(tail.poll(0)) == [b"a", b"b"]
    log.append([entry(1, b"y"), entry(0, b"c")])
    assert values(tail.poll(0)) == [b"c"]
    assert tail.poll(0) == []


def test_a_tail_begins_where_it_is_told(log: Log, tail: Tail) -> None:
    log.append([entry(0, b"a"), entry(0, b"b"), entry(1, b"x"), entry(1, b"y")])
    tail.follow(RG, P0, Offset(1))
    tail.follow(RG, P1, Offset(2))
    assert values(drain(tail)) == [b"b"]
    log.append([entry(1, b"z")])
    assert values(drain(tail)) == [b"z"]


def test_a_poll_gives_no_more_than_it_is_asked(log: Log, tail: Tail) -> None:
    log.append([entry(number % 3, b"%d" % number) for number in range(30)])
    for partition in (P0, P1, P2):
        tail.follow(RG, partition, START)
    found = in_order(drain(tail, max_records=4))
    log.append([entry(number % 3, b"%d" % number) for number in range(30, 60)])
    later = in_order(drain(tail, max_records=4))
    for number in range(3):
        place = (RG, Partition(number))
        assert found[place] + later[place] == [b"%d" % n for n in range(60) if n % 3 == number]


def test_a_long_history_does_not_hold_up_what_comes(log: Log, tail: Tail) -> None:
    tail.follow(RG, P1, START)
    assert tail.poll(0) == []
    log.append([entry(0, b"old") for _ in range(100)])
    tail.follow(RG, P0, START)
    log.append([entry(1, b"new")])
    early = [value for _ in range(3) for value in values(tail.poll(0, max_records=10))]
    assert b"new" in early


def test_what_is_unfollowed_is_read_no_more(log: Log, tail: Tail) -> None:
    tail.follow(RG, P0, START)
    tail.follow(RG, P1, START)
    log.append([entry(0, b"a"), entry(1, b"x")])
    assert len(drain(tail)) == 2
    tail.unfollow(RG, P0)
    tail.unfollow(RG, P0)
    tail.unfollow(RG, P2)
    log.append([entry(0, b"b"), entry(1, b"y")])
    assert values(drain(tail)) == [b"y"]
    tail.follow(RG, P0, Offset(1))
    assert values(drain(tail)) == [b"b"]
    log.append([entry(0, b"c"), entry(1, b"z")])
    assert sorted(values(drain(tail))) == [b"c", b"z"]


def test_following_again_moves_the_place(log: Log, tail: Tail) -> None:
    log.append([entry(0, b"%d" % number) for number in range(6)])
    tail.follow(RG, P0, START)
    assert len(drain(tail)) == 6
    tail.follow(RG, P0, Offset(4))
    assert values(drain(tail)) == [b"4", b"5"]
    tail.follow(RG, P0, START)
    assert len(tail.poll(0, max_records=2)) == 2
    tail.follow(RG, P0, Offset(5))
    assert values(drain(tail)) == [b"5"]


def test_following_after_the_end_says_that_the_log_is_another(log: Log, tail: Tail) -> None:
    log.append([entry(0, b"a")])
    tail.follow(RG, P0, Offset(2))
    for _ in range(2):
        with pytest.raises(LogReplaced, match=r"the log ends at rg/0@1, but @2 was read before"):
            tail.poll(0)
    tail.follow(RG, P0, Offset(1))
    assert tail.poll(0) == []


def test_the_others_are_read_before_a_replaced_one_is_told(log: Log, tail: Tail) -> None:
    log.append([entry(1, b"x")])
    tail.follow(RG, P1, START)
    tail.follow(RG, P0, Offset(9))
    assert values(tail.poll(0)) == [b"x"]
    with pytest.raises(LogReplaced):
        tail.poll(0)


def test_tails_do_not_disturb_each_other(log: Log, tail: Tail) -> None:
    other = log.tail()
    tail.follow(RG, P0, START)
    other.follow(RG, P0, START)
    log.append([entry(0, b"a")])
    assert values(drain(tail)) == [b"a"]
    assert values(drain(other)) == [b"a"]
    other.close()
    log.append([entry(0, b"b")])
    assert values(drain(tail)) == [b"b"]


def _poll_in_a_thread(tail: Tail, found: list[list[Record]]) -> threading.Thread:
    thread = threading.Thread(target=lambda: found.append(tail.poll(LONG_MS)))
    thread.start()
    return thread


def test_an_append_ends_a_waiting_poll(log: Log, tail: Tail) -> None:
    tail.follow(RG, P0, START)
    found: list[list[Record]] = []
    thread = _poll_in_a_thread(tail, found)
    log.append([entry(1, b"not followed")])
    log.append([entry(0, b"a")])
    thread.join()
    assert [values(records) for records in found] == [[b"a"]]


def test_wake_ends_a_waiting_poll(tail: Tail) -> None:
    tail.follow(RG, P0, START)
    found: list[list[Record]] = []
    thread = _poll_in_a_thread(tail, found)
    tail.wake()
    thread.join()
    assert found == [[]]


def test_wake_before_a_poll_is_not_lost(tail: Tail) -> None:
    tail.follow(RG, P0, START)
    tail.wake()
    assert tail.poll(LONG_MS) == []


def test_a_woken_poll_still_gives_what_there_is(log: Log, tail: Tail) -> None:
    log.append([entry(0, b"a")])
    tail.follow(RG, P0, START)
    tail.wake()
    assert values(tail.poll(LONG_MS)) == [b"a"]


def test_threads_append_at_once(log: Log, tail: Tail) -> None:
    def say(name: int) -> None:
        for number in range(40):
            log.append([entry(0, b"%d:%d" % (name, number)), entry(1 + name, b"%d" % number)])

    threads = [threading.Thread(target=say, args=(name,)) for name in range(4)]
    for partition in range(5):
        tail.follow(RG, Partition(partition), START)
    for thread in threads:
        thread.start()
    found: list[Record] = []
    while len(found) < 4 * 40 * 2:
        found += tail.poll(LONG_MS)
    for thread in threads:
        thread.join()
    by_place = in_order(found)
    for name in range(4):
        own = [value for value in by_place[RG, P0] if value.startswith(b"%d:" % name)]
        assert own == [b"%d:%d" % (name, number) for number in range(40)]
        assert by_place[RG, Partition(1 + name)] == [b"%d" % number for number in range(40)]


def test_a_tail_joins_while_others_append(log: Log, tail: Tail) -> None:
    """Whatever was read how far when: every record once, in order."""
    random = Random(11)
    said: dict[tuple[Topic, Partition], list[bytes]] = {}
    found: list[Record] = []
    for step in range(300):
        partition = random.randrange(8)
        log.append([entry(partition, b"%d" % step)])
        said.setdefault((RG, Partition(partition)), []).append(b"%d" % step)
        if step % 40 == 0:
            tail.follow(RG, Partition(step // 40), START)
        if random.random() < 0.5:
            found += tail.poll(0, max_records=random.randrange(1, 6))
    found += drain(tail)
    assert in_order(found) == said


def test_a_closed_log_says_so(log: Log, tail: Tail) -> None:
    tail.follow(RG, P0, START)
    tail.close()
    log.close()
    log.close()
    with pytest.raises(LogUnavailable, match=r"is closed\. Open it again\."):
        log.append([entry(0, b"a")])
    with pytest.raises(LogUnavailable, match="is closed"):
        log.read(RG, P0, START)
    with pytest.raises(LogUnavailable, match="is closed"):
        log.end_offsets([(RG, P0)])
    with pytest.raises(LogUnavailable, match="is closed"):
        log.tail()
