"""Departures: all that must be said so that an OSD leaves, and leaves nothing behind.

Rule: pins do not outlive their OSD: the event that lets it leave takes it out
of them. An OSD that has no store, since it never started or since its store
was retired, has nothing to move, and nobody would ever retire its last store
to let it go. So it leaves at once: by the boot and the retirement of a store
that never was, whose incarnation is the epoch of that event (a real one is
random, of 63 bits).

The fold needs no rule for this: what these changes do to a map, they always did.
"""

from collections.abc import Collection, Iterator, Sequence

from eventlog.ids import Boot, Incarnation, OsdId, RgId, Store
from eventlog.map_events import (
    NO_STORE,
    MapChange,
    OsdBooted,
    OsdLeaving,
    RgPinned,
    RgUnpinned,
    StoreWrittenOff,
)
from projections.cluster_map import ClusterMap, Osd

NOWHERE = "-"
"""The address of a store that never was."""
WHY = "it had no store when it left"
"""Why that store was retired: it tells such a retirement from one of a disk that there was."""


def departures(
    now: ClusterMap, osds: Sequence[OsdId], by: str, spoken_of: Collection[RgId] = ()
) -> tuple[MapChange, ...]:
    """The changes by which these leave. Of RGs `spoken_of` the pins are left alone."""
    leave = (change for osd in osds for change in _departure(now, osd, by))
    return (*pins_without(now, osds, spoken_of), *leave)


def pins_without(
    now: ClusterMap, osds: Collection[OsdId], spoken_of: Collection[RgId] = ()
) -> Iterator[MapChange]:
    """The changes by which no pin names these."""
    for rg, pinned in sorted(now.pins.items()):
        if rg in spoken_of or not any(osd in osds for osd in pinned):
            continue
        left = tuple(osd for osd in pinned if osd not in osds and _holds(now.osds.get(osd)))
        yield RgPinned(rg=rg, osds=left) if left else RgUnpinned(rg=rg)


def has_started(booted: OsdBooted) -> bool:
    """Whether a process has: no other boot is how an OSD without a store leaves."""
    return booted.address != NOWHERE


def _departure(now: ClusterMap, number: OsdId, by: str) -> Iterator[MapChange]:
    osd = now.osds.get(number)
    if osd is None or osd.store is not None:
        yield OsdLeaving(osd=number)
        return
    if not osd.is_leaving:
        yield OsdLeaving(osd=number)
    never = Store(number, Incarnation(now.epoch + 1))
    yield OsdBooted(store=never, boot=Boot(1), address=NOWHERE, replaces=NO_STORE)
    yield StoreWrittenOff(store=never, by=by, why=WHY)


def _holds(osd: Osd | None) -> bool:
    return osd is not None and osd.is_candidate
