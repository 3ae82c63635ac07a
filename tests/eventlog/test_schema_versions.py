"""Versions of one event read what the others wrote (FULL_TRANSITIVE)."""

import copy
import json
from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest

from eventlog.schemas import AvroSchema, directory, known, parse
from golden.sample_events import SAMPLES

ALL = sorted(known().values(), key=lambda schema: (schema.event, schema.version))
PAIRS = [
    pytest.param(one, other, id=f"{one.event}.v{one.version}-v{other.version}")
    for one in ALL
    for other in ALL
    if one.event == other.event
]


def reads(reader: AvroSchema, writer: AvroSchema, fields: dict[str, Any]) -> bool:
    """Whether a program that has `reader` can read what one that has `writer` wrote."""
    out = BytesIO()
    fastavro.schemaless_writer(out, writer, fields)
    try:
        fastavro.schemaless_reader(BytesIO(out.getvalue()), writer, reader)
    except Exception:  # noqa: BLE001 - however fastavro refuses
        return False
    return True


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_every_version_reads_every_other(one: Any, other: Any) -> None:
    for name, event in SAMPLES.items():
        if name.startswith(f"{one.event}.v{one.version}"):
            assert reads(other.avro, one.avro, msgspec.to_builtins(event, builtin_types=(bytes,)))


def put_with(**changes: Any) -> AvroSchema:
    """ObjectPut with fields added (a dict) or removed (None)."""
    schema = copy.deepcopy(json.loads((directory() / "ObjectPut.v1.avsc").read_text()))
    for name, field in changes.items():
        schema["fields"] = [each for each in schema["fields"] if each["name"] != name]
        if field is not None:
            schema["fields"].append({"name": name, **field})
    return parse(json.dumps(schema).encode())


@pytest.mark.parametrize(
    ("newer", "compatible"),
    [
        (put_with(colour={"type": "string", "default": ""}), True),
        (put_with(colour={"type": "string"}), False),
        (put_with(size=None), False),
        (put_with(size={"type": "string"}), False),
    ],
    ids=["added with default", "added", "removed", "of another type"],
)
def test_what_breaks_an_old_or_a_new_reader_is_seen(newer: AvroSchema, compatible: bool) -> None:
    old = put_with()
    fields = msgspec.to_builtins(SAMPLES["ObjectPut.v1"], builtin_types=(bytes,))
    of_newer = fields | {"colour": "red"}
    if newer["fields"][-1] == {"name": "size", "type": "string"}:
        of_newer["size"] = "large"
    assert (reads(newer, old, fields) and reads(old, newer, of_newer)) == compatible
