"""Weights of many copies at once: MD5 of short texts, in arrays.

Rule: each is what `projections.holdings.weight` says of it. RFC 1321 on a
block for each text, which has 41 bytes at the most and so needs no second one.
Every step is done to some thousand texts together, which stay in a
processor's cache from the first step to the last.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from projections.bulk.arrays import Longs, Octets, Words, put_rows

_TOGETHER = 16_384
_BLOCK = 64
_COLON, _ZERO, _END = ord(":"), ord("0"), 0x80

_Halves = npt.NDArray[np.uint32]

_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SHIFTS = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
_ADDED = (
    0xD76AA478,
    0xE8C7B756,
    0x242070DB,
    0xC1BDCEEE,
    0xF57C0FAF,
    0x4787C62A,
    0xA8304613,
    0xFD469501,
    0x698098D8,
    0x8B44F7AF,
    0xFFFF5BB1,
    0x895CD7BE,
    0x6B901122,
    0xFD987193,
    0xA679438E,
    0x49B40821,
    0xF61E2562,
    0xC040B340,
    0x265E5A51,
    0xE9B6C7AA,
    0xD62F105D,
    0x02441453,
    0xD8A1E681,
    0xE7D3FBC8,
    0x21E1CDE6,
    0xC33707D6,
    0xF4D50D87,
    0x455A14ED,
    0xA9E3E905,
    0xFCEFA3F8,
    0x676F02D9,
    0x8D2A4C8A,
    0xFFFA3942,
    0x8771F681,
    0x6D9D6122,
    0xFDE5380C,
    0xA4BEEA44,
    0x4BDECFA9,
    0xF6BB4B60,
    0xBEBFBC70,
    0x289B7EC6,
    0xEAA127FA,
    0xD4EF3085,
    0x04881D05,
    0xD9D4D039,
    0xE6DB99E5,
    0x1FA27CF8,
    0xC4AC5665,
    0xF4292244,
    0x432AFF97,
    0xAB9423A7,
    0xFC93A039,
    0x655B59C3,
    0x8F0CCC92,
    0xFFEFF47D,
    0x85845DD1,
    0x6FA87E4F,
    0xFE2CE6E0,
    0xA3014314,
    0x4E0811A1,
    0xF7537E82,
    0xBD3AF235,
    0x2AD7D2BB,
    0xEB86D391,
)
"""The integer part of 2^32 times the sine of each step's number, as RFC 1321 has them."""


def weights_of(rgs: Longs, versions: Longs) -> Words:
    """The weight of each (rg, version)."""
    found = np.empty(len(rgs), np.uint64)
    for start in range(0, len(rgs), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        found[part] = _weights(_texts(rgs[part], versions[part]))
    return found


def _texts(rgs: Longs, versions: Longs) -> Octets:
    """The block of each: `rg:version` in decimal, a bit, and how long it is."""
    blocks = np.zeros((len(rgs), _BLOCK), np.uint8)
    for index, before, after in _alike(_digits(rgs), _digits(versions)):
        own = np.zeros((len(index), _BLOCK), np.uint8)
        _write(own, rgs[index], before)
        own[:, before] = _COLON
        _write(own, versions[index], before + 1 + after)
        own[:, before + 1 + after] = _END
        bits = 8 * (before + 1 + after)
        own[:, 56], own[:, 57] = bits & 0xFF, bits >> 8
        put_rows(blocks, index, own)
    return blocks


def _digits(numbers: Longs) -> Longs:
    size, least = np.ones(len(numbers), np.int64), 10
    while (numbers >= least).any():
        size += numbers >= least
        least *= 10
    return size


def _alike(before: Longs, after: Longs) -> Iterator[tuple[Longs, int, int]]:
    """Those whose texts have their parts at the same places."""
    both = before << 8 | after
    for value in np.flatnonzero(np.bincount(both)).tolist():
        yield np.flatnonzero(both == value), value >> 8, value & 0xFF


def _write(blocks: Octets, numbers: Longs, end: int) -> None:
    """The digits of each number, the last one before `end`."""
    left, place = numbers, end
    while True:
        place -= 1
        rest = left // 10  # many times as fast as divmod
        blocks[:, place] = left - 10 * rest + _ZERO
        left = rest
        if not left.any():
            return


def _weights(blocks: Octets) -> Words:
    words: _Halves = np.ascontiguousarray(blocks.view("<u4").T)
    a, b, c, d = (np.full(len(blocks), value, np.uint32) for value in _START)
    for step in range(64):
        mixed, place = _mixed(step, b, c, d)
        mixed += a
        mixed += words[place]
        mixed += np.uint32(_ADDED[step])
        shift = np.uint32(_SHIFTS[step >> 4][step & 3])
        turned = mixed << shift
        mixed >>= np.uint32(32) - shift
        turned |= mixed
        turned += b
        a, d, c, b = d, c, b, turned
    first = (a + np.uint32(_START[0])).astype(np.uint64)
    found: Words = first | (b + np.uint32(_START[1])).astype(np.uint64) << np.uint64(32)
    return found


def _mixed(step: int, b: _Halves, c: _Halves, d: _Halves) -> tuple[_Halves, int]:
    """The step's function of three, and which word of the block it takes."""
    match step >> 4:
        case 0:
            return d ^ (b & (c ^ d)), step
        case 1:
            return c ^ (d & (b ^ c)), (5 * step + 1) % 16
        case 2:
            return b ^ c ^ d, (3 * step + 5) % 16
        case _:
            return c ^ (b | ~d), 7 * step % 16
