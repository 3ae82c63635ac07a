"""Lists of many records at once: the blocks they come in, and whose each item is.

Rule: as in `eventlog.avro_cursor`. A block says how many items follow; an
empty one is the end.

What is not here: reading the items (see `eventlog.avro_columns`), but for
numbers, of which a list may have so many that they are read all at once.
"""

import numpy as np
import pyarrow as pa

from eventlog.avro_cursor import Cursor, Longs


def begin_blocks(cursor: Cursor) -> Longs:
    """How many items the next block has, of each record; 0 is the list's end."""
    count = cursor.longs()
    if len(count) and count.min() < 0:
        sized = np.flatnonzero(count < 0)  # then the block's size in bytes follows
        inner = cursor.part(sized)
        inner.longs()
        cursor.rejoin(sized, inner)
        count = np.abs(count)
    # Every item of ours has a byte at least.
    cursor.condemn(count > cursor.ends - cursor.at)
    return np.where(cursor.is_bad, 0, count)


def by_owner(
    records: int, owners: list[Longs], columns: list[list[pa.Array]]
) -> tuple[pa.Array, list[pa.Array]]:
    """Items that were read round by round, in the order of their records."""
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int64)
    joined = [_movable(pa.concat_arrays(column)) for column in columns]
    if len(owners) > 1:
        order = pa.array(np.argsort(owner, kind="stable"))
        joined = [array.take(order) for array in joined]
    return _offsets(records, owner), joined


def _offsets(records: int, owner: Longs) -> pa.Array:
    offsets = np.zeros(records + 1, np.int32)
    if len(owner):
        np.cumsum(np.bincount(owner, minlength=records), out=offsets[1:])
    return pa.array(offsets)


def _movable(array: pa.Array) -> pa.Array:
    """Arrow cannot reorder views; those in lists are few, and are copied."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return array.cast(plain[array.type]) if array.type in plain else array


def list_of_longs(cursor: Cursor) -> pa.Array:
    """A list of numbers of each record; all of a block are read at once."""
    index = np.arange(len(cursor))
    part = cursor.part(index)
    owners, found = [index[:0]], [index[:0]]
    while len(index):
        left = begin_blocks(part)
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
    owner, values = np.concatenate(owners), np.concatenate(found)
    if len(owners) > 2:
        values = values[np.argsort(owner, kind="stable")]
    return pa.ListArray.from_arrays(_offsets(len(cursor), owner), pa.array(values))


def _block_of_longs(part: Cursor, left: Longs) -> tuple[Longs, Longs]:
    """So many numbers of each record, and whose each one is: each ends below 128."""
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
