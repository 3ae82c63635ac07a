"""Ablations: the product without one of its safeguards, each for the length of a run.

Rule: a safeguard is a named function of the product, and an ablation puts
another in its place; nothing in the product knows of it.

What is not here: who misses what (see `simulation.safeguards`), and what needs
several copies or a retired store (see `simulation.copy_ablations`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import DecodeError
from msgspec.structs import replace
from pytest import MonkeyPatch  # noqa: PT013

from eventlog.ids import Fence, RgId, Store, Version
from eventlog.log import Log
from eventlog.rg_events import CopiesLost, ObjectsImported, Operation, RgClaimed
from osd import returning
from osd.core import (
    claims,
    custody,
    doomer,
    importer,
    membership,
    operations,
    pulls,
    readers,
    speaker,
)
from osd.core.answers import Done
from osd.core.inputs import Consistency, Delete, Get, Put
from osd.memory_rows import MemoryRows
from projections import cluster_map, map_fold, object_facts, plans, replica_group, snapshots
from projections.failure_domains import Candidate
from projections.object_facts import Draft
from projections.rg_state import Body, Claim, Entry, Fact, OpKind, Status
from projections.voids import Void
from simulation import cluster

Ablation = Callable[[MonkeyPatch], None]


def _always(value: object) -> Callable[..., Any]:
    return lambda *_args, **_options: value


def _fence_without(*parts: str) -> Ablation:
    """The fold and the nodes do not look at these parts of a fence."""

    def gives(claim: Claim, fence: Fence) -> bool:
        kept = [part for part in ("epoch", "round", "store", "boot") if part not in parts]
        return all(getattr(claim.fence, part) == getattr(fence, part) for part in kept)

    return lambda patch: patch.setattr(Claim, "gives", gives)


def _any_claim(patch: MonkeyPatch) -> None:
    """A claim is accepted whatever its epoch and round."""
    patch.setattr(replica_group, "_outranks", _always(True))


def _kept_claim(patch: MonkeyPatch) -> None:
    """A process goes on under the claim of the process before it."""

    def fence(self: claims.Claims) -> Fence | None:
        claim = self._group.state.claim
        if claim is None or self.is_doubtful or claim.has_ended:
            return None
        is_mine = claim.fence.store == self._context.me and self._fits(claim)
        return claim.fence if is_mine else None

    patch.setattr(claims.Claims, "fence", property(fence))
    patch.setattr(claims.Claims, "_is_ours", lambda self, fence: fence.store == self._context.me)


def _any_version(patch: MonkeyPatch) -> None:
    """An operation is accepted if its version is above the last, next or not."""
    patch.setattr(replica_group, "_is_next", lambda event, state: event.version > state.version)


def _endless_claim(patch: MonkeyPatch) -> None:
    """A claim goes on after an operation out of sequence."""
    patch.setattr(replica_group, "_ended", lambda claim: claim)


def _unsettled_sweep(patch: MonkeyPatch) -> None:
    """Staged bytes go as soon as an append under their fence failed, or may have."""
    patch.setattr(custody.Custody, "_is_settled_by", _always(True))


def _unsettled_failure(patch: MonkeyPatch) -> None:
    """An append of unknown outcome is reported failed."""
    patch.setattr(operations.Operations, "_surely_failed", _always(True))


def _unsettled_erasure(patch: MonkeyPatch) -> None:
    """Bytes go while a statement of this store is unsettled."""
    patch.setattr(speaker.Speaker, "ready_to_erase", _always(True))
    patch.setattr(speaker.Speaker, "is_settled", property(_always(True)))


def _no_read_back(patch: MonkeyPatch) -> None:
    """A client is told that it is done when the append is sent."""
    append = operations.Operations._append

    def append_and_answer(self: operations.Operations, fence: Fence, request: Put | Delete) -> None:
        append(self, fence, request)
        version, appended = max(self._appended.items())
        kind = OpKind.PUT if isinstance(request, Put) else OpKind.DELETE
        self._context.reply(request.ticket, Done(kind, self._group.rg, version))
        appended.is_answered = True

    patch.setattr(operations.Operations, "_append", append_and_answer)


def _stale_no(patch: MonkeyPatch) -> None:
    """A no is said from the state at hand."""
    patch.setattr(operations.Operations, "_is_sure", _always(True))


def _stale_read(patch: MonkeyPatch) -> None:
    """Every read is served from the state at hand."""
    ask = readers.Readers.ask

    def ask_nothing(self: readers.Readers, request: Get) -> None:
        ask(self, request._replace(consistency=Consistency.LOCAL))

    patch.setattr(readers.Readers, "ask", ask_nothing)


def _unnamed_imports(patch: MonkeyPatch) -> None:
    """A store imports as soon as the map places it, though no claim names it."""
    patch.setattr(importer.Importer, "is_named", property(_always(True)))


def _trust_in_void(patch: MonkeyPatch) -> None:
    """A claim that lands once more ends the doubt about an append under it."""
    folded = claims.Claims.folded

    def trusting(self: claims.Claims, event: RgClaimed, *, is_accepted: bool) -> None:
        stands = self._group.state.stands(event.fence)
        folded(self, event, is_accepted=is_accepted or stands)

    patch.setattr(claims.Claims, "folded", trusting)


def _gone_for_good(patch: MonkeyPatch) -> None:
    """A row that was found missing is said to be, whatever was imported since."""
    patch.setattr(speaker.Speaker, "_is_missing", _always(True))


def _hasty_barrier(patch: MonkeyPatch) -> None:
    """A read by barrier goes by a statement that was appended before it came."""
    patch.setattr(speaker.Speaker, "barrier", lambda self: self._begun)


def _any_statement(patch: MonkeyPatch) -> None:
    """Statements are accepted late and twice."""
    patch.setattr(replica_group, "_is_newer", _always(True))


def _no_dooming(patch: MonkeyPatch) -> None:
    """A store that is not placed erases what it has, without being told."""

    def may_go(self: custody.Custody, fact: Fact) -> bool:
        return fact.status is Status.DOOMED or not self._group.is_placed

    patch.setattr(custody.Custody, "_may_go", may_go)


def _rash_dooming(patch: MonkeyPatch) -> None:
    """Copies are doomed before the placed store has its own."""

    def doomable(
        entry: Entry, placed: tuple[Store, ...], _replicas: int
    ) -> tuple[plans.Stray, ...]:
        outside = [fact for fact in entry.facts if fact.store not in placed]
        return tuple(plans.Stray(fact.store, fact.version) for fact in outside)

    def doom_item(draft: Draft, _claim: Claim, event: Any, version: Version) -> Void | None:
        name = draft.name_of(version)
        entry = draft.entry(name) if name is not None else None
        fact = entry.fact_of(event.store) if entry else None
        if name is None or entry is None or fact is None or fact.version != version:
            return Void.NO_SUCH_COPY
        draft.set_fact(name, entry, Fact(event.store, version, Status.DOOMED))
        return None

    patch.setattr(plans, "doomable", doomable)
    patch.setattr(doomer, "doomable", doomable)
    patch.setattr(replica_group, "_doom_item", doom_item)


def _dooming_as_sent(patch: MonkeyPatch) -> None:
    """A dooming is not judged again at its own place in the log."""
    judge = replica_group._doom_item

    def doom_item(draft: Draft, claim: Claim, event: Any, version: Version) -> Void | None:
        rule = judge(draft, claim, event, version)
        name = draft.name_of(version)
        entry = draft.entry(name) if name is not None else None
        if rule in (Void.STORE_IS_PLACED, Void.NOT_ALL_COUNT) and name is not None and entry:
            draft.set_fact(name, entry, Fact(event.store, version, Status.DOOMED))
            return None
        return rule

    patch.setattr(replica_group, "_doom_item", doom_item)


def _any_dooming(patch: MonkeyPatch) -> None:
    """A dooming is accepted under any fence."""
    doom = replica_group._doom

    def doom_always(draft: Draft, event: Any) -> Any:
        claim = draft.before.claim
        return doom(draft, replace(event, fence=claim.fence) if claim is not None else event)

    patch.setattr(replica_group, "_doom", doom_always)


def _any_dooming_as_sent(patch: MonkeyPatch) -> None:
    """Neither its fence nor its place in the log is asked of a dooming."""
    _dooming_as_sent(patch)
    _any_dooming(patch)


def _no_doubt(patch: MonkeyPatch) -> None:
    """A process goes on under a claim after an append of unknown outcome."""
    patch.setattr(claims.Claims, "doubt", _always(None))


def _reviving_import(patch: MonkeyPatch) -> None:
    """An import makes an object live again of which only a tombstone is left."""
    bodies: dict[tuple[int, Version], Body] = {}
    apply, judge = replica_group._apply_operation, replica_group._import_item

    def apply_operation(draft: Draft, event: Operation) -> None:
        apply(draft, event)
        entry = draft.entry(event.object)
        if entry is not None and entry.body is not None:
            bodies[draft.rg, event.version] = entry.body

    def import_item(draft: Draft, event: ObjectsImported, version: Version) -> Void | None:
        name = draft.name_of(version)
        entry = draft.entry(name) if name is not None else None
        if name is None or entry is None or entry.body is not None:
            return judge(draft, event, version)
        held = Fact(event.store, version, Status.HELD)
        others = tuple(fact for fact in entry.facts if fact.store != event.store)
        revived = replace(entry, version=version, body=bodies[draft.rg, version])
        draft.put(name, entry, replace(revived, facts=(*others, held)))
        return None

    patch.setattr(replica_group, "_apply_operation", apply_operation)
    patch.setattr(replica_group, "_import_item", import_item)


def _falling_fact(patch: MonkeyPatch) -> None:
    """An import of an older version replaces what the store has."""
    patch.setattr(replica_group, "_rises", _always(True))


def _lost_is_doomed(patch: MonkeyPatch) -> None:
    """A lost copy is doomed at once."""

    def lose_item(draft: Draft, event: CopiesLost, version: Version) -> Void | None:
        name = draft.name_of(version)
        entry = draft.entry(name) if name is not None else None
        if name is None or entry is None or entry.fact_of(event.store) is None:
            return Void.NO_SUCH_COPY
        draft.set_fact(name, entry, Fact(event.store, version, Status.DOOMED))
        return None

    patch.setattr(replica_group, "_lose_item", lose_item)


def _short_tombstone(patch: MonkeyPatch) -> None:
    """A deleted object is forgotten at once, whoever has copies."""
    patch.setattr(object_facts, "is_remembered", lambda entry: entry.body is not None)


def _no_memory(patch: MonkeyPatch) -> None:
    """Request ids are not remembered."""
    patch.setattr(operations.Operations, "_remembered", _always(None))


def _no_leaving(patch: MonkeyPatch) -> None:
    """A version is imported again while its doomed copy is still to be erased."""
    read_doomed, is_leaving = custody.Custody._read_doomed, custody.Custody.is_leaving

    def read_all(self: custody.Custody) -> None:
        with MonkeyPatch.context() as inner:  # what is to be erased is another matter
            inner.setattr(custody.Custody, "is_leaving", is_leaving)
            read_doomed(self)

    patch.setattr(custody.Custody, "_read_doomed", read_all)
    patch.setattr(custody.Custody, "is_leaving", _always(False))


def _imports_first(patch: MonkeyPatch) -> None:
    """What was erased is said after what was imported, not before."""
    say_changes = speaker.Speaker._say_changes

    def say_imports_first(self: speaker.Speaker) -> bool:
        if not any(self._imported.values()):
            return say_changes(self)
        erased, self._erased = self._erased, set()
        say_changes(self)
        self._erased |= erased
        return True

    patch.setattr(speaker.Speaker, "_say_changes", say_imports_first)


def _mistaken_erasure(patch: MonkeyPatch) -> None:
    """An erasure may be said of a copy that was imported meanwhile."""
    _no_leaving(patch)
    _imports_first(patch)


def _unread_map(patch: MonkeyPatch) -> None:
    """A claim is made without reading the map to its end."""
    patch.setattr(claims.Claims, "_has_read_map", _always(True))


def _same_round(patch: MonkeyPatch) -> None:
    """Every claim of an epoch is made for the same round."""
    patch.setattr(claims.Claims, "_next_round", _always(1))


def _no_calm(patch: MonkeyPatch) -> None:
    """Background imports begin at once."""
    may_fetch = importer.Importer._may_fetch

    def may_fetch_at_once(self: importer.Importer) -> bool:
        self._group.placed_since = -(10**9)
        return may_fetch(self)

    patch.setattr(importer.Importer, "_may_fetch", may_fetch_at_once)


def _rough_placement(patch: MonkeyPatch) -> None:
    """Nodes do not place alike: some take some weights for four times as much."""
    place, exact = membership.Membership._place, cluster_map.candidates

    def place_roughly(self: membership.Membership) -> None:
        error = self._context.me.osd % 2

        def rough(now: cluster_map.ClusterMap) -> tuple[Candidate, ...]:
            return tuple(replace(c, weight=c.weight << 2 * error * (c.osd % 2)) for c in exact(now))

        with MonkeyPatch.context() as inner:
            inner.setattr(membership, "candidates", rough)
            place(self)

    patch.setattr(membership.Membership, "_place", place_roughly)


def _unsynced(patch: MonkeyPatch) -> None:
    """Events are appended before the rows they speak of are durable."""
    patch.setattr(MemoryRows, "sync", _always(None))


def _any_layout(patch: MonkeyPatch) -> None:
    """A map change is accepted whatever layout it was made for."""
    patch.setattr(map_fold, "_guard", _always(None))


def _unswept_files(patch: MonkeyPatch) -> None:
    """Files that no row names stay after a start."""
    patch.setattr(returning, "sweep", _always([]))


def _rash_doomer(patch: MonkeyPatch) -> None:
    """A primary dooms other copies before it knows what its own disk lost."""
    patch.setattr(speaker.Speaker, "knows_disk", property(_always(True)))


def _any_snapshot(patch: MonkeyPatch) -> None:
    """A snapshot is believed if it can be decoded, whatever its sums say."""

    def believe(data: bytes, _rg: RgId, _log: Log) -> snapshots.Snapshot | snapshots.Doubt:
        try:
            found = snapshots._decode(data[len(snapshots.MAGIC) + snapshots._SUM_BYTES :])
            found.folded()
            list(found.objects())
        except (DecodeError, ValueError) as error:
            return snapshots.Doubt(str(error))
        return found

    patch.setattr(cluster, "believed", believe)


def _kept_slots(patch: MonkeyPatch) -> None:
    """The place of a background fetch is not given back."""
    patch.setattr(pulls.Pulls, "finish", _always(None))


ONE_COPY_ABLATIONS: dict[str, Ablation] = {
    "fence": _fence_without("epoch", "round", "store", "boot"),
    "epoch-of-fence": _fence_without("epoch"),
    "round-of-fence": _fence_without("round"),
    "store-of-fence": _fence_without("store"),
    "boot-of-fence": _fence_without("boot"),
    "rank-of-claims": _any_claim,
    "new-claim-after-restart": _kept_claim,
    "new-round": _same_round,
    "next-version": _any_version,
    "end-of-claim": _endless_claim,
    "settled-before-sweeping": _unsettled_sweep,
    "settled-before-failure": _unsettled_failure,
    "settled-before-erasing": _unsettled_erasure,
    "read-back": _no_read_back,
    "asked-before-no": _stale_no,
    "asked-before-read": _stale_read,
    "own-barrier": _hasty_barrier,
    "gone-may-be-back": _gone_for_good,
    "named-before-import": _unnamed_imports,
    "void-claims-end-no-doubt": _trust_in_void,
    "newer-statement": _any_statement,
    "doomed-before-erased": _no_dooming,
    "counted-before-doomed": _rash_dooming,
    "dooming-judged-in-place": _dooming_as_sent,
    "fence-of-dooming": _any_dooming,
    "dooming": _any_dooming_as_sent,
    "doubted-claim": _no_doubt,
    "only-puts-revive": _reviving_import,
    "facts-rise": _falling_fact,
    "lost-is-not-doomed": _lost_is_doomed,
    "tombstones-wait": _short_tombstone,
    "request-memory": _no_memory,
    "erased-before-imported-again": _no_leaving,
    "erased-said-first": _imports_first,
    "erasure-of-the-old-copy": _mistaken_erasure,
    "map-read-before-claim": _unread_map,
    "calm": _no_calm,
    "exact-placement": _rough_placement,
    "durable-before-appended": _unsynced,
    "layout-of-change": _any_layout,
    "swept-files": _unswept_files,
    "disk-known-before-dooming": _rash_doomer,
    "slots-given-back": _kept_slots,
    "doubted-snapshots": _any_snapshot,
}
"""All, by the name of what is missing."""
