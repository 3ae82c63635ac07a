"""The catalogue of schemas in a log."""

import pytest

from contracts.logs import IDENTITY
from eventlog import catalogue
from eventlog.errors import BadRecord
from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Entry
from eventlog.memory import MemoryLog
from eventlog.schemas import directory, fingerprint_of, known, written

P0 = Partition(0)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(IDENTITY)


def test_publish_appends_each_schema_once(log: MemoryLog) -> None:
    assert catalogue.read(log) == {}
    catalogue.publish(log)
    catalogue.publish(log)
    records = log.read(Topic.SCHEMAS, P0, Offset(0))
    assert [record.key for record in records] == [s.fingerprint for s in written().values()]
    for record in records:
        schema = known()[record.key]
        path = directory() / f"{schema.event}.v{schema.version}.avsc"
        assert record.value == path.read_bytes()


def test_publish_appends_only_what_is_missing(log: MemoryLog) -> None:
    first = next(iter(written().values()))
    log.append([Entry(Topic.SCHEMAS, P0, first.fingerprint, first.text)])
    catalogue.publish(log)
    keys = [record.key for record in log.read(Topic.SCHEMAS, P0, Offset(0))]
    assert sorted(keys) == sorted(schema.fingerprint for schema in written().values())


def test_read_gives_what_was_published(log: MemoryLog) -> None:
    catalogue.publish(log)
    assert catalogue.read(log) == {s.fingerprint: s.avro for s in written().values()}


@pytest.mark.parametrize("text", [b"", b"{", b'"null"', b'{"type": "record"}', b"\xff\xfe", b"[1]"])
def test_what_is_no_schema_is_named(log: MemoryLog, text: bytes) -> None:
    catalogue.publish(log)
    log.append([Entry(Topic.SCHEMAS, P0, b"8 bytes!", text)])
    with pytest.raises(BadRecord, match="the catalogue's entry at schemas/0@12 is not a schema"):
        catalogue.read(log)


def test_a_schema_under_another_key_is_named(log: MemoryLog) -> None:
    schema = next(iter(written().values()))
    log.append([Entry(Topic.SCHEMAS, P0, fingerprint_of("null"), schema.text)])
    with pytest.raises(
        BadRecord, match="entry at schemas/0@0 is not the schema that its key names"
    ):
        catalogue.read(log)
