"""Botches: ten map changes that nobody meant, and the one that was meant.

Rule: each is a single event, made for the layout just before it; the last one
undoes all of them and makes the meant change at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

from eventlog.ids import WEIGHT_ONE, OsdId, RgId
from eventlog.map_events import (
    MapChange,
    OsdAdded,
    OsdIn,
    OsdLeaving,
    OsdOut,
    OsdReweighted,
    RgPinned,
    RgUnpinned,
)
from projections.cluster_map import ClusterMap

MEANT_WEIGHT = WEIGHT_ONE * 3 // 2


class Botch(NamedTuple):
    """A change, and what its author says of it."""

    reason: str
    changes: Sequence[MapChange]


def botches(now: ClusterMap) -> tuple[Botch, ...]:
    """Ten of them, for a cluster of at least two OSDs."""
    osds = sorted(now.osds)
    first, second, last = osds[0], osds[1], osds[-1]
    pins = [RgPinned(rg=RgId(rg), osds=(first,)) for rg in range(now.rg_count // 4)]
    return (
        Botch("100 instead of 1.00", [_weight(first, 100 * WEIGHT_ONE)]),
        Botch("the wrong host taken out", [OsdOut(osd=second)]),
        Botch("and another one", [OsdOut(osd=last)]),
        Botch("a weight of 0.01", [_weight(second, WEIGHT_ONE // 100)]),
        Botch("a quarter of all RGs pinned by a script", pins),
        Botch("the newest OSD sent away", [OsdLeaving(osd=last)]),
        Botch("taken back, ten times as heavy", [_added(now, last, 10 * WEIGHT_ONE)]),
        Botch("in again, but the other stays out", [OsdIn(osd=second)]),
        Botch("weights exchanged", [_weight(first, WEIGHT_ONE // 9), _weight(second, WEIGHT_ONE)]),
        Botch("every weight tripled but one", [_weight(osd, 3 * WEIGHT_ONE) for osd in osds[:-1]]),
    )


def mended(before: ClusterMap, now: ClusterMap, heavier: Sequence[OsdId]) -> list[MapChange]:
    """From the map as it is now to the one before, but with these OSDs heavier."""
    changes: list[MapChange] = [RgUnpinned(rg=rg) for rg in sorted(now.pins.keys() - before.pins)]
    for number, was in sorted(before.osds.items()):
        osd = now.osds[number]
        wanted = MEANT_WEIGHT if number in heavier else was.weight
        if osd.is_leaving:
            changes.append(OsdAdded(osd=number, weight=wanted, host=was.host, rack=was.rack))
        elif osd.weight != wanted:
            changes.append(_weight(number, wanted))
        if osd.is_in != was.is_in:
            changes.append(OsdIn(osd=number) if was.is_in else OsdOut(osd=number))
    return changes


def _weight(osd: OsdId, weight: int) -> OsdReweighted:
    return OsdReweighted(osd=osd, weight=weight)


def _added(now: ClusterMap, osd: OsdId, weight: int) -> OsdAdded:
    known = now.osds[osd]
    return OsdAdded(osd=osd, weight=weight, host=known.host, rack=known.rack)
