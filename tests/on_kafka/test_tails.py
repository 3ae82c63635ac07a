"""Following and scanning a real broker: anchors, lost ends, brokers that are away."""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from brokers.broker import Broker
from brokers.tail import lose_tail
from contracts.logs import IDENTITY, P0, RG, START, drain, entry, values
from eventlog.errors import AppendUnknown, BadRecord, LogReplaced, LogUnavailable
from eventlog.ids import Offset, Partition
from eventlog.kafka import KafkaLog
from eventlog.kafka.chunks import read_chunks
from eventlog.kafka.clients import MAX_RECORD_BYTES
from eventlog.log import Record, Tail

PATIENCE_S = 90.0


@pytest.fixture
def log(frail_broker: Broker, cluster_name: str) -> Iterator[KafkaLog]:
    with KafkaLog.create(frail_broker.url(cluster_name), IDENTITY) as made:
        yield made


@pytest.fixture
def tail(log: KafkaLog) -> Iterator[Tail]:
    made = log.tail()
    yield made
    made.close()


def until_error(tail: Tail) -> tuple[list[Record], Exception]:
    """What a tail gives until it raises anything but that nobody answers."""
    found: list[Record] = []
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        try:
            found += tail.poll(200)
        except LogUnavailable:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            return found, error
    raise AssertionError(f"no error after {PATIENCE_S:g} s, but {found}")


def until_read(tail: Tail, count: int) -> list[Record]:
    """So many records, whoever is away for a moment."""
    found: list[Record] = []
    give_up_at = time.monotonic() + PATIENCE_S
    while len(found) < count:
        assert time.monotonic() < give_up_at, found
        with suppress(LogUnavailable):
            found += tail.poll(200)
    return found


def until_appended(log: KafkaLog, *said: bytes) -> None:
    """Each in an append of its own, as soon as the broker takes it."""
    for value in said:
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                log.append([entry(0, value)])
                break
            except LogUnavailable:
                assert time.monotonic() < give_up_at


def test_an_end_that_was_lost_is_found_out(
    frail_broker: Broker, cluster_name: str, log: KafkaLog, tail: Tail
) -> None:
    for value in (b"a", b"b", b"c"):
        log.append([entry(0, value)])
    tail.follow(RG, P0, START)
    assert values(drain(tail)) == [b"a", b"b", b"c"]
    frail_broker.kill()
    lose_tail(frail_broker, f"{cluster_name}.rg", 0, batches=1)
    frail_broker.start()
    found, error = until_error(tail)
    assert found == []
    assert isinstance(error, LogReplaced), error


def test_what_comes_alone_after_another_leader_is_read(
    frail_broker: Broker, log: KafkaLog, tail: Tail
) -> None:
    """Two records that no fetch brings together: what was read last is compared, and read on."""
    before, after = (letter * (MAX_RECORD_BYTES * 2 // 3) for letter in (b"a", b"b"))
    tail.follow(RG, P0, START)
    log.append([entry(0, before)])
    assert values(drain(tail)) == [before]
    frail_broker.stop()
    frail_broker.start()
    until_appended(log, after)
    assert values(until_read(tail, 1)) == [after]
    later = log.tail()
    later.follow(RG, P0, START)
    assert values(until_read(later, 2)) == [before, after]
    later.close()


@pytest.mark.parametrize("since", [[b"other"], [b"other", b"and", b"more"]])
def test_an_end_that_others_filled_again_is_found_out(
    frail_broker: Broker, cluster_name: str, log: KafkaLog, tail: Tail, since: list[bytes]
) -> None:
    for value in (b"a", b"b", b"c"):
        log.append([entry(0, value)])
    tail.follow(RG, P0, START)
    assert values(drain(tail)) == [b"a", b"b", b"c"]
    frail_broker.kill()
    lose_tail(frail_broker, f"{cluster_name}.rg", 0, batches=1)
    frail_broker.start()
    with KafkaLog(log.url) as other:
        until_appended(other, *since)
    found, error = until_error(tail)
    assert found == [], "nothing of the other history is handed on"
    assert isinstance(error, LogReplaced), error


def test_a_broker_that_is_away_is_no_silence(
    frail_broker: Broker, log: KafkaLog, tail: Tail
) -> None:
    log.append([entry(0, b"a")])
    tail.follow(RG, P0, START)
    assert values(drain(tail)) == [b"a"]
    frail_broker.stop()
    with pytest.raises(LogUnavailable, match="the brokers cannot be reached"):
        tail.poll(60_000)
    with pytest.raises((LogUnavailable, AppendUnknown)):
        log.append([entry(0, b"lost or late")])
    with pytest.raises(LogUnavailable, match="the brokers cannot be reached"):
        log.append([entry(0, b"surely not there")])
    frail_broker.start()
    until_appended(log, b"back")
    found: list[bytes] = []
    give_up_at = time.monotonic() + PATIENCE_S
    while b"back" not in found:
        assert time.monotonic() < give_up_at
        try:
            found += values(tail.poll(500))
        except LogUnavailable:
            continue
    assert b"surely not there" not in found


def test_a_record_that_does_not_fit_is_refused_before_anything_is_appended(log: KafkaLog) -> None:
    with pytest.raises(BadRecord, match="does not fit in the log on Kafka"):
        log.append([entry(0, b"small"), entry(1, bytes(MAX_RECORD_BYTES))])
    assert log.end_offsets([(RG, P0)]) == {(RG, P0): 0}
    log.append([entry(0, bytes(MAX_RECORD_BYTES - 4))])


def test_chunks_are_what_reading_gives_raw_and_not(log: KafkaLog) -> None:
    for step in range(30):
        log.append([entry(n % 5, b"%d:%d" % (step, n)) for n in range(20)])
    starts = {Partition(number): Offset(number % 5) for number in range(5)}
    ends = {Partition(number): Offset(119 - number) for number in range(5)}
    wanted = {p: log.read(RG, p, start, ends[p] - start) for p, start in starts.items()}
    for is_raw in (True, False):
        found: dict[Partition, list[Record]] = {partition: [] for partition in starts}
        for chunk in read_chunks(log, starts, ends, is_raw=is_raw):
            for record in chunk.records():
                found[record.partition].append(record)
        assert found == {p: [r._replace(key=b"") for r in wanted[p]] for p in wanted}


def test_chunks_of_a_log_that_ends_before_are_not_waited_for(log: KafkaLog) -> None:
    with pytest.raises(LogReplaced, match=r"the log ends at rg/7@0, but @1 was read before"):
        list(read_chunks(log, {Partition(7): START}, {Partition(7): Offset(1)}))
