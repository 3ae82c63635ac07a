"""The catalogue: the schemas a log was written with, in the log itself.

Rule: a schema stands in the catalogue before the first record in it is
appended, so that a copied log explains itself. Key: the fingerprint; value:
the schema's JSON. Two processes may append the same schema; that is harmless.

What is not here: how a schema is used (see `eventlog.codec`).
"""

from collections.abc import Iterator

from eventlog.errors import BadRecord
from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Entry, Log, Record
from eventlog.schemas import AvroSchema, fingerprint_of, parse, written

PARTITION = Partition(0)


def publish(log: Log) -> None:
    """Append every schema this program writes that the log does not have yet."""
    there = {record.key for record in _records(log)}
    missing = [schema for schema in written().values() if schema.fingerprint not in there]
    log.append(
        [Entry(Topic.SCHEMAS, PARTITION, schema.fingerprint, schema.text) for schema in missing]
    )


def read(log: Log) -> dict[bytes, AvroSchema]:
    """Every schema of the log's catalogue, by fingerprint.

    Raises `BadRecord` where an entry is no schema, or not the one its key names.
    """
    return {record.key: _schema(record) for record in _records(log)}


def _records(log: Log) -> Iterator[Record]:
    offset = Offset(0)
    while records := log.read(Topic.SCHEMAS, PARTITION, offset):
        yield from records
        offset = Offset(records[-1].offset + 1)


def _schema(record: Record) -> AvroSchema:
    try:
        avro = parse(record.value)
        matches = fingerprint_of(avro) == record.key
    except Exception as error:  # whatever way another's bytes fail to be a schema
        raise BadRecord(
            f"the catalogue's entry at {record.position} is not a schema: {error}",
            "Restore the log from a copy; the catalogue is damaged.",
        ) from error
    if not matches:
        raise BadRecord(
            f"the catalogue's entry at {record.position} is not the schema that its key names",
            "Restore the log from a copy; the catalogue is damaged.",
        )
    return avro
