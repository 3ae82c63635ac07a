"""One replica group at one node: its fold, its disk, and the parts that act for it.

Rule: folding is the only way in for the log, and `advance` the only way to
act. `advance` recomputes from the state what is to be done now and may be
called at any time, any number of times; it forgets nothing and repeats
nothing. A group exists while its store is placed, or has a fact, a staged
byte or an unsettled statement.
"""

from eventlog.digest import record_digest
from eventlog.ids import Epoch, Offset, RgId, Store, Version, rg_name
from eventlog.map_events import MapChanged
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
    StoreRetired,
)
from osd.core.answers import Answer
from osd.core.claims import Claims
from osd.core.context import Context
from osd.core.custody import Custody
from osd.core.doomer import Doomer
from osd.core.effects import Hint
from osd.core.importer import Importer
from osd.core.inputs import AppendFailed, Decoded, Payload
from osd.core.operations import Operations
from osd.core.progress import Progress
from osd.core.readers import Readers
from osd.core.reservations import Reservations
from osd.core.routing import not_primary
from osd.core.speaker import Speaker
from osd.core.stagings import Stagings
from osd.disk import Body, Disk
from osd.rg_table import Place, RgTable
from projections.replica_group import Folded, fold, has_unknown_rules
from projections.rg_state import Fact, Ledger, RgState
from projections.states import Cause, State, View, flags, is_claimed_for, is_legal


