"""Events of the cluster map: one event, a list of changes that apply together or not at all.

Rule: a change is in the past tense, frozen, and checked when it is built. An
operator's change names the layout it was made for; boots, ups and downs
carry their own guard. The same fields stand in `schemas/MapChanged.v2.avsc`.

What is not here: whether an event is accepted (see `projections.cluster_map`).
"""

from typing import ClassVar

import msgspec

from eventlog.errors import BadRecord
from eventlog.ids import Boot, Incarnation, Layout, Micros, OsdId, Partition, RgId, Store, Topic

NO_STORE = Incarnation(0)
"""That of no store: the OSD had none when a boot was made."""


class ChangeBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="-type"):
    """One change of the map. The tag is what Avro calls the record."""


class ClusterCreated(ChangeBase, frozen=True, kw_only=True, tag="osdlog.ClusterCreated"):
    """The first change of every map; `rg_count` and `partitions` never change."""

    cluster: str
    rg_count: int
    partitions: int
    retention: str
    cleanup: str
    replicas: int
    min_replicas: int
    rules: int

    def __post_init__(self) -> None:
        if not 1 <= self.partitions <= self.rg_count:
            raise BadRecord(
                f"{self.rg_count} RGs in {self.partitions} partitions",
                "A cluster has at least one partition and no more than RGs.",
            )
        if not 1 <= self.min_replicas <= self.replicas:
            raise BadRecord(
                f"replicas {self.replicas}, min_replicas {self.min_replicas}",
                "min_replicas must be between 1 and replicas.",
            )


class OsdAdded(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdAdded"):
    """An OSD may boot; it is placed from its first boot on."""

    osd: OsdId
    weight: int
    """In 1/65,536."""
    host: str
    rack: str


class OsdLeaving(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdLeaving"):
    """Its weight is 0 from now on; it stays until nothing is held there."""

    osd: OsdId


class OsdReweighted(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdReweighted"):
    """Its weight, in 1/65,536, is now this."""

    osd: OsdId
    weight: int


class OsdMoved(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdMoved"):
    """It stands in another failure domain."""

    osd: OsdId
    host: str
    rack: str


class OsdBooted(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdBooted"):
    """A process started on this store. Guard: a boot exceeds the store's last.

    A new store's first boot retires the OSD's former store: the one it names, and no other.
    """

    store: Store
    boot: Boot
    address: str
    """`host:port` where it answers HTTP."""
    replaces: Incarnation | None
    """Of the OSD's store when the boot was made, or `NO_STORE`; None: whatever store is there."""


class OsdUp(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdUp"):
    """It answers again. Guard: the boot it means."""

    store: Store
    boot: Boot


class OsdDown(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdDown"):
    """It does not answer, or says that it stops. Guard: the boot it means."""

    store: Store
    boot: Boot
    why: str


class OsdIn(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdIn"):
    """It is placed again."""

    osd: OsdId


class OsdOut(ChangeBase, frozen=True, kw_only=True, tag="osdlog.OsdOut"):
    """It is placed no more; its data moves."""

    osd: OsdId


class StoreWrittenOff(ChangeBase, frozen=True, kw_only=True, tag="osdlog.StoreWrittenOff"):
    """The store is retired: nobody waits for it, and it may not return."""

    store: Store
    by: str
    why: str


class RgPinned(ChangeBase, frozen=True, kw_only=True, tag="osdlog.RgPinned"):
    """The RG is placed on these OSDs first; missing places come by placement."""

    rg: RgId
    osds: tuple[OsdId, ...]


class RgUnpinned(ChangeBase, frozen=True, kw_only=True, tag="osdlog.RgUnpinned"):
    """The RG is placed by placement again."""

    rg: RgId


class ReplicasSet(ChangeBase, frozen=True, kw_only=True, tag="osdlog.ReplicasSet"):
    """How many stores an RG is placed on, and how many a write needs."""

    replicas: int
    min_replicas: int


class RulesRaised(ChangeBase, frozen=True, kw_only=True, tag="osdlog.RulesRaised"):
    """Claims from now on name this rule set."""

    rules: int


class EpochBumped(ChangeBase, frozen=True, kw_only=True, tag="osdlog.EpochBumped"):
    """The epoch jumps to at least this: heals RGs claimed under a map that is gone."""

    to: int


class RecordSkipped(ChangeBase, frozen=True, kw_only=True, tag="osdlog.RecordSkipped"):
    """One record that cannot be decoded or folded is passed over by everybody."""

    topic: Topic
    partition: Partition
    offset: int
    sha256: bytes
    by: str
    why: str


MapChange = (
    ClusterCreated
    | OsdAdded
    | OsdLeaving
    | OsdReweighted
    | OsdMoved
    | OsdBooted
    | OsdUp
    | OsdDown
    | OsdIn
    | OsdOut
    | StoreWrittenOff
    | RgPinned
    | RgUnpinned
    | ReplicasSet
    | RulesRaised
    | EpochBumped
    | RecordSkipped
)


class MapChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The map changed. `layout` is what the author saw, None where changes guard themselves."""

    schema: ClassVar[str] = "MapChanged"

    time: Micros
    author: str
    reason: str
    layout: Layout | None
    changes: tuple[MapChange, ...]

    def __post_init__(self) -> None:
        if not self.changes:
            raise BadRecord("a map event without a change", "Name at least one change.")
