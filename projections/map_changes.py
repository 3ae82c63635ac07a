"""What each kind of map change does, and when it contradicts the map.

Rule: `apply_change` returns a new map or a refusal that says in one sentence
what contradicts what. It never raises the epoch by itself, except for the one
change whose meaning that is. Only `projections.map_fold.fold` calls it.
Pins come one by one or many at once, by the same rule.
"""

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from eventlog.ids import Epoch, Offset, OsdId, Position, RgId, Store, osd_name, rg_name
from eventlog.map_events import (
    ClusterCreated,
    EpochBumped,
    MapChange,
    OsdAdded,
    OsdBooted,
    OsdDown,
    OsdIn,
    OsdLeaving,
    OsdMoved,
    OsdOut,
    OsdReweighted,
    OsdUp,
    RecordSkipped,
    ReplicasSet,
    RgPinned,
    RgUnpinned,
    RulesRaised,
    StoreWrittenOff,
)
from projections.cluster_map import ClusterMap, Osd, Refusal, Retirement
from projections.draws import MAX_WEIGHT

MAX_REPLICAS = 8
MAX_EPOCH = 2**53
"""No bump goes beyond it, so that there is always another epoch, and JSON says it exactly."""

_LOOK = "Look at the map with `osdlog map show`."


def apply_change(
    cluster_map: ClusterMap, change: MapChange, author: str, epoch: Epoch
) -> ClusterMap | Refusal:
    """The map after one change, or why it contradicts the map.

    `epoch` is the one that the whole event makes.
    """
    if isinstance(change, ClusterCreated):
        return _create(cluster_map, change)
    if not cluster_map.rg_count:
        return Refusal("there is no cluster yet", "Make one with `osdlog init`.")
    match change:
        case OsdAdded():
            return _add(cluster_map, change)
        case OsdBooted():
            return _boot(cluster_map, change, author, epoch)
        case OsdUp() | OsdDown():
            return _mark(cluster_map, change)
        case OsdLeaving() | OsdReweighted() | OsdMoved() | OsdIn() | OsdOut():
            return _change_osd(cluster_map, change)
        case StoreWrittenOff():
            return _write_off(cluster_map, change, epoch)
        case RgPinned() | RgUnpinned():
            return apply_pins(cluster_map, (change,))
        case ReplicasSet() | RulesRaised() | EpochBumped() | RecordSkipped():
            return _set_numbers(cluster_map, change)
        case _:
            assert_never(change)


def _create(cluster_map: ClusterMap, change: ClusterCreated) -> ClusterMap | Refusal:
    if cluster_map.rg_count:
        return Refusal(f"the log already has cluster {cluster_map.cluster}", "Use a new log.")
    return ClusterMap(
        cluster=change.cluster,
        rg_count=change.rg_count,
        partitions=change.partitions,
        retention=change.retention,
        cleanup=change.cleanup,
        replicas=change.replicas,
        min_replicas=change.min_replicas,
        rules=change.rules,
    )


def _with(cluster_map: ClusterMap, osd: Osd) -> ClusterMap:
    return replace(cluster_map, osds={**cluster_map.osds, osd.osd: osd})


def _known(cluster_map: ClusterMap, osd: OsdId) -> Osd | Refusal:
    if found := cluster_map.osds.get(osd):
        return found
    return Refusal(
        f"{osd_name(osd)} is not in the map", "`osdlog map show` lists the OSDs there are."
    )


def _add(cluster_map: ClusterMap, change: OsdAdded) -> ClusterMap | Refusal:
    if not 0 < change.weight <= MAX_WEIGHT:
        return Refusal("a weight is more than 0 and at most 65,536", "Give another weight.")
    if not change.host or not change.rack:
        return Refusal(f"{osd_name(change.osd)} needs a host and a rack", "Name both.")
    before = cluster_map.osds.get(change.osd)
    if before and not before.is_leaving:
        return Refusal(f"{osd_name(change.osd)} is in the map already", _LOOK)
    fresh = before or Osd(osd=change.osd, weight=0, host="", rack="")
    added = replace(
        fresh, weight=change.weight, host=change.host, rack=change.rack, is_leaving=False
    )
    return _with(cluster_map, added)


