"""Ablations that show only with several copies, or where a store is retired.

Rule: as in `simulation.ablations`: each puts another function in the place of
one of the product, for the length of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from pytest import MonkeyPatch  # noqa: PT013

from eventlog.ids import Fence, Offset, Store, Version
from eventlog.rg_events import CopiesDoomed, Statement
from osd.core import (
    custody,
    doomer,
    group,
    membership,
    operations,
    reservations,
    stagings,
)
from osd.core.answers import Answer
from osd.core.inputs import Delete, Put, Settled, Stage
from projections import map_changes, plans, replica_group
from projections.cluster_map import ClusterMap, Refusal
from projections.object_facts import Draft
from projections.replica_group import Folded
from projections.rg_state import Claim, Entry, Fact, Status
from projections.voids import Void

Ablation = Callable[[MonkeyPatch], None]
Counts = Callable[[Entry, tuple[Store, ...], int], bool]
"""Whether the copies of an object at these placed stores, so many are wanted, are enough."""


def _dooming_if(patch: MonkeyPatch, are_enough: Counts) -> None:
    """A copy outside placed is doomed, and judged in the log, by this rule instead."""

    def doomable(entry: Entry, placed: tuple[Store, ...], replicas: int) -> tuple[plans.Stray, ...]:
        if not are_enough(entry, placed, replicas):
            return ()
        outside = [fact for fact in entry.facts if fact.store not in placed]
        left = [fact for fact in outside if fact.status is not Status.DOOMED]
        return tuple(plans.Stray(fact.store, fact.version) for fact in left)

    judge = replica_group._doom_item

    def doom_item(draft: Draft, claim: Claim, event: CopiesDoomed, version: Version) -> Void | None:
        rule, name = judge(draft, claim, event, version), draft.name_of(version)
        entry = draft.entry(name) if name is not None else None
        if rule is not Void.NOT_ALL_COUNT or name is None or entry is None:
            return rule
        if not are_enough(entry, claim.placed, claim.replicas):
            return rule
        draft.set_fact(name, entry, Fact(event.store, version, Status.DOOMED))
        return None

    patch.setattr(plans, "doomable", doomable)
    patch.setattr(doomer, "doomable", doomable)
    patch.setattr(replica_group, "_doom_item", doom_item)


def _short_placed(patch: MonkeyPatch) -> None:
    """Copies are doomed also where placement finds fewer stores than there are to be copies."""
    _dooming_if(patch, lambda entry, placed, _: all(map(entry.counts_at, placed)))


def _one_counts(patch: MonkeyPatch) -> None:
    """Copies are doomed as soon as one placed store's own copy counts."""
    _dooming_if(patch, lambda entry, placed, _: any(map(entry.counts_at, placed)))


def _acting_for_placed(patch: MonkeyPatch) -> None:
    """A store that is down is not waited for: dooming is judged on acting."""
    place_on = group.Group.place_on

    def place_on_acting(
        self: group.Group, placed: tuple[Store, ...], acting: tuple[Store, ...]
    ) -> None:
        place_on(self, acting or placed, acting)

    patch.setattr(group.Group, "place_on", place_on_acting)
    _short_placed(patch)


def _any_number(patch: MonkeyPatch) -> None:
    """A put is appended however few stores have its body."""
    too_few = operations.Operations._too_few

    def only_fenced(
        self: operations.Operations, fence: Fence, request: Put | Delete
    ) -> Answer | None:
        is_staged = isinstance(request, Put) and request.staging is not None
        return too_few(self, fence, request) if is_staged and not _is_of(request, fence) else None

    patch.setattr(operations.Operations, "_too_few", only_fenced)


def _is_of(request: Put | Delete, fence: Fence) -> bool:
    return (
        isinstance(request, Put) and request.staging is not None and request.staging.fence == fence
    )


def _hopeful_put(patch: MonkeyPatch) -> None:
    """A put names every store that its body was sent to."""

    def stores(self: operations.Operations, put: Put) -> tuple[Store, ...]:
        serial = put.staging.serial if put.staging is not None else None
        peers = self._group.reservations._open.get(serial, ()) if serial is not None else ()
        return (self._context.me, *peers)

    patch.setattr(operations.Operations, "_stores", stores)


def _fenceless_staging(patch: MonkeyPatch) -> None:
    """A put is appended under another fence than its body was staged under."""
    too_few = operations.Operations._too_few

    def under_any(
        self: operations.Operations, fence: Fence, request: Put | Delete
    ) -> Answer | None:
        if isinstance(request, Put) and request.staging is not None:
            request = request._replace(staging=request.staging._replace(fence=fence))
        return too_few(self, fence, request)

    patch.setattr(operations.Operations, "_too_few", under_any)


def _unfenced_body(patch: MonkeyPatch) -> None:
    """A store takes a body under a fence that a newer claim has shut out."""
    patch.setattr(stagings, "is_fenced", lambda _fence, _claim: False)


def _body_of_any_boot(patch: MonkeyPatch) -> None:
    """A body is taken by a later process than it was sent to."""
    take = stagings.Stagings.take

    def take_any(self: stagings.Stagings, stage: Stage) -> None:
        take(self, stage._replace(boot=self._context.boot))

    patch.setattr(stagings.Stagings, "take", take_any)


def _body_of_settled(patch: MonkeyPatch) -> None:
    """A body is taken also when its serial is settled."""
    patch.setattr(stagings.Stagings, "_is_settled", lambda _self, _fence, _serial: False)


