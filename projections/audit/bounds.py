"""Bounds: what a question costs at most where DuckDB does not see to it.

Rule: DuckDB counts the memory that it manages, and hears of an interruption
between pieces of its work. One value may be as long as somebody likes: its
memory is not counted, and work on it is one piece. So the system bounds what
the process has, and a question that does not end when told to is given up.
"""

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM_BYTES = 2 * 1024**3
"""What a process may have beside what DuckDB counts: threads, answers on their way out. Arrow alone
sets aside half of it, used or not."""
GRACE_S = 5.0
"""A question that goes on for so long after it was told to end hears of nothing."""

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_MOST = 1 << 60
"""More than this is no bound."""
_STATM = Path("/proc/self/statm")
_DATA = 5
"""The field of `statm` that says how many pages are the process's own."""


@contextmanager
def bounded_memory(limit: str) -> Iterator[None]:
    """The process may have so much more than it has now, as DuckDB writes it, and some room.

    Where the system does not count it, DuckDB's own limit remains.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    unlimited = resource.RLIM_INFINITY
    is_counted = _STATM.exists() and before == unlimited
    if is_counted:
        pages = int(_STATM.read_text("ascii").split()[_DATA])
        most = pages * resource.getpagesize() + _in_bytes(limit) + ROOM_BYTES
        if most < _MOST and (hard == unlimited or most < hard):
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


class BoundedTime:
    """Time for one question's work, which goes in pieces; what is done between them takes none.

    After so long the work is interrupted, and where that does not end it, given up.
    """

    def __init__(
        self, seconds: float, interrupt: Callable[[], None], give_up: Callable[[], None]
    ) -> None:
        self._left_s = seconds
        self._interrupt = interrupt
        self._give_up = give_up

    @contextmanager
    def working(self) -> Iterator[None]:
        """While one piece is done."""
        left_s, began = max(0.0, self._left_s), time.monotonic()
        timers = [
            threading.Timer(left_s, self._interrupt),
            threading.Timer(left_s + GRACE_S, self._give_up),
        ]
        for timer in timers:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
            self._left_s -= time.monotonic() - began


def _in_bytes(limit: str) -> int:
    number, unit = limit.split()
    return int(float(number) * 1024 ** _UNITS.index(unit))
