"""Telling: one line of plain words for each event, for people.

Rule: a line says, in the order in which people ask, what happened, to which
object or store, under which claim, for whom and why. Names that people chose
stand in quotes; lists are cut short with their length. Times, sums, request
ids and metadata are left out.
"""

from typing import assert_never

from eventlog.ids import WEIGHT_ONE, Fence, Store, Version, osd_name, rg_name
from eventlog.map_events import (
    ClusterCreated,
    EpochBumped,
    MapChange,
    MapChanged,
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
from eventlog.rg_events import (
    CopiesDoomed,
    CopiesErased,
    CopiesLost,
    ExportClosed,
    HoldingsStated,
    ObjectDeclaredLost,
    ObjectDeleted,
    ObjectPut,
    ObjectsImported,
    Operation,
    RgClaimed,
    RgEvent,
    Statement,
    StoreRetired,
)

_SHOWN = 8
"""Versions that are named one by one."""


def tell(event: MapChanged | RgEvent) -> str:
    """The event in one line, without its position and time."""
    match event:
        case MapChanged():
            return _tell_map(event)
        case RgClaimed():
            placed = _stores(event.placed)
            return f"{rg_name(event.rg)} claimed {event.fence}, placed {placed}"
        case ObjectPut() | ObjectDeleted() | ObjectDeclaredLost():
            return f"{rg_name(event.rg)} {_tell_operation(event)}"
        case CopiesDoomed():
            copies = _versions(event.versions)
            return f"{rg_name(event.rg)} doomed {copies} on {_name(event.store)}{_by(event.fence)}"
        case StoreRetired():
            return f"{rg_name(event.rg)} retired {event.store}{_by(event.fence)}: {event.why}"
        case _:
            return f"{rg_name(event.rg)} {_name(event.store)} {_tell_statement(event)}"


def _tell_operation(event: Operation) -> str:
    under = _by(event.fence) + (f", for {event.actor!r}" if event.actor is not None else "")
    match event:
        case ObjectPut():
            where = f"{event.size:,} bytes on {_stores(event.stores)}"
            return f"put {event.object!r} v{event.version}, {where}{under}"
        case ObjectDeleted():
            return f"deleted {event.object!r} v{event.version}{under}"
        case ObjectDeclaredLost():
            lost = f"declared {event.object!r} v{event.lost_version} lost"
            return f"{lost} as v{event.version}{under}: {event.reason}"


def _tell_statement(event: Statement) -> str:
    match event:
        case HoldingsStated():
            staged = f", staged from {event.staged_from}" if event.staged_from is not None else ""
            answers = f", answers {event.answers}" if event.answers else ""
            return f"holds {event.count:,} at v{event.version}{staged}{answers}"
        case ObjectsImported():
            source = f" from {_name(event.source)}" if event.source else ""
            return f"imported {_versions(event.versions)}{source}"
        case CopiesErased():
            return f"erased {_versions(event.versions)}"
        case CopiesLost():
            how = "has no more" if event.gone else "lost"
            return f"{how} {_versions(event.versions)}: {event.why}"
        case ExportClosed():
            return "has nothing left"
        case _:
            assert_never(event)


def _tell_map(event: MapChanged) -> str:
    changes = "; ".join(tell_change(change) for change in event.changes)
    made_for = f" for layout {event.layout}" if event.layout is not None else ""
    reason = f": {event.reason}" if event.reason else ""
    return f"map {changes}; by {event.author}{made_for}{reason}"


def tell_change(change: MapChange) -> str:
    """One change of a map event: `osd.3 is out`, `pinned rg 1f to osd.3, osd.4`."""
    match change:
        case OsdAdded() | OsdLeaving() | OsdReweighted() | OsdMoved() | OsdIn() | OsdOut():
            return _tell_osd_change(change)
        case OsdBooted() | OsdUp() | OsdDown() | StoreWrittenOff():
            return _tell_store_change(change)
        case RgPinned():
            return f"pinned {rg_name(change.rg)} to {', '.join(map(osd_name, change.osds))}"
        case RgUnpinned():
            return f"unpinned {rg_name(change.rg)}"
        case _:
            return _tell_number(change)


def _tell_osd_change(
    change: OsdAdded | OsdLeaving | OsdReweighted | OsdMoved | OsdIn | OsdOut,
) -> str:
    name = osd_name(change.osd)
    match change:
        case OsdAdded():
            weight = weight_words(change.weight)
            return f"added {name}, weight {weight}, {change.host}/{change.rack}"
        case OsdLeaving():
            return f"{name} is leaving"
        case OsdReweighted():
            return f"{name} has weight {weight_words(change.weight)}"
        case OsdMoved():
            return f"{name} is at {change.host}/{change.rack}"
        case OsdIn():
            return f"{name} is in"
        case OsdOut():
            return f"{name} is out"


def _tell_store_change(change: OsdBooted | OsdUp | OsdDown | StoreWrittenOff) -> str:
    match change:
        case OsdBooted():
            return f"booted {change.store}, boot {change.boot}, at {change.address}"
        case OsdUp():
            return f"up {change.store}, boot {change.boot}"
        case OsdDown():
            return f"down {change.store}, boot {change.boot}: {change.why}"
        case StoreWrittenOff():
            return f"retired {change.store} for {change.by}: {change.why}"


def _tell_number(
    change: ClusterCreated | ReplicasSet | RulesRaised | EpochBumped | RecordSkipped,
) -> str:
    match change:
        case ClusterCreated():
            size = f"{change.rg_count:,} RGs in {change.partitions:,} partitions"
            copies = f"replicas {change.replicas}, at least {change.min_replicas}"
            return f"made cluster {change.cluster} of {size}, {copies}, rule set {change.rules}"
        case ReplicasSet():
            return f"replicas {change.replicas}, at least {change.min_replicas}"
        case RulesRaised():
            return f"rule set {change.rules}"
        case EpochBumped():
            return f"epoch bumped to {change.to}"
        case RecordSkipped():
            place = f"{change.topic}/{change.partition}@{change.offset}"
            return f"skipped {place} for {change.by}: {change.why}"


def weight_words(weight: int) -> str:
    """A weight as people write it: `1`, `0.75`."""
    return f"{weight / WEIGHT_ONE:.6f}".rstrip("0").rstrip(".")


def _by(fence: Fence) -> str:
    return f", under {fence}"


def _name(store: Store) -> str:
    return osd_name(store.osd)


def _stores(stores: tuple[Store, ...]) -> str:
    return ",".join(map(_name, stores)) or "nowhere"


def _versions(versions: tuple[Version, ...]) -> str:
    shown = " ".join(f"v{version}" for version in versions[:_SHOWN])
    return shown if len(versions) <= _SHOWN else f"{shown} ... ({len(versions):,} copies)"
