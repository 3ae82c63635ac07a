"""The fold of the `map` topic.

Rule: an event is accepted iff its guard holds and every one of its changes is
valid, in order; then the epoch grows by one, and the layout too if what
placement is computed from changed. What is not accepted is void and changes
nothing. Pure: no clock, no randomness, no I/O.
"""

from collections.abc import Sequence
from itertools import groupby

import msgspec

from eventlog.ids import Epoch, Layout
from eventlog.map_events import (
    EpochBumped,
    MapChange,
    MapChanged,
    OsdBooted,
    OsdDown,
    OsdUp,
    RecordSkipped,
    RgPinned,
    RgUnpinned,
)
from projections.cluster_map import ClusterMap, Refusal
from projections.map_changes import apply_change, apply_pins

PIN = RgPinned | RgUnpinned


def fold(cluster_map: ClusterMap, event: MapChanged) -> ClusterMap | Refusal:
    """The map after the event, or why the event is void."""
    if refusal := _guard(cluster_map, event):
        return refusal
    epoch = _next_epoch(cluster_map, event)
    after = _apply(cluster_map, event, epoch)
    if isinstance(after, Refusal):
        return after
    layout = Layout(cluster_map.layout + moves_data(cluster_map, after))
    return msgspec.structs.replace(after, epoch=epoch, layout=layout)


def _apply(cluster_map: ClusterMap, event: MapChanged, epoch: Epoch) -> ClusterMap | Refusal:
    after = cluster_map
    for _, changes in groupby(event.changes, lambda change: isinstance(change, PIN)):
        changed = _apply_alike(after, list(changes), event.author, epoch)
        if isinstance(changed, Refusal):
            return changed
        after = changed
    return after


def _apply_alike(
    after: ClusterMap, changes: Sequence[MapChange], author: str, epoch: Epoch
) -> ClusterMap | Refusal:
    """Changes that are all pins, or none of them."""
    if pins := [change for change in changes if isinstance(change, PIN)]:
        return apply_pins(after, pins)
    for change in changes:
        changed = apply_change(after, change, author, epoch)
        if isinstance(changed, Refusal):
            return changed
        after = changed
    return after


def _guard(cluster_map: ClusterMap, event: MapChanged) -> Refusal | None:
    if event.layout is None:
        if all(isinstance(change, OsdBooted | OsdUp | OsdDown) for change in event.changes):
            return None
        return Refusal(
            "the change does not name the layout it was made for",
            "Look at the map with `osdlog map show` and name its layout.",
        )
    if event.layout != cluster_map.layout:
        return Refusal(
            f"the change was made for layout {event.layout}, the map is at {cluster_map.layout}",
            "Look at the map again; if the change still makes sense, apply it to the new layout.",
        )
    return None


def _next_epoch(cluster_map: ClusterMap, event: MapChanged) -> Epoch:
    bumps = [change.to for change in event.changes if isinstance(change, EpochBumped)]
    return Epoch(max([cluster_map.epoch + 1, *bumps]))


def _layout_inputs(cluster_map: ClusterMap) -> tuple[object, ...]:
    stores = tuple(
        (osd.store, osd.weight, osd.host, osd.rack)
        for _, osd in sorted(cluster_map.osds.items())
        if osd.is_candidate
    )
    return stores, dict(cluster_map.pins), cluster_map.replicas, cluster_map.rg_count


def moves_data(before: ClusterMap, after: ClusterMap) -> bool:
    """Whether anything that placement is computed from differs."""
    return _layout_inputs(before) != _layout_inputs(after)


def skipped_records(event: MapChanged) -> tuple[RecordSkipped, ...]:
    """The records that this event lets everybody pass over."""
    return tuple(change for change in event.changes if isinstance(change, RecordSkipped))
