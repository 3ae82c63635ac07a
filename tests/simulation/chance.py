"""Chance: what a seed decides where the world leaves something open.

Rule: a cluster that is not given a seed leaves nothing to chance: batches are
whole, and whatever was asked for at once comes at once.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

LATE_MS = 700


class Chance:
    """Draws for the inside of a cluster."""

    def __init__(self, random: Random | None) -> None:
        self._random = random

    def also(self, chosen: Sequence[T], others: Sequence[T]) -> Sequence[T]:
        """What is chosen, and sometimes the others with it."""
        if self._random is None or self._random.randrange(3):
            return chosen
        return [*chosen, *(other for other in others if other not in chosen)]

    def batch(self, items: Sequence[T]) -> Sequence[T]:
        """All of these, or sometimes only the first few."""
        if self._random is None or len(items) < 2 or self._random.randrange(2):
            return items
        return items[: self._random.randint(1, len(items))]

    def damaged(self, data: bytes) -> bytes:
        """The same bytes, or sometimes with one of them wrong, or cut off."""
        if self._random is None or self._random.randrange(4):
            return data
        place = self._random.randrange(len(data))
        wrong = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        return self._random.choice([wrong, data[:place]])

    def hangs_up(self) -> bool:
        """Whether a client is gone before its body is all there."""
        return self._random is not None and self._random.randrange(30) == 0

    def late_ms(self) -> int:
        """How late an append is of which nobody knew whether it comes."""
        return LATE_MS if self._random is None else self._random.choice([20, 200, LATE_MS, 3_000])

    def part(self, items: Sequence[T]) -> list[T]:
        """Some of these, in their order."""
        assert self._random is not None
        return [item for item in items if self._random.randrange(2)]
