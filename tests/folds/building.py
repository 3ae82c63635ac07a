"""Short ways to build events of one RG for fold tests."""

from eventlog.ids import (
    Boot,
    Epoch,
    Fence,
    Incarnation,
    Micros,
    Offset,
    OsdId,
    RgId,
    Round,
    Serial,
    StatementNumber,
    Store,
    Version,
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
    RgEvent,
    StoreRetired,
)
from projections.holdings import NOTHING, Holdings
from projections.replica_group import Folded
from projections.rg_memory import RgProjection

RG = RgId(5)
NOW = Micros(1_700_000_000_000_000)


def store(osd: int, incarnation: int = 1) -> Store:
    """A disk of osd.N."""
    return Store(OsdId(osd), Incarnation(incarnation))


A, B, C = store(1), store(2), store(3)


def fence(epoch: int, round_: int = 1, by: Store = A, boot: int = 1) -> Fence:
    """A fence."""
    return Fence(Epoch(epoch), Round(round_), by, Boot(boot))


def claimed(by: Fence, *placed: Store, replicas: int | None = None) -> RgClaimed:
    """A claim for these stores, by default the claimant's own."""
    chosen = placed or (by.store,)
    return RgClaimed(
        rg=RG,
        time=NOW,
        fence=by,
        placed=chosen,
        replicas=replicas or len(chosen),
        min_replicas=1,
        rules=1,
        next_offset=Offset(0),
        digest=bytes(8),
    )


def put(
    by: Fence, version: int, name: str, *stores: Store, request: str | None = None
) -> ObjectPut:
    """A put, by default on the primary's own store."""
    return ObjectPut(
        rg=RG,
        time=NOW,
        fence=by,
        serial=Serial(version),
        object=name,
        version=Version(version),
        size=10,
        sha256=bytes(32),
        media_type=None,
        metadata={},
        stores=stores or (by.store,),
        request=request,
        actor=None,
    )


def deleted(by: Fence, version: int, name: str, request: str | None = None) -> ObjectDeleted:
    """A delete."""
    return ObjectDeleted(
        rg=RG,
        time=NOW,
        fence=by,
        serial=Serial(version),
        object=name,
        version=Version(version),
        request=request,
        actor=None,
    )


def declared_lost(by: Fence, version: int, name: str, lost: int) -> ObjectDeclaredLost:
    """An operator gives an object up."""
    return ObjectDeclaredLost(
        rg=RG,
        time=NOW,
        fence=by,
        object=name,
        version=Version(version),
        lost_version=Version(lost),
        actor=None,
        reason="disk gone",
    )


def doomed(by: Fence, where: Store, *versions: int) -> CopiesDoomed:
    """A dooming."""
    return CopiesDoomed(rg=RG, time=NOW, fence=by, store=where, versions=_all(versions))


def retired(by: Fence, which: Store) -> StoreRetired:
    """A retirement."""
    return StoreRetired(rg=RG, time=NOW, fence=by, store=which, epoch=by.epoch, why="burnt")


def imported(by: Store, n: int, *versions: int, boot: int = 1) -> ObjectsImported:
    """A statement of imports."""
    return ObjectsImported(
        rg=RG,
        time=NOW,
        store=by,
        boot=Boot(boot),
        n=StatementNumber(n),
        versions=_all(versions),
        serves=None,
        source=None,
    )


def erased(by: Store, n: int, *versions: int, boot: int = 1) -> CopiesErased:
    """A statement of erasures."""
    return CopiesErased(
        rg=RG,
        time=NOW,
        store=by,
        boot=Boot(boot),
        n=StatementNumber(n),
        versions=_all(versions),
    )


def lost(by: Store, n: int, *versions: int, gone: bool = False) -> CopiesLost:
    """A statement of losses."""
    return CopiesLost(
        rg=RG,
        time=NOW,
        store=by,
        boot=Boot(1),
        n=StatementNumber(n),
        versions=_all(versions),
        gone=gone,
        why="scrub",
    )


def stated(
    by: Store, n: int, version: int, *versions: int, answers: Fence | None = None, boot: int = 1
) -> HoldingsStated:
    """A statement of holdings: of exactly these versions."""
    holdings = holdings_of(*versions)
    return HoldingsStated(
        rg=RG,
        time=NOW,
        store=by,
        boot=Boot(boot),
        n=StatementNumber(n),
        version=Version(version),
        staged_from=None,
        answers=answers,
        count=holdings.count,
        digest=holdings.digest_bytes(),
    )


def closed(by: Store, n: int) -> ExportClosed:
    """A statement that nothing is left."""
    return ExportClosed(rg=RG, time=NOW, store=by, boot=Boot(1), n=StatementNumber(n))


def holdings_of(*versions: int) -> Holdings:
    """The holdings of copies of these versions."""
    holdings = NOTHING
    for version in versions:
        holdings = holdings.plus(RG, Version(version))
    return holdings


def folded(*events: RgEvent) -> tuple[RgProjection, Folded]:
    """The RG after these events, and what the last one did."""
    projection = RgProjection(RG)
    result = [projection.fold(event, Offset(at)) for at, event in enumerate(events)]
    return projection, result[-1]


def facts(projection: RgProjection) -> dict[str, list[str]]:
    """Every fact by object name, as `osd.1 v3 held`; bare ones under `?`."""
    found: dict[str, list[str]] = {}
    for name, entry in projection.names():
        found[name] = sorted(
            f"osd.{fact.store.osd} v{fact.version} {fact.status.name.lower()}"
            for fact in entry.facts
        )
    for holder in projection.state.holders:
        for version, of in projection.facts_of(holder):
            if of is None:
                found.setdefault("?", []).append(f"osd.{holder.osd} v{version}")
    return found


def _all(versions: tuple[int, ...]) -> tuple[Version, ...]:
    return tuple(Version(version) for version in versions)
