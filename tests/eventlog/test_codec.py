"""Events to bytes and back, and what bytes that are no event are answered."""

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import msgspec
import pytest

from contracts.logs import IDENTITY
from eventlog import catalogue
from eventlog.codec import EVENT_TYPES, HEADER_BYTES, MARKER, Decoder, Event, encode
from eventlog.errors import BadRecord, LogUnavailable, UnknownSchema
from eventlog.ids import Micros, Offset, Partition, Topic
from eventlog.log import Entry, Record
from eventlog.map_events import MapChanged
from eventlog.memory import MemoryLog
from eventlog.rg_events import ObjectDeleted, ObjectPut
from eventlog.schemas import directory, fingerprint_of, known, parse, written
from golden.sample_events import SAMPLES

PUT = SAMPLES["ObjectPut.v1"]
DELETED = SAMPLES["ObjectDeleted.v1"]


def record_of(value: bytes, topic: Topic = Topic.RG) -> Record:
    return Record(topic, Partition(3), Offset(77), Micros(0), b"key", value)


def topic_of(event: Event) -> Topic:
    return Topic.MAP if isinstance(event, MapChanged) else Topic.RG


def put_schema() -> dict[str, Any]:
    return copy.deepcopy(json.loads((directory() / "ObjectPut.v1.avsc").read_text()))


def written_with(schema: dict[str, Any], fields: dict[str, Any], path: Path) -> bytes:
    """The value as a program with another schema writes it."""
    avro = parse(json.dumps(schema).encode())
    with path.open("wb") as file:
        file.write(MARKER + fingerprint_of(avro))
        fastavro.schemaless_writer(file, avro, fields)
    return path.read_bytes()


def log_with(*schemas: dict[str, Any]) -> MemoryLog:
    log = MemoryLog(IDENTITY)
    catalogue.publish(log)
    announce(log, *schemas)
    return log


def announce(log: MemoryLog, *schemas: dict[str, Any]) -> None:
    for schema in schemas:
        text = json.dumps(schema).encode()
        log.append([Entry(Topic.SCHEMAS, Partition(0), fingerprint_of(parse(text)), text)])


@pytest.mark.parametrize("name", SAMPLES)
def test_an_event_comes_back_as_it_was(name: str) -> None:
    event = SAMPLES[name]
    assert Decoder().decode(record_of(encode(event), topic_of(event))) == event


@pytest.mark.parametrize(
    ("name", "there"), [("MapChanged.v1", Topic.RG), ("ObjectPut.v1", Topic.MAP)]
)
def test_an_event_of_another_topic_is_bad(name: str, there: Topic) -> None:
    what = f"{there.value}/3@77 cannot be decoded: {name[:-3]} does not belong there"
    with pytest.raises(BadRecord, match=what):
        Decoder().decode(record_of(encode(SAMPLES[name]), there))


def test_a_value_begins_with_marker_and_fingerprint() -> None:
    value = encode(PUT)
    assert value[:2] == b"\xc3\x01"
    assert known()[value[2:HEADER_BYTES]].event == "ObjectPut"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"object": "\ud800"}, "surrogates not allowed"),
        ({"size": 1 << 63}, "too large"),
        ({"metadata": {"k": "\udfff"}}, "surrogates not allowed"),
    ],
)
def test_what_does_not_fit_is_not_written(change: dict[str, Any], why: str) -> None:
    assert isinstance(PUT, ObjectPut)
    with pytest.raises(BadRecord, match=f"this ObjectPut cannot be written: .*{why}") as refused:
        encode(msgspec.structs.replace(PUT, **change))
    assert refused.value.hint == "A text must be valid Unicode, and a number must fit in 64 bits."


@pytest.mark.parametrize("value", [b"", b"\xc3", b"\xc3\x01short", b"{}" * 20, b"\x00" + b"x" * 30])
def test_what_is_no_single_object_is_named(value: bytes) -> None:
    with pytest.raises(
        BadRecord, match="the record at rg/3@77 cannot be decoded: it does not begin"
    ):
        Decoder().decode(record_of(value))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_shortened_value_is_bad(name: str) -> None:
    value, decoder = encode(SAMPLES[name]), Decoder()
    for size in range(len(value)):
        with pytest.raises(BadRecord, match="the record at rg/3@77 cannot be decoded"):
            decoder.decode(record_of(value[:size]))


