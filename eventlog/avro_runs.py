"""Runs: records one after the other that say the same in a field.

Rule: Avro is a prefix code. Two records that have the same bytes here, so many
as the first one's value takes, have the same value, whatever follows it. Events
of one RG mostly have the fence, the stores and the media type of the event
before, so these are read once for all of a run and not once for each.

What is not here: reading the values (see `eventlog.avro_columns`).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from eventlog.avro_cursor import PADDING, WORD, Bools, Cursor, Longs

_SAMPLE = 128
"""Records that are looked at first: fewer are not worth it, and they tell what to expect."""
_WORTH = 3
"""A run must have so many records on average."""
_PAUSE = 15
"""Where there were no runs, so many lots are read without looking for any."""

Read = Callable[[Cursor], pa.Array]


class Said(NamedTuple):
    """What the first of many records said in a field."""

    octets: bytes
    value: pa.Array


class Runs:
    """The runs of one field, in one lot of records after the other."""

    def __init__(self, read: Read) -> None:
        """`read`: how the next values of some records are read."""
        self._read = read
        self._first = Said(b"", pa.nulls(0))
        self._pause = 0

    def read(self, cursor: Cursor) -> pa.Array:
        """What is next of each record, but only once for each run where that is less work."""
        if self._pause or len(cursor) < _SAMPLE:
            self._pause = max(self._pause - 1, 0)
            return self._read(cursor)
        changes = self._changes(cursor)
        if changes is None:
            self._pause = _PAUSE
            return self._read(cursor)
        heads = np.flatnonzero(changes)
        if len(heads) == 1:
            cursor.skip(len(self._first.octets))
            return repeated(self._first.value, np.zeros(len(cursor), np.int64))
        part = cursor.part(heads)
        values = self._read(part)
        if part.is_bad.any():
            return self._read(cursor)
        return self._spread(cursor, values, part.at - cursor.at[heads], np.cumsum(changes) - 1)

    def _changes(self, cursor: Cursor) -> Bools | None:
        """Which records say another thing than the one before; None where too many do."""
        length = self._length(cursor)
        if not length or _are_too_many(_differ(cursor.part(np.arange(_SAMPLE)), length)):
            return None
        changes = _differ(cursor, length)
        return None if _are_too_many(changes) else changes

    def _length(self, cursor: Cursor) -> int:
        """How many bytes the first record's value takes; 0 where that cannot be said."""
        octets = cursor.octets(cursor.at[0] + np.arange(len(PADDING))).tobytes()
        if self._first.octets and octets.startswith(self._first.octets):
            return len(self._first.octets)
        # Read from a copy, so that what is kept of it does not keep all others.
        start = np.full(1, WORD)
        first = Cursor(pa.py_buffer(bytes(WORD) + octets + PADDING), start, start + len(octets))
        value = self._read(first)
        length = int(first.at[0]) - WORD
        if first.is_bad[0]:
            return 0
        self._first = Said(octets[:length], value)
        return length

    def _spread(self, cursor: Cursor, values: pa.Array, lengths: Longs, owner: Longs) -> pa.Array:
        """The heads' values for all of their runs."""
        is_longer = lengths > len(self._first.octets)
        cursor.skip(np.where(is_longer, 0, lengths)[owner])
        if is_longer.any():  # than what was compared: these may differ further on
            others = np.flatnonzero(is_longer[owner])
            rest = cursor.part(others)
            owner[others] = len(values) + np.arange(len(others))
            values = pa.concat_arrays([values, self._read(rest)])
            cursor.rejoin(others, rest)
        return repeated(values, owner)


def _differ(cursor: Cursor, length: int) -> Bools:
    windows = cursor.windows(-(-length // WORD))
    windows[:, -1] <<= np.uint64(8 * (-length % WORD))  # what follows does not count
    found = np.zeros(len(cursor), np.bool_)
    found[0] = True
    for column in windows.T:
        found[1:] |= column[1:] != column[:-1]
    return found


def _are_too_many(changes: Bools) -> bool:
    return bool(np.count_nonzero(changes) * _WORTH > len(changes))


def repeated(array: pa.Array, index: Longs) -> pa.Array:
    """The values at these places; of views too, which Arrow itself does not take."""
    kind = array.type
    if kind in (pa.string_view(), pa.binary_view()):
        views = np.frombuffer(array.buffers()[1], "V16")[array.offset :][index]
        buffers = [_validity(array, index), pa.py_buffer(views), *array.buffers()[2:]]
        return pa.Array.from_buffers(kind, len(index), buffers)
    if pa.types.is_struct(kind):
        children = [repeated(array.field(number), index) for number in range(kind.num_fields)]
        buffers = [_validity(array, index)]
        return pa.Array.from_buffers(kind, len(index), buffers, children=children)
    if pa.types.is_integer(kind) and not array.null_count:
        return pa.array(array.to_numpy()[index])  # three times as fast as Arrow's own
    return array.take(pa.array(index))


def _validity(array: pa.Array, index: Longs) -> pa.Buffer | None:
    if not array.null_count:
        return None
    is_valid = array.is_valid().to_numpy(zero_copy_only=False)
    return pa.py_buffer(np.packbits(is_valid[index], bitorder="little"))
