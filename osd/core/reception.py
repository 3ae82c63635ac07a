"""Reception: what clients and other nodes ask of this one, before it reaches an RG.

Rule: a request by a newer map than this node's waits until the map is read;
one for an RG that is led elsewhere is sent on or refused; the rest goes to its
RG, which answers. What is refused leaves no file behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlog.ids import Boot, Epoch, Fence, RgId, Serial, osd_name
from osd.core.agenda import Agenda
from osd.core.answers import Elsewhere, Kept, NotNow, UpToDate
from osd.core.context import MAP_PARTITION, Context
from osd.core.inputs import Barrier, Delete, Get, Put, Release, Reserve, Settled, Stage
from osd.core.membership import Membership, Phase
from osd.core.reservations import CLAIMED_ANEW
from osd.core.routing import not_primary
from osd.core.stagings import NOT_PLACED, is_fenced

if TYPE_CHECKING:
    from osd.core.group import Group

Request = Put | Delete | Get | Reserve
"""What only the primary answers."""

_NO_SUCH_CLAIM = NotNow("there is no map of that claim's epoch")


class Reception:
    """Of one node; `groups` and `agenda` are the node's own."""

    def __init__(
        self,
        context: Context,
        membership: Membership,
        groups: dict[RgId, Group],
        agenda: Agenda,
    ) -> None:
        self._context = context
        self._membership = membership
        self._groups = groups
        self._agenda = agenda
        self._parked: list[tuple[int, Request | Stage]] = []
        """Requests by a newer map than this node's, each with the map question it waits for."""
        self._barriers: list[tuple[Barrier, dict[RgId, int]]] = []

    def admit(self, rg: RgId, epoch: Epoch) -> Elsewhere | NotNow | None:
        """Whether to take a request's body at all: None, or the answer without it."""
        if self._membership.phase is not Phase.RUNNING:
            return self._not_running()
        if epoch > self._context.map.epoch:
            return None
        group = self._groups.get(rg)
        if group is not None and group.is_primary:
            return None
        return not_primary(self._context, rg, self._membership.placing(rg).acting, epoch)

    def ask(self, given: Request) -> None:
        """A request that the primary answers."""
        self._context.pulls.asked(self._context.now)
        refusal = self.admit(given.rg, given.epoch)
        group = self._groups.get(given.rg)
        if refusal is not None:
            self._refuse(given, refusal)
        elif given.epoch > self._context.map.epoch:
            self._park(given)
        elif group is not None:
            if isinstance(given, Get):
                group.readers.ask(given)
            elif not isinstance(given, Reserve):
                group.operations.ask(given)
            elif group.reservations.is_answered(given):
                return
            self._agenda.touch(given.rg)

    def stage(self, given: Stage) -> None:
        """A primary's body, to be staged here."""
        group = self._groups.get(given.rg)
        if given.epoch > self._context.map.epoch:
            self._park(given)
        elif given.fence.epoch > self._context.map.epoch:
            self._refuse(given, _NO_SUCH_CLAIM)
        elif group is not None:
            group.stagings.take(given)  # which gives the RG nothing to do
        else:
            self._refuse(given, NOT_PLACED)

    def admit_stage(
        self, rg: RgId, epoch: Epoch, boot: Boot, fence: Fence, serial: Serial
    ) -> NotNow | None:
        """Whether to take a primary's body at all: None, or the answer without it."""
        group = self._groups.get(rg)
        is_map_read = max(epoch, fence.epoch) <= self._context.map.epoch
        if is_map_read and (group is None or not group.is_placed):
            return NOT_PLACED
        return None if group is None else group.stagings.admit(boot, fence, serial)

    def overtaken(self, rg: RgId, fence: Fence) -> NotNow | None:
        """Once no put can name a body that comes under that claim: the answer without it."""
        group = self._groups.get(rg)
        claim = group.state.claim if group is not None else None
        return CLAIMED_ANEW if claim is not None and is_fenced(fence, claim) else None

    def settled(self, given: Settled) -> None:
        """A primary says which of its serials are settled."""
        group = self._groups.get(given.rg)
        if group is not None:
            group.stagings.settle(given)
            self._agenda.touch(given.rg)
        elif self._membership.phase is Phase.RUNNING:
            self._context.reply(given.ticket, Kept())
        else:  # what is staged here is not followed yet
            self._context.reply(given.ticket, self._not_running())

    def release(self, given: Release) -> None:
        """A reservation came to nothing."""
        group = self._groups.get(given.rg)
        if group is not None:
            group.reservations.finish(given.serial)
            self._agenda.touch(given.rg)

    def barrier(self, given: Barrier) -> None:
        """Every RG led here is to be folded up to the log's present end.

        Which those are is not known before this process is in the map.
        """
        if self._membership.phase is not Phase.RUNNING:
            self._context.reply(given.ticket, self._not_running())
            return
        frontier = self._context.frontier
        questions = {
            rg: frontier.want(group.partition)
            for rg, group in self._groups.items()
            if group.is_primary
        }
        self._barriers.append((given, questions))

    def advance(self) -> None:
        """Let in who waited for the map."""
        ready = [p for p in self._parked if self._context.frontier.reached(MAP_PARTITION, p[0])]
        self._parked = [p for p in self._parked if p not in ready]
        for _, request in ready:
            again = request._replace(epoch=self._context.map.epoch)
            if isinstance(again, Stage):
                self.stage(again)
            else:
                self.ask(again)

    def release_barriers(self) -> None:
        """Answer barriers whose RGs are all read far enough."""
        kept = []
        for barrier, questions in self._barriers:
            if any(self._is_behind(rg, number) for rg, number in questions.items()):
                kept.append((barrier, questions))
            else:
                rgs = tuple(rg for rg in questions if rg in self._groups)
                self._context.reply(barrier.ticket, UpToDate(rgs))
        self._barriers = kept

    def expire(self) -> None:
        """Answer those whose time is up."""
        late = [parked for parked in self._parked if parked[1].deadline <= self._context.now]
        self._parked = [parked for parked in self._parked if parked not in late]
        for _, request in late:
            why = f"the map is not read to epoch {request.epoch} yet"
            self._refuse(request, NotNow(why))
        for barrier, _ in [b for b in self._barriers if b[0].deadline <= self._context.now]:
            self._barriers = [b for b in self._barriers if b[0] is not barrier]
            self._context.reply(barrier.ticket, NotNow("the log's end is not read yet"))

    def _not_running(self) -> NotNow:
        return NotNow(f"{osd_name(self._context.me.osd)} is {self._membership.phase}")

    def _is_behind(self, rg: RgId, number: int) -> bool:
        group = self._groups.get(rg)
        if group is None or group.stuck is not None:  # whoever asks of it is told why
            return False
        return not group.is_read_to(number)

    def _park(self, given: Request | Stage) -> None:
        self._parked.append((self._context.frontier.want(MAP_PARTITION), given))

    def _refuse(self, given: Request | Stage, refusal: Elsewhere | NotNow) -> None:
        if isinstance(given, Put | Stage) and isinstance(given.payload, str):
            self._context.effects.unlink.append(given.payload)
        if isinstance(given, Put) and given.staging is not None and given.rg in self._groups:
            self._groups[given.rg].reservations.finish(given.staging.serial)
        self._context.reply(given.ticket, refusal)
