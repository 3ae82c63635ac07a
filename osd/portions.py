"""Portions: what a pump read goes to the loop a little at a time.

Rule: everything is given in the order in which it was added, and of records
no more in one turn of the loop than `PORTION_ITEMS` things that they say, or
one record. So a request waits for a portion, and not for all that other nodes
said of thousands of copies meanwhile.

What is not here: reading (see `osd.pump`), and folding (see `osd.core`). All
of it is used on the loop's thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from osd.core.inputs import Decoded, Read, Skipped

PORTION_ITEMS = 64
"""Some ten milliseconds of folding, where each copy that an event lists is an item."""


class _Owed(NamedTuple):
    items: int
    give: Callable[[], None]


class Portions:
    """Of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._owed: deque[_Owed] = deque()
        self._is_scheduled = False

    def add(self, give: Callable[[], None], items: int = 0) -> None:
        """Call this in its turn."""
        self._owed.append(_Owed(items, give))

    def add_records(self, read: Read, give: Callable[[Read], None]) -> None:
        """Call this with some of the records after the others."""
        for part, items in _parts(read.records):
            self.add(partial(give, Read(part)), items)

    def give(self) -> None:
        """One portion now, unless the loop comes to the rest by itself."""
        if not self._is_scheduled:
            self._give()

    def _give(self) -> None:
        self._is_scheduled, given = False, 0
        while self._owed and given + self._owed[0].items <= PORTION_ITEMS:
            owed = self._owed.popleft()
            given += owed.items
            owed.give()
        if self._owed:
            self._is_scheduled = True
            self._loop.call_soon(self._give)


def _parts(
    records: tuple[Decoded | Skipped, ...],
) -> Iterator[tuple[tuple[Decoded | Skipped, ...], int]]:
    """Records that go together, and how many items they have; a larger one goes alone."""
    part: list[Decoded | Skipped] = []
    size = 0
    for record in records:
        items = _items(record)
        if part and size + items > PORTION_ITEMS:
            yield tuple(part), size
            part, size = [], 0
        part.append(record)
        size = min(size + items, PORTION_ITEMS)
    if part:
        yield tuple(part), size


def _items(record: Decoded | Skipped) -> int:
    if isinstance(record, Skipped):
        return 1
    return min(1 + len(getattr(record.event, "versions", ())), PORTION_ITEMS)
