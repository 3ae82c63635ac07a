"""Changing the map: appended to the log, and read back before anyone is told.

Rule: a change is accepted when its own record was folded, by the same fold
that every OSD uses; what an append leaves unknown, reading on tells.
"""

import time
from collections.abc import Sequence

from eventlog import catalogue
from eventlog.codec import encode
from eventlog.errors import AppendUnknown
from eventlog.ids import Layout, Micros, Offset, Topic
from eventlog.log import Entry, Log
from eventlog.map_events import MapChange, MapChanged
from osd.client.answers import MapRecord
from osd.client.map_reader import PARTITION, MapReader
from osd.errors import LayoutPassed, OutcomeUnknown, Refused
from projections.cluster_map import ClusterMap

PATIENCE_S = 5.0
"""How long an append of unknown fate is looked for."""
_PAUSE_S = 0.1


def change_map(
    log: Log, changes: Sequence[MapChange], layout: Layout | None, reason: str, author: str
) -> ClusterMap:
    """The map right after the change. Raises `Refused` with the sentence that voids it.

    `LayoutPassed` if only the layout that it was made for is no more.
    """
    catalogue.publish(log)
    reader = MapReader(log)
    reader.refresh()
    event = MapChanged(
        time=Micros(time.time_ns() // 1_000),
        author=author,
        reason=reason,
        layout=layout,
        changes=tuple(changes),
    )
    try:
        (position,) = log.append([Entry(Topic.MAP, PARTITION, b"", encode(event))])
        offset: Offset | None = position.offset
    except AppendUnknown:
        offset = None
    record, after = _read_back(reader, event, offset)
    if record.refusal is not None:
        is_late = layout is not None and layout != after.layout
        raise (LayoutPassed if is_late else Refused)(record.refusal.why, record.refusal.hint)
    return after


def _read_back(
    reader: MapReader, event: MapChanged, offset: Offset | None
) -> tuple[MapRecord, ClusterMap]:
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        for record, after in reader.maps():
            if record.offset == offset or (offset is None and record.event == event):
                return record, after
        if time.monotonic() >= give_up_at:
            raise OutcomeUnknown(
                "the map change may or may not be in the log",
                "Look at `osdlog map log` whether it is there before you apply it again.",
            )
        time.sleep(_PAUSE_S)