def test_a_lengthened_value_is_bad() -> None:
    with pytest.raises(BadRecord, match="3 bytes are left over"):
        Decoder().decode(record_of(encode(PUT) + b"abc"))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_flipped_byte_is_another_event_or_bad(name: str) -> None:
    """Whatever bytes come, nothing but our own errors leaves the decoder."""
    value, decoder, random = encode(SAMPLES[name]), Decoder(), Random(3)
    refused: list[str] = []
    for _ in range(400):
        flipped = bytearray(value)
        flipped[random.randrange(len(value))] ^= 1 << random.randrange(8)
        try:
            decoder.decode(record_of(bytes(flipped)))
        except (BadRecord, UnknownSchema) as error:
            refused.append(error.what)
    assert refused
    assert all("rg/3@77" in what for what in refused)


def test_an_event_that_is_not_valid_names_its_position() -> None:
    fields = msgspec.to_builtins(PUT, builtin_types=(bytes,)) | {"stores": []}
    avro = written()["ObjectPut"]
    with pytest.raises(
        BadRecord, match="the record at rg/3@77 cannot be decoded: the event is not valid: the prim"
    ):
        Decoder().decode(record_of(_bytes(avro.fingerprint, avro.avro, fields)))


def _bytes(fingerprint: bytes, avro: dict[str, Any], fields: dict[str, Any]) -> bytes:
    from io import BytesIO  # noqa: PLC0415

    out = BytesIO(MARKER + fingerprint)
    out.seek(0, 2)
    fastavro.schemaless_writer(out, avro, fields)
    return out.getvalue()


def test_an_unknown_schema_names_position_and_fingerprint() -> None:
    value = MARKER + bytes.fromhex("0102030405060708") + b"datum"
    for decoder in (Decoder(), Decoder(log_with())):
        with pytest.raises(UnknownSchema) as unknown:
            decoder.decode(record_of(value))
        assert "rg/3@77" in unknown.value.what
        assert "0102030405060708" in unknown.value.what
        assert unknown.value.hint == "A newer program wrote it: install that version here."


def test_a_newer_version_is_resolved_with_the_catalogue(tmp_path: Path) -> None:
    """It has a field more, in front, and one that is a long where ours is an int."""
    newer = put_schema()
    newer["fields"].insert(0, {"name": "colour", "type": "string", "default": "", "doc": "New."})
    fields = msgspec.to_builtins(PUT, builtin_types=(bytes,)) | {"colour": "red"}
    value = written_with(newer, fields, tmp_path / "value")
    assert Decoder(log_with(newer)).decode(record_of(value)) == PUT


def test_the_catalogue_is_read_once_more(tmp_path: Path) -> None:
    newer = put_schema()
    newer["fields"].append({"name": "colour", "type": "string", "default": "", "doc": "New."})
    fields = msgspec.to_builtins(PUT, builtin_types=(bytes,)) | {"colour": "red"}
    value = written_with(newer, fields, tmp_path / "value")
    log = log_with()
    decoder = Decoder(log)
    with pytest.raises(UnknownSchema):
        decoder.decode(record_of(value))
    announce(log, newer)
    assert decoder.decode(record_of(value)) == PUT
    log.close()
    assert decoder.decode(record_of(value)) == PUT, "what was learnt is not asked again"
    with pytest.raises(LogUnavailable):
        decoder.decode(record_of(MARKER + b"unknown!" + b"datum"))


def test_a_newer_map_event_is_resolved_too(tmp_path: Path) -> None:
    newer = json.loads((directory() / "MapChanged.v1.avsc").read_text())
    newer["fields"].insert(1, {"name": "ticket", "type": ["null", "string"], "doc": "New."})
    event = SAMPLES["MapChanged.v1"]
    fields = msgspec.to_builtins(event, builtin_types=(bytes,)) | {"ticket": "T-1"}
    value = written_with(newer, fields, tmp_path / "value")
    assert Decoder(log_with(newer)).decode(record_of(value, Topic.MAP)) == event


def test_a_version_that_cannot_be_resolved_is_bad(tmp_path: Path) -> None:
    other = put_schema()
    other["fields"] = [field for field in other["fields"] if field["name"] != "size"]
    fields = msgspec.to_builtins(PUT, builtin_types=(bytes,))
    value = written_with(other, fields, tmp_path / "value")
    with pytest.raises(
        BadRecord, match="the record at rg/3@77 cannot be decoded: SchemaResolution"
    ):
        Decoder(log_with(other)).decode(record_of(value))


def test_a_schema_of_no_event_of_ours_stays_unknown(tmp_path: Path) -> None:
    other = put_schema() | {"name": "ObjectPainted"}
    fields = msgspec.to_builtins(PUT, builtin_types=(bytes,))
    value = written_with(other, fields, tmp_path / "value")
    with pytest.raises(UnknownSchema):
        Decoder(log_with(other)).decode(record_of(value))


def test_events_of_two_kinds_never_decode_as_each_other() -> None:
    assert isinstance(Decoder().decode(record_of(encode(DELETED))), ObjectDeleted)
    assert len(EVENT_TYPES) == 12
