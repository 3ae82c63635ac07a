"""The sums of many records of an SQLite log, compared at once.

Rule: CRC-32 is linear. What a byte does to the sum of all that follows it
depends on how far away the end is and on nothing else. So the sum over the
bytes of many records, which one call finds, is known from the records' own
sums: one wrong record makes the two differ as surely as it makes its own sum
differ, and several hide each other once in 2^32 times.

A sum is inverted before and after; here it never is, and is called a register.
What is not here: reading records one by one, and saying which of them is wrong
(`eventlog.sqlite_read`, `eventlog.sqlite_chunks`).
"""

from functools import cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from eventlog.avro_cursor import Longs
from eventlog.ids import Partition, Topic
from eventlog.sqlite_read import pack_place, seed_of

Registers = npt.NDArray[np.uint32]

KEY_BYTES = 4
"""Of the key of every record of an RG."""

_ALL = 0xFFFFFFFF
_PLACE_BYTES = len(pack_place(0, 0, 0))
_TIMESTAMP_BYTES = 8
_KEY_LENGTH_BYTES = 4
_DIGITS = 256
"""A distance is gone in steps of 1 byte, of 256, and so on: a digit says how many of each."""


class Sums(NamedTuple):
    """Records of RGs, with the sum that each is said to have."""

    partitions: Longs
    offsets: Longs
    timestamps: Longs
    ends: Longs
    """Where the key and value of each end in their bytes."""
    sums: Longs


def do_match(found: Sums, octets: bytes, seeds: Registers) -> bool:
    """Whether these sums are those of the records whose keys and values are in `octets`."""
    before = _before(found, seeds)
    after = (found.sums ^ _ALL).astype(np.uint32)
    words = np.concatenate([before[:1], after[:-1] ^ before[1:], after[-1:]])
    distances = len(octets) - np.concatenate([[0], found.ends])
    return _moved_together(words, distances) == crc32(octets, _ALL) ^ _ALL


def seeds_of(partitions: int) -> Registers:
    """For each partition, the register before a record that stands at 0, at the time 0."""
    names = range(partitions)
    sums = np.array([seed_of(Topic.RG, Partition(name)) for name in names], np.uint32)
    moved = _moved(~sums, np.full(partitions, _PLACE_BYTES), _table(0))
    moved ^= _table(0)[_KEY_LENGTH_BYTES, 0, KEY_BYTES]
    return moved


def _before(found: Sums, seeds: Registers) -> Registers:
    """The register before the key of each record: its place is behind it."""
    registers: Registers = seeds[found.partitions]
    distance = _PLACE_BYTES
    for column in (found.offsets, found.timestamps):
        octets = column.astype("<i8").view(np.uint8).reshape(-1, _TIMESTAMP_BYTES)
        for place in range(_TIMESTAMP_BYTES):
            if octets[:, place].any():  # zeros do nothing
                registers ^= _table(0)[distance - place, 0][octets[:, place]]
        distance -= _TIMESTAMP_BYTES
    return registers


def _moved_together(words: Registers, distances: Longs) -> int:
    """The sum of registers that are so far from the end; distances do not ascend."""
    level = 0
    while distances[0]:
        words = _moved(words, distances % _DIGITS, _table(level))
        distances, level = distances // _DIGITS, level + 1
        starts = np.flatnonzero(np.diff(distances, prepend=distances[0] + 1))
        words, distances = np.bitwise_xor.reduceat(words, starts), distances[starts]
    return int(np.bitwise_xor.reduce(words))


def _moved(words: Registers, digits: Longs, table: Registers) -> Registers:
    """What each register is so many steps on, over zeros."""
    flat, rows = table.reshape(-1), digits * table[0].size
    octets = words.astype("<u4").view(np.uint8).reshape(-1, 4)
    found: Registers = flat[rows + octets[:, 0]]
    for place in range(1, 4):
        found ^= flat[rows + (256 * place) + octets[:, place]]
    return found


@cache
def _table(level: int) -> Registers:
    """By digit, place in the register and byte there: what it is so many steps of 256^level on."""
    table = np.zeros((_DIGITS, 4, 256), np.uint32)
    table[0] = np.arange(256) << 8 * np.arange(4)[:, None]
    for digit in range(1, _DIGITS):
        table[digit] = _a_step_on(table[digit - 1].reshape(-1), level).reshape(4, 256)
    return table


def _a_step_on(words: Registers, level: int) -> Registers:
    if level == 0:
        return _moved_by_a_byte(words)
    below = _table(level - 1)
    almost = _moved(words, np.full(len(words), _DIGITS - 1), below)
    return _moved(almost, np.full(len(words), 1), below)


def _moved_by_a_byte(words: Registers) -> Registers:
    known = np.array([crc32(bytes([n]), _ALL) ^ _ALL for n in range(256)], np.uint32)
    found: Registers = known[words & 0xFF] ^ (words >> 8)
    return found
