"""Reservations: bodies on their way to the stores of an RG, under its standing claim.

Rule: before a put is appended its body is staged at other stores under
(fence, serial). A serial is open until its put is folded, or void for ever, or
its body came to nothing; from then on it is settled. Peers are told so now and
then, with the place in the log up to which that is true, so that a peer which
has read less keeps what a put may name. They drop what they still have staged,
and take nothing of it that comes late. A new claim makes all this needless:
peers sweep what is older.

What is not here: carrying bodies (see `osd.replication`), and the peers' side
(see `osd.core.stagings`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from eventlog.ids import Epoch, Fence, Serial, Store, osd_name
from osd.core.answers import AT_THE_LOG, Answer, NotNow, Peer, Reserved
from osd.core.effects import Settle, Ticket
from osd.core.inputs import Reserve

if TYPE_CHECKING:
    from osd.core.group import Group


class Reservations:
    """Those of one RG."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._waiting: list[Reserve] = []
        self._open: dict[Serial, tuple[Store, ...]] = {}
        """By open serial: the peers that may have its body."""
        self._untold: dict[Store, Serial] = {}
        """By peer: the highest settled serial of which it had the body, or may get it late."""
        self._telling: dict[Ticket, tuple[Store, Serial]] = {}
        self._tell_at = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a body waits for a claim."""
        return bool(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether no body waits or is on its way."""
        return not (self._waiting or self._open)

    @property
    def due(self) -> int | None:
        """When somebody's time is up, or a peer is told again."""
        times = [request.deadline for request in self._waiting]
        if self._untold and self._tell_at > self._context.now:
            times.append(self._tell_at)
        return min(times, default=None)

    def is_answered(self, request: Reserve) -> bool:
        """Take a request; whether it is answered at once, as where this process leads the RG."""
        group, fence = self._group, self._group.claims.fence
        if group.is_primary and fence is not None and group.is_caught_up:
            self._context.reply(request.ticket, self._reserve(fence))
            return True
        self._waiting.append(request)
        return False

    def advance(self) -> None:
        """Answer who waits, and tell peers what is settled."""
        group = self._group
        if self._waiting and not group.is_primary:
            self._answer_all(group.not_primary)
        fence = group.claims.fence
        if fence is None or not group.is_caught_up:
            return
        if self._waiting:
            self._answer_all(lambda _: self._reserve(fence))
        self._settle(fence)

    def expire(self) -> None:
        """Answer those whose time is up."""
        for request in [r for r in self._waiting if r.deadline <= self._context.now]:
            self._waiting.remove(request)
            self._context.reply(request.ticket, NotNow(self._group.why_waiting()))

    def log_is_full(self, why: str) -> None:
        """No body waits for a claim that cannot be appended."""
        self._answer_all(lambda _: NotNow(why, 1_000, AT_THE_LOG))

    def finish(self, serial: Serial) -> None:
        """The serial is settled: its put was folded, or will never be."""
        if not self._untold:
            self._tell_at = self._context.now + self._context.settings.settle_ms
        for peer in self._open.pop(serial, ()):
            self._untold[peer] = max(serial, self._untold.get(peer, serial))

    def claim_folded(self) -> None:
        """A claim was accepted: whoever has an older body sweeps it by that."""
        self._open, self._untold, self._telling = {}, {}, {}

    def read_again(self, placed: Iterable[Store]) -> None:
        """The RG was forgotten and is followed again under the same claim of this process.

        Which peers were told is not known any more: all are.
        """
        last = Serial(self._context.next_serial - 1)
        if last > 0:
            self._untold = dict.fromkeys((s for s in placed if s != self._context.me), last)
            self._tell_at = self._context.now

    def answered(self, ticket: Ticket, *, is_done: bool) -> None:
        """A peer dropped what it was told, or was not reached."""
        peer, below = self._telling.pop(ticket, (None, Serial(0)))
        if peer is None:
            return
        if not is_done:
            self._tell_at = self._context.now + self._context.settings.retry_ms
        elif self._untold.get(peer, below) < below:
            del self._untold[peer]

    def _answer_all(self, answer: Callable[[Epoch], Answer]) -> None:
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._context.reply(request.ticket, answer(request.epoch))

    def _reserve(self, fence: Fence) -> Reserved | NotNow:
        group, wanted = self._group, self._context.map.min_replicas
        others = [store for store in group.acting if store != self._context.me]
        peers = tuple(peer for store in others if (peer := self._peer(store)) is not None)
        if len(peers) + 1 < wanted:
            up = "are up" if peers else "is up"
            return too_few([self._context.me, *(peer.store for peer in peers)], wanted, up)
        serial = self._context.serial()
        self._open[serial] = tuple(peer.store for peer in peers)
        return Reserved(group.rg, fence, serial, peers)

    def _peer(self, store: Store) -> Peer | None:
        osd = self._context.map.osd_of(store)
        if osd is None or not osd.is_up or osd.address is None:
            return None
        return Peer(store, osd.boot, osd.address)

    def _settle(self, fence: Fence) -> None:
        if not self._untold or self._context.now < self._tell_at:
            return
        below = min(self._open, default=self._context.next_serial)
        being_told = {peer for peer, _ in self._telling.values()}
        for peer, serial in self._untold.items():
            address = self._context.address_of(peer)
            if serial < below and peer not in being_told and address is not None:
                ticket = self._context.ticket()
                self._telling[ticket] = (peer, below)
                place = self._group.place.next_offset
                self._context.effects.settles.append(
                    Settle(ticket, address, self._group.rg, fence, below, place)
                )


CLAIMED_ANEW = NotNow("the RG was claimed anew while the body was on its way", 0)
"""The answer where a body came under another claim than the one that stands."""


def too_few(stores: Iterable[Store], wanted: int, what: str, no_room: str = "") -> NotNow:
    """The answer where fewer stores than `min_replicas` are up, or have the body."""
    names = ", ".join(osd_name(store.osd) for store in stores)
    return NotNow(f"min_replicas is {wanted}, and only {names} {what}", 1_000, no_room)
