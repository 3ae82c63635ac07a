"""Events built from columns are those of the single decoder, with its errors at its positions."""

from hashlib import sha256
from random import Random

import pytest
from msgspec.structs import replace

from contracts.logs import IDENTITY
from eventlog.chunks import Chunk, chunk_of
from eventlog.codec import encode
from eventlog.errors import BadRecord, UnknownSchema
from eventlog.ids import Micros, Offset, Partition, Position, RgId, Topic
from eventlog.log import Record
from eventlog.map_events import MapChanged
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from eventlog.typed_events import EventDecoder
from folds.generated import history
from golden.sample_events import SAMPLES

RG_SAMPLES = [event for event in SAMPLES.values() if not isinstance(event, MapChanged)]


def record(value: bytes, offset: int, partition: int = 0) -> Record:
    return Record(Topic.RG, Partition(partition), Offset(offset), Micros(7), b"", value)


def chunk(*values: bytes) -> Chunk:
    return chunk_of([record(value, n) for n, value in enumerate(values)])


def decoder(skipped: dict[Position, bytes] | None = None) -> EventDecoder:
    return EventDecoder(MemoryLog(IDENTITY), skipped or {})


def test_every_kind_of_event_is_what_was_written() -> None:
    found = list(decoder().events(chunk(*map(encode, RG_SAMPLES))))
    assert found == [(0, n, event) for n, event in enumerate(RG_SAMPLES)]
    assert [type(event) for *_, event in found] == [type(event) for event in RG_SAMPLES]


@pytest.mark.parametrize("seed", range(4))
def test_partitions_come_each_in_its_order(seed: int) -> None:
    random, decode, due = Random(seed), decoder(), dict[int, list[RgEvent]]()
    found: dict[int, list[RgEvent]] = {}
    for _ in range(3):
        records = []
        for event in history(random, 300):
            told = replace(event, rg=RgId(random.randrange(3)))
            said = due.setdefault(told.rg, [])
            records.append(record(encode(told), len(said), told.rg))
            said.append(told)
        for partition, offset, event in decode.events(chunk_of(records)):
            assert offset == len(found.setdefault(partition, []))
            found[partition].append(event)
    assert found == due


def test_stores_and_fences_are_the_same_objects() -> None:
    put = SAMPLES["ObjectPut.v1"]
    found = decoder().events(chunk(encode(put), encode(put)))
    (*_, first), (*_, second) = found
    assert first.fence is second.fence  # type: ignore[union-attr]
    assert first.stores[0] is second.fence.store  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("bad", "error", "what"),
    [
        (b"x" * 40, BadRecord, "rg/0@2 cannot be decoded: it does not begin with C3 01"),
        (b"\xc3\x01" + bytes(20), UnknownSchema, "rg/0@2 has the schema 0000000000000000"),
        (
            encode(SAMPLES["MapChanged.v1"]),
            BadRecord,
            "rg/0@2 cannot be decoded: MapChanged does not",
        ),
    ],
)
def test_what_cannot_be_decoded_is_raised_after_what_came_before(
    bad: bytes, error: type[Exception], what: str
) -> None:
    good, found = encode(RG_SAMPLES[0]), list[int]()
    decode = decoder()
    with pytest.raises(error, match=what):
        found.extend(offset for _, offset, _ in decode.events(chunk(good, good, bad, good)))
    assert found == [0, 1]
    assert len(list(decode.events(chunk(good, good)))) == 2


@pytest.mark.parametrize("others", [0, 1])
def test_a_skipped_record_is_passed_over(others: int) -> None:
    bad, good = b"not a record", encode(RG_SAMPLES[0])
    skipped = {Position(Topic.RG, Partition(0), Offset(0)): sha256(bad).digest()}
    found = list(decoder(skipped).events(chunk(*[bad, *[good] * others])))
    assert [offset for _, offset, _ in found] == list(range(1, others + 1))
