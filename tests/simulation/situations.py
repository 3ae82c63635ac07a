"""Situations: what a run came through, so that a search that goes blind is noticed.

Rule: a situation is something that only matters if it happens: a put that did
not wait for every store, a primary that dies between an append and its
read-back. Each is told from the log, from what nodes do and from who died, and
counted once a run. `EXPECTED` are those that the first seeds must have.

What is not here: whether what then happened was right (see
`simulation.checkers`).
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from eventlog.ids import Boot, Offset, RgId, Store, Version
from eventlog.map_events import MapChanged, OsdBooted, OsdDown
from eventlog.rg_events import (
    CopiesErased,
    CopiesLost,
    HoldingsStated,
    ObjectPut,
    ObjectsImported,
    RgClaimed,
    StoreRetired,
)
from osd.core.answers import NotNow, Unavailable
from osd.core.effects import Effects, Ticket
from osd.core.inputs import Arrived, Arriving, Decoded, Input, Read
from osd.core.membership import MONITOR
from projections.replica_group import Folded
from projections.rg_state import RgState
from projections.states import is_complete
from projections.voids import Void
from simulation.cluster import Cluster
from simulation.observers import Observer
from simulation.reference import Told
from simulation.stores import Machine


class Situation(StrEnum):
    """What may be come through; the value is what people read."""

    SHORT_PUT = "a put that names fewer stores than are placed"
    LATE_BODY = "a body that came too late for its put becomes a copy"
    TOO_FEW = "a put refused for too few stores"
    RAISED = "replicas raised while an RG imports"
    LOWERED = "replicas lowered while an RG imports"
    RETIRED = "a store retired that had copies"
    REFILLED = "a wiped disk is filled again"
    REPLACED = "all copies of an RG moved to other stores"
    ALL_REPLACED = "no store of the beginning holds anything in the end"
    DIED = "a primary dies before it reads back a put that peers have staged"
    LANDED_LATE = "a put is accepted after its process died"
    SETTLED = "a peer is told what is settled"
    MENDED = "a lost copy is replaced"
    UNAVAILABLE = "a read of what only stores have that are down"
    VERDICT = "a monitor's verdict is accepted"
    HANDED_OVER = "an RG goes on from another store's snapshot"
    DIED_ARRIVING = "a process dies while a large body comes"
    PAST_ARRIVING = "holdings are stated while something of the past is here or comes"
    STALE_VERDICT = "a monitor's verdict about an earlier process"


_COMMON_VOIDS = (
    Void.CLAIM_NOT_NEWER,
    Void.FENCED,
    Void.OUT_OF_SEQUENCE,
    Void.STATEMENT_NOT_NEWER,
    Void.BELOW_FACT,
    Void.NO_SUCH_COPY,
)
EXPECTED: frozenset[str] = frozenset(Situation) | {f"void: {rule}" for rule in _COMMON_VOIDS}
"""Some hundred runs have each of these. Other rules void something in one of thousands, if ever."""


class Situations(Observer):
    """Notes what a run came through."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.seen: set[str] = set()
        self._map = cluster.map
        self._late: dict[tuple[RgId, Version], set[Store]] = {}
        """By put: the placed stores that it did not wait for."""
        self._lost: set[tuple[RgId, Store, Version]] = set()
        self._wiped: set[Store] = set()
        """New disks of OSDs whose old one had copies."""
        self._first: dict[RgId, set[Store]] = {}
        """The first stores that held something of each RG."""
        self._arriving: set[tuple[Store, Ticket]] = set()
        self._unread: dict[tuple[Store, Boot], dict[tuple[RgId, Offset], None]] = {}
        """Puts with several stores that their process has not read back."""

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if isinstance(event, MapChanged):
            self._mapped(event)
        elif folded is not None and folded.void is not None:
            self.seen.add(f"void: {folded.void}")
        elif folded is not None:
            self.seen.update(f"void: {item.rule}" for item in folded.items)
            self._accepted(told, folded)

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        if isinstance(given, Read):
            unread = self._unread.get((machine.store, machine.boot), {})
            for decoded in given.records if unread else ():
                if isinstance(decoded, Decoded) and not isinstance(decoded.event, MapChanged):
                    unread.pop((decoded.event.rg, decoded.record.offset), None)
        self._came(machine, given, effects)
        if any(isinstance(reply.answer, Unavailable) for reply in effects.replies):
            self.seen.add(Situation.UNAVAILABLE)
        for reply in effects.replies:
            if isinstance(reply.answer, NotNow) and reply.answer.why.startswith("min_replicas"):
                self.seen.add(Situation.TOO_FEW)
        if machine.node is not None and machine.node.context.taken_over:
            self.seen.add(Situation.HANDED_OVER)
        if effects.settles:
            self.seen.add(Situation.SETTLED)

    def _came(self, machine: Machine, given: Input, effects: Effects) -> None:
        """What there is to see of bodies that arrive."""
        if isinstance(given, Arriving):
            self._arriving.add((machine.store, given.ticket))
        elif isinstance(given, Arrived):
            self._arriving.discard((machine.store, given.ticket))
        for append in effects.appends:
            if isinstance(append.event, HoldingsStated) and append.event.staged_from == 0:
                self.seen.add(Situation.PAST_ARRIVING)

    def crashed(self, machine: Machine) -> None:
        """See `Observer`."""
        if self._unread.pop((machine.store, machine.boot), None):
            self.seen.add(Situation.DIED)
        still = {(store, ticket) for store, ticket in self._arriving if store == machine.store}
        if still:
            self._arriving -= still
            self.seen.add(Situation.DIED_ARRIVING)

    def settled(self) -> None:
        """See `Observer`."""
        first = set[Store]().union(*self._first.values())
        now = {s for rg in self._cluster.reference.rgs.values() for s in rg.state.holders}
        if first and now and not first & now:
            self.seen.add(Situation.ALL_REPLACED)

    def _mapped(self, event: MapChanged) -> None:
        before, self._map = self._map, self._cluster.map
        if event.author.startswith(MONITOR) and isinstance(event.changes[0], OsdDown):
            is_accepted = self._map is not before
            self.seen.add(Situation.VERDICT if is_accepted else Situation.STALE_VERDICT)
        if before.replicas != self._map.replicas and self._is_importing():
            is_raised = before.replicas < self._map.replicas
            self.seen.add(Situation.RAISED if is_raised else Situation.LOWERED)
        for change in event.changes:
            if isinstance(change, OsdBooted) and change.store.osd in before.osds:
                old = before.osds[change.store.osd].store
                if old not in (None, change.store) and self._has_copies(old):
                    self._wiped.add(change.store)

    def _is_importing(self) -> bool:
        return any(
            state.claim is not None
            and not all(is_complete(state, store) for store in state.claim.placed)
            for state in self._states()
        )

    def _has_copies(self, store: Store | None) -> bool:
        return store is not None and any(state.ledger(store).facts for state in self._states())

    def _states(self) -> Iterable[RgState]:
        return (projection.state for projection in self._cluster.reference.rgs.values())

    def _accepted(self, told: Told, folded: Folded) -> None:
        event = told.event
        match event:
            case ObjectPut():
                self._put(event, told.record.offset, folded)
            case ObjectsImported():
                void = {item.version for item in folded.items}
                self._imported(event, [v for v in event.versions if v not in void])
            case CopiesLost():
                self._lost |= {(event.rg, event.store, version) for version in event.versions}
            case StoreRetired() if folded.draft.before.ledger(event.store).facts:
                self.seen.add(Situation.RETIRED)
            case CopiesErased() | RgClaimed():
                holders = set(folded.state.holders)
                if folded.state.live and holders and not holders & self._first[event.rg]:
                    self.seen.add(Situation.REPLACED)
            case _:
                pass

    def _put(self, event: ObjectPut, offset: Offset, folded: Folded) -> None:
        claim, process = folded.state.claim, (event.fence.store, event.fence.boot)
        assert claim is not None
        self._first.setdefault(event.rg, set(event.stores))
        late = set(claim.placed) - set(event.stores)
        if late:
            self._late[event.rg, event.version] = late
            self.seen.add(Situation.SHORT_PUT)
        if not any((m.store, m.boot) == process for m in self._cluster.alive()):
            self.seen.add(Situation.LANDED_LATE)
        elif len(event.stores) > 1:
            self._unread.setdefault(process, {})[event.rg, offset] = None

    def _imported(self, event: ObjectsImported, versions: list[Version]) -> None:
        if versions and event.store in self._wiped:
            self.seen.add(Situation.REFILLED)
        for version in versions:
            is_late = event.store in self._late.get((event.rg, version), ())
            if is_late and event.source is None:
                self.seen.add(Situation.LATE_BODY)
            if (event.rg, event.store, version) in self._lost:
                self.seen.add(Situation.MENDED)


def table(seen: Counter[str], runs: int) -> str:
    """How many of these runs came through each situation, for people."""
    rows = [*sorted(seen.items(), key=lambda row: (-row[1], row[0]))]
    rows += [(what, 0) for what in sorted(EXPECTED - seen.keys())]
    return "\n".join(f"{count:>7,} of {runs:,} runs: {what}" for what, count in rows)
