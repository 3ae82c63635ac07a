"""Events in columns are those that the decoder of single records gives, and stop where it does."""

import json
import sqlite3
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import msgspec
import pyarrow as pa
import pytest
from msgspec.structs import replace

from contracts.logs import IDENTITY, KINDS, Room
from eventlog.chunk_reading import read_chunks
from eventlog.chunks import Chunk, chunk_of
from eventlog.codec import HEADER_BYTES, MARKER, Decoder, Event, encode
from eventlog.columns import RG_EVENTS, ColumnDecoder, empty_tables
from eventlog.errors import BadRecord, LogCorrupt, LogReplaced, RecordError, UnknownSchema
from eventlog.ids import Micros, Offset, Partition, Position, RgId, Store, Topic, Version, rg_key
from eventlog.log import Entry, Log, Record
from eventlog.map_events import MapChanged
from eventlog.memory import MemoryLog
from eventlog.rg_events import ObjectPut, RgEvent
from eventlog.schemas import directory, fingerprint_of, parse, written
from eventlog.sqlite import SqliteLog
from folds.generated import history
from golden.sample_events import SAMPLES

RG_SAMPLES = [event for event in SAMPLES.values() if not isinstance(event, MapChanged)]
P0 = Partition(0)


def record(value: bytes, offset: int = 0, partition: int = 0) -> Record:
    return Record(Topic.RG, Partition(partition), Offset(offset), Micros(7), b"k", value)


def fields(event: Event) -> dict[str, Any]:
    """As Arrow gives them back: lists for tuples, pairs for maps."""
    found: dict[str, Any] = msgspec.to_builtins(event, builtin_types=(bytes,))
    for name, value in found.items():
        if isinstance(value, tuple):
            found[name] = list(value)
        if name == "metadata":
            found[name] = list(value.items())
    return found


def rows(tables: dict[str, pa.Table]) -> dict[int, tuple[str, dict[str, Any]]]:
    """Events by offset, without their places."""
    found = {}
    for name, table in tables.items():
        table.validate(full=True)
        for row in table.to_pylist():
            offset = row.pop("offset")
            row.pop("partition"), row.pop("timestamp")
            found[offset] = (name, row)
    return found


def in_columns(*values: bytes, log: Log | None = None) -> ColumnDecoder:
    decoder = ColumnDecoder(log or MemoryLog(IDENTITY))
    decoder.decode(chunk_of([record(value, n) for n, value in enumerate(values)]))
    return decoder


def test_every_kind_of_event_is_what_its_record_says() -> None:
    records = [record(encode(event), n) for n, event in enumerate(RG_SAMPLES)]
    found = rows(ColumnDecoder(MemoryLog(IDENTITY)).decode(chunk_of(records)))
    assert found == {n: (event.schema, fields(event)) for n, event in enumerate(RG_SAMPLES)}


@pytest.mark.parametrize("seed", range(6))
def test_histories_are_what_their_records_say(seed: int) -> None:
    random = Random(seed)
    events = [_varied(event, random) for event in history(random, 400)]
    records = [record(encode(event), n) for n, event in enumerate(events)]
    found = rows(ColumnDecoder(MemoryLog(IDENTITY)).decode(chunk_of(records)))
    assert found == {n: (event.schema, fields(event)) for n, event in enumerate(events)}


def _varied(event: RgEvent, random: Random) -> RgEvent:
    """Numbers of every length, texts short and long, lists of many."""
    changes: dict[str, Any] = {"time": Micros(random.randrange(2 ** random.choice([1, 7, 62])))}
    if event.schema == "ObjectPut":
        changes["metadata"] = {
            f"k{n}": "é" * random.choice([0, 6, 7, 300]) for n in range(random.randrange(4))
        }
        changes["media_type"] = random.choice([None, "", "text/plain; charset=utf-8"])
        changes["size"] = random.randrange(2 ** random.choice([1, 20, 56, 57, 63]))
    if hasattr(event, "versions"):
        top = random.choice([3, 1000])
        changes["versions"] = tuple(
            map(Version, sorted(random.sample(range(1, 2**40), random.randint(1, top))))
        )
    return replace(event, **changes)