def _body_of_put(patch: MonkeyPatch) -> None:
    """A body is taken also when its put was folded before it came."""
    patch.setattr(stagings.Stagings, "_has_put", lambda _self, _fence, _serial: False)


def _settled_unread(patch: MonkeyPatch) -> None:
    """A store drops what is settled before it has read the puts that may name it."""
    settle = stagings.Stagings.settle

    def settle_at_once(self: stagings.Stagings, settled: Settled) -> None:
        settle(self, settled._replace(next_offset=Offset(0)))

    patch.setattr(stagings.Stagings, "settle", settle_at_once)


def _settled_early(patch: MonkeyPatch) -> None:
    """A primary calls settled what is still under way."""
    settle = reservations.Reservations._settle

    def settle_all(self: reservations.Reservations, fence: Fence) -> None:
        kept, self._open = self._open, {}
        settle(self, fence)
        self._open = kept

    patch.setattr(reservations.Reservations, "_settle", settle_all)


def _kept_anyway(patch: MonkeyPatch) -> None:
    """A late body becomes an import whether the store lacks it or not."""
    patch.setattr(custody.Custody, "_is_lacked", lambda _self, entry: entry.body is not None)


def _forgotten_body(patch: MonkeyPatch) -> None:
    """An RG of which nothing was read yet is forgotten with the process, staged bodies or not."""
    patch.setattr(group.Group, "remember", lambda _self: None)


def _import_of_void(patch: MonkeyPatch) -> None:
    """Bytes go by an import that was said late and is void."""
    folded = custody.Custody.folded

    def fold_all(self: custody.Custody, event: Any, done: Folded) -> None:
        folded(self, event, replace(done, void=None))

    patch.setattr(custody.Custody, "folded", fold_all)


def _retired_speak(patch: MonkeyPatch) -> None:
    """What a retired store says is accepted."""
    statement = replica_group._statement

    def accept(draft: Draft, event: Statement, offset: Offset) -> Folded:
        retired = draft.before.retired
        draft.before = replace(draft.before, retired=())
        done = statement(draft, event, offset)
        return replace(done, state=replace(done.state, retired=retired))

    patch.setattr(replica_group, "_statement", accept)


def _retired_count(patch: MonkeyPatch) -> None:
    """A retired store's facts stay, and are waited for."""

    def retire(draft: Draft, event: Any) -> Folded:
        state = draft.before
        if not state.stands(event.fence):
            return replica_group._void(draft, Void.FENCED)
        retired = tuple(sorted({*state.retired, event.store}))
        return Folded(replace(state, retired=retired), draft)

    patch.setattr(replica_group, "_retire", retire)


def _any_retirement(patch: MonkeyPatch) -> None:
    """A store is retired from an RG under any fence."""
    retire = replica_group._retire

    def retire_always(draft: Draft, event: Any) -> Folded:
        claim = draft.before.claim
        return retire(draft, replace(event, fence=claim.fence) if claim is not None else event)

    patch.setattr(replica_group, "_retire", retire_always)


def _retired_return(patch: MonkeyPatch) -> None:
    """A retired store may boot again, and goes on."""
    boot, look = map_changes._boot, membership.Membership._look_at_myself

    def boot_any(now: ClusterMap, change: Any, author: str, epoch: Any) -> ClusterMap | Refusal:
        after = boot(replace(now, retired={}), change, author, epoch)
        if isinstance(after, Refusal):
            return after
        return replace(after, retired={**now.retired, **after.retired})

    def look_away(self: membership.Membership) -> None:
        now = self._context.map
        kept = {s: why for s, why in now.retired.items() if s != self._context.me}
        self._context.map = replace(now, retired=kept)
        look(self)
        self._context.map = now

    patch.setattr(map_changes, "_boot", boot_any)
    patch.setattr(membership.Membership, "_look_at_myself", look_away)


def _any_verdict(patch: MonkeyPatch) -> None:
    """A verdict is about whatever process runs now."""
    mark = map_changes._mark

    def mark_any(now: ClusterMap, change: Any) -> ClusterMap | Refusal:
        osd = now.osds.get(change.store.osd)
        if osd is not None and osd.store is not None:
            change = replace(change, store=osd.store, boot=osd.boot)
        return mark(now, change)

    patch.setattr(map_changes, "_mark", mark_any)


def _clean_at_once(patch: MonkeyPatch) -> None:
    """Whoever states its holdings does not say that an import of a past version is here."""
    patch.setattr(custody.Custody, "has_outlived", property(lambda _: False))


COPY_ABLATIONS: dict[str, Ablation] = {
    "placed-not-acting": _acting_for_placed,
    "enough-placed": _short_placed,
    "every-placed-counts": _one_counts,
    "min-replicas": _any_number,
    "durable-before-named": _hopeful_put,
    "fence-of-put": _fenceless_staging,
    "fence-of-body": _unfenced_body,
    "boot-of-body": _body_of_any_boot,
    "put-is-refused": _body_of_put,
    "settled-is-refused": _body_of_settled,
    "read-before-settled": _settled_unread,
    "settled-by-serial": _settled_early,
    "lacked-before-kept": _kept_anyway,
    "staged-is-remembered": _forgotten_body,
    "void-imports": _import_of_void,
    "retired-are-silent": _retired_speak,
    "retired-count-nowhere": _retired_count,
    "fence-of-retirement": _any_retirement,
    "retired-stay-out": _retired_return,
    "boot-of-verdict": _any_verdict,
    "outlived-is-owned-up": _clean_at_once,
}
"""All, by the name of what is missing."""
