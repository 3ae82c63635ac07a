"""Busy: for how long at least one of several things was under way.

Rule: time counts from the first that begins to the last that ends; what runs
side by side counts once. Used by one thread.
"""

import time
from typing import Self

_NS_PER_MS = 1_000_000


class Busy:
    """Entered by each of them, and left at its end."""

    def __init__(self) -> None:
        self._running = 0
        self._since_ns = 0
        self._before_ns = 0

    @property
    def ms(self) -> int:
        """So far."""
        now_ns = time.monotonic_ns() - self._since_ns if self._running else 0
        return (self._before_ns + now_ns) // _NS_PER_MS

    def __enter__(self) -> Self:
        if not self._running:
            self._since_ns = time.monotonic_ns()
        self._running += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._running -= 1
        if not self._running:
            self._before_ns += time.monotonic_ns() - self._since_ns