@pytest.mark.parametrize("seed", range(8))
def test_what_the_single_decoder_refuses_is_refused(seed: int) -> None:
    """And of the rest only what no writer writes: numbers in more bytes, or of more bits."""
    random, single, log = Random(seed), Decoder(), MemoryLog(IDENTITY)
    refused = 0
    for _ in range(250):
        value = bytearray(encode(random.choice(RG_SAMPLES)))
        for _ in range(random.randint(1, 2)):
            _spoil(value, random)
        is_right = _is_as_written(single, bytes(value))
        is_stopped = bool(in_columns(bytes(value), log=log).stops)
        assert is_right is None or is_stopped != is_right, bytes(value).hex()
        refused += is_stopped
    assert 20 < refused < 240


def puts(random: Random, count: int) -> list[RgEvent]:
    """As one RG says them: most fields as in the event before, and lists of all lengths."""
    put, events = SAMPLES["ObjectPut.v1"], list[RgEvent]()
    assert isinstance(put, ObjectPut)
    for n in range(count):
        if random.random() < 0.02:
            put = replace(put, media_type=random.choice([None, "a", "image/" + "x" * 70]))
        if random.random() < 0.02:
            put = replace(put, fence=replace(put.fence, epoch=put.fence.epoch + 64))
        kinds = [{}, {}, {}, {"k": "v"}, {"k": "v", "l": "w" * 200}, {"k" * 70: "v"}]
        changes: dict[str, Any] = {"metadata": random.choice(kinds), "version": Version(n + 1)}
        if random.random() < 0.2:
            changes["stores"] = random.choice([put.stores, put.stores[:1], put.stores[::-1]])
        events.append(replace(put, **changes))
    return events


@pytest.mark.parametrize("seed", range(4))
def test_what_an_event_says_as_the_one_before_is_read_once_and_right(seed: int) -> None:
    events = puts(Random(seed), 3_000)
    decoder = ColumnDecoder(MemoryLog(IDENTITY))
    for start in range(0, len(events), 1_000):
        some = list(enumerate(events))[start : start + 1_000]
        found = rows(decoder.decode(chunk_of([record(encode(event), n) for n, event in some])))
        assert found == {n: (event.schema, fields(event)) for n, event in some}


@pytest.mark.parametrize("seed", range(12))
def test_one_bad_record_of_many_stops_there(seed: int) -> None:
    random, single = Random(seed), Decoder()
    values = [encode(event) for event in puts(random, 400)]
    where = random.randrange(400)
    spoiled = bytearray(values[where])
    while _is_as_written(single, bytes(spoiled)) is not False:
        spoiled = bytearray(values[where])
        _spoil(spoiled, random)
    values[where] = bytes(spoiled)
    records = [record(value, n) for n, value in enumerate(values)]
    decoder = ColumnDecoder(MemoryLog(IDENTITY))
    assert sorted(rows(decoder.decode(chunk_of(records)))) == list(range(where))
    assert decoder.stops[P0].position.offset == where


def _is_as_written(single: Decoder, value: bytes) -> bool | None:
    """False where it cannot be read; None where it can, but is not what Avro allows to write."""
    try:
        event = single.decode(record(value))
    except RecordError:
        return False
    said = msgspec.to_builtins(event, builtin_types=(bytes,))
    is_avro = fastavro.validate(said, written()[event.schema].avro, raise_errors=False)
    return True if is_avro and encode(event) == value else None


def _spoil(value: bytearray, random: Random) -> None:
    at = random.randrange(HEADER_BYTES, len(value)) if len(value) > HEADER_BYTES else 0
    match random.randrange(4):
        case 0:
            del value[at:]
        case 1:
            value[at] ^= 1 << random.randrange(8)
        case 2:
            value.insert(at, random.randrange(256))
        case _:
            value[at] = random.choice([0, 1, 2, 127, 128, 255])


