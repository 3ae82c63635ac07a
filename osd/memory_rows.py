"""Rows in memory: the `Rows` of tests and of the simulation.

Rule: it forgets in a crash exactly what a real disk may forget. `crash(keep)`
is what is found afterwards: the rows of the last sync, and of what was
applied since the first `keep` changes, whole, in order.

What is not here: any file.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from osd.rows import Changes


class MemoryRows:
    """`Rows` that are gone with the process."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        """The keys of `_rows`, ascending."""
        self._durable: dict[bytes, bytes] = {}
        self._unsynced: list[Changes] = []
        self._syncing = threading.Lock()

    @property
    def unsynced(self) -> int:
        """How many changes a crash may take: `crash` keeps 0 to that many of them."""
        return len(self._unsynced)

    def get(self, key: bytes) -> bytes | None:
        """See `Rows`."""
        return self._rows.get(key)

    def get_durable(self, key: bytes) -> bytes | None:
        """The row as a crash now would leave it at the worst."""
        return self._durable.get(key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """See `Rows`. It sees what is applied meanwhile, as far as it lies ahead."""
        at = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after) if after else 0)
        while at < len(self._keys) and (key := self._keys[at]).startswith(prefix):
            yield key, self._rows[key]
            at = bisect_right(self._keys, key)

    def apply(self, changes: Changes) -> None:
        """See `Rows`; it never raises."""
        if changes:
            kept = dict(changes)
            self._put(kept)
            self._unsynced.append(kept)

    def sync(self) -> None:
        """See `Rows`; it never raises."""
        with self._syncing:
            done = self._unsynced[:]
            for changes in done:
                _change(self._durable, changes)
            del self._unsynced[: len(done)]

    def close(self) -> None:
        """See `Rows`."""
        self.sync()

    def crash(self, keep: int = 0) -> "MemoryRows":
        """The rows after a crash that left the first `keep` unsynced changes."""
        assert 0 <= keep <= len(self._unsynced)
        left = MemoryRows()
        left._put(self._durable)
        for changes in self._unsynced[:keep]:
            left._put(changes)
        left._durable = dict(left._rows)
        return left

    def _put(self, changes: Changes) -> None:
        for key in changes:
            if changes[key] is not None and key not in self._rows:
                insort(self._keys, key)
            elif changes[key] is None and key in self._rows:
                del self._keys[bisect_left(self._keys, key)]
        _change(self._rows, changes)


def _change(rows: dict[bytes, bytes], changes: Changes) -> None:
    for key, value in changes.items():
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
