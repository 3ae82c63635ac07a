"""Events of replica groups: what primaries say about objects, and stores about their copies.

Rule: an event is in the past tense, frozen, and checked when it is built. An
event says all that its fold may know; nothing is looked up elsewhere. The
same fields stand in `schemas/`, one file per event and version.

What is not here: whether an event is accepted (see `projections.replica_group`).

An *operation* carries the fence of the primary that speaks; a *statement*
carries (store, boot, n) of the store that speaks about its own copies.
"""

from itertools import pairwise
from typing import ClassVar

import msgspec

from eventlog.errors import BadRecord
from eventlog.ids import (
    Boot,
    Epoch,
    Fence,
    Micros,
    Offset,
    RgId,
    Serial,
    StatementNumber,
    Store,
    Version,
)

MAX_ITEMS = 1_000
"""Items one event may list, so that no record is large."""

MAX_METADATA_BYTES = 8 * 1024
"""Names and values of user metadata together, in UTF-8."""

DIGEST_BYTES = 8


def _require(met: bool, what: str) -> None:
    if not met:
        raise _invalid(what)


def _invalid(what: str) -> BadRecord:
    return BadRecord(f"the event is not valid: {what}", "It was not appended by this program.")


def _require_items(versions: tuple[Version, ...]) -> None:
    _require(0 < len(versions) <= MAX_ITEMS, f"it must list 1 to {MAX_ITEMS} versions")
    _require(versions[0] >= 1, "versions start at 1")
    ascending = all(a < b for a, b in pairwise(versions))
    _require(ascending, "its versions must ascend")


class RgEventBase(msgspec.Struct, frozen=True):
    """Every event of an RG says which one, and when by the appender's clock.

    Fields are given by name, but where many are built at once, see `eventlog.typed_events`.
    """

    schema: ClassVar[str]

    rg: RgId
    time: Micros


class RgClaimed(RgEventBase, frozen=True):
    """A primary took over the RG. Its fence shuts out every older one."""

    schema = "RgClaimed"

    fence: Fence
    placed: tuple[Store, ...]
    """The stores placed by the claimant's map, primary's order, up or not."""
    replicas: int
    min_replicas: int
    rules: int
    """Number of the rule set by which everybody folds what follows."""
    next_offset: Offset
    """How far the claimant had folded this RG's partition (exclusive)."""
    digest: bytes
    """Digest of the last record of this RG it had applied; zeros if none."""

    def __post_init__(self) -> None:
        _require(self.fence.round >= 1, "rounds start at 1")
        _require(len(set(self.placed)) == len(self.placed), "a store is placed twice")
        _require(1 <= self.min_replicas <= self.replicas, "min_replicas must be in 1..replicas")
        _require(len(self.placed) <= self.replicas, "more stores are placed than replicas")
        _require(len(self.digest) == DIGEST_BYTES, "the digest must be 8 bytes")


class OperationBase(RgEventBase, frozen=True):
    """An operation on one object, by the RG's primary."""

    fence: Fence
    object: str
    version: Version
    actor: str | None
    """Who asked, as the client says; nobody is authenticated."""

    def __post_init__(self) -> None:
        if self.version < 1:
            raise _invalid("versions start at 1")
        if not self.object:
            raise _invalid("the object has no name")


class ObjectPut(OperationBase, frozen=True):
    """The object's bytes are durable on `stores`, the primary's own among them."""

    schema = "ObjectPut"

    serial: Serial
    size: int
    """Bytes."""
    sha256: bytes
    media_type: str | None
    metadata: dict[str, str]
    stores: tuple[Store, ...]
    request: str | None
    """The client's idempotency key."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 0:
            raise _invalid("the size is negative")
        if len(self.sha256) != 32:
            raise _invalid("a SHA-256 is 32 bytes")
        stores = self.stores
        if self.fence.store not in stores:
            raise _invalid("the primary's own store must be listed")
        if len(stores) > 1 and len(set(stores)) < len(stores):
            raise _invalid("a store is listed twice")


class ObjectDeleted(OperationBase, frozen=True):
    """The object is gone from `version` on; older copies are doomed by this."""

    schema = "ObjectDeleted"

    serial: Serial
    request: str | None


class ObjectDeclaredLost(OperationBase, frozen=True):
    """An operator gave up the object's last version; it is as deleted."""

    schema = "ObjectDeclaredLost"

    lost_version: Version
    reason: str


class CopiesDoomed(RgEventBase, frozen=True):
    """These copies on `store` may go: every placed store has its own."""

    schema = "CopiesDoomed"

    fence: Fence
    store: Store
    versions: tuple[Version, ...]

    def __post_init__(self) -> None:
        _require_items(self.versions)


class StoreRetired(RgEventBase, frozen=True):
    """The claimed primary's copy of a map change, so that it has a place in this RG's order."""

    schema = "StoreRetired"

    fence: Fence
    store: Store
    epoch: Epoch
    why: str


class StatementBase(RgEventBase, frozen=True):
    """What a store says about its own copies; (boot, n) grows with each."""

    store: Store
    boot: Boot
    n: StatementNumber

    def __post_init__(self) -> None:
        _require(self.boot >= 1 and self.n >= 1, "boots and statements are counted from 1")


class HoldingsStated(StatementBase, frozen=True):
    """With my fold at `version`, my disk for this RG is exactly this."""

    schema = "HoldingsStated"

    version: Version
    """The RG version the store had folded; 0 before the first operation."""
    staged_from: Serial | None
    """The lowest serial still staged; 0 where bytes of a replaced or deleted version are here or on
    their way, of which no event told; None where there is nothing of both."""
    answers: Fence | None
    """The claim this answers, or None."""
    count: int
    """Copies, lost and doomed included."""
    digest: bytes
    """Sum mod 2^64, 8 bytes little-endian; see `projections.holdings`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(len(self.digest) == DIGEST_BYTES, "the digest must be 8 bytes")
        _require(self.count >= 0 and self.version >= 0, "a count is negative")


class ObjectsImported(StatementBase, frozen=True):
    """These versions are now durable here."""

    schema = "ObjectsImported"

    versions: tuple[Version, ...]
    serves: Fence | None
    """The claim under which they were wanted."""
    source: Store | None
    """Where the bytes came from; None when they were here already."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_items(self.versions)


class CopiesErased(StatementBase, frozen=True):
    """No bytes of these objects up to these versions are left here."""

    schema = "CopiesErased"

    versions: tuple[Version, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_items(self.versions)


class CopiesLost(StatementBase, frozen=True):
    """Copies believed to be here are bad or perhaps not there; `gone`: surely not there."""

    schema = "CopiesLost"

    versions: tuple[Version, ...]
    gone: bool
    why: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_items(self.versions)


class ExportClosed(StatementBase, frozen=True):
    """Nothing of this RG, stored or staged, is left here."""

    schema = "ExportClosed"


Operation = ObjectPut | ObjectDeleted | ObjectDeclaredLost
Statement = HoldingsStated | ObjectsImported | CopiesErased | CopiesLost | ExportClosed
RgEvent = RgClaimed | Operation | CopiesDoomed | StoreRetired | Statement

__all__ = [
    "DIGEST_BYTES",
    "MAX_ITEMS",
    "MAX_METADATA_BYTES",
    "CopiesDoomed",
    "CopiesErased",
    "CopiesLost",
    "ExportClosed",
    "HoldingsStated",
    "ObjectDeclaredLost",
    "ObjectDeleted",
    "ObjectPut",
    "ObjectsImported",
    "Operation",
    "RgClaimed",
    "RgEvent",
    "Statement",
    "StoreRetired",
]