def _boot(
    cluster_map: ClusterMap, change: OsdBooted, author: str, epoch: Epoch
) -> ClusterMap | Refusal:
    osd = _known(cluster_map, change.store.osd)
    if isinstance(osd, Refusal):
        add = f"Add it with `osdlog map apply --add {change.store.osd}`."
        return Refusal(osd.why, add)
    if change.store in cluster_map.retired:
        return Refusal(
            f"{change.store} is retired: {cluster_map.retired[change.store].why}",
            "Start the OSD on an empty directory with --rebuild; this disk may not return.",
        )
    if osd.store == change.store and change.boot <= osd.boot:
        return Refusal(
            f"boot {change.boot} of {change.store} is not above boot {osd.boot}",
            "Another process uses a copy of this data directory: keep one and wipe the other.",
        )
    retired = dict(cluster_map.retired)
    if osd.store is not None and osd.store != change.store:
        if change.replaces not in (None, osd.store.incarnation):
            return _has_another(osd.store, change)
        why = f"replaced by {change.store}"
        retired[osd.store] = Retirement(epoch, author, why)
    booted = replace(osd, store=change.store, boot=change.boot, address=change.address, is_up=True)
    return replace(_with(cluster_map, booted), retired=retired)


def _has_another(present: Store, change: OsdBooted) -> Refusal:
    """A boot that was late, or one of two new stores: the other may have data by now.

    Unless it was on this very disk: as where --rebuild came again before the first boot was read.
    """
    return Refusal(
        f"{osd_name(present.osd)} is {present} by now, which {change.store} was not to replace",
        "If that one was this directory before --rebuild emptied it, start with --rebuild again. "
        "Else keep that one, and wipe this directory; if the other's disk is lost, start with "
        "--rebuild on this one.",
    )


def _mark(cluster_map: ClusterMap, change: OsdUp | OsdDown) -> ClusterMap | Refusal:
    osd = _known(cluster_map, change.store.osd)
    if isinstance(osd, Refusal):
        return osd
    if (osd.store, osd.boot) != (change.store, change.boot):
        return Refusal(
            f"the verdict means boot {change.boot} of {change.store}, the map has boot {osd.boot}",
            "Look again: the OSD has started anew since.",
        )
    goes_up = isinstance(change, OsdUp)
    if osd.is_up == goes_up:
        return Refusal(f"{osd_name(osd.osd)} is {'up' if goes_up else 'down'} already", _LOOK)
    return _with(cluster_map, replace(osd, is_up=goes_up))


OsdChange = OsdLeaving | OsdReweighted | OsdMoved | OsdIn | OsdOut


def _change_osd(cluster_map: ClusterMap, change: OsdChange) -> ClusterMap | Refusal:
    osd = _known(cluster_map, change.osd)
    if isinstance(osd, Refusal):
        return osd
    name = osd_name(osd.osd)
    match change:
        case OsdLeaving():
            changed, state = replace(osd, is_leaving=True, weight=0), "leaving"
        case OsdIn() | OsdOut():
            goes_in = isinstance(change, OsdIn)
            changed, state = replace(osd, is_in=goes_in), "in" if goes_in else "out"
        case OsdReweighted():
            if osd.is_leaving:
                return Refusal(f"{name} is leaving", f"Take it back with --add {osd.osd}.")
            if not 0 <= change.weight <= MAX_WEIGHT:
                return Refusal("a weight is 0 to 65,536", "Give another weight.")
            changed, state = replace(osd, weight=change.weight), "of that weight"
        case OsdMoved():
            if not change.host or not change.rack:
                return Refusal(f"{name} needs a host and a rack", "Name both.")
            changed, state = replace(osd, host=change.host, rack=change.rack), "there"
    if changed == osd:
        return Refusal(f"{name} is {state} already", _LOOK)
    return _with(cluster_map, changed)


