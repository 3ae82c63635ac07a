"""An overlay: rows as they will be once the changes of this step are applied.

Rule: reads see the changes made through the overlay first; nothing reaches
the rows below until `take` hands the changes out and they are applied there.
"""

import heapq
from collections.abc import Iterable, Iterator

from osd.rows import Rows

BUCKET_BYTES = 5
"""Changes are kept by the first bytes of their keys, kind and RG, so that a scan of one RG
costs the same however many others changed in the same step."""


class Overlay:
    """Pending changes above `Rows`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._buckets: dict[bytes, dict[bytes, bytes | None]] = {}

    def get(self, key: bytes) -> bytes | None:
        """The row's value, or None."""
        bucket = self._buckets.get(key[:BUCKET_BYTES])
        if bucket is not None and key in bucket:
            return bucket[key]
        return self._rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a row."""
        self._bucket(key)[key] = value

    def put_all(self, prefix: bytes, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Set many rows whose keys begin with a prefix of `BUCKET_BYTES` at least."""
        assert len(prefix) >= BUCKET_BYTES, "rows of several buckets"
        self._bucket(prefix).update(rows)

    def delete(self, key: bytes) -> None:
        """Remove a row; one that is not there is fine."""
        self._bucket(key)[key] = None

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """As `Rows.scan`, with the pending changes as they were at the call."""
        pending = sorted(
            (key, value)
            for bucket in self._buckets_of(prefix)
            for key, value in bucket.items()
            if key > after and key.startswith(prefix)
        )
        below = self._rows.scan(prefix, after)
        return below if not pending else _merge(pending, below)

    def take(self) -> dict[bytes, bytes | None]:
        """The pending changes, which the caller now applies."""
        buckets, self._buckets = self._buckets, {}
        return {key: value for bucket in buckets.values() for key, value in bucket.items()}

    def _bucket(self, key: bytes) -> dict[bytes, bytes | None]:
        return self._buckets.setdefault(key[:BUCKET_BYTES], {})

    def _buckets_of(self, prefix: bytes) -> list[dict[bytes, bytes | None]]:
        if len(prefix) >= BUCKET_BYTES:
            bucket = self._buckets.get(prefix[:BUCKET_BYTES])
            return [bucket] if bucket is not None else []
        return [bucket for head, bucket in self._buckets.items() if head.startswith(prefix)]


def _merge(
    pending: list[tuple[bytes, bytes | None]], below: Iterator[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    changed = {key for key, _ in pending}
    kept = ((key, value) for key, value in below if key not in changed)
    added = ((key, value) for key, value in pending if value is not None)
    return heapq.merge(kept, added)
