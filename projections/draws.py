"""Draws: which of several weighted items a replica group takes, by straw2 in integers.

Rule: a draw is a function of the RG's number, the item's key and the item's
weight alone, computed in unsigned integers, so that every machine and every
language gets the same bits. An item whose weight changes can only win or lose
RGs itself: no other item's draw moves.

What is not here: the same for a million RGs at once (see `projections.ranking`),
and which items compete (see `projections.placement`).

The definition, all of it modulo 2^64, `//` and `>>` rounding down:

    mix(x)        x ^= x >> 30;  x *= 0xBF58476D1CE4E5B9
                  x ^= x >> 27;  x *= 0x94D049BB133111EB
                  x ^= x >> 31                          (the finaliser of splitmix64)
    seed(rg)      mix((rg + 1) * 0x9E3779B97F4A7C15)
    key(text)     the first 8 bytes, little-endian, of MD5(text in UTF-8)
    hash          mix(seed(rg) ^ key)
    COST[i]       10 * 2^60 - floor(2^60 * log2(1024 - i))   for i in 0..1023
    COST[1024]    11 * 2^60
    STEP[i]       (COST[i + 1] - COST[i]) >> 28              for i in 0..1023
    cost(hash)    COST[hash >> 54] + ((STEP[hash >> 54] * ((hash >> 22) & 0xFFFFFFFF)) >> 4)
    draw          cost(hash) // weight

Of several items that with the smallest (draw, hash, place in the list) is the
first, and so on. cost(hash) approximates -log2(1 - hash / 2^64) in 1/2^60 by
chords, so a draw is exponentially distributed with rate `weight`, and the
smallest of them falls to an item in proportion to its weight: straw2 of Ceph,
turned round so that the smallest wins. Cost never falls as the hash grows, so
items of equal weight stand in the order of their hashes, and only the best of
each weight need a cost.
"""

import hashlib
from functools import cache
from itertools import pairwise
from typing import NamedTuple

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
MIX_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
MIX_LAST_SHIFT = 31

MAX_WEIGHT = 1 << 32
"""65,536 times WEIGHT_ONE. Above 2^48 for all items together, draws become too coarse."""

CELL_SHIFT = 54
REST_SHIFT = 22
REST_MASK = 0xFFFFFFFF
STEP_SHIFT = 4

_CELL_BITS = 10
_COST_BITS = 60
_GUARD_BITS = 136
"""Bits of the mantissa that is squared 60 times; each squaring spoils about one."""


class Item(NamedTuple):
    """What competes: its key and its weight, more than 0."""

    key: int
    weight: int


def mix(word: int) -> int:
    """The finaliser of splitmix64: a bijection of 64-bit words."""
    for shift, factor in MIX_STEPS:
        word = (word ^ (word >> shift)) * factor & WORD
    return word ^ (word >> MIX_LAST_SHIFT)


def seed(rg: int) -> int:
    """The RG's part of every hash."""
    return mix((rg + 1) * GOLDEN & WORD)


def key(text: str) -> int:
    """An item's part of every hash; nothing rests on MD5's strength."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little")


def draw(rg_seed: int, item: Item) -> tuple[int, int]:
    """(draw, hash) of one item: the smaller pair comes first."""
    hashed = mix(rg_seed ^ item.key)
    costs, steps = cost_table()
    cell, rest = hashed >> CELL_SHIFT, hashed >> REST_SHIFT & REST_MASK
    return (costs[cell] + (steps[cell] * rest >> STEP_SHIFT)) // item.weight, hashed


@cache
def cost_table() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """COST (without its last) and STEP of the definition above."""
    cells = 1 << _CELL_BITS
    top = _CELL_BITS << _COST_BITS
    costs = [top - _log2_fixed(cells - cell) for cell in range(cells)]
    costs.append((_CELL_BITS + 1) << _COST_BITS)
    steps = (after - cost >> 28 for cost, after in pairwise(costs))
    return tuple(costs[:-1]), tuple(steps)


@cache
def _log2_fixed(number: int) -> int:
    """floor(2^60 * log2(number)) by repeated squaring; no floating point."""
    if number % 2 == 0:
        return _log2_fixed(number // 2) + (1 << _COST_BITS)
    whole = number.bit_length() - 1
    mantissa = number << (_GUARD_BITS - whole)
    fraction = 0
    for _ in range(_COST_BITS):
        mantissa = mantissa * mantissa >> _GUARD_BITS
        bit = mantissa >> (_GUARD_BITS + 1)
        mantissa >>= bit
        fraction = fraction << 1 | bit
    return (whole << _COST_BITS) | fraction
