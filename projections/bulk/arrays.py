"""Arrays: the few things that every part of a bulk fold does with them.

Rule: numbers are 64 bits wide, sums of weights wrap at 2^64 as
`projections.holdings` says; nothing here knows what an array means.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Longs = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Octets = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.int8]
"""By how much something grows: -1, 0 or 1."""
Bools = npt.NDArray[np.bool_]

_LEAST = 1_024


def grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The same with room for so many rows at least; what is added is zero (or None)."""
    if size <= len(array):
        return array
    room = max(size, len(array) + len(array) // 2, _LEAST)
    if array.dtype == np.object_:
        made = np.full(room, None, np.object_)
    else:
        made = np.zeros((room, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made


def longs(table: pa.Table, name: str, *fields: str) -> Longs:
    """A column of numbers, or of one field of its records."""
    column = table[name].combine_chunks()
    for field in fields:
        column = column.field(field)
    found: Longs = column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return found


def lists(table: pa.Table, name: str) -> tuple[pa.Array, Longs]:
    """A column of lists: all items in order, and how many each row has."""
    column = table[name].combine_chunks()
    ends = column.offsets.to_numpy().astype(np.int64)
    return column.values.slice(int(ends[0]), int(ends[-1] - ends[0])), np.diff(ends)


def texts(table: pa.Table, name: str) -> tuple[Longs, list[str]]:
    """A column of texts that many rows share: each row's number (-1 is null), and the texts."""
    column = table[name].combine_chunks()
    if column.null_count == len(column):
        return np.full(len(column), -1, np.int64), []
    shared = column.cast(pa.string()).dictionary_encode()
    numbers: Longs = shared.indices.fill_null(-1).to_numpy().astype(np.int64)
    return numbers, shared.dictionary.to_pylist()


def octets(table: pa.Table, name: str, size: int) -> Octets:
    """A column of byte strings that are all of this size."""
    column = table[name].combine_chunks().cast(pa.binary())
    data = column.buffers()[2]
    if not len(column) or data is None:
        return np.zeros((0, size), np.uint8)
    begin = column.offset * size
    return np.frombuffer(data, np.uint8)[begin : begin + len(column) * size].reshape(-1, size)


def rows_where(table: pa.Table, is_kept: Bools) -> pa.Table:
    """Some rows of a table, its texts and bytes no longer views."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    fields = [field.with_type(plain.get(field.type, field.type)) for field in table.schema]
    return table.cast(pa.schema(fields)).filter(pa.array(is_kept))
