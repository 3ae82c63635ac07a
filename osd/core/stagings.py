"""Stagings: bodies that the RG's primary keeps at this store before it appends their put.

Rule: a body is taken only where the map places the RG, and only under a fence
that is not older than the claim folded here. It is confirmed once it is
durable. What is settled, or has its put in the log as it is folded here, is not
taken again, however late or often it comes: its object may be deleted by then,
and this store may have said that nothing of it is here. Of an earlier process
that is not known any more, so a body names the process that it is meant for. A
put that names it makes it a copy (see `osd.core.custody`); one that was appended
without waiting for this store makes it an import, which this store says.
What no put names leaves by the rules of custody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlog.ids import Boot, Fence, Serial
from eventlog.rg_events import ObjectPut
from osd.core.answers import Answer, Kept, NotNow
from osd.core.inputs import Settled, Stage
from osd.disk import Copy, Staged
from projections.rg_state import Claim

if TYPE_CHECKING:
    from osd.core.group import Group


PUTS = 10_000
"""So many that are not settled are remembered; of older ones their highest serial."""
NOT_PLACED = NotNow("the RG is not placed here")


class Stagings:
    """Those of one RG."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._settled: tuple[Fence, Serial] | None = None
        """What was heard of serials that no body is taken for any more."""
        self._put: set[Serial] = set()
        """Serials whose puts were accepted under the fence that stood last."""
        self._put_under: Fence | None = None
        self._forgotten = Serial(0)
        """The highest of those that are remembered no more."""

    def take(self, stage: Stage) -> None:
        """Keep the body and confirm it when it is durable, or say why not."""
        there = self._group.disk.staged_as(stage.fence, stage.serial)
        refusal = self._refusal(stage, there)
        if there is not None or refusal is not None:
            self._drop(stage)
        else:
            self._group.disk.stage(Staged(stage.fence, stage.serial, self._copy(stage)))
            self._group.remember()
        self._context.confirm(stage.ticket, refusal or Kept())

    def admit(self, boot: Boot, fence: Fence, serial: Serial) -> NotNow | None:
        """Whether to take such a body at all, if the RG is placed here: None, or why not."""
        if boot != self._context.boot:
            return NotNow(f"this is boot {self._context.boot}, not {boot}")
        if self._is_settled(fence, serial):
            return NotNow(f"serial {serial} is settled")
        if self._has_put(fence, serial):
            return NotNow(f"the put of serial {serial} is in the log already, or may be")
        claim, left = self._group.state.claim, self._context.left.get(self._group.rg)
        if claim is not None and is_fenced(fence, claim):
            return NotNow(f"fenced: the RG was claimed as {claim.fence}")
        if left is not None and fence.rank <= left.rank and not self._group.is_caught_up:
            return NotNow("the RG was left since that claim, and is not read again yet")
        return None

    def folded(self, event: ObjectPut) -> None:
        """A put was accepted: if it did not wait for the body here, that is an import now."""
        self._remember(event.fence, event.serial)
        staged = self._group.disk.staged_as(event.fence, event.serial)
        if staged is not None:
            self._group.custody.keep_or_drop(staged)

    def refuse_below(self, fence: Fence, serial: Serial) -> None:
        """Puts were folded under this claim that are not known here; all have lower serials."""
        self._put_under, self._put, self._forgotten = fence, set(), Serial(serial - 1)

    def settle(self, settled: Settled) -> None:
        """Drop what the fence's own process says is settled, once all of that is read here."""
        group = self._group
        if group.place.next_offset < settled.next_offset:
            why = "the log is not read as far here"
        elif not group.speaker.is_settled:
            why = "a statement of this store is under way"
        else:
            group.custody.settled(settled.fence, settled.below)
            self._note(settled)
            self._context.confirm(settled.ticket, Kept())
            return
        self._context.reply(settled.ticket, NotNow(why))

    def _refusal(self, stage: Stage, there: Staged | None) -> Answer | None:
        if not self._group.is_placed:
            return NOT_PLACED
        if refusal := self.admit(stage.boot, stage.fence, stage.serial):
            return refusal
        if there is not None and there.copy.sha256 != stage.sha256:
            return NotNow(f"another body is staged here as {stage.serial} of {stage.fence}")
        return None

    def _remember(self, fence: Fence, serial: Serial) -> None:
        if fence.store == self._context.me:
            return  # nobody stages anything here under it
        self._context.arrivals.put(self._group.rg, fence, serial)
        if fence != self._put_under:
            self._put_under, self._put, self._forgotten = fence, set(), Serial(0)
        self._put.add(serial)
        if len(self._put) > PUTS:
            in_order = sorted(self._put)
            self._forgotten = in_order[PUTS // 2]
            self._put = set(in_order[PUTS // 2 + 1 :])

    def _has_put(self, fence: Fence, serial: Serial) -> bool:
        if (is_put := self._context.arrivals.has_put(self._group.rg, fence, serial)) is not None:
            return is_put  # it was not, when it began to arrive
        is_known = serial in self._put or serial <= self._forgotten
        return fence == self._put_under and is_known

    def _note(self, settled: Settled) -> None:
        """Keep what says most: of the newest fence, the highest serial."""
        fence, below = settled.fence, settled.below
        if self._settled is None or (fence.rank, below) > (self._settled[0].rank, self._settled[1]):
            self._settled = (fence, below)
        if self._put_under is not None and self._put_under.process == fence.process:
            self._put = {serial for serial in self._put if serial >= below}

    def _is_settled(self, fence: Fence, serial: Serial) -> bool:
        if self._settled is None:
            return False
        of, below = self._settled
        return fence.process == of.process and serial < below

    def _copy(self, stage: Stage) -> Copy:
        body = self._group.keep_payload(stage.payload)
        return Copy(stage.name, stage.size, stage.sha256, body)

    def _drop(self, stage: Stage) -> None:
        if isinstance(stage.payload, str):
            self._context.effects.unlink.append(stage.payload)


def is_fenced(fence: Fence, claim: Claim) -> bool:
    """Whether a claim that another process made, or a newer one, shuts this fence out."""
    return fence != claim.fence and fence.rank <= claim.fence.rank
