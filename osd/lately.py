"""Lately: how often something happened to each OSD in the last ten minutes.

Rule: when an event happened, the caller says; the clock is his, and events come
in their order.

What is not here: what follows from it (see `osd.monitor.judge`, and for people
`osd.client.cluster_status`).
"""

from eventlog.ids import OsdId

LATELY_S = 600.0
"""What is older is forgotten."""
MANY = 3
"""An OSD that lately came up so often flaps."""


class Lately:
    """Of all OSDs, in seconds of one clock."""

    def __init__(self) -> None:
        self._at: dict[OsdId, list[float]] = {}

    def note(self, osd: OsdId, at: float) -> None:
        """It happened then."""
        self._at[osd] = [*self._since(osd, at - LATELY_S), at]

    def times(self, osd: OsdId, now: float) -> int:
        """How often it happened lately."""
        return len(self._since(osd, now - LATELY_S))

    def last(self, osd: OsdId) -> float:
        """When it did last, if it ever did."""
        return self._at[osd][-1]

    def _since(self, osd: OsdId, then: float) -> list[float]:
        return [at for at in self._at.get(osd, ()) if at > then]
