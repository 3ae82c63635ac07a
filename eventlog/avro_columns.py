"""Avro in columns: one field of many records at a time.

Rule: every step does the same to all records at hand, so that its cost is
shared; nothing here is a loop over records. A record whose bytes are not what
the schema says is marked as bad and read on as if it were empty; it never
changes what is read of another one.

The encoding is that of the Avro specification 1.11, "Binary Encoding". Texts
and bytes are views into the bytes they came in, and keep those alive.

What is not here: which schema to read with (see `eventlog.columns`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

PADDING = bytes(64)
"""What must follow the records' bytes: a word can be read at any of them, and a null is read here.

Zeros are an empty value of every type, so what is null is read as all others are.
"""

MAX_BYTES = 2**31 - 1 - len(PADDING)
"""Of one buffer: views have 32-bit offsets."""

_WORD = 8
_INLINE = 12
"""Bytes up to which Arrow keeps a text in the view itself."""

_HIGH = np.uint64(0x8080808080808080)
_SQUEEZES = (
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
)
"""Low halves, high halves, and how far these move: groups of 7, 14 and 28 bits join."""

_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(_WORD + 1)], np.uint64)
_ONE, _THREE, _THIRTY_TWO = np.uint64(1), np.uint64(3), np.uint64(32)
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1

Type = Any
"""A schema as fastavro parsed it: a name, a list (a union), or a dict."""


class Unreadable(Exception):
    """A schema has a type that is not read in columns; none of ours has."""


class Bytes(NamedTuple):
    """Records' bytes in one buffer, which ends with `PADDING`."""

    data: pa.Buffer
    starts: Longs
    ends: Longs


class Decoded(NamedTuple):
    """What was read: a column for each field, and which records are bad."""

    columns: dict[str, pa.Array]
    is_bad: Bools


def decode(schema: Type, given: Bytes) -> Decoded:
    """The datum of each record; its fields are columns, records in it are structs."""
    assert given.data.size <= MAX_BYTES + len(PADDING), "the buffer is too large for views"
    cursor = Cursor(given.data, given.starts.copy(), given.ends)
    read = Reader(schema)
    columns = {field["name"]: read.column(field["type"], cursor) for field in schema["fields"]}
    cursor.is_bad |= cursor.at != given.ends
    return Decoded(columns, cursor.is_bad)


