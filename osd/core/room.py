"""Room: how full a store's disk is, and what it keeps for whom.

Rule: the last of a disk is kept for deletes and bookkeeping, and before that
some for what clients write: background imports stop first, then new bodies,
and deletes never.

What is not here: asking the file system (see `osd.durable`).
"""

from typing import NamedTuple

RESERVED_BYTES = 512 * 1024 * 1024
"""Kept free for deletes, bookkeeping and compaction; at most an eighth of the disk."""
NEAR_FULL_SHARE = 10
"""One part in so many left free is little."""


class Room(NamedTuple):
    """Bytes of the file system a store is on, as an unprivileged process sees them."""

    free: int
    total: int

    @property
    def reserve(self) -> int:
        """What new bodies must leave free."""
        return min(RESERVED_BYTES, self.total // 8)

    @property
    def import_reserve(self) -> int:
        """What background imports must leave free: as much again for clients."""
        return 2 * self.reserve

    @property
    def warning_mark(self) -> int:
        """Below so much the disk is nearly full."""
        return max(3 * self.reserve, self.total // NEAR_FULL_SHARE)

    @property
    def is_nearly_full(self) -> bool:
        """Whether somebody should do something before anything is refused."""
        return self.free < self.warning_mark

    def takes(self, size: int) -> bool:
        """Whether a new body of that size leaves the reserve free."""
        return self.free - size >= self.reserve

    def takes_import(self, size: int) -> bool:
        """Whether imports of that size leave free what is kept for clients."""
        return self.free - size >= self.import_reserve
