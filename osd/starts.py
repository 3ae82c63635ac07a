"""Starts: how often each OSD lately started, as the map tells.

Rule: a start is a boot in the map. How old one is, is what its event says; the
clock is the reader's.

What is not here: what follows from it (see `osd.monitor.judge`, and for people
`osd.client.cluster_status`).
"""

from eventlog.ids import OsdId
from eventlog.map_events import MapChanged, OsdBooted

LATELY_S = 600.0
"""What is older is forgotten."""
MANY = 3
"""Of one that starts so often lately, people are told."""


class Starts:
    """Of all OSDs, in seconds of one clock."""

    def __init__(self) -> None:
        self._at: dict[OsdId, list[float]] = {}

    def read(self, event: MapChanged, at: float) -> None:
        """Take note of an accepted event of the map, which happened then."""
        for change in event.changes:
            if isinstance(change, OsdBooted):
                osd = change.store.osd
                self._at[osd] = [*self._since(osd, at - LATELY_S), at]

    def lately(self, osd: OsdId, now: float) -> int:
        """How often it started."""
        return len(self._since(osd, now - LATELY_S))

    def last(self, osd: OsdId) -> float:
        """When one that ever did started last."""
        return self._at[osd][-1]

    def _since(self, osd: OsdId, then: float) -> list[float]:
        return [at for at in self._at.get(osd, ()) if at > then]
