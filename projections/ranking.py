"""Ranking: the draws of very many RGs at once, in numpy.

Rule: the result is, bit for bit, what `projections.draws` defines; only
unsigned 64-bit integers are computed with. What is worked on is one chunk of
RGs in buffers that are used again, so that it stays in the core's cache.

What is not here: which items compete (see `projections.placement`).

Two short cuts, both exact. Among items of one weight the order is that of the
hashes, so only the best of each weight need a draw. And cost(hash) is at
least (hash >> 22) << 18, because every STEP is at least 2^22 and COST[i] at
least the sum of the steps before it; so an item whose draw could not be small
enough is passed over without looking up its cost.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from projections.draws import (
    CELL_SHIFT,
    GOLDEN,
    MIX_LAST_SHIFT,
    MIX_STEPS,
    REST_MASK,
    REST_SHIFT,
    STEP_SHIFT,
    Item,
    cost_table,
)

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Lane = Words | Numbers

CHUNK = 1 << 14
"""RGs handled at a time."""

SPARSE = 8
"""Where an item has hope in less than one RG of so many, only those are looked at."""

_LEAST_SHIFT = 18
"""Of the lower bound of a cost."""


@lru_cache(maxsize=1)
def seeds(rg_count: int) -> Words:
    """The seeds of RGs 0 to rg_count - 1; read-only, since they are remembered."""
    words = np.arange(1, rg_count + 1, dtype=np.uint64)
    spare = np.empty(min(CHUNK, rg_count), np.uint64)
    for start in range(0, rg_count, CHUNK):
        chunk = words[start : start + CHUNK]
        np.multiply(chunk, np.uint64(GOLDEN), out=chunk)
        _mix(chunk, spare[: len(chunk)])
    words.flags.writeable = False
    return words


def best(rg_seeds: Words, items: Sequence[Item], count: int) -> Numbers:
    """The first `count` items of each RG: shape (count, RGs), numbers of `items`, best first.

    `count` is at least 1 and at most the number of items.
    """
    assert 1 <= count <= len(items)
    by_weight: dict[int, list[int]] = {}
    for number, item in enumerate(items):
        by_weight.setdefault(item.weight, []).append(number)
    order = np.empty((count, len(rg_seeds)), np.int32)
    room = _Room(min(CHUNK, len(rg_seeds)))
    for start in range(0, len(rg_seeds), CHUNK):
        chunk = rg_seeds[start : start + CHUNK]
        order[:, start : start + CHUNK] = _best_of_chunk(chunk, items, by_weight, count, room)
    return order


def rivalled(
    rg_seeds: Words, holders: Numbers, items: Sequence[Item], rivals: Mapping[int, Item]
) -> Flags:
    """Where a rival, another than the holder, draws no more than it.

    `holders` has a number of `items` for each RG, `rivals` their own numbers there.
    """
    found = np.zeros(len(rg_seeds), np.bool_)
    if not rivals:
        return found
    keys = np.array([item.key for item in items], np.uint64)
    weights = np.array([item.weight for item in items], np.uint64)
    one_weight = items[0].weight if (weights == weights[0]).all() else None
    room = _Room(min(CHUNK, len(rg_seeds)))
    for start in range(0, len(rg_seeds), CHUNK):
        chunk = rg_seeds[start : start + CHUNK]
        held = holders[start : start + CHUNK].astype(np.intp)
        hashes = room.hashes(chunk, keys.take(held, mode="clip"))
        if one_weight:
            marks = room.draws(hashes, one_weight).copy()
        else:
            marks = room.costs(hashes) // weights.take(held, mode="clip")
        for number, rival in rivals.items():
            rows = _rows_at_most(marks, chunk, rival, room)
            found[start + rows[held[rows] != number]] = True
    return found


class _Room:
    """Buffers for one chunk. What a method returns lasts until that method's next call."""

    def __init__(self, size: int) -> None:
        self.numbers = np.empty(size, np.int32)
        self._hashes = np.empty(size, np.uint64)
        self._words = np.empty(size, np.uint64)
        self._cells = np.empty(size, np.uint64)
        self._costs = np.empty(size, np.uint64)
        self._flags = np.empty(size, np.bool_)

    def hashes(self, rg_seeds: Words, keys: Words | np.uint64) -> Words:
        """The hashes of one item, or of another item for each RG."""
        size = len(rg_seeds)
        words = np.bitwise_xor(rg_seeds, keys, out=self._hashes[:size])
        _mix(words, self._words[:size])
        return words

    def costs(self, hashes: Words) -> Words:
        """Cost of each hash."""
        first, step = _cost_words()
        size = len(hashes)
        words, costs = self._words[:size], self._costs[:size]
        cells = np.right_shift(hashes, np.uint64(CELL_SHIFT), out=self._cells[:size])
        np.right_shift(hashes, np.uint64(REST_SHIFT), out=words)
        np.bitwise_and(words, np.uint64(REST_MASK), out=words)
        np.take(step, cells.view(np.int64), out=costs, mode="clip")
        np.multiply(costs, words, out=words)
        np.right_shift(words, np.uint64(STEP_SHIFT), out=words)
        np.take(first, cells.view(np.int64), out=costs, mode="clip")
        return np.add(costs, words, out=costs)

    def draws(self, hashes: Words, weight: int) -> Words:
        """Draw of each hash at that weight."""
        costs = self.costs(hashes)
        return np.floor_divide(costs, np.uint64(weight), out=costs)

    def may_draw(self, hashes: Words, weight: int, marks: Words) -> Flags:
        """Where the draw may be no more than the mark, by the lower bound of its cost."""
        words = np.right_shift(hashes, np.uint64(REST_SHIFT), out=self._words[: len(hashes)])
        np.left_shift(words, np.uint64(_LEAST_SHIFT), out=words)
        np.floor_divide(words, np.uint64(weight), out=words)
        return np.less_equal(words, marks, out=self._flags[: len(hashes)])


