"""Handover: an RG that comes here is first asked of the stores that had it, as a snapshot.

Rule: a snapshot only saves work. An RG waits for one a bounded time and then is
folded from the log; one that comes late, twice or unasked is not looked at. It
is taken over only whole, and only where nothing of the RG is here and the
snapshot says nothing of this store: then it is the same as having folded the
log so far, and what follows is read from the log. Where its claim places this
store already, bodies under that claim may be on their way here, and who has not
folded their puts does not know which come too late. So it must be the primary's
own, which says up to which serial none is to be taken any more.

What is not here: whether a snapshot can be believed (see `osd.snapshots`,
`projections.snapshots`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlog.ids import RgId, Serial
from osd.core.context import Context
from osd.core.effects import AskSnapshot
from projections.replica_group import RULE_SET
from projections.snapshots import Snapshot

if TYPE_CHECKING:
    from osd.core.group import Group
    from projections.placement import PlacementTable


class Handover:
    """The RGs that wait for a snapshot."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._before: PlacementTable | None = None
        self._now: PlacementTable | None = None
        self._waiting: dict[RgId, int] = {}
        """Until when, in the node's milliseconds."""

    def placed(self, table: PlacementTable | None) -> None:
        """The placement, be it the same again."""
        if table is not self._now:
            self._before, self._now = self._now, table

    def ask(self, rg: RgId) -> bool:
        """Ask the stores that had the RG before; False where there are none to ask."""
        sources = self._sources(rg) if self._context.settings.snapshot_ms else ()
        if not sources:
            return False
        self._waiting[rg] = self._context.now + self._context.settings.snapshot_ms
        self._context.effects.snapshots.append(AskSnapshot(rg, sources))
        return True

    def is_awaited(self, rg: RgId) -> bool:
        """Whether the RG waits; it does so no more."""
        return self._waiting.pop(rg, None) is not None

    def overdue(self) -> list[RgId]:
        """RGs that waited long enough; they wait no more."""
        now = self._context.now
        found = sorted(rg for rg, until in self._waiting.items() if until <= now)
        for rg in found:
            del self._waiting[rg]
        return found

    def _sources(self, rg: RgId) -> tuple[str, ...]:
        if self._before is None or rg >= self._before.rg_count:
            return ()
        context = self._context
        osds = (context.map.osds.get(osd) for osd in self._before.placed(rg))
        stores = (osd.store for osd in osds if osd is not None and osd.store is not None)
        addresses = (context.address_of(store) for store in stores if store != context.me)
        return tuple(address for address in addresses if address is not None)


def next_serial(group: Group) -> Serial | None:
    """Above all serials under the claim that is folded here; None where it is another's."""
    claim = group.state.claim
    is_mine = claim is not None and group.claims.mine == claim.fence
    return group.context.next_serial if is_mine else None


def take_over(group: Group, snapshot: Snapshot, above: Serial | None) -> None:
    """Go on from the snapshot, if it may stand for what the log says so far."""
    state = snapshot.folded()
    is_new_here = group.place.last_offset is None and not group.disk.has_unlogged()
    is_silent = not state.ledger(group.context.me).facts and group.speaker.has_said_nothing
    is_known = state.claim is None or state.claim.rules == RULE_SET
    if not (is_new_here and is_silent and is_known) or group.disk.holdings.count:
        return
    if state.claim is not None and group.context.me in state.claim.placed:
        if above is None:
            return
        group.stagings.refuse_below(state.claim.fence, above)
    group.table.take_over(snapshot)
    group.context.arrivals.operated(group.rg)
    group.remember()
    group.context.taken_over += 1
