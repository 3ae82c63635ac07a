"""The schema files: complete, explained, and the same shape as the Structs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from eventlog import schemas
from eventlog.codec import EVENT_TYPES
from eventlog.ids import Fence, Store
from eventlog.map_events import MapChange
from eventlog.schemas import Schema, directory, fingerprint_of, known, load, written

FILES = sorted(directory().glob("*.avsc"))
STRUCTS: dict[str, type[msgspec.Struct]] = {
    **EVENT_TYPES,
    **{change.__name__: change for change in get_args(MapChange)},
    "Store": Store,
    "Fence": Fence,
}


def records_in(avro: Any) -> Iterator[dict[str, Any]]:
    """All record definitions in a schema, itself included."""
    if isinstance(avro, list):
        for branch in avro:
            yield from records_in(branch)
    elif isinstance(avro, dict):
        if avro["type"] == "record":
            yield avro
        for part in ("items", "values", "type"):
            yield from records_in(avro.get(part))
        for field in avro.get("fields", ()):
            yield from records_in(field["type"])


WRITTEN = {f"{schema.event}.v{schema.version}.avsc" for schema in written().values()}
RECORDS = [
    pytest.param(record, path.name in WRITTEN, id=f"{path.name}:{record['name']}")
    for path in FILES
    for record in records_in(json.loads(path.read_text()))
]
"""Every record of every file, and whether it is what this program writes."""


def test_every_event_has_a_schema_and_every_schema_an_event() -> None:
    assert set(written()) == set(EVENT_TYPES)
    assert {schema.event for schema in known().values()} == set(EVENT_TYPES)


def test_every_file_is_known() -> None:
    assert sorted(f"{s.event}.v{s.version}.avsc" for s in known().values()) == [
        path.name for path in FILES
    ]


@pytest.mark.parametrize(("record", "_is_written"), RECORDS)
def test_every_record_and_field_says_what_it_is(record: dict[str, Any], _is_written: bool) -> None:
    assert record["doc"].endswith(".")
    for field in record["fields"]:
        assert field["doc"].endswith("."), field["name"]
        if isinstance(field["type"], list) and "null" in field["type"]:
            assert "null" in field["doc"], f"{field['name']} does not say what null means"


@pytest.mark.parametrize(("record", "is_written"), RECORDS)
def test_fields_are_those_of_the_struct_in_order(record: dict[str, Any], is_written: bool) -> None:
    """What was written before may lack some."""
    named = [field["name"] for field in record["fields"]]
    ours = list(STRUCTS[record["name"]].__struct_fields__)
    assert named == (ours if is_written else [name for name in ours if name in named])


@pytest.mark.parametrize(("record", "_is_written"), RECORDS)
def test_a_field_may_be_null_where_the_struct_says_so(
    record: dict[str, Any], _is_written: bool
) -> None:
    hints = get_type_hints(STRUCTS[record["name"]])
    for field in record["fields"]:
        hint = hints[field["name"]]
        optional = type(None) in get_args(hint)
        assert (isinstance(field["type"], list) and "null" in field["type"]) == optional


def test_the_union_has_the_changes_by_their_tags() -> None:
    [changes] = [f for f in written()["MapChanged"].avro["fields"] if f["name"] == "changes"]
    tags = [change.__struct_config__.tag for change in get_args(MapChange)]
    assert [record["name"] for record in changes["type"]["items"]] == tags


def test_a_record_of_one_name_is_the_same_in_all_files_that_are_written() -> None:
    seen: dict[str, Any] = {}
    for path in (path for path in FILES if path.name in WRITTEN):
        for record in records_in(json.loads(path.read_text())):
            assert seen.setdefault(record["name"], flat(record)) == flat(record)


def flat(record: dict[str, Any]) -> list[Any]:
    """Its doc and fields, with records in it by their names."""
    fields = [(field["name"], by_name(field["type"]), field["doc"]) for field in record["fields"]]
    return [record["doc"], *fields]


def by_name(avro: Any) -> Any:
    if isinstance(avro, list):
        return [by_name(branch) for branch in avro]
    if isinstance(avro, dict) and "name" in avro:
        return avro["name"]
    return by_name(avro["items"]) if isinstance(avro, dict) and "items" in avro else avro


def test_fingerprint_is_the_one_that_avro_publishes() -> None:
    """From the Avro project's own test data: 7195948357588979594 for `"null"`."""
    assert fingerprint_of("null") == (7195948357588979594).to_bytes(8, "little")
    assert fingerprint_of("int") == (8247732601305521295).to_bytes(8, "little")


RELEASED = {
    "CopiesDoomed.v1": "7b26c3068edd8720",
    "CopiesErased.v1": "e8d4d00f542eb928",
    "CopiesLost.v1": "e4cda0d789456a75",
    "ExportClosed.v1": "1f5fe68ae22b9871",
    "HoldingsStated.v1": "8b41e4d44460cd60",
    "MapChanged.v1": "a2751778e4064e23",
    "MapChanged.v2": "ee9823d43d237145",
    "ObjectDeclaredLost.v1": "cf8c6c5aa074fce2",
    "ObjectDeleted.v1": "698c11306424138c",
    "ObjectPut.v1": "4b9dfaf6afe1212e",
    "ObjectsImported.v1": "6f56fb6ae77bec7c",
    "RgClaimed.v1": "ea34491fcc79cb52",
    "StoreRetired.v1": "b5729b98cae1348a",
}
"""A released file is never edited: lines are added here, never changed."""


def test_the_fingerprint_of_a_released_schema_never_changes() -> None:
    found = {f"{s.event}.v{s.version}": s.fingerprint.hex() for s in known().values()}
    assert found == RELEASED


@pytest.mark.parametrize("name", ["put.v1.avsc", "ObjectPut.avsc", "ObjectPut.v0.avsc"])
def test_a_file_is_called_by_event_and_version(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes((directory() / "ObjectPut.v1.avsc").read_bytes())
    with pytest.raises(AssertionError, match="is not called"):
        load(tmp_path / name)


def test_a_file_has_the_schema_that_it_is_called_by(tmp_path: Path) -> None:
    path = tmp_path / "ObjectDeleted.v1.avsc"
    path.write_bytes((directory() / "ObjectPut.v1.avsc").read_bytes())
    with pytest.raises(AssertionError, match="has the schema of another event"):
        load(path)


def test_the_highest_version_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in FILES:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    newer = json.loads((directory() / "ExportClosed.v1.avsc").read_text())
    newer["fields"].append({"name": "note", "type": "string", "default": "", "doc": "New."})
    for version in (2, 10):
        newer["fields"][-1]["name"] = f"note{version}"
        (tmp_path / f"ExportClosed.v{version}.avsc").write_text(json.dumps(newer))
    monkeypatch.setattr(schemas, "directory", lambda: tmp_path)
    known.cache_clear()
    written.cache_clear()
    try:
        found: Schema = written()["ExportClosed"]
        assert found.version == 10
        assert len(known()) == len(FILES) + 2
    finally:
        known.cache_clear()
        written.cache_clear()
