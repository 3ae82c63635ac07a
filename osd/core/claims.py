"""Claims: when this process takes over an RG, and under which fence it may act.

Rule: a process acts only under a claim that it appended itself since its start
and has read back as accepted. The primary by its map claims, after reading the
map to its end, whenever no such claim stands, or the standing one differs from
the map in placed, replicas, min_replicas or rule set, or an append under it
has an unknown outcome. The round exceeds every one read or sent for the epoch.
An RG without any event is clean, and is claimed by its first operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlog.ids import Fence, Round
from eventlog.rg_events import RgClaimed
from osd.core.context import MAP_PARTITION
from osd.core.effects import Ticket
from projections.cluster_map import ClusterMap
from projections.rg_state import Claim

if TYPE_CHECKING:
    from osd.core.group import Group


class Claims:
    """The claims of this process for one RG."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self.mine: Fence | None = None
        """The last claim of this process that was accepted."""
        self.is_doubtful = False
        """An append under `mine` failed or may have: nothing more is said under it."""
        self._sent: Fence | None = None
        self._ticket: Ticket | None = None
        self._retry_at = 0
        self._map_question: int | None = None
        self._judged: Claim | None = None
        """The claim, and the map, for which `_is_fit` was found: most questions repeat."""
        self._judged_by: ClusterMap | None = None
        self._is_fit = False

    @property
    def fence(self) -> Fence | None:
        """The fence to act under now, None where this process may not act."""
        claim = self._group.state.claim
        if claim is None or self.mine is None or self.is_doubtful or claim.has_ended:
            return None
        if claim is not self._judged or self._context.map is not self._judged_by:
            self._judged, self._judged_by = claim, self._context.map
            self._is_fit = claim.fence == self.mine and self._fits(claim)
        return self.mine if self._is_fit else None

    @property
    def is_behind(self) -> bool:
        """Whether the RG was claimed under an epoch that this node's map has not reached."""
        claim = self._group.state.claim
        return claim is not None and claim.fence.epoch > self._context.map.epoch

    @property
    def is_wanted(self) -> bool:
        """Whether this process should claim the RG and has not."""
        group = self._group
        is_asked = group.operations.is_waiting or group.reservations.is_waiting
        has_reason = group.place.last_offset is not None or is_asked
        return group.is_primary and has_reason and not self.fence and not self._sent

    @property
    def due(self) -> int | None:
        """When a failed claim is tried again."""
        is_due = self._retry_at > self._context.now and self.is_wanted
        return self._retry_at if is_due else None

    def advance(self) -> None:
        """Claim if this process should and has not."""
        if not self.is_wanted or not self._group.is_caught_up:
            return
        if self._context.now < self._retry_at or not self._has_read_map() or self.is_behind:
            return
        self._send()

    def doubt(self) -> None:
        """An append under the standing claim failed or may have."""
        self.is_doubtful = True

    def map_changed(self) -> None:
        """Before the next claim the map is read to its end again."""
        self._map_question = self._judged = None

    def append_failed(self, ticket: Ticket) -> None:
        """The claim may or may not be in the log: make another with a higher round."""
        if ticket == self._ticket:
            self._sent = None
            self._map_question = None
            self._retry_at = self._context.now + self._context.settings.retry_ms

    def is_awaited(self, fence: Fence) -> bool:
        """Whether the claim was sent since the RG is followed, and not read back yet."""
        return fence == self._sent

    def folded(self, event: RgClaimed, *, is_accepted: bool) -> None:
        """A claim was folded; a void one may be an accepted one that landed once more."""
        if event.fence == self._sent:
            self._sent = None
        if is_accepted and self._is_ours(event.fence):
            self.mine = event.fence
            self.is_doubtful = False
            self._judged = None
        self._map_question = None

    def _is_ours(self, fence: Fence) -> bool:
        return (fence.store, fence.boot) == (self._context.me, self._context.boot)

    def _fits(self, claim: Claim) -> bool:
        wanted = self._context.map
        return (
            claim.placed,
            claim.replicas,
            claim.min_replicas,
            claim.rules,
        ) == (self._group.placed, wanted.replicas, wanted.min_replicas, wanted.rules)

    def _has_read_map(self) -> bool:
        frontier = self._context.frontier
        if self._map_question is None:
            self._map_question = frontier.want(MAP_PARTITION)
        return frontier.reached(MAP_PARTITION, self._map_question)

    def _send(self) -> None:
        group, wanted = self._group, self._context.map
        fence = Fence(wanted.epoch, self._next_round(), self._context.me, self._context.boot)
        self._sent = self._context.claimed[group.rg] = fence
        self._map_question = None
        self._ticket = self._context.append(
            RgClaimed(
                rg=group.rg,
                time=self._context.clock.micros,
                fence=fence,
                placed=group.placed,
                replicas=wanted.replicas,
                min_replicas=wanted.min_replicas,
                rules=wanted.rules,
                next_offset=group.place.next_offset,
                digest=group.place.digest,
            )
        )

    def _next_round(self) -> Round:
        epoch = self._context.map.epoch
        claim = self._group.state.claim
        known = [self._context.claimed.get(self._group.rg), claim.fence if claim else None]
        rounds = [fence.round for fence in known if fence is not None and fence.epoch == epoch]
        return Round(1 + max(rounds, default=0))
