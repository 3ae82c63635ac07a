"""Arrays: the few things that every part of a bulk fold does with them.

Rule: numbers are 64 bits wide, sums of weights wrap at 2^64 as
`projections.holdings` says; nothing here knows what an array means.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Longs = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Octets = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

Array = TypeVar("Array", bound=npt.NDArray[Any])

_LEAST = 1_024


def grown(array: Array, size: int) -> Array:
    """The same array with room for so many rows at least; what is added is zero (or None).

    It grows where it lies, so that large ones are not copied: nobody may hold a view of it.
    """
    before = len(array)
    if size > before:
        room = max(size, before + before // 4, _LEAST)
        array.resize((room, *array.shape[1:]), refcheck=False)
        if array.dtype == np.object_:
            array[before:] = None
    return array


def rows_at(table: Array, rows: Longs) -> Array:
    """Some rows of a table of several columns: an index as numpy has it takes ten times as long."""
    return table.take(rows, axis=0)  # type: ignore[return-value]


def put_rows(table: Array, rows: Longs, values: Array) -> None:
    """Put other values into some rows: each row is moved as a whole."""
    kind = f"V{table.itemsize * table.shape[1]}"
    table.view(kind)[:, 0][rows] = np.ascontiguousarray(values).view(kind)[:, 0]


def is_any(table: Bools) -> Bools:
    """Of each row, whether it has a true value; faster than numpy's own for few columns."""
    found = np.zeros(len(table), np.bool_)
    for column in table.T:
        found |= column
    return found


def numbered(values: Longs) -> tuple[Longs, Longs]:
    """The different values in order, and the number of each: by hashing, not by sorting."""
    shared = pa.array(values).dictionary_encode()
    found = shared.dictionary.to_numpy()
    order = np.argsort(found)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return found[order], rank[shared.indices.to_numpy()]


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


def plain_texts(table: pa.Table, name: str, is_kept: Bools) -> pa.Array:
    """Some rows of a column of texts, no longer views."""
    found = table[name].combine_chunks().cast(pa.string())
    return found if is_kept.all() else found.filter(pa.array(is_kept))


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
