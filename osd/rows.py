"""Rows: an ordered map of bytes to bytes, in which an OSD keeps all but large bodies.

Rule: `apply` is atomic and takes effect at once, in order; it is durable only
after a later `sync` returned. After a crash, what is left is the state after
some prefix of the applied changes, at least all those before the last sync.

What is not here: what the rows mean (see `osd.rows_of_rg`).
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

Changes = Mapping[bytes, bytes | None]
"""Rows to put, or to delete where the value is None."""


class Rows(Protocol):
    """One thread reads and applies; `sync` may be called from another."""

    def get(self, key: bytes) -> bytes | None:
        """The row's value, None if there is no such row. Raises `DiskFailed`."""
        ...

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix` and is greater than `after`, keys ascending.

        What is applied while a scan runs may or may not be seen by it.
        """
        ...

    def apply(self, changes: Changes) -> None:
        """All of these or none. Raises `DiskFull`, `DiskFailed`; nothing applied then."""
        ...

    def sync(self) -> None:
        """Make everything applied before this call durable. Raises as `apply` does."""
        ...

    def close(self) -> None:
        """Sync and give back what it holds."""
        ...
