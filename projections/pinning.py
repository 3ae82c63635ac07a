"""Pinning many RGs at once: freezing them where their data is, and releasing them.

Rule: a freeze pins an RG to the OSDs that have its data: to those that it is
placed on if these have all of it, else to those that have most. Whatever the
map then says of weights, nothing of it moves but for what must: an OSD that may
not hold data any more is left out. A release unpins the lowest numbers first;
numbers say nothing of where objects are, so that any part is a fair one.
"""

from collections.abc import Iterable, Iterator

from eventlog.ids import OsdId, RgId
from eventlog.map_events import RgPinned, RgUnpinned
from projections.cluster_map import ClusterMap
from projections.map_plan import moves_to, table_of
from projections.rg_stats import RgStats

MAX_PINS = 10_000
"""Pins of one map event, so that it stays under 256 KiB."""

Homes = dict[RgId, tuple[OsdId, ...]]
"""Where each RG's data is."""


def homes_of(now: ClusterMap, stats: RgStats) -> Homes:
    """Where each RG's data is; of one that has none, where it is placed."""
    table, homes = table_of(now), placed_homes(now)
    incoming = moves_to(table, stats, stats.copies).incoming
    is_moving = {*incoming.rgs.tolist()}
    copies = stats.copies
    held: dict[RgId, list[tuple[int, OsdId]]] = {}
    for rg, osd, objects in zip(
        copies.rgs.tolist(), copies.osds.tolist(), copies.objects.tolist(), strict=True
    ):
        if rg in is_moving:
            held.setdefault(RgId(rg), []).append((-objects, OsdId(osd)))
    for rg, holders in held.items():
        homes[rg] = _most(homes[rg], holders, now.replicas)
    return homes


def placed_homes(now: ClusterMap) -> Homes:
    """Where each RG is placed."""
    table = table_of(now)
    return {rg: table.placed(rg) for rg in map(RgId, range(now.rg_count))}


def freeze(rgs: Iterable[RgId], homes: Homes, after: ClusterMap) -> Iterator[RgPinned]:
    """Pins of these RGs; `after` is the map with all else that is said beside."""
    for rg in rgs:
        known = (after.osds.get(osd) for osd in homes.get(rg, ()))
        osds = tuple(osd.osd for osd in known if osd is not None and osd.is_candidate)
        pinned = osds[: after.replicas]
        if pinned and after.pins.get(rg) != pinned:
            yield RgPinned(rg=rg, osds=pinned)


def release(now: ClusterMap, count: int) -> Iterator[RgUnpinned]:
    """Unpin so many RGs, or all that are pinned if they are fewer."""
    yield from (RgUnpinned(rg=rg) for rg in sorted(now.pins)[:count])


def _most(
    placed: tuple[OsdId, ...], holders: list[tuple[int, OsdId]], replicas: int
) -> tuple[OsdId, ...]:
    """Those that have most; where they have as much, those that it is placed on, in their order."""
    places = {osd: place for place, osd in enumerate(placed)}
    ranked = sorted((objects, places.get(osd, len(places)), osd) for objects, osd in holders)
    return tuple(osd for _, _, osd in ranked[:replicas])