def _write_off(
    cluster_map: ClusterMap, change: StoreWrittenOff, epoch: Epoch
) -> ClusterMap | Refusal:
    osd = cluster_map.osd_of(change.store)
    if osd is None:
        return Refusal(f"{change.store} is no present store of the map", _LOOK)
    osds = dict(cluster_map.osds)
    if osd.is_leaving:
        del osds[osd.osd]
    else:
        osds[osd.osd] = replace(osd, store=None, is_up=False, address=None)
    retirement = Retirement(epoch, change.by, change.why)
    return replace(
        cluster_map, osds=osds, retired={**cluster_map.retired, change.store: retirement}
    )


def apply_pins(
    cluster_map: ClusterMap, changes: Iterable[RgPinned | RgUnpinned]
) -> ClusterMap | Refusal:
    """As `apply_change` with one after the other; thousands of them copy the pins once."""
    pins = dict(cluster_map.pins)
    for change in changes:
        refusal = _pin(cluster_map, pins, change)
        if refusal is not None:
            return refusal
    return replace(cluster_map, pins=pins)


def _pin(
    cluster_map: ClusterMap, pins: dict[RgId, tuple[OsdId, ...]], change: RgPinned | RgUnpinned
) -> Refusal | None:
    if not 0 <= change.rg < cluster_map.rg_count:
        return Refusal(
            f"there is no {rg_name(change.rg)}", f"The cluster has {cluster_map.rg_count} RGs."
        )
    if isinstance(change, RgUnpinned):
        is_pinned = pins.pop(change.rg, None) is not None
        return None if is_pinned else Refusal(f"{rg_name(change.rg)} is not pinned", _LOOK)
    if not 1 <= len(set(change.osds)) == len(change.osds) <= cluster_map.replicas:
        return Refusal(
            f"a pin names 1 to {cluster_map.replicas} different OSDs", "Name fewer, each once."
        )
    for osd in change.osds:
        known = _known(cluster_map, osd)
        if isinstance(known, Refusal):
            return known
        if not known.is_candidate:
            return Refusal(f"{osd_name(osd)} cannot hold data now", _LOOK)
    pins[change.rg] = change.osds
    return None


NumberChange = ReplicasSet | RulesRaised | EpochBumped | RecordSkipped


def _set_numbers(cluster_map: ClusterMap, change: NumberChange) -> ClusterMap | Refusal:
    match change:
        case ReplicasSet():
            return _set_replicas(cluster_map, change)
        case RulesRaised():
            if change.rules <= cluster_map.rules:
                return Refusal(f"the rule set is {cluster_map.rules} already", _LOOK)
            return replace(cluster_map, rules=change.rules)
        case EpochBumped():
            if change.to <= cluster_map.epoch:
                return Refusal(f"the epoch is {cluster_map.epoch} already", _LOOK)
            if change.to > MAX_EPOCH:
                return Refusal(f"no epoch is above {MAX_EPOCH:,}", "Name a lower one.")
            return replace(cluster_map, epoch=Epoch(change.to))
        case RecordSkipped():
            position = Position(change.topic, change.partition, Offset(change.offset))
            skipped = {**cluster_map.skipped, position: change.sha256}
            return replace(cluster_map, skipped=skipped)


def _set_replicas(cluster_map: ClusterMap, change: ReplicasSet) -> ClusterMap | Refusal:
    if not 1 <= change.min_replicas <= change.replicas <= MAX_REPLICAS:
        return Refusal(
            f"replicas {change.replicas} with min_replicas {change.min_replicas}",
            f"Both are 1 to {MAX_REPLICAS}, min_replicas no more than replicas.",
        )
    if any(len(osds) > change.replicas for osds in cluster_map.pins.values()):
        return Refusal("an RG is pinned to more OSDs than that", "Unpin it first.")
    return replace(cluster_map, replicas=change.replicas, min_replicas=change.min_replicas)
