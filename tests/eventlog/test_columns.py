"""Events in columns: the same as one by one, and the same complaints."""

import json
from collections.abc import Sequence
from io import BytesIO
from random import Random
from typing import Any

import fastavro
import pytest

from contracts.logs import IDENTITY
from eventlog import catalogue
from eventlog.avro_blocks import Block
from eventlog.codec import HEADER_BYTES, Decoder, Event, encode
from eventlog.columns import Scanned, decode, events, frame_of, records_of, scan
from eventlog.errors import BadRecord, LogReplaced, UnknownSchema
from eventlog.ids import Micros, Offset, Partition, RgId, Topic, rg_key
from eventlog.log import Entry, Record
from eventlog.map_events import MapChanged
from eventlog.memory import MemoryLog
from eventlog.places import all_places
from eventlog.schemas import written
from golden.sample_events import SAMPLES

RG_SAMPLES = [event for event in SAMPLES.values() if not isinstance(event, MapChanged)]
P0 = Partition(0)


def scanned(values: Sequence[bytes]) -> Scanned:
    records = [
        Record(Topic.RG, P0, Offset(10 + n), Micros(1_000 * n), b"k%d" % n, value)
        for n, value in enumerate(values)
    ]
    return Scanned(Topic.RG, P0, frame_of(records))


def mixed(count: int) -> list[Event]:
    random = Random(4)
    return [random.choice(RG_SAMPLES) for _ in range(count)]


def one_by_one(piece: Scanned) -> list[Event]:
    return [Decoder().decode(record) for record in records_of(piece)]


def test_records_go_there_and_back() -> None:
    piece = scanned([b"", b"\0", bytes(range(256))])
    assert frame_of(list(records_of(piece))).equals(piece.frame)
    assert frame_of([]).schema == piece.frame.schema
    assert decode(scanned([])) == []
    assert events(scanned([]), Decoder()) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_every_kind_of_event_comes_out_as_it_went_in(name: str) -> None:
    event = SAMPLES[name]
    piece = scanned([encode(event)] * 3)
    assert events(piece, Decoder()) == [event] * 3 == one_by_one(piece)


def test_mixed_events_keep_their_order() -> None:
    said = mixed(500)
    assert events(scanned([encode(event) for event in said]), Decoder()) == said


@pytest.mark.parametrize("name", SAMPLES)
def test_columns_say_what_the_plain_way_says(name: str) -> None:
    value = encode(SAMPLES[name])
    if isinstance(SAMPLES[name], MapChanged):
        assert decode(scanned([value])) == [], "unions are left out"
        return
    [found] = decode(scanned([value, value]))
    assert found.event == SAMPLES[name].schema
    row = found.frame.row(1, named=True)
    assert (row.pop("offset"), row.pop("timestamp")) == (11, 1_000)
    wanted = plainly(value, written()[found.event].avro)
    if "metadata" in wanted:
        pairs = [{"key": key, "value": text} for key, text in wanted["metadata"].items()]
        wanted["metadata"] = pairs
    assert row == wanted


def plainly(value: bytes, avro: dict[str, Any]) -> Any:
    return fastavro.schemaless_reader(BytesIO(value[HEADER_BYTES:]), avro, None)


def test_each_schema_has_its_frame() -> None:
    said = mixed(200)
    found = decode(scanned([encode(event) for event in said]))
    assert sorted(each.event for each in found) == sorted({event.schema for event in said})
    for each in found:
        offsets = [10 + n for n, event in enumerate(said) if event.schema == each.event]
        assert each.frame["offset"].to_list() == offsets


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda value: value + b"\0", "1 bytes are left over"),
        (lambda value: value[:-1], ""),
        (lambda value: value[:30], ""),
        (lambda value: value[:HEADER_BYTES], ""),
        (lambda value: value[:4], "it does not begin with C3 01"),
        (lambda value: b"", "it does not begin with C3 01"),
        (lambda value: b"x" + value, "it does not begin with C3 01"),
        (lambda value: value + value, "bytes are left over"),
    ],
)
def test_a_damaged_record_is_named(damage: Any, what: str) -> None:
    values = [encode(event) for event in mixed(40)]
    values[17] = damage(values[17])
    for way in (lambda: decode(scanned(values)), lambda: events(scanned(values), Decoder())):
        with pytest.raises(BadRecord, match=f"the record at rg/0@27 cannot be decoded.*{what}"):
            way()


def test_an_unknown_schema_is_named() -> None:
    values = [encode(RG_SAMPLES[0]), b"\xc3\x01" + b"eight by" + b"rest"]
    for way in (lambda: decode(scanned(values)), lambda: events(scanned(values), Decoder())):
        with pytest.raises(UnknownSchema, match=r"the record at rg/0@11 has the schema"):
            way()


def test_an_event_that_is_not_valid_is_named() -> None:
    put = next(event for event in RG_SAMPLES if event.schema == "ObjectPut")
    avro = json.loads(written()["ObjectPut"].text)
    fields = plainly(encode(put), written()["ObjectPut"].avro) | {"version": 0}
    out = BytesIO(encode(put)[:HEADER_BYTES])
    out.seek(HEADER_BYTES)
    fastavro.schemaless_writer(out, fastavro.parse_schema(avro), fields)
    with pytest.raises(BadRecord, match=r"rg/0@11 cannot be decoded: .*versions start at 1"):
        events(scanned([encode(put), out.getvalue()]), Decoder())


def test_any_log_can_be_scanned() -> None:
    log = MemoryLog(IDENTITY)
    catalogue.publish(log)
    said = mixed(30)
    entries = [
        Entry(Topic.RG, Partition(n % 3), rg_key(RgId(n)), encode(event))
        for n, event in enumerate(said)
    ]
    log.append(entries)
    begins = dict.fromkeys(all_places(IDENTITY), Offset(0)) | {(Topic.RG, Partition(1)): Offset(4)}
    found = {(piece.topic, piece.partition): piece for piece in scan(log, begins)}
    assert events(found[Topic.RG, P0], Decoder()) == said[0::3]
    assert events(found[Topic.RG, Partition(1)], Decoder()) == said[1::3][4:]
    assert found[Topic.RG, Partition(1)].frame["offset"][0] == 4
    assert found[Topic.SCHEMAS, P0].frame.height == len(written())
    with pytest.raises(LogReplaced):
        list(scan(log, {(Topic.MAP, P0): Offset(1)}))


def test_a_block_of_something_else_is_refused() -> None:
    block = Block({"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]})
    assert block.read(2, b"\x02a\x04bc")["a"].to_list() == ["a", "bc"]
    assert block.read(1, b"\x02a\x02")["a"].to_list() == ["a"], "what is left over is left"
    for count, datums in ((1, b"\x08a"), (2, b"\x02a"), (1, b"\x01")):
        with pytest.raises(ValueError, match="datums"):
            block.read(count, datums)
