"""The fold of the `map` topic.

Rule: an event is accepted iff its guard holds and every one of its changes is
valid, in order; then the epoch grows by one, and the layout too if what
placement is computed from changed. What is not accepted is void and changes
nothing. Pure: no clock, no randomness, no I/O.
"""

import msgspec

from eventlog.ids import Epoch, Layout
from eventlog.map_events import EpochBumped, MapChanged, OsdBooted, OsdDown, OsdUp, RecordSkipped
from projections.cluster_map import ClusterMap, Refusal
from projections.map_changes import apply_change


def fold(cluster_map: ClusterMap, event: MapChanged) -> ClusterMap | Refusal:
    """The map after the event, or why the event is void."""
    if refusal := _guard(cluster_map, event):
        return refusal
    after, epoch = cluster_map, _next_epoch(cluster_map, event)
    for change in event.changes:
        changed = apply_change(after, change, event.author, epoch)
        if isinstance(changed, Refusal):
            return changed
        after = changed
    layout = Layout(cluster_map.layout + moves_data(cluster_map, after))
    return msgspec.structs.replace(after, epoch=epoch, layout=layout)


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
