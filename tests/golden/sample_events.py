"""One event of every kind, and where fields may be null one without them.

The bytes of these are kept for ever in `events/`; so an event that stands
here is never changed. New versions get samples of their own.
"""

from collections.abc import Mapping

from eventlog.codec import Event
from eventlog.ids import (
    WEIGHT_ONE,
    Boot,
    Epoch,
    Fence,
    Incarnation,
    Layout,
    Micros,
    Offset,
    OsdId,
    Partition,
    RgId,
    Round,
    Serial,
    StatementNumber,
    Store,
    Topic,
    Version,
)
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
    RgClaimed,
    StoreRetired,
)

TIME = Micros(1_763_800_000_123_456)
RG = RgId(0x1F)
STORES = (
    Store(OsdId(0), Incarnation(0x7FFF_FFFF_FFFF_FFFF)),
    Store(OsdId(3), Incarnation(0x0123_4567_89AB_CDEF)),
    Store(OsdId(12), Incarnation(1)),
)
FENCE = Fence(Epoch(17), Round(2), STORES[0], Boot(5))
SHA256 = bytes(range(32))
DIGEST = bytes.fromhex("8877665544332211")
NAME = "photos/2026/Grüße 🌍.jpg"
N = StatementNumber(9)
VERSIONS = (Version(1), Version(2), Version(40), Version(1 << 40))


def _changes(replaces: Incarnation | None) -> tuple[MapChange, ...]:
    """One of each kind; a boot in place of that store."""
    return (
        ClusterCreated(
            cluster="9a1c5cb4-0b1e-4f0e-9d0c-3f6f6a1f2b11",
            rg_count=64,
            partitions=64,
            retention="unlimited",
            cleanup="none",
            replicas=3,
            min_replicas=2,
            rules=1,
        ),
        OsdAdded(osd=OsdId(3), weight=WEIGHT_ONE, host="h1", rack=""),
        OsdLeaving(osd=OsdId(1)),
        OsdReweighted(osd=OsdId(2), weight=3 * WEIGHT_ONE // 2),
        OsdMoved(osd=OsdId(2), host="h2", rack="r1"),
        OsdBooted(store=STORES[1], boot=Boot(1), address="127.0.0.1:7400", replaces=replaces),
        OsdUp(store=STORES[1], boot=Boot(1)),
        OsdDown(store=STORES[1], boot=Boot(1), why="no answer for 3 s"),
        OsdIn(osd=OsdId(3)),
        OsdOut(osd=OsdId(3)),
        StoreWrittenOff(store=STORES[2], by="ann", why="disk crushed"),
        RgPinned(rg=RG, osds=(OsdId(3), OsdId(0))),
        RgUnpinned(rg=RG),
        ReplicasSet(replicas=2, min_replicas=1),
        RulesRaised(rules=2),
        EpochBumped(to=Epoch(100)),
        RecordSkipped(
            topic=Topic.RG,
            partition=Partition(7),
            offset=Offset(1234),
            sha256=SHA256,
            by="ann",
            why="written by a broken tool",
        ),
    )


SAMPLES: Mapping[str, Event] = {
    "MapChanged.v1": MapChanged(
        time=TIME,
        author="ann",
        reason="grow the cluster",
        layout=Layout(4),
        changes=_changes(None),
    ),
    "MapChanged.v1.bare": MapChanged(
        time=TIME, author="osd.3", reason="", layout=None, changes=(OsdIn(osd=OsdId(3)),)
    ),
    "MapChanged.v2": MapChanged(
        time=TIME,
        author="osd.3",
        reason="boot",
        layout=None,
        changes=_changes(STORES[2].incarnation),
    ),
    "RgClaimed.v1": RgClaimed(
        rg=RG,
        time=TIME,
        fence=FENCE,
        placed=STORES,
        replicas=3,
        min_replicas=2,
        rules=1,
        next_offset=Offset(4321),
        digest=DIGEST,
    ),
    "ObjectPut.v1": ObjectPut(
        rg=RG,
        time=TIME,
        fence=FENCE,
        object=NAME,
        version=Version(41),
        actor="ann",
        serial=Serial(6),
        size=5_000_000_000,
        sha256=SHA256,
        media_type="image/jpeg",
        metadata={"camera": "X100", "größe": "groß"},
        stores=STORES,
        request="3f6f6a1f-2b11",
    ),
    "ObjectPut.v1.bare": ObjectPut(
        rg=RgId(0),
        time=TIME,
        fence=FENCE,
        object="a",
        version=Version(1),
        actor=None,
        serial=Serial(1),
        size=0,
        sha256=SHA256,
        media_type=None,
        metadata={},
        stores=STORES[:1],
        request=None,
    ),
    "ObjectDeleted.v1": ObjectDeleted(
        rg=RG,
        time=TIME,
        fence=FENCE,
        object=NAME,
        version=Version(42),
        actor="ann",
        serial=Serial(7),
        request="3f6f6a1f-2b12",
    ),
    "ObjectDeleted.v1.bare": ObjectDeleted(
        rg=RG,
        time=TIME,
        fence=FENCE,
        object=NAME,
        version=Version(42),
        actor=None,
        serial=Serial(7),
        request=None,
    ),
    "ObjectDeclaredLost.v1": ObjectDeclaredLost(
        rg=RG,
        time=TIME,
        fence=FENCE,
        object=NAME,
        version=Version(43),
        actor="ann",
        lost_version=Version(41),
        reason="all disks of rack r1 burned",
    ),
    "CopiesDoomed.v1": CopiesDoomed(
        rg=RG, time=TIME, fence=FENCE, store=STORES[2], versions=VERSIONS
    ),
    "StoreRetired.v1": StoreRetired(
        rg=RG, time=TIME, fence=FENCE, store=STORES[2], epoch=Epoch(16), why="disk crushed"
    ),
    "HoldingsStated.v1": HoldingsStated(
        rg=RG,
        time=TIME,
        store=STORES[1],
        boot=Boot(2),
        n=N,
        version=Version(41),
        staged_from=Serial(3),
        answers=FENCE,
        count=12,
        digest=DIGEST,
    ),
    "HoldingsStated.v1.bare": HoldingsStated(
        rg=RG,
        time=TIME,
        store=STORES[1],
        boot=Boot(2),
        n=N,
        version=Version(0),
        staged_from=None,
        answers=None,
        count=0,
        digest=bytes(8),
    ),
    "ObjectsImported.v1": ObjectsImported(
        rg=RG,
        time=TIME,
        store=STORES[1],
        boot=Boot(2),
        n=N,
        versions=VERSIONS,
        serves=FENCE,
        source=STORES[2],
    ),
    "ObjectsImported.v1.bare": ObjectsImported(
        rg=RG,
        time=TIME,
        store=STORES[1],
        boot=Boot(2),
        n=N,
        versions=VERSIONS,
        serves=None,
        source=None,
    ),
    "CopiesErased.v1": CopiesErased(
        rg=RG, time=TIME, store=STORES[1], boot=Boot(2), n=N, versions=VERSIONS
    ),
    "CopiesLost.v1": CopiesLost(
        rg=RG,
        time=TIME,
        store=STORES[1],
        boot=Boot(2),
        n=N,
        versions=VERSIONS,
        gone=True,
        why="sum differs",
    ),
    "ExportClosed.v1": ExportClosed(rg=RG, time=TIME, store=STORES[1], boot=Boot(2), n=N),
}
