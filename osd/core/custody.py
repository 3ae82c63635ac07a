"""Custody: the only place where bytes leave this disk.

Rule: bytes leave this disk only so:

- (a) a committed copy goes when this store's own fold has its fact doomed;
- (b) a staged body goes when the fold has an accepted claim newer than the
  body's fence and no accepted put took it, or when its own process says that
  it is settled; an import goes when it is unlogged and not wanted, or, whatever
  is unsettled, when its bytes are bad: should the log make it a copy, it is missed;
- (c) a committed copy goes when a newer committed version replaced it.
- (a) and (b) only while no statement of this store about this RG is unsettled.
- Never by age, never because something is missing elsewhere, never because a
  copy is damaged: a lost copy keeps its bytes until it is doomed.
- Erasing a doomed copy removes that version, never other bytes of the object;
  `CopiesErased` is said only after the erasure is durable.
- While a doomed copy is still to be erased, the same version is not imported
  again, so that no erasure can be taken for that of the new copy.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from eventlog.ids import Fence, Serial, Version
from eventlog.rg_events import (
    MAX_ITEMS,
    ObjectPut,
    ObjectsImported,
    Operation,
    RgClaimed,
    RgEvent,
    StoreRetired,
)
from osd.disk import Body, Staged
from projections.replica_group import Folded
from projections.rg_state import Claim, Entry, Fact, Status

if TYPE_CHECKING:
    from osd.core.group import Group


class Custody:
    """What is to leave this disk of one RG, and what has become a copy."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._doomed: set[Version] = set()
        self._has_stale_stages = True
        """A claim was folded since the staged bodies were last looked at; also at start."""
        self._unused: list[Staged] = []
        """Bodies that were never appended and never will be."""
        self._read_doomed()

    def folded(self, event: RgEvent, folded: Folded) -> None:
        """Let the disk follow one folded event; rules (c) and what was promoted."""
        if isinstance(event, RgClaimed) and folded.void is None:
            self._has_stale_stages = True
        if isinstance(event, Operation) and folded.void is None:
            self._group.context.arrivals.operated(self._group.rg, event.object)
        if isinstance(event, StoreRetired):
            return  # what is retired is for its owner to wipe, not for the fold
        for before, after in folded.draft.entries.values():
            self._follow(event, before, after)
        for (store, version), is_there in folded.draft.bare.items():
            if store == self._group.context.me:
                self._follow_bare(version, is_there=is_there)
        is_judged = folded.void is None  # one that comes late may speak of what is said again
        if (
            isinstance(event, ObjectsImported)
            and event.store == self._group.context.me
            and is_judged
        ):
            for version in event.versions:
                self._unlink(self._group.disk.drop_import(version))

    def advance(self) -> None:
        """Erase and sweep what may go now."""
        if not (self._doomed or self._has_stale_stages or self._unused):
            return
        if not self._group.speaker.is_settled:
            return
        self._drop_unused()
        if self._has_stale_stages:
            self._sweep_stages()
        if self._doomed and self._group.speaker.ready_to_erase():
            self._erase()

    @property
    def has_outlived(self) -> bool:
        """Whether a version that is not its object's last any more is here or on its way, unlogged.

        No fact tells of it, so whoever proves that the object is gone must be told.
        """
        if self._group.context.arrivals.has_past(self._group.rg):
            return True
        imported = (version for version, _ in self._group.disk.imported())
        return any(map(self._is_past, chain(imported, self._group.importer.coming)))

    def is_leaving(self, version: Version) -> bool:
        """Whether a doomed copy of this version is still to be erased, or to be said erased."""
        if not self._group.ledger.doomed:  # as while most copies come: rows need not be read
            return False
        fact = self._group.own_fact(version)
        return fact is not None and fact.status is Status.DOOMED

    def never_appended(self, staged: Staged) -> None:
        """Rule (b): the body's own process knows that no append names it."""
        self._unused.append(staged)

    def keep_or_drop(self, staged: Staged) -> None:
        """No put will name this store as having the body: an import if it is lacked, else gone."""
        group, copy = self._group, staged.copy
        entry = group.table.entry(copy.name)
        body = entry.body if entry is not None else None
        if (
            entry is not None
            and body is not None
            and (body.size, body.sha256) == (copy.size, copy.sha256)
            and self._is_lacked(entry)
            and group.disk.import_of(entry.version) is None
        ):
            group.disk.import_staged(staged, entry.version)
            group.speaker.imported(entry.version, None)
        else:
            self._unlink(group.disk.unstage(staged))

    def settled(self, fence: Fence, below: Serial) -> None:
        """Rule (b): the bodies' own process says that these serials are settled."""
        for staged in list(self._group.disk.staged()):
            if staged.fence.process == fence.process and staged.serial < below:
                self.keep_or_drop(staged)

    def judge_import(self, version: Version) -> None:
        """An import that is here but unlogged: say it again if it is wanted, else drop it."""
        group = self._group
        name = group.table.name_of(version)
        entry = group.table.entry(name) if name is not None else None
        if entry is not None and entry.version == version and self._is_lacked(entry):
            group.speaker.imported(version, None)
        else:
            self._unlink(group.disk.drop_import(version))

    def bad_import(self, version: Version, body: Body) -> None:
        """An import whose bytes are bad is no copy: not said, or said and then lost."""
        if self._group.speaker.withdraw(version):
            self._unlink(self._group.disk.drop_import(version))
        else:
            self._group.speaker.lost(version, body)

    def _is_past(self, version: Version) -> bool:
        name = self._group.table.name_of(version)
        entry = self._group.table.entry(name) if name is not None else None
        return entry is None or entry.version != version

    def _is_lacked(self, entry: Entry) -> bool:
        """Whether this store should have a copy of the live object, has none, and may take one."""
        group = self._group
        return (
            group.is_placed
            and entry.body is not None
            and not entry.counts_at(group.context.me)
            and not self.is_leaving(entry.version)
        )

    def _follow(self, event: RgEvent, before: Entry | None, after: Entry | None) -> None:
        me = self._group.context.me
        had = before.fact_of(me) if before else None
        has = after.fact_of(me) if after else None
        if has is not None and (had is None or had.version != has.version):
            self._promote(event, has)
        elif has is not None and isinstance(event, ObjectsImported):
            self._replace(has.version)
        if had is not None and (has is None or had.version != has.version):
            self._doomed.discard(had.version)
            self._unlink(self._group.disk.drop_copy(had.version))
        if has is not None and self._may_go(has):
            self._doomed.add(has.version)
        elif has is not None:  # an import said before it was doomed has landed after: it counts
            self._doomed.discard(has.version)

    def _may_go(self, fact: Fact) -> bool:
        """Rule (a): the log says so of this copy; that it is wanted nowhere is not enough."""
        return fact.status is Status.DOOMED

    def _replace(self, version: Version) -> None:
        """Rule (c) for a copy that was lost: the checked re-import takes its place."""
        disk = self._group.disk
        if disk.import_of(version) is not None:
            self._unlink(disk.drop_copy(version))
            disk.promote_import(version)

    def _follow_bare(self, version: Version, *, is_there: bool) -> None:
        if is_there:
            self._group.disk.promote_import(version)
            self._doomed.add(version)
        else:
            self._doomed.discard(version)
            self._unlink(self._group.disk.drop_copy(version))

    def _promote(self, event: RgEvent, fact: Fact) -> None:
        disk = self._group.disk
        if isinstance(event, ObjectPut):
            disk.promote_staged(event.fence, event.serial, fact.version)
        else:
            disk.promote_import(fact.version)  # a put in a replayed log promotes nothing: see
            # `Speaker`, which compares the disk with the log once it has caught up

    def _drop_unused(self) -> None:
        unused, self._unused = self._unused, []
        for staged in unused:
            self._unlink(self._group.disk.unstage(staged))

    def _sweep_stages(self) -> None:
        self._has_stale_stages = False
        claim = self._group.state.claim
        if claim is None:
            return
        for staged in list(self._group.disk.staged()):
            if self._is_settled_by(claim, staged):
                self.keep_or_drop(staged)

    def _is_settled_by(self, claim: Claim, staged: Staged) -> bool:
        """Rule (b): no append under the body's fence can be accepted any more."""
        return staged.fence.rank < claim.fence.rank

    def _erase(self) -> None:
        chosen = sorted(self._doomed)[:MAX_ITEMS]
        self._doomed.difference_update(chosen)
        for version in chosen:
            self._unlink(self._group.disk.drop_copy(version))
        self._group.speaker.erased(chosen)

    def _read_doomed(self) -> None:
        """After a start the queue is what the fold says."""
        if not self._group.ledger.doomed:
            return
        for version, name in self._group.table.facts_of(self._group.context.me):
            if name is None or self.is_leaving(version):
                self._doomed.add(version)

    def _unlink(self, files: list[str]) -> None:
        self._group.context.effects.unlink.extend(files)
