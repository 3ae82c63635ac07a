"""The world's time: one queue of what is going to happen.

Rule: whatever happens is an action in this queue, ordered by time and then by
when it was scheduled. Nothing else moves the clock, so the same calls give the
same run.

What is not here: chance. Who schedules says when.
"""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class World:
    """A clock in milliseconds, and what waits for it."""

    def __init__(self) -> None:
        self.now = 0
        self._queue: list[tuple[int, int, Action]] = []
        self._scheduled = 0

    def after(self, ms: int, action: Action) -> None:
        """Let this happen then; what was scheduled earlier for the same time comes first."""
        self._scheduled += 1
        heapq.heappush(self._queue, (self.now + ms, self._scheduled, action))

    def run(self, ms: int) -> None:
        """Let this much time pass."""
        self.run_until(lambda: False, ms)

    def run_until(self, is_reached: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        """Let time pass until something holds; False where the limit came first."""
        end = self.now + limit_ms
        while not is_reached():
            if not self._queue or self._queue[0][0] > end:
                self.now = end
                return False
            self.now, _, action = heapq.heappop(self._queue)
            action()
        return True

    def leap(self, ms: int) -> None:
        """A very long time passes in which nothing happens; then all goes on as it was."""
        self.now += ms
        self._queue = [(when + ms, number, action) for when, number, action in self._queue]
