"""Events to bytes and back: Avro single-object encoding.

Rule: a record says its own schema: `C3 01`, fingerprint, datum. An event is
written in the highest version this program carries. What another version
wrote is resolved with the writer's schema, from our files or from the log's
catalogue. What cannot be decoded stops its reader, with the position.

What is not here: what an event means, and the columnar way to read many.
"""

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple, get_args

import msgspec
from fastavro import schemaless_reader, schemaless_writer

from eventlog import catalogue
from eventlog.errors import BadRecord, UnknownSchema
from eventlog.ids import Topic
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgEvent
from eventlog.schemas import FINGERPRINT_BYTES, NAMESPACE, AvroSchema, known, written

Event = MapChanged | RgEvent

MARKER = b"\xc3\x01"
HEADER_BYTES = len(MARKER) + FINGERPRINT_BYTES

MAX_REASON = 200
"""Characters of what fastavro says, which may quote a whole schema."""

EVENT_TYPES: Mapping[str, type[Event]] = {kind.schema: kind for kind in get_args(Event)}

_AS_IS = (bytes,)
_HINT = (
    "Nothing after it is folded; find out who wrote it, then see `osdlog log cat` and"
    " `osdlog log skip`."
)

MAP_HINT = (
    "Who is in the cluster cannot be known after it, and no map record is ever skipped: stop what"
    " writes to this log, and restore the log from a copy that was made before it."
)


def encode(event: Event) -> bytes:
    """The value of the record that says `event`; `BadRecord` where a field does not fit."""
    header, avro = _writers()[type(event)]
    out = BytesIO()
    out.write(header)
    try:
        schemaless_writer(out, avro, msgspec.to_builtins(event, builtin_types=_AS_IS))
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRecord(
            f"this {event.schema} cannot be written: {str(error)[:MAX_REASON]}",
            "A text must be valid Unicode, and a number must fit in 64 bits.",
        ) from error
    return out.getvalue()


class Decoder:
    """Decodes records in the schemas of this program and of one log's catalogue.

    One thread uses a decoder.
    """

    def __init__(self, log: Log | None = None) -> None:
        self._log = log
        self._readings = {
            MARKER + print_: _reading(schema.avro) for print_, schema in known().items()
        }

    def decode(self, record: Record) -> Event:
        """The event; raises `BadRecord`, `UnknownSchema`, and what reading the catalogue does."""
        value = record.value
        reading = self._readings.get(value[:HEADER_BYTES]) or self._look_up(record)
        source = BytesIO(value)
        source.seek(HEADER_BYTES)
        try:
            event = reading.read(source)
        except BadRecord as error:
            raise _bad(record, error.what) from error
        except Exception as error:  # fastavro fails in many ways on bytes that are not its own
            raise _bad(record, f"{type(error).__name__} {error}".rstrip()) from error
        if source.tell() != len(value):
            raise _bad(record, f"{len(value) - source.tell()} bytes are left over")
        if isinstance(event, MapChanged) != (record.topic is Topic.MAP):
            raise _bad(record, f"{type(event).__name__} does not belong there")
        return event

    def _look_up(self, record: Record) -> "_Reading":
        header = record.value[:HEADER_BYTES]
        if len(header) < HEADER_BYTES or not header.startswith(MARKER):
            raise _bad(record, "it does not begin with C3 01 and a fingerprint")
        if self._log is not None:
            for print_, avro in catalogue.read(self._log).items():
                if avro["name"].removeprefix(f"{NAMESPACE}.") in EVENT_TYPES:
                    self._readings.setdefault(MARKER + print_, _reading(avro))
        if reading := self._readings.get(header):
            return reading
        raise UnknownSchema(
            f"the record at {record.position} has the schema {header[len(MARKER) :].hex()},"
            " which neither this program nor the log's catalogue knows",
            "A newer program wrote it: install that version here.",
        )


class _Reading(NamedTuple):
    """How the records of one writer's schema become events."""

    writer: AvroSchema
    reader: AvroSchema | None
    """Ours, where it is another one."""
    kind: type[Event]

    def read(self, source: BytesIO) -> Event:
        if self.kind is MapChanged:
            return self._read_map_event(source)
        return msgspec.convert(schemaless_reader(source, self.writer, self.reader), self.kind)

    def _read_map_event(self, source: BytesIO) -> Event:
        fields: Any = schemaless_reader(source, self.writer, self.reader, return_record_name=True)
        fields["changes"] = [{"-type": name, **change} for name, change in fields["changes"]]
        return msgspec.convert(fields, self.kind)


def _reading(avro: AvroSchema) -> _Reading:
    name = avro["name"].removeprefix(f"{NAMESPACE}.")
    ours = written()[name].avro
    return _Reading(avro, None if avro == ours else ours, EVENT_TYPES[name])


@cache
def _writers() -> Mapping[type[Event], tuple[bytes, AvroSchema]]:
    return {
        EVENT_TYPES[name]: (MARKER + schema.fingerprint, schema.avro)
        for name, schema in written().items()
    }


def _bad(record: Record, why: str) -> BadRecord:
    hint = MAP_HINT if record.position.topic is Topic.MAP else _HINT
    return BadRecord(f"the record at {record.position} cannot be decoded: {why}", hint)