def _rows_at_most(marks: Words, rg_seeds: Words, rival: Item, room: _Room) -> Rows:
    """Where the rival draws no more than the mark."""
    hashes = room.hashes(rg_seeds, np.uint64(rival.key))
    rows = np.flatnonzero(room.may_draw(hashes, rival.weight, marks))
    return rows[room.draws(hashes[rows], rival.weight) <= marks[rows]]


def _best_of_chunk(
    rg_seeds: Words,
    items: Sequence[Item],
    by_weight: dict[int, list[int]],
    count: int,
    room: _Room,
) -> Numbers:
    size = len(rg_seeds)
    overall = _Top.empty(count, size, (np.uint64, np.uint64, np.int32))
    for weight, numbers in by_weight.items():
        top = _best_of_weight(rg_seeds, items, numbers, min(count, len(numbers)), room)
        if len(by_weight) == 1:
            return top.lanes[-1].astype(np.int32, copy=False)
        for hashes, winners in zip(*top.lanes, strict=True):
            _enter_by_draw(overall, hashes, winners, weight, room)
    return overall.lanes[-1].astype(np.int32, copy=False)


def _best_of_weight(
    rg_seeds: Words, items: Sequence[Item], numbers: list[int], count: int, room: _Room
) -> "_Top":
    """Items of one weight, in ascending order: the hash decides, a tie is the earlier's."""
    top = _Top.empty(count, len(rg_seeds), (np.uint64, np.int32))
    for number in numbers:
        hashes = room.hashes(rg_seeds, np.uint64(items[number].key))
        entrants = room.numbers[: len(rg_seeds)]
        entrants.fill(number)
        if top.is_full and count > 1:
            rows = np.flatnonzero(hashes < top.lanes[0][-1])
            if len(rows) * SPARSE < len(hashes):
                top.enter_at(rows, hashes[rows], entrants[rows])
                continue
        top.enter(hashes, entrants)
    return top


def _enter_by_draw(
    overall: "_Top", hashes: Words, numbers: Numbers, weight: int, room: _Room
) -> None:
    if overall.is_full:
        rows = np.flatnonzero(room.may_draw(hashes, weight, overall.lanes[0][-1]))
        if len(rows) * SPARSE < len(hashes):
            some = hashes[rows]
            overall.enter_at(rows, room.draws(some, weight), some, numbers[rows])
            return
    overall.enter(room.draws(hashes, weight), hashes, numbers)


class _Top:
    """The first items of every RG, kept sorted while items enter.

    The lanes, each of shape (places, RGs), are (draw, hash, number), or (hash,
    number) where all weights are equal and numbers enter in ascending order.
    """

    def __init__(self, lanes: tuple[Lane, ...], filled: int) -> None:
        self.lanes = lanes
        self._filled = filled

    @classmethod
    def empty(cls, places: int, size: int, kinds: Sequence[type]) -> Self:
        """Nothing has entered yet."""
        return cls(tuple(np.empty((places, size), kind) for kind in kinds), 0)

    @property
    def is_full(self) -> bool:
        """As many items have entered as there are places."""
        return self._filled == len(self.lanes[0])

    def enter_at(self, rows: Rows, *item: Lane) -> None:
        """As `enter`, for these RGs only."""
        part = _Top(tuple(lane.take(rows, axis=1) for lane in self.lanes), self._filled)
        part.enter(*item)
        for lane, changed in zip(self.lanes, part.lanes, strict=True):
            lane[:, rows] = changed

    def enter(self, *item: Lane) -> None:
        """Let one item of each RG find its place. Overwrites the arrays handed in."""
        before: Flags | None = None
        for slot in range(self._filled):
            is_before = self._is_before(slot, item)
            # Once an item has entered, all that follow move one place down.
            before = is_before if before is None else before | is_before
            for lane, carried in zip(self.lanes, item, strict=True):
                pushed_out = lane[slot].copy() if slot + 1 < len(lane) else None
                np.copyto(lane[slot], carried, where=before)
                if pushed_out is not None:
                    np.copyto(carried, pushed_out, where=before)
        if not self.is_full:
            for lane, carried in zip(self.lanes, item, strict=True):
                lane[self._filled] = carried
            self._filled += 1

    def _is_before(self, slot: int, item: Sequence[Lane]) -> Flags:
        flags: Flags = item[0] < self.lanes[0][slot]
        if len(item) == 3:
            for rg in np.flatnonzero(item[0] == self.lanes[0][slot]):
                mine = [int(lane[rg]) for lane in item]
                flags[rg] = mine < [int(lane[slot, rg]) for lane in self.lanes]
        return flags


@cache
def _cost_words() -> tuple[Words, Words]:
    costs, steps = cost_table()
    return np.array(costs, np.uint64), np.array(steps, np.uint64)


def _mix(words: Words, spare: Words) -> None:
    """`draws.mix`, in place."""
    for shift, factor in MIX_STEPS:
        np.right_shift(words, np.uint64(shift), out=spare)
        np.bitwise_xor(words, spare, out=words)
        np.multiply(words, np.uint64(factor), out=words)
    np.right_shift(words, np.uint64(MIX_LAST_SHIFT), out=spare)
    np.bitwise_xor(words, spare, out=words)
