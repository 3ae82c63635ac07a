"""Avro in columns: one field of many records at a time.

Rule: as in `eventlog.avro_cursor`, all records are read at once, and a bad one
changes nothing of another. Texts and bytes are views into the bytes they came
in, and keep those alive.

Avro is a prefix code, so whoever begins with the same bytes says the same: a
field that says what it said in the record before is not read again, see
`eventlog.avro_runs`.

What is not here: which schema to read with (see `eventlog.columns`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from eventlog.avro_cursor import MAX_BYTES, PADDING, Bools, Bytes, Cursor, Longs
from eventlog.avro_lists import begin_blocks, by_owner, list_of_longs
from eventlog.avro_runs import Runs

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1

Type = Any
"""A schema as fastavro parsed it: a name, a list (a union), or a dict."""


class Unreadable(Exception):
    """A schema has a type that is not read in columns; none of ours has."""


class Decoded(NamedTuple):
    """What was read: a column for each field, and which records are bad."""

    columns: dict[str, pa.Array]
    is_bad: Bools


class Reader:
    """Reads one schema, whose named types may be used again by name."""

    def __init__(self, schema: Type) -> None:
        self._named: dict[str, Type] = {}
        self._learn(schema)
        self._fields = {
            each["name"]: Runs(self._reading(each["type"])) for each in schema["fields"]
        }

    def decode(self, given: Bytes) -> Decoded:
        """The datum of each record; its fields are columns, records in it are structs."""
        assert given.data.size <= MAX_BYTES + len(PADDING), "the buffer is too large for views"
        cursor = Cursor(given.data, given.starts.copy(), given.ends)
        columns = {name: field.read(cursor) for name, field in self._fields.items()}
        cursor.is_bad |= cursor.at != given.ends
        return Decoded(columns, cursor.is_bad)

    def _reading(self, kind: Type) -> Callable[[Cursor], pa.Array]:
        return lambda cursor: self.column(kind, cursor)

    def column(self, kind: Type, cursor: Cursor) -> pa.Array:
        """The next value of this type of each record."""
        if isinstance(kind, list):
            return self._union(kind, cursor)
        name = kind["type"] if isinstance(kind, dict) else kind
        if name in _SIMPLE:
            return _SIMPLE[name](cursor)
        match name:
            case "record":
                return self._record(kind, cursor)
            case "array":
                return self._list(kind["items"], cursor)
            case "map":
                return self._map(kind["values"], cursor)
            case "fixed":
                return _viewed(cursor, np.full(len(cursor), kind["size"]), pa.binary_view())
            case _ if name in self._named:
                return self.column(self._named[name], cursor)
            case _:
                raise Unreadable(f"the type {name!r}")

    def _learn(self, kind: Type) -> None:
        match kind:
            case list():
                for branch in kind:
                    self._learn(branch)
            case {"type": "record", "fields": fields}:
                self._named[kind["name"]] = kind
                for field in fields:
                    self._learn(field["type"])
            case {"type": "fixed", "name": name}:
                self._named[name] = kind
            case {"items": inner} | {"values": inner}:
                self._learn(inner)
            case _:
                pass  # a simple type, or one that was named before

    def _record(self, kind: Type, cursor: Cursor) -> pa.Array:
        fields = kind["fields"]
        arrays = [self.column(field["type"], cursor) for field in fields]
        return pa.StructArray.from_arrays(arrays, [field["name"] for field in fields])

    def _union(self, kinds: Type, cursor: Cursor) -> pa.Array:
        """Of null and one other type, in whatever order."""
        others = [number for number, kind in enumerate(kinds) if kind != "null"]
        if len(kinds) != 2 or len(others) != 1:
            raise Unreadable("a union of more than null and one other type")
        branch = cursor.longs()
        cursor.condemn((branch != 0) & (branch != 1))
        has_value = (branch == others[0]) & ~cursor.is_bad
        if has_value.all():
            return self.column(kinds[others[0]], cursor)
        part = cursor.with_nulls(~has_value)
        values = self.column(kinds[others[0]], part)
        index = np.flatnonzero(has_value)
        cursor.rejoin(index, part.part(index))
        cursor.is_bad[index] |= part.is_bad[index]
        return _with_nulls(values, has_value)

    def _list(self, items: Type, cursor: Cursor) -> pa.Array:
        if items == "long":
            return list_of_longs(cursor)
        offsets, values = self._items(cursor, lambda part: [self.column(items, part)])
        return pa.ListArray.from_arrays(offsets, values[0])

    def _map(self, values: Type, cursor: Cursor) -> pa.Array:
        def entry(part: Cursor) -> list[pa.Array]:
            return [_string(part), self.column(values, part)]

        offsets, (keys, found) = self._items(cursor, entry)
        return pa.MapArray.from_arrays(offsets, keys, found)

    def _items(
        self, cursor: Cursor, read: Callable[[Cursor], list[pa.Array]]
    ) -> tuple[pa.Array, list[pa.Array]]:
        """Items of blocks: the first of every record that has one, then the second, and so on."""
        left = begin_blocks(cursor)
        owners: list[Longs] = []
        columns = [[array] for array in read(cursor.part(left[:0]))]
        index = np.flatnonzero(left)
        while len(index):
            part = cursor.part(index)
            owners.append(index)
            for column, array in zip(columns, read(part), strict=True):
                column.append(array)
            left[index] -= 1
            used = np.flatnonzero(left[index] == 0)
            if len(used):
                fresh = part.part(used)
                left[index[used]] = begin_blocks(fresh)
                part.rejoin(used, fresh)
            cursor.rejoin(index, part)
            index = index[(left[index] > 0) & ~part.is_bad]
        return by_owner(len(cursor), owners, columns)


def _with_nulls(values: pa.Array, has_value: Bools) -> pa.Array:
    validity = pa.py_buffer(np.packbits(has_value, bitorder="little"))
    kind = values.type
    if pa.types.is_struct(kind):
        children = [values.field(number) for number in range(kind.num_fields)]
        return pa.Array.from_buffers(kind, len(values), [validity], children=children)
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        raise Unreadable("a list that may be null")
    return pa.Array.from_buffers(kind, len(values), [validity, *values.buffers()[1:]])


def _viewed(cursor: Cursor, length: Longs, kind: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(kind, len(cursor), [None, cursor.views(length), cursor.data])


def _bytes(cursor: Cursor) -> pa.Array:
    return _viewed(cursor, cursor.longs(), pa.binary_view())


def _string(cursor: Cursor) -> pa.Array:
    length = cursor.longs()
    start = cursor.at.copy()
    found = _viewed(cursor, length, pa.string_view())
    try:
        found.validate(full=True)
    except pa.ArrowInvalid:
        cursor.condemn(_not_unicode(found.cast(pa.binary_view())))
        cursor.at = start
        found = _viewed(cursor, length, pa.string_view())  # without those that are bad
        cursor.condemn(cursor.is_bad)
    return found


def _not_unicode(found: pa.Array) -> Bools:
    def is_bad(value: bytes) -> bool:
        try:
            value.decode()
        except UnicodeDecodeError:
            return True
        return False

    return np.fromiter((is_bad(value) for value in found.to_pylist()), np.bool_, len(found))


def _int(cursor: Cursor) -> pa.Array:
    found = cursor.longs()
    cursor.condemn((found < _INT_MIN) | (found > _INT_MAX))
    return pa.array(found.astype(np.int32))


def _boolean(cursor: Cursor) -> pa.Array:
    found = cursor.longs()
    return pa.array(found != 0)


_SIMPLE: Mapping[str, Callable[[Cursor], pa.Array]] = {
    "boolean": _boolean,
    "bytes": _bytes,
    "double": lambda cursor: pa.array(cursor.fixed(8, np.float64)),
    "float": lambda cursor: pa.array(cursor.fixed(4, np.float32)),
    "int": _int,
    "long": lambda cursor: pa.array(cursor.longs()),
    "string": _string,
}
