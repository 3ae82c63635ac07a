"""Intents: what operators say of a map, apart from what happened to its OSDs.

Rule: an intent is who belongs to the cluster, with which weight, where, in or
out, which RGs are pinned where, and how many replicas there are. An OSD that
is leaving does not belong. Boots, ups and downs, epochs, retired stores and
rule sets are no intent: they happened, or only ever go one way.

`changes_to` gives the changes that make a map's intent another one, valid in
their order, and says what no change can bring back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from eventlog.ids import WEIGHT_ONE, OsdId, RgId, osd_name, rg_name
from eventlog.map_events import (
    MapChange,
    OsdAdded,
    OsdIn,
    OsdMoved,
    OsdOut,
    OsdReweighted,
    ReplicasSet,
    RgPinned,
    RgUnpinned,
)
from projections.cluster_map import ClusterMap, Osd
from projections.map_departures import departures

Key = TypeVar("Key")
Value = TypeVar("Value")


class OsdIntent(NamedTuple):
    """What is said of one OSD."""

    weight: int
    host: str
    rack: str
    is_in: bool


class Intent(NamedTuple):
    """What is said of the cluster."""

    osds: Mapping[OsdId, OsdIntent]
    pins: Mapping[RgId, tuple[OsdId, ...]]
    replicas: int
    min_replicas: int


class Restoration(NamedTuple):
    """How a map becomes as it was, as far as it can."""

    changes: tuple[MapChange, ...]
    impossible: tuple[str, ...]
    """What stays otherwise, in sentences."""


def intent_of(cluster_map: ClusterMap) -> Intent:
    """What operators have said so far."""
    osds = {
        number: _osd_intent(osd)
        for number, osd in sorted(cluster_map.osds.items())
        if not osd.is_leaving
    }
    now = cluster_map
    return Intent(osds, dict(sorted(now.pins.items())), now.replicas, now.min_replicas)


def without_change(now: Intent, before: Intent, after: Intent) -> Intent:
    """`now`, but for what a change from `before` to `after` made so: that is as it was.

    What was said otherwise since stays.
    """
    osds = _merged(now.osds, before.osds, after.osds)
    for number in sorted(now.osds.keys() & before.osds.keys() & after.osds.keys()):
        osds[number] = _merged_osd(now.osds[number], before.osds[number], after.osds[number])
    numbers = (now.replicas, now.min_replicas)
    if numbers == (after.replicas, after.min_replicas):
        numbers = (before.replicas, before.min_replicas)
    return Intent(osds, _merged(now.pins, before.pins, after.pins), *numbers)


def changes_to(now: ClusterMap, wanted: Intent, by: str) -> Restoration:
    """The changes from the map as it is to that intent; `by` is who makes them."""
    impossible: list[str] = []
    gone = [n for n, osd in sorted(now.osds.items()) if n not in wanted.osds and not osd.is_leaving]
    pins = dict(_possible_pins(now, wanted, gone, impossible))
    unpinned = [RgUnpinned(rg=rg) for rg in sorted(now.pins) if rg not in pins]
    pinned = [RgPinned(rg=rg, osds=osds) for rg, osds in pins.items() if now.pins.get(rg) != osds]
    spoken_of = {it.rg for it in unpinned} | {it.rg for it in pinned}
    numbers = list(_numbers_set(now, wanted))
    is_raised = wanted.replicas > now.replicas
    changes: tuple[MapChange, ...] = (
        *(change for item in wanted.osds.items() for change in _osd_changes(now, *item)),
        *unpinned,
        *(numbers if is_raised else ()),
        *pinned,
        *(() if is_raised else numbers),
        *departures(now, gone, by, spoken_of),
    )
    return Restoration(changes, tuple(impossible))


def lost_stores(now: ClusterMap, were: Iterable[Osd]) -> Iterator[str]:
    """The stores of these, as they were, that were retired since: no change brings them back."""
    for was in were:
        if was.store is None or was.store not in now.retired:
            continue
        why = now.retired[was.store].why
        yield f"{was.store} is retired for good ({why})" + _instead(now, was)


def _instead(now: ClusterMap, was: Osd) -> str:
    present, name = now.osds.get(was.osd), osd_name(was.osd)
    if present is not None and present.store is not None:
        return f"; {present.store} has taken its place"
    if present is None and was.is_leaving:  # so no intent adds it again
        add = f"`osdlog map apply --add {was.osd}`"
        return f", and {name} is not in the map: after {add} it comes back with an empty disk"
    return f": {name} comes back with an empty disk, once it is started on one"


def _osd_intent(osd: Osd) -> OsdIntent:
    return OsdIntent(osd.weight, osd.host, osd.rack, osd.is_in)


def _merged(
    now: Mapping[Key, Value], before: Mapping[Key, Value], after: Mapping[Key, Value]
) -> dict[Key, Value]:
    """Value by value: as before, where it is as the change made it."""
    merged = dict(now)
    for key in {**before, **after}:
        if before.get(key) == after.get(key) or now.get(key) != after.get(key):
            continue
        if key in before:
            merged[key] = before[key]
        else:
            merged.pop(key, None)
    return merged


def _merged_osd(now: OsdIntent, before: OsdIntent, after: OsdIntent) -> OsdIntent:
    place = (now.host, now.rack)
    if place == (after.host, after.rack):
        place = (before.host, before.rack)
    return OsdIntent(
        before.weight if now.weight == after.weight else now.weight,
        *place,
        before.is_in if now.is_in == after.is_in else now.is_in,
    )


def _osd_changes(now: ClusterMap, number: OsdId, wanted: OsdIntent) -> Iterator[MapChange]:
    known = now.osds.get(number)
    if known is None or known.is_leaving:
        weight = wanted.weight or WEIGHT_ONE
        yield OsdAdded(osd=number, weight=weight, host=wanted.host, rack=wanted.rack)
        has = OsdIntent(weight, wanted.host, wanted.rack, known is None or known.is_in)
    else:
        has = _osd_intent(known)
    if (has.host, has.rack) != (wanted.host, wanted.rack):
        yield OsdMoved(osd=number, host=wanted.host, rack=wanted.rack)
    if has.weight != wanted.weight:
        yield OsdReweighted(osd=number, weight=wanted.weight)
    if has.is_in != wanted.is_in:
        yield OsdIn(osd=number) if wanted.is_in else OsdOut(osd=number)


def _numbers_set(now: ClusterMap, wanted: Intent) -> Iterator[ReplicasSet]:
    if (now.replicas, now.min_replicas) != (wanted.replicas, wanted.min_replicas):
        yield ReplicasSet(replicas=wanted.replicas, min_replicas=wanted.min_replicas)


def _possible_pins(
    now: ClusterMap, wanted: Intent, gone: Sequence[OsdId], impossible: list[str]
) -> Iterator[tuple[RgId, tuple[OsdId, ...]]]:
    """Those that stand and lose none of their OSDs, and those whose OSDs can all hold data then."""
    for rg, osds in sorted(wanted.pins.items()):
        pinned = osds[: wanted.replicas]
        stands = now.pins.get(rg) == pinned and not any(osd in gone for osd in pinned)
        bad = [osd for osd in pinned if not stands and not _holds(now, wanted, osd)]
        if bad:
            names = ", ".join(map(osd_name, bad))
            impossible.append(f"{rg_name(rg)} is pinned no more: {names} cannot hold data")
        else:
            yield rg, pinned


def _holds(now: ClusterMap, wanted: Intent, number: OsdId) -> bool:
    osd, known = wanted.osds.get(number), now.osds.get(number)
    has_store = known is not None and known.store is not None
    return has_store and osd is not None and osd.is_in and osd.weight > 0
