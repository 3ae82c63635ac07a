"""Pulls: how many background imports a node has under way, and how many bytes it starts a second.

Rule: a pull has one of so many places from its start to its end, and takes
its bytes from a bucket when it starts. The bucket fills by the step's clock
up to `BURST_MS` worth of bytes, and a pull may start while anything is in it:
so in any time the bytes of the pulls that were started are at most the rate's,
and `BURST_MS` more, and one pull more. What a client waits for has no place
and takes from no bucket.

While clients ask something of this node, the background gives way: one pull is
under way at once, a small one, and as long as it took nothing is started after it,
`REST_MS` at most. What is urgent, since one copy is left where several are kept,
gives way less: it takes half of the places, and rests not at all.

What is not here: which objects are pulled (see `osd.core.importer`).
"""

import msgspec

from osd.core.room import Room

BURST_MS = 250
"""Above the time between two ticks, or they would be what limits."""
GIVE_WAY_MS = 300
"""So long after a client's last request; above the time between two ticks."""
GIVE_WAY_SHARE = 4
"""So many times fewer small objects are fetched together meanwhile."""
REST_MS = 30
"""At most, after a pull; one that took long mostly waited for others and for the disk."""
MAX_PULLS = 1_000
MAX_RATE = 1 << 50


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set while a node runs; kept in its store."""

    pulls: int = 4
    """Background pulls under way at once; 0: none are started."""
    rate: int = 0
    """Bytes that they may start a second; 0: as many as come."""


class Pulls:
    """Those of one node."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.under_way = 0
        self.bytes_under_way = 0
        self.room: Room | None = None
        """How full the disk was when it was last looked at; None where nobody looks."""
        self._milli_bytes = limits.rate * BURST_MS
        """What is in the bucket, in thousandths of a byte; below 0 after a large pull."""
        self._filled_at: int | None = None
        """When that was so; None before the first pull."""
        self._asked_at: int | None = None
        """When a client last asked something of this node."""
        self._started_at = 0
        self._rests_until = 0

    def limit(self, limits: Limits, now: int) -> None:
        """Keep to these from now on; what is under way goes on."""
        left = self._filled(now) if self.limits.rate else 0
        self._milli_bytes, self._filled_at = min(left, limits.rate * BURST_MS), now
        self.limits = limits

    def may_start(self, now: int, *, is_urgent: bool) -> bool:
        """Whether there is a place, and anything in the bucket; `now` in milliseconds."""
        if self.under_way >= self._places(now, is_urgent=is_urgent):
            return False
        if self.is_giving_way(now) and not is_urgent and now < self._rests_until:
            return False
        return not self.limits.rate or self._filled(now) > 0

    def asked(self, now: int) -> None:
        """A client asks something of this node."""
        self._asked_at = now

    def is_giving_way(self, now: int) -> bool:
        """Whether a client asked something of late."""
        return self._asked_at is not None and now - self._asked_at < GIVE_WAY_MS

    def together(self, most: int, now: int) -> int:
        """How many small objects to fetch at once, where `most` is as many as there may be."""
        return max(1, most // GIVE_WAY_SHARE) if self.is_giving_way(now) else most

    def fits(self, size: int) -> bool:
        """Whether the disk takes that many bytes beside those that are on their way."""
        return self.room is None or self.room.takes_import(self.bytes_under_way + size)

    def start(self, size: int, now: int) -> None:
        """A pull of that many bytes begins."""
        self._started_at = now
        self.under_way += 1
        self.bytes_under_way += size
        if self.limits.rate:
            self._milli_bytes, self._filled_at = self._filled(now) - 1_000 * size, now

    def finish(self, size: int, now: int) -> None:
        """It came to its end, whatever it brought."""
        self._rests_until = now + min(now - self._started_at, REST_MS)
        self.under_way -= 1
        self.bytes_under_way -= size

    def _places(self, now: int, *, is_urgent: bool) -> int:
        most = self.limits.pulls
        if not self.is_giving_way(now):
            return most
        return min(most, max(1, most // 2) if is_urgent else 1)

    def _filled(self, now: int) -> int:
        """What is in the bucket by now."""
        rate, since = self.limits.rate, self._filled_at
        if since is None:
            return self._milli_bytes
        return min(self._milli_bytes + rate * (now - since), rate * BURST_MS)