class Group:
    """A followed RG."""

    def __init__(self, context: Context, rg: RgId) -> None:
        self.context = context
        self.rg = rg
        self.partition = context.rg_partition(rg)
        self.table = RgTable(context.overlay, rg)
        self.disk = Disk(context.overlay, rg)
        self.placed: tuple[Store, ...] = ()
        self.acting: tuple[Store, ...] = ()
        self.placed_since = context.now
        """Milliseconds of the node's clock."""
        self.claims = Claims(self)
        self.speaker = Speaker(self)
        self.custody = Custody(self)
        self.importer = Importer(self)
        self.progress = Progress(self)
        self.doomer = Doomer(self)
        self.reservations = Reservations(self)
        self.stagings = Stagings(self)
        self.operations = Operations(self)
        self.readers = Readers(self)
        self.stuck: str | None = None
        """Why this node cannot go on folding the RG."""
        self.is_forgettable = False
        self.is_waiting = False
        """Nothing is read for it yet: a snapshot is asked for (see `osd.core.handover`)."""
        self._question: int | None = None
        self._next_hint = 0
        self._is_dirty = False

    @property
    def state(self) -> RgState:
        """What the log says, but for objects."""
        return self.table.state

    @property
    def place(self) -> Place:
        """How far it is folded."""
        return self.table.place

    @property
    def ledger(self) -> Ledger:
        """What the log says of this store."""
        return self.state.ledger(self.context.me)

    def holds(self, version: Version) -> bool:
        """Whether the log counts this store's copy of that version."""
        name = self.table.name_of(version)
        entry = self.table.entry(name) if name is not None else None
        return entry is not None and entry.version == version and entry.counts_at(self.context.me)

    def own_fact(self, version: Version) -> Fact | None:
        """What the log knows of this store's copy of that version, be it held or not."""
        name = self.table.name_of(version)
        entry = self.table.entry(name) if name is not None else None
        fact = entry.fact_of(self.context.me) if entry else None
        return fact if fact is not None and fact.version == version else None

    @property
    def is_primary(self) -> bool:
        """Whether the map makes this store the primary."""
        return bool(self.acting) and self.acting[0] == self.context.me

    @property
    def is_placed(self) -> bool:
        """Whether the map places the RG here, up or not."""
        return self.context.me in self.placed

    @property
    def is_caught_up(self) -> bool:
        """Whether the RG was once folded to the log's end since it is followed."""
        if self.stuck is not None or self.is_waiting:
            return False
        if self._question is None:
            self._question = self.context.frontier.want(self.partition)
        return self.context.frontier.reached(self.partition, self._question)

    @property
    def is_begun(self) -> bool:
        """Whether something of the RG is folded, or there is nothing of it in the log."""
        return self.place.last_offset is not None or self.is_caught_up

    def is_read_to(self, question: int) -> bool:
        """Whether it is folded as far as that question's answer.

        One that was asked while a snapshot was awaited says by itself only how far the RG's
        partition is read, which others may share.
        """
        return self.is_caught_up and self.context.frontier.reached(self.partition, question)

    @property
    def view(self) -> View:
        """All that this RG's state is derived from."""
        return View(
            me=self.context.me,
            placed=self.placed,
            acting=self.acting,
            replicas=self.context.map.replicas,
            state=self.state,
            mine=self.claims.mine,
            is_caught_up=self.is_caught_up,
        )

    @property
    def flags(self) -> tuple[State, ...]:
        """The RG's states at this node, the one to show first."""
        return flags(self.view)

    def place_on(self, placed: tuple[Store, ...], acting: tuple[Store, ...]) -> None:
        """The map's word for this RG; unchanged is fine."""
        if placed != self.placed:
            self.placed_since = self.context.now
            self.importer.map_changed()
        self.placed, self.acting = placed, acting
        self.progress.map_changed()
        self.claims.map_changed()

    def fold(self, decoded: Decoded) -> None:
        """Fold one record of this RG and let every part hear of it."""
        record, event = decoded.record, decoded.event
        assert not isinstance(event, MapChanged)
        if record.offset < self.place.next_offset or self.stuck is not None:
            return
        if has_unknown_rules(event):
            self.stuck = f"it was claimed under rule set {event.rules}, which this program lacks"
            return
        is_checked = self.context.settings.is_checked
        before = self.flags[0] if is_checked else None
        folded = fold(self.state, self.table, event, record.offset)
        place = Place(Offset(record.offset + 1), record_digest(record.value), record.offset)
        self.table.keep(folded.draft, folded.state, place)
        self._is_dirty = True
        self.progress.folded(folded.draft, folded.state)
        self.custody.folded(event, folded)
        cause = self._tell(decoded, folded)
        if before is not None:
            assert is_legal(cause, before, self.flags[0]), (cause, before, self.flags[0])

    def advance(self) -> None:
        """Do what is to be done now."""
        self.claims.advance()
        self.operations.advance()
        self.reservations.advance()
        self.readers.advance()
        if self.stuck is not None:
            return  # what may go, and what is to be said, is under rules that are not known here
        self.custody.advance()
        self.importer.advance()
        self.speaker.advance()
        self.doomer.advance()  # after what this store says of its own copies
        self._close()
        self._hint()

    def expire(self) -> None:
        """Answer those whose time is up."""
        self.operations.expire()
        self.reservations.expire()
        self.readers.expire()

    def append_failed(self, failed: AppendFailed) -> None:
        """Some appends failed or may have."""
        self.operations.append_failed(failed)
        if failed.is_full:
            self.operations.log_is_full(failed.why)
            self.reservations.log_is_full(failed.why)
        for ticket in failed.tickets:
            self.claims.append_failed(ticket)
            self.doomer.append_failed(ticket, is_unknown=failed.is_unknown)
            self.speaker.append_failed(ticket)

    def remember(self) -> None:
        """Something of the RG is here: with its header, so that a next process follows it too."""
        if not self.table.is_stored:
            self.table.keep_header()

    def keep_header(self) -> None:
        """At the end of a step: the state and place join the step's changes."""
        if self._is_dirty:
            self.table.keep_header()
            self._is_dirty = False

    def lose_row(self, version: Version) -> None:
        """The log counts this version here, and it was seen to have no row."""
        self.disk.count_anew()
        self.speaker.gone(version)

    def keep_payload(self, payload: Payload) -> Body:
        """Give bytes that arrived a place in the rows, unless they are a file already."""
        if isinstance(payload, str):
            return payload
        return self.disk.keep_body(self.context.body_number(), payload)

    def not_primary(self, epoch: Epoch) -> Answer:
        """The answer to a client that should have asked somebody else."""
        return not_primary(self.context, self.rg, self.acting, epoch)

    def why_waiting(self) -> str:
        """One sentence on why a request could not go on."""
        name = rg_name(self.rg)
        if self.stuck is not None:
            return f"{name} is stopped here: {self.stuck}"
        if not self.is_caught_up:
            return f"{name} is not read to the end of the log yet"
        if self.claims.is_behind:
            claim = self.state.claim
            assert claim is not None
            return (
                f"{name} was claimed under epoch {claim.fence.epoch}, but the map ends at "
                f"{self.context.map.epoch}; `osdlog map bump --to {claim.fence.epoch}` heals it"
            )
        if self.claims.fence is None:
            return f"the claim of {name} is not read back yet"
        if self.operations.is_appending:
            return f"an earlier operation on the object in {name} is not read back yet"
        return f"the log has not said yet how far {name} goes"

    @property
    def due(self) -> int | None:
        """When time alone gives it something to do, in the node's milliseconds."""
        clients = (self.operations, self.reservations, self.readers)
        parts = (*clients, self.claims, self.importer, self.speaker, self.doomer)
        times = [part.due for part in parts] + [self._hint_due]
        return min((time for time in times if time is not None), default=None)

    def _tell(self, decoded: Decoded, folded: Folded) -> Cause:
        event = decoded.event
        match event:
            case RgClaimed():
                self._claimed(event, folded)
                return Cause.CLAIM
            case ObjectPut() | ObjectDeleted() | ObjectDeclaredLost():
                if self._is_mine(event.fence.store, event.fence.boot):
                    self.operations.folded(event, folded)
                if isinstance(event, ObjectPut) and folded.void is None:
                    self.stagings.folded(event)
                self.doomer.folded(folded)
                return Cause.OPERATION
            case CopiesDoomed() | StoreRetired():
                if self._is_mine(event.fence.store, event.fence.boot):
                    self.doomer.spoke()
                return Cause.DOOMING if isinstance(event, CopiesDoomed) else Cause.RETIREMENT
            case (
                HoldingsStated()
                | ObjectsImported()
                | CopiesErased()
                | CopiesLost()
                | ExportClosed()
            ):
                if self._is_mine(event.store, event.boot):
                    self.speaker.folded(event)
                self.doomer.folded(folded)
                return Cause.STATEMENT
            case _:
                raise AssertionError(f"a map event in {self.partition}")

    def _claimed(self, event: RgClaimed, folded: Folded) -> None:
        is_awaited = self.claims.is_awaited(event.fence)
        self.claims.folded(event, is_accepted=folded.void is None)
        if folded.void is not None:
            return
        self.operations.claim_folded()
        self.reservations.claim_folded()
        if self.claims.mine == event.fence and not is_awaited:
            self.reservations.read_again(event.placed)

    def _is_mine(self, store: Store, boot: int) -> bool:
        return store == self.context.me and boot == self.context.boot

    def _close(self) -> None:
        """When nothing of the RG is left here: say so once, then forget it."""
        if self.is_placed or not self.is_caught_up or self.ledger.facts:
            return
        if self.speaker.is_wanted:
            return
        if not (self.speaker.is_silent and self.importer.is_idle and self.operations.is_idle):
            return
        if not self.reservations.is_idle:
            return
        if not self.readers.is_idle or self.disk.has_unlogged():
            return
        if self.context.arrivals.is_any(self.rg):
            return
        if self.context.me in self.state.ledgers and not self._has_closed:
            self.speaker.close()
        else:
            self.is_forgettable = True

    @property
    def _has_closed(self) -> bool:
        """Whether nothing was left when it last said so, and it has stated nothing since."""
        closed, stated = self.ledger.closed, self.ledger.stated
        return closed is not None and (stated is None or stated.offset < closed)

    @property
    def _hint_due(self) -> int | None:
        if self.stuck is not None or self.is_placed or not self.ledger.facts or not self.acting:
            return None
        if is_claimed_for(self.state, self.placed):
            return None
        return max(self._next_hint, self.placed_since + self.context.settings.calm_ms)

    def _hint(self) -> None:
        """While homeless, remind the new primary now and then."""
        due, now = self._hint_due, self.context.now
        if due is None or now < due:
            return
        self._next_hint = now + self.context.settings.hint_ms
        address = self.context.address_of(self.acting[0])
        if address is not None:
            self.context.effects.hints.append(Hint(address, self.rg, self.context.map.epoch))