@pytest.mark.parametrize(
    "value", [b"", MARKER, b"\xc3\x02" + bytes(20), b"x" * 40], ids=["empty", "short", "2", "x"]
)
def test_what_is_no_record_stops_its_partition_with_the_position(value: bytes) -> None:
    good = encode(RG_SAMPLES[0])
    decoder = ColumnDecoder(MemoryLog(IDENTITY))
    records = [record(good, 0), record(value, 1), record(good, 2), record(good, 9, partition=3)]
    found = decoder.decode(chunk_of(records))
    later = decoder.decode(chunk_of([record(good, 3), record(good, 10, partition=3)]))
    assert sorted(rows(found)) == [0, 9]
    assert sorted(rows(later)) == [10]
    stop = decoder.stops[P0]
    assert stop.position == Position(Topic.RG, P0, Offset(1))
    assert isinstance(stop.error, BadRecord)
    assert "rg/0@1 cannot be decoded: it does not begin with C3 01" in str(stop.error)


def test_a_record_of_an_unknown_schema_says_so() -> None:
    decoder = in_columns(MARKER + bytes(20))
    assert isinstance(decoder.stops[P0].error, UnknownSchema)
    assert "the record at rg/0@0 has the schema 0000000000000000" in str(decoder.stops[P0].error)


def test_a_map_event_among_those_of_rgs_stops_the_partition() -> None:
    decoder = in_columns(encode(SAMPLES["MapChanged.v1"]))
    assert "rg/0@0 cannot be decoded: MapChanged does not belong there" in str(
        decoder.stops[P0].error
    )


def test_a_skipped_record_is_passed_over_if_it_is_the_one_that_was_meant() -> None:
    bad, good = b"not a record", encode(RG_SAMPLES[0])
    digest = sha256(bad).digest()
    at = Position(Topic.RG, P0, Offset(0))
    for meant, stops in ((digest, 0), (bytes(32), 1)):
        decoder = ColumnDecoder(MemoryLog(IDENTITY), {at: meant})
        found = decoder.decode(chunk_of([record(bad, 0), record(good, 1)]))
        assert len(decoder.stops) == stops
        assert sorted(rows(found)) == ([] if stops else [1])


def other_version(*, without: str = "", added: dict[str, Any] | None = None) -> dict[str, Any]:
    """ObjectDeleted with one field less, or one more in second place."""
    schema: dict[str, Any] = json.loads((directory() / "ObjectDeleted.v1.avsc").read_text())
    schema["fields"] = [field for field in schema["fields"] if field["name"] != without]
    schema["fields"][1:1] = [added] if added else []
    return schema


def written_by(schema: dict[str, Any], event: dict[str, Any]) -> tuple[bytes, Log]:
    """A record of that schema, and a log whose catalogue has it."""
    avro, log, out = parse(json.dumps(schema).encode()), MemoryLog(IDENTITY), BytesIO()
    fastavro.schemaless_writer(out, avro, event)
    print_ = fingerprint_of(avro)
    log.append([Entry(Topic.SCHEMAS, P0, print_, json.dumps(schema).encode())])
    return MARKER + print_ + out.getvalue(), log


def test_what_a_newer_version_wrote_is_read_by_the_catalogue() -> None:
    event = fields(SAMPLES["ObjectDeleted.v1"])
    colour = {"name": "colour", "type": "string", "default": "", "doc": "New."}
    value, log = written_by(other_version(added=colour), event | {"colour": "red"})
    assert rows(ColumnDecoder(log).decode(chunk_of([record(value)])))[0][1] == event


def test_a_field_without_default_that_the_writer_lacked_stops_the_reader() -> None:
    value, log = written_by(other_version(without="request"), fields(SAMPLES["ObjectDeleted.v1"]))
    assert isinstance(in_columns(value, log=log).stops[P0].error, BadRecord)


def test_what_an_older_version_wrote_gets_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = {"name": "colour", "type": ["null", "string"], "default": None, "doc": "New."}
    newest = parse(json.dumps(other_version(added=colour)).encode())
    ours = dict(written()) | {"ObjectDeleted": written()["ObjectDeleted"]._replace(avro=newest)}
    monkeypatch.setattr("eventlog.columns.written", lambda: ours)
    events = [SAMPLES["ObjectDeleted.v1"], SAMPLES["ObjectDeleted.v1.bare"]]
    records = [record(encode(event), n) for n, event in enumerate(events)]
    found = rows(ColumnDecoder(MemoryLog(IDENTITY)).decode(chunk_of(records)))
    for n, event in enumerate(events):
        assert found[n][1] == fields(event) | {"colour": None}


