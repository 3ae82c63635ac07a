"""Counters: what a node did since its process started.

Rule: they only grow, and nothing is decided by them. What is not here: how they are told
(see `osd.reports`).
"""

from osd.busy import Busy


class Counters:
    """What happened since the process started."""

    def __init__(self) -> None:
        self.copied_objects = 0
        self.copied_bytes = 0
        """Fetched from other nodes."""
        self.copying = Busy()
        self.plan_ms = 0.0
        """From the last map event's record to all plans derived."""
        self.records = 0
        self.doubts = 0
        """Snapshots that were thrown away."""
        self.appends = 0
        self.parcels = 0
        """Small bodies that primaries sent, to be staged here."""
        self.requests: dict[tuple[str, int], int] = {}
        """By method and status."""
