"""Raw record batches: as the client's own reading has them, and never past what is damaged."""

from collections.abc import Sequence

import pytest
from crc32c import crc32c
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from eventlog.errors import LogCorrupt
from eventlog.ids import Offset, Partition, Position, Topic
from eventlog.kafka.batches import decode_batches
from eventlog.kafka.chunks import RawFetch, hand_over_raw
from eventlog.kafka.records import as_records
from eventlog.log import Record

BEGIN = Position(Topic.RG, Partition(3), Offset(100))
Row = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]


def batch(base: int, rows: Sequence[Row], compression: int = 0) -> bytes:
    """A batch as a producer makes it, and a broker stores it."""
    builder = MemoryRecordsBuilder(2, compression, 1 << 20)
    for timestamp, key, value, headers in rows:
        assert builder.append(timestamp, key, value, headers) is not None
    builder.close()
    raw = bytearray(builder.buffer())
    raw[0:8] = base.to_bytes(8, "big")  # which the sum leaves out, so that brokers may say it
    return bytes(raw)


def plain(base: int, count: int, size: int = 20) -> bytes:
    rows: list[Row] = [(1_000 + n, b"k%d" % n, b"%d" % (base + n) * size, []) for n in range(count)]
    return batch(base, rows)


def as_the_client_reads(raw: bytes) -> list[Record]:
    """But for the keys, which chunks leave out."""
    records = [record for each in MemoryRecords(raw) for record in each]
    return [r._replace(key=b"") for r in as_records(BEGIN.topic, BEGIN.partition, records)]


@pytest.mark.parametrize(
    "raw",
    [
        plain(100, 1),
        plain(100, 500),
        b"".join(plain(100 + n, 1) for n in range(50)),
        plain(100, 3) + plain(103, 200, size=300) + plain(303, 1),
        plain(100, 2) + batch(102, [(5, None, b"null key", []), (6, b"k", None, [])]),
        plain(100, 2) + batch(102, [(5, b"k", b"v", [("h", b"1")]), (6, b"", b"", [])]),
        plain(100, 2) + batch(102, [(5, b"k", b"v" * 90, []), (4, b"", b"", [])], compression=1),
        batch(100, [(0, b"", b"", [])]),
        batch(100, [(1 << 40, b"", b"x" * 300_000, [])]),
    ],
)
def test_records_are_as_the_client_reads_them(raw: bytes) -> None:
    found = decode_batches(raw, BEGIN)
    assert list(found.chunk.records()) == as_the_client_reads(raw)
    assert found.next_offset == found.chunk.offsets[-1] + 1


@pytest.mark.parametrize("size", [1, 10, 50, 1_000, 40_000])
def test_what_this_program_writes_is_never_read_one_by_one(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = min(300, 200_000 // size)
    raw = plain(100, count, size) + plain(100 + count, 1, size) + plain(101 + count, 2, size)
    due = [record.value for record in as_the_client_reads(raw)]
    monkeypatch.delattr("eventlog.kafka.batches.DefaultRecordBatch")
    assert [record.value for record in decode_batches(raw, BEGIN).chunk.records()] == due


def test_what_was_read_before_is_left_out() -> None:
    found = decode_batches(plain(95, 10), BEGIN)
    assert found.chunk.offsets.tolist() == list(range(100, 105))


def test_a_batch_that_is_cut_off_comes_with_the_next_fetch() -> None:
    whole, cut = plain(100, 4), plain(104, 4)
    for length in (0, 5, 11, 12, 60, len(cut) - 1):
        found = decode_batches(whole + cut[:length], BEGIN)
        assert found.chunk.offsets.tolist() == [100, 101, 102, 103]
        assert found.next_offset == 104
    assert decode_batches(whole[:50], BEGIN).next_offset == 100
    assert len(decode_batches(b"", BEGIN).chunk) == 0


def test_the_time_of_the_append_is_the_batches() -> None:
    raw = bytearray(plain(100, 3))
    attributes = int.from_bytes(raw[21:23], "big") | 0b1000
    raw[21:23] = attributes.to_bytes(2, "big")
    raw[35:43] = (77_000).to_bytes(8, "big")
    found = decode_batches(signed(raw), BEGIN)
    assert found.chunk.timestamps.tolist() == [77_000_000] * 3


def signed(raw: bytearray) -> bytes:
    raw[17:21] = crc32c(bytes(raw[21:])).to_bytes(4, "big")
    return bytes(raw)


@pytest.mark.parametrize("at", [16, 18, 22, 40, 58, 61, 70, -1])
def test_a_damaged_batch_is_named(at: int) -> None:
    raw = bytearray(plain(104, 4))
    raw[at] ^= 0x40
    with pytest.raises(LogCorrupt, match=r"the batch at rg/3@104 does not match its sum"):
        decode_batches(plain(100, 4) + bytes(raw), BEGIN)


@pytest.mark.parametrize("count", [3, 5, 68])
def test_a_batch_that_says_another_count_is_not_believed(count: int) -> None:
    raw = bytearray(plain(100, 4))
    raw[57:61] = count.to_bytes(4, "big")
    with pytest.raises(LogCorrupt, match="the batch at rg/3@100 does not match"):
        decode_batches(signed(raw), BEGIN)


def test_batches_that_say_each_others_counts_are_not_believed() -> None:
    short, long = bytearray(plain(100, 2)), bytearray(plain(102, 4))
    for raw in (short, long):
        raw[57:61] = (3).to_bytes(4, "big")
    with pytest.raises(LogCorrupt, match="the batch at rg/3@100 does not match"):
        decode_batches(signed(short) + signed(long), BEGIN)


def test_records_that_say_another_place_are_not_read_at_once() -> None:
    """A batch has two records and says three, and the next has four and says three."""
    short, long = bytearray(plain(100, 2)), bytearray(plain(103, 4))
    for raw in (short, long):
        raw[23:27] = (2).to_bytes(4, "big")
        raw[57:61] = (3).to_bytes(4, "big")
    with pytest.raises(LogCorrupt, match="the batch at rg/3@100 does not match"):
        decode_batches(signed(short) + signed(long), BEGIN)


def test_a_raw_fetch_is_taken_once() -> None:
    raw = plain(100, 4) + plain(104, 2)
    fetch = RawFetch(100, object(), MemoryRecords(raw), on_drain=None)
    assert fetch
    assert (fetch.next_fetch_offset, fetch.leader_epoch) == (100, -1)
    [taken] = fetch.take(5)
    assert taken.raw == raw
    assert fetch.next_fetch_offset == 106
    assert not fetch
    cut = RawFetch(100, object(), MemoryRecords(raw[:30]))
    assert cut.take() == []


def test_a_client_without_that_attribute_is_left_as_it_is() -> None:
    class Newer:
        pass

    assert hand_over_raw(Newer()) is False
    newer = Newer()
    newer._fetcher = Newer()  # type: ignore[attr-defined]
    assert hand_over_raw(newer) is False
    assert vars(newer._fetcher) == {}  # type: ignore[attr-defined]
