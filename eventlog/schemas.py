"""Schemas: the Avro shapes this program writes and reads, one file per event and version.

Rule: the files are the contract and are only read here, never made from the
code. Of each event the highest version is the one that is written; the others
are known so that what they wrote is read. A wheel carries the files beside
this module, a checkout in `schemas/` at its root.

What is not here: schemas that only a log knows (see `eventlog.catalogue`).
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
from fastavro.schema import fingerprint as avro_fingerprint
from fastavro.schema import to_parsing_canonical_form

FINGERPRINT_BYTES = 8
NAMESPACE = "osdlog"

_FILE = re.compile(r"([A-Z][A-Za-z]*)\.v([1-9][0-9]*)\.avsc")

AvroSchema = dict[str, Any]
"""A record schema as fastavro parsed it."""


class Schema(NamedTuple):
    """One schema file."""

    event: str
    """Name of the event, without namespace."""
    version: int
    fingerprint: bytes
    """CRC-64-AVRO of the canonical form, 8 bytes, little-endian."""
    text: bytes
    """The file, as the catalogue carries it."""
    avro: AvroSchema


@cache
def known() -> Mapping[bytes, Schema]:
    """Every schema this program carries, by fingerprint."""
    schemas = [load(path) for path in sorted(directory().glob("*.avsc"))]
    found = {schema.fingerprint: schema for schema in schemas}
    assert len(found) == len(schemas), "two schema files have one fingerprint"
    return found


@cache
def written() -> Mapping[str, Schema]:
    """The schema each event is written in, by the event's name."""
    by_version = sorted(known().values(), key=lambda schema: schema.version)
    return {schema.event: schema for schema in by_version}


def directory() -> Path:
    """Where the files are: beside this module when installed, else in the checkout."""
    installed = Path(__file__).with_name("schemas")
    return installed if installed.is_dir() else Path(__file__).parent.parent / "schemas"


def load(path: Path) -> Schema:
    """Read one file, whose name must say what is in it."""
    text = path.read_bytes()
    avro = parse(text)
    named = _FILE.fullmatch(path.name)
    assert named, f"{path.name} is not called <Event>.v<N>.avsc"
    assert avro["name"] == f"{NAMESPACE}.{named[1]}", f"{path.name} has the schema of another event"
    return Schema(named[1], int(named[2]), fingerprint_of(avro), text, avro)


def parse(text: bytes) -> AvroSchema:
    """A record schema from its JSON; raises ValueError, or what fastavro raises."""
    parsed = fastavro.parse_schema(json.loads(text))
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        raise ValueError("it is not the schema of a record")
    return parsed


def fingerprint_of(avro: AvroSchema | str) -> bytes:
    """CRC-64-AVRO, as single-object encoding wants it.

    fastavro gives the hex of the little-endian bytes: they are not reversed here.
    """
    return bytes.fromhex(avro_fingerprint(to_parsing_canonical_form(avro), "CRC-64-AVRO"))