def test_there_is_an_empty_table_for_every_kind_of_event() -> None:
    tables = empty_tables()
    assert tuple(sorted(tables)) == RG_EVENTS
    records = [record(encode(event), n) for n, event in enumerate(RG_SAMPLES)]
    for name, table in ColumnDecoder(MemoryLog(IDENTITY)).decode(chunk_of(records)).items():
        assert table.schema == tables[name].schema


@pytest.fixture(params=KINDS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with KINDS[request.param](Room(tmp_path, request), IDENTITY) as made:
        yield made


def fill(log: Log, count: int) -> None:
    random = Random(1)
    entries = [Entry(Topic.MAP, P0, b"", b"map"), Entry(Topic.SCHEMAS, P0, b"", b"schema")]
    for number in range(count):
        rg = RgId(random.randrange(5))
        entries.append(Entry(Topic.RG, Partition(rg), rg_key(rg), b"v%d" % number))
    random.shuffle(entries)
    log.append(entries)


def test_chunks_are_what_reading_gives(log: Log) -> None:
    fill(log, 2_000)
    partitions = [Partition(p) for p in range(IDENTITY.partitions)]
    ends = {p: end for (_, p), end in log.end_offsets([(Topic.RG, p) for p in partitions]).items()}
    starts = {p: Offset(end // 3) for p, end in ends.items()}
    ends[Partition(2)] = Offset(ends[Partition(2)] - 5)
    found: dict[Partition, list[Record]] = {p: [] for p in partitions}
    for chunk in read_chunks(log, starts, ends):
        for record in chunk.records():
            found[record.partition].append(record)
    for p in partitions:
        records = (
            log.read(Topic.RG, p, starts[p], ends[p] - starts[p]) if ends[p] > starts[p] else []
        )
        assert found[p] == [record._replace(key=b"") for record in records]


def test_there_is_nothing_to_read_where_starts_are_ends(log: Log) -> None:
    fill(log, 10)
    assert not list(read_chunks(log, {P0: Offset(1)}, {P0: Offset(1)}))


def test_a_start_beyond_the_end_is_another_log(log: Log) -> None:
    with pytest.raises(LogReplaced, match=r"the log ends at rg/0@1, but @2 was read before"):
        list(read_chunks(log, {P0: Offset(2)}, {P0: Offset(1)}))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE records SET value = x'00' WHERE seq = 1000", "rg/"),
        ("UPDATE records SET timestamp = 5 WHERE seq = 1000", "rg/"),
        ("UPDATE records SET crc = 'x' WHERE seq = 1000", "rg/"),
        ("UPDATE records SET partition = 'x' WHERE seq = 1000", "append 1,000"),
        (
            "UPDATE records SET topic = 'map', partition = 0, offset = 77 WHERE seq = 1000",
            "map/0@77",
        ),
        ("DELETE FROM records WHERE seq = 1000", "append 1,000 is missing"),
    ],
)
def test_damage_is_named_after_what_came_before_it(tmp_path: Path, damage: str, what: str) -> None:
    with SqliteLog.create(tmp_path / "cluster.log", IDENTITY) as log:
        fill(log, 2_000)
        partitions = [(Topic.RG, Partition(p)) for p in range(5)]
        ends = {p: end for (_, p), end in log.end_offsets(partitions).items()}
        with sqlite3.connect(tmp_path / "cluster.log") as connection:
            connection.execute(damage)
        connection.close()
        chunks: list[Chunk] = []
        with pytest.raises(LogCorrupt, match=what):
            chunks.extend(read_chunks(log, dict.fromkeys(ends, Offset(0)), ends))
        assert 990 < sum(map(len, chunks)) < 1_000


def test_stores_are_compared_whole() -> None:
    put = SAMPLES["ObjectPut.v1"]
    assert isinstance(put, ObjectPut)
    other = Store(put.fence.store.osd, put.stores[1].incarnation)
    value = encode(replace(put, stores=(*put.stores, other)))
    assert not in_columns(value).stops
