"""Short ways to build cluster maps and their events."""

from eventlog.ids import WEIGHT_ONE, Boot, Incarnation, Layout, Micros, OsdId, RgId, Store
from eventlog.map_events import (
    ClusterCreated,
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
    RgPinned,
    RgUnpinned,
    StoreWrittenOff,
)
from folds.building import store
from projections.cluster_map import EMPTY, ClusterMap, Refusal
from projections.map_fold import fold

CREATED = ClusterCreated(
    cluster="c1",
    rg_count=16,
    partitions=16,
    retention="unlimited",
    cleanup="none",
    replicas=2,
    min_replicas=1,
    rules=1,
)


def event(*changes: MapChange, layout: int | None, author: str = "ann") -> MapChanged:
    """A map event."""
    return MapChanged(
        time=Micros(1),
        author=author,
        reason="",
        layout=None if layout is None else Layout(layout),
        changes=changes,
    )


def folded(before: ClusterMap, *changes: MapChange, author: str = "ann") -> ClusterMap | Refusal:
    """What one event with these changes, made for the present layout, gives."""
    return fold(before, event(*changes, layout=before.layout, author=author))


def changed(before: ClusterMap, *changes: MapChange, author: str = "ann") -> ClusterMap:
    """The map after one event, which must be accepted."""
    after = folded(before, *changes, author=author)
    assert not isinstance(after, Refusal), after
    return after


def refused(before: ClusterMap, *changes: MapChange) -> Refusal:
    """Why one event is void, which it must be."""
    after = folded(before, *changes)
    assert isinstance(after, Refusal), after
    return after


def added(osd: int, weight: int = WEIGHT_ONE, host: str = "", rack: str = "r1") -> OsdAdded:
    """An OSD, by default on a host of its own."""
    return OsdAdded(osd=OsdId(osd), weight=weight, host=host or f"h{osd}", rack=rack)


def booted(osd: int, incarnation: int = 1, boot: int = 1, replaces: int | None = None) -> OsdBooted:
    """A process started on this disk of osd.N, in place of that one: of any, unless it is said."""
    return OsdBooted(
        store=store(osd, incarnation),
        boot=Boot(boot),
        address=f"host:{osd}{boot}",
        replaces=None if replaces is None else Incarnation(replaces),
    )


def down(osd: int, incarnation: int = 1, boot: int = 1) -> OsdDown:
    """That boot does not answer."""
    return OsdDown(store=store(osd, incarnation), boot=Boot(boot), why="silent")


def up(osd: int, incarnation: int = 1, boot: int = 1) -> OsdUp:
    """That boot answers again."""
    return OsdUp(store=store(osd, incarnation), boot=Boot(boot))


def out(osd: int) -> OsdOut:
    """It is placed no more."""
    return OsdOut(osd=OsdId(osd))


def into(osd: int) -> OsdIn:
    """It is placed again."""
    return OsdIn(osd=OsdId(osd))


def leaving(osd: int) -> OsdLeaving:
    """It leaves for good."""
    return OsdLeaving(osd=OsdId(osd))


def weighed(osd: int, weight: int) -> OsdReweighted:
    """It has that weight, in 1/65,536."""
    return OsdReweighted(osd=OsdId(osd), weight=weight)


def moved(osd: int, host: str = "h9", rack: str = "r9") -> OsdMoved:
    """It stands elsewhere."""
    return OsdMoved(osd=OsdId(osd), host=host, rack=rack)


def written_off(which: Store) -> StoreWrittenOff:
    """The store is retired."""
    return StoreWrittenOff(store=which, by="ben", why="burnt")


def pinned(rg: int, *osds: int) -> RgPinned:
    """The RG is placed on these first."""
    return RgPinned(rg=RgId(rg), osds=tuple(map(OsdId, osds)))


def unpinned(rg: int) -> RgUnpinned:
    """The RG is placed by placement again."""
    return RgUnpinned(rg=RgId(rg))


def cluster() -> ClusterMap:
    """osd.1 to osd.3, booted, up and in; epoch 3, layout 2."""
    made = changed(EMPTY, CREATED)
    made = changed(made, added(1), added(2), added(3))
    return changed(made, booted(1), booted(2), booted(3))