class Cursor:
    """Where the next field of each record begins."""

    def __init__(self, data: pa.Buffer, at: Longs, ends: Longs) -> None:
        self.data = data
        self.at = at
        self.ends = ends
        self.is_bad = at > ends
        self._bytes = np.frombuffer(data, np.uint8)
        self._words: Words = np.ndarray((data.size - _WORD + 1,), "<u8", data, strides=(1,))

    def __len__(self) -> int:
        return len(self.at)

    def part(self, index: Longs) -> "Cursor":
        """The same for some of the records; `rejoin` takes back where it got."""
        return Cursor(self.data, self.at[index], self.ends[index])

    def with_nulls(self, is_null: Bools) -> "Cursor":
        """The same, but what is null is read from the padding."""
        zeros = self.data.size - len(PADDING)
        at = np.where(is_null, zeros, self.at)
        return Cursor(self.data, at, np.where(is_null, zeros + len(PADDING), self.ends))

    def rejoin(self, index: Longs, part: "Cursor") -> None:
        """Go on with these records where a part got."""
        self.at[index] = part.at
        self.is_bad[index] |= part.is_bad

    def condemn(self, is_bad: Bools) -> None:
        """Mark records as bad; from here on they are empty."""
        if is_bad.any():
            self.is_bad |= is_bad
            self.at[is_bad] = self.ends[is_bad]

    def skip(self, length: Longs | int) -> None:
        """Go on by so many bytes; beyond a record's end it is bad."""
        self.at += length
        self.condemn(self.at > self.ends)

    def octets(self, place: Longs) -> npt.NDArray[np.uint8]:
        """The bytes at these places of the buffer."""
        return self._bytes[place]

    def longs(self) -> Longs:
        """The next `long` (or `int`) of each: a zigzag number in groups of 7 bits."""
        first = self._bytes[self.at]
        if len(first) and first.max() >= 128:
            raw, length = self._long_words()
        else:
            raw, length = first.astype(np.uint64), np.ones(len(first), np.int64)
        self.skip(length)
        return ((raw >> _ONE) ^ (np.uint64(0) - (raw & _ONE))).view(np.int64)

    def _long_words(self) -> tuple[Words, Longs]:
        word = self._words[self.at]
        stop = ~word & _HIGH
        mask = stop ^ (stop - _ONE)
        word &= mask & ~_HIGH
        for low, high, by in _SQUEEZES:
            word = (word & low) | ((word & high) >> by)
        length = (np.bitwise_count(mask) >> np.uint8(3)).astype(np.int64)
        longer = np.flatnonzero(stop == 0)
        if len(longer):
            self._add_tail(longer, word, length)
        return word, length

    def _add_tail(self, longer: Longs, word: Words, length: Longs) -> None:
        """Bytes 9 and 10, which only numbers of 57 bits and more have."""
        at = self.at[longer] + _WORD
        ninth, tenth = (self._bytes[at + n].astype(np.uint64) for n in (0, 1))
        has_tenth = ninth >= 128
        word[longer] |= (ninth & np.uint64(0x7F)) << np.uint64(56)
        word[longer] |= np.where(has_tenth, tenth & _ONE, np.uint64(0)) << np.uint64(63)
        # A number that is too long is made to end nowhere.
        length[longer] = np.where(has_tenth & (tenth > 1), MAX_BYTES, 9 + has_tenth)

    def fixed(self, size: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """The next `size` bytes of each, as numbers of that kind."""
        found = self._words[self.at].view(kind)[:: _WORD // size].copy()
        self.skip(size)
        return found

    def views(self, length: Longs) -> pa.Buffer:
        """Arrow's views of the next bytes of each, so many as `length` says."""
        self.condemn((length < 0) | (length > self.ends - self.at))
        start = self.at
        length = np.where(self.is_bad, 0, length)
        self.at = start + length
        views = np.empty((len(start), 2), np.uint64)
        prefix = self._words[start] & _MASKS[np.minimum(length, 4)]
        views[:, 0] = length.astype(np.uint64) | (prefix << _THIRTY_TWO)
        rest = self._words[start + 4] & _MASKS[np.clip(length - 4, 0, _WORD)]
        views[:, 1] = np.where(length > _INLINE, start.astype(np.uint64) << _THIRTY_TWO, rest)
        return pa.py_buffer(views)


class Reader:
    """Reads the types of one schema, whose named types may be used again by name."""

    def __init__(self, schema: Type) -> None:
        self._named: dict[str, Type] = {}
        self._learn(schema)

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
            return _list_of_longs(cursor)
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
        index = np.arange(len(cursor))
        part = cursor.part(index)
        left = np.zeros(len(cursor), np.int64)
        owners: list[Longs] = []
        columns = [[array] for array in read(cursor.part(index[:0]))]
        while len(index):
            _begin_blocks(part, left)
            is_over = left == 0
            cursor.rejoin(index[is_over], part.part(np.flatnonzero(is_over)))
            cursor.is_bad[index] |= part.is_bad
            going = np.flatnonzero(~is_over)
            index, part, left = index[going], part.part(going), left[going] - 1
            if len(index):
                owners.append(index)
                for column, array in zip(columns, read(part), strict=True):
                    column.append(array)
        return _by_owner(len(cursor), owners, columns)


def _list_of_longs(cursor: Cursor) -> pa.Array:
    """Numbers may be many in a list, so all of a block are read at once: each ends below 128."""
    index = np.arange(len(cursor))
    part = cursor.part(index)
    owners, found = [index[:0]], [index[:0]]
    while len(index):
        left = np.zeros(len(index), np.int64)
        _begin_blocks(part, left)
        is_over = left == 0
        cursor.rejoin(index[is_over], part.part(np.flatnonzero(is_over)))
        cursor.is_bad[index] |= part.is_bad
        going = np.flatnonzero(~is_over)
        index, part, left = index[going], part.part(going), left[going]
        if len(index):
            owner, values = _block_of_longs(part, left)
            owners.append(index[owner])
            found.append(values)
            cursor.is_bad[index] |= part.is_bad
    return pa.ListArray.from_arrays(*_in_order(len(cursor), owners, found))


def _block_of_longs(part: Cursor, left: Longs) -> tuple[Longs, Longs]:
    """So many numbers of each record, and whose each one is."""
    sizes = part.ends - part.at
    firsts = np.cumsum(sizes) - sizes
    owner = np.repeat(np.arange(len(part)), sizes)
    place = np.arange(len(owner)) + (part.at - firsts)[owner]
    is_last = part.octets(place) < 128
    before = np.concatenate([[0], np.cumsum(is_last)])
    number = before[1:] - before[firsts][owner]
    chosen = np.flatnonzero(is_last & (number <= left[owner]))
    whose, ends = owner[chosen], place[chosen] + 1
    is_first = np.diff(whose, prepend=-1) != 0
    starts = np.where(is_first, part.at[whose], np.concatenate([[0], ends[:-1]]))
    items = Cursor(part.data, starts, ends)
    values = items.longs()
    counts = np.bincount(whose, minlength=len(part))
    part.at = np.where(counts > 0, ends[np.cumsum(counts) - 1], part.at) if len(ends) else part.at
    is_bad = counts < left
    is_bad[whose[items.is_bad]] = True
    part.condemn(is_bad)
    return whose, values


def _in_order(records: int, owners: list[Longs], found: list[Longs]) -> tuple[pa.Array, pa.Array]:
    owner, values = np.concatenate(owners), np.concatenate(found)
    offsets = np.zeros(records + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=records), out=offsets[1:])
    return pa.array(offsets), pa.array(values[np.argsort(owner, kind="stable")])


def _begin_blocks(part: Cursor, left: Longs) -> None:
    """Where a block is used up, read how long the next one is; 0 is the end."""
    index = np.flatnonzero(left == 0)
    fresh = part.part(index)
    count = fresh.longs()
    sized = np.flatnonzero(count < 0)  # then the block's size in bytes follows
    if len(sized):
        inner = fresh.part(sized)
        inner.longs()
        fresh.rejoin(sized, inner)
    count = np.abs(count)
    # Every item of ours has a byte at least.
    fresh.condemn(count > fresh.ends - fresh.at)
    left[index] = np.where(fresh.is_bad, 0, count)
    part.rejoin(index, fresh)


def _by_owner(
    records: int, owners: list[Longs], columns: list[list[pa.Array]]
) -> tuple[pa.Array, list[pa.Array]]:
    """Items that were read round by round, in the order of their records."""
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int64)
    offsets = np.zeros(records + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=records), out=offsets[1:])
    joined = [_movable(pa.concat_arrays(column)) for column in columns]
    if len(owners) > 1:
        order = pa.array(np.argsort(owner, kind="stable"))
        joined = [array.take(order) for array in joined]
    return pa.array(offsets), joined


def _movable(array: pa.Array) -> pa.Array:
    """Arrow cannot reorder views; those in lists are few, and are copied."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return array.cast(plain[array.type]) if array.type in plain else array


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
    before = cursor.at.copy()
    found = _viewed(cursor, cursor.longs(), pa.string_view())
    try:
        found.validate(full=True)
    except pa.ArrowInvalid:
        cursor.condemn(_not_unicode(found.cast(pa.binary_view())))
        cursor.at = np.where(cursor.is_bad, before, cursor.at)
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
