"""A storage node without its I/O: `step(input) -> effects`.

Rule: a step is a pure function of the node's state, the rows it reads, the
input and the clock of the step. What it wants done is in the effects; nothing
is done here. Steps may be given any input at any time.

What is not here: what one RG does (see `osd.core.group`), and the shell that
carries out effects (see `osd.shell`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from eventlog.ids import Boot, Offset, RgId, Store
from eventlog.log import TopicPartition
from eventlog.map_events import MapChanged
from osd import keys
from osd.core.agenda import Agenda
from osd.core.context import MAP_PARTITION, Clock, Context, Settings
from osd.core.effects import Effects, Follow, Ticket
from osd.core.group import Group
from osd.core.handover import Handover, take_over
from osd.core.inputs import (
    AppendFailed,
    Arrived,
    Arriving,
    Barrier,
    Damaged,
    Decoded,
    Delete,
    Ended,
    Fetched,
    Get,
    Hinted,
    HoldingsWanted,
    Input,
    Limited,
    Miscounted,
    Put,
    Read,
    Release,
    Reserve,
    SettleAnswered,
    Settled,
    Skipped,
    SnapshotCame,
    Sound,
    Stage,
    Started,
    Stopping,
    Tick,
)
from osd.core.membership import Membership, Phase, Rebuild
from osd.core.reception import Reception
from osd.core.scrubbing import found_bad, found_right
from osd.rg_table import Place, read_header
from osd.rows import Rows

DEFAULT_SETTINGS = Settings()


class Node:
    """One OSD's core."""

    def __init__(
        self,
        me: Store,
        boot: Boot,
        rows: Rows,
        settings: Settings = DEFAULT_SETTINGS,
        rebuild: Rebuild | None = None,
    ) -> None:
        self.context = Context(me, boot, rows, settings)
        self.membership = Membership(self.context, rebuild)
        self.groups: dict[RgId, Group] = {}
        self._agenda = Agenda()
        self.reception = Reception(self.context, self.membership, self.groups, self._agenda)
        self._by_partition: dict[TopicPartition, list[RgId]] = {}
        self._handover = Handover(self.context)
        self._fetches: dict[Ticket, RgId] = {}
        self._missing: dict[RgId, list[Damaged]] = {}
        """Copies without their file, of RGs that are not followed yet."""
        self._numbers = (0, 0, 0)
        """What claims name of the map beside placed: where it changes, all are made anew."""
        self._retired = 0
        """So many stores the map has retired: each may have copies where it is not placed."""

    def step(self, given: Input, clock: Clock) -> Effects:
        """What the world is to do now that this happened."""
        return self.step_all((given,), clock)

    def step_all(self, inputs: Iterable[Input], clock: Clock) -> Effects:
        """The same of inputs that came together: RGs act once all of them are taken."""
        context = self.context
        context.clock, context.effects = clock, Effects()
        for given in inputs:
            self._take(given)
        self.membership.advance()
        if self.membership.settle():
            self._map_changed()
        self._advance()
        self._ask()
        context.effects.changes = context.overlay.take()
        return context.effects

    def places(self) -> Iterator[tuple[RgId, Place]]:
        """How far each stored RG was folded, to be compared with the log before a start."""
        for key, data in self.context.overlay.scan(b"H"):
            header = read_header(data)
            if header is not None:
                yield keys.rg_of_key(key), header[0]

    def lack(self, missing: Iterable[Damaged]) -> None:
        """Before the first step: the file of these copies was not found.

        No step comes in between, or this node, as a primary, may doom the other copies first.
        """
        for damaged in missing:
            self._missing.setdefault(damaged.rg, []).append(damaged)

    def _take(self, given: Input) -> None:
        handler = _HANDLERS[type(given)]
        handler(self, given)

    def _started(self, given: Started) -> None:
        self.membership.start(given.address)
        self.context.effects.follows.append(Follow(*MAP_PARTITION, Offset(0)))

    def _read(self, given: Read) -> None:
        for decoded in given.records:
            record = decoded.record
            partition = (record.topic, record.partition)
            if isinstance(decoded, Skipped):
                self._delivered(partition, record.offset)
            elif partition == MAP_PARTITION:
                self.membership.fold(decoded)
                self._delivered(partition, record.offset)
            else:
                self._fold_rg(partition, decoded)

    def _fold_rg(self, partition: TopicPartition, decoded: Decoded) -> None:
        assert not isinstance(decoded.event, MapChanged)
        group = self.groups.get(decoded.event.rg)
        if group is not None and group.partition == partition and not group.is_waiting:
            group.fold(decoded)
            self._agenda.touch(group.rg)
        self._delivered(partition, decoded.record.offset)

    def _ended(self, given: Ended) -> None:
        for partition in self.context.frontier.answered(given.number, given.ends):
            self._reached(partition)

    def _append_failed(self, given: AppendFailed) -> None:
        self.membership.append_failed(given)
        for group in self.groups.values():
            group.append_failed(given)
            self._agenda.touch(group.rg)

    def _fetched(self, given: Fetched) -> None:
        rg = self._fetches.pop(given.ticket, None)
        group = self.groups.get(rg) if rg is not None else None
        if group is None:
            files = [got.payload for got in given.got if isinstance(got.payload, str)]
            self.context.effects.unlink.extend(files)
            return
        self._agenda.touch(group.rg)
        for version in group.importer.fetched(given):
            group.readers.fetched(version)

    def _limited(self, given: Limited) -> None:
        self.context.limit(given.limits)

    def _settle_answered(self, given: SettleAnswered) -> None:
        group = self.groups.get(given.rg)
        if group is not None:
            group.reservations.answered(given.ticket, is_done=given.is_done)
            self._agenda.touch(given.rg)

    def _snapshot_came(self, given: SnapshotCame) -> None:
        group = self.groups.get(given.rg)
        if group is None or not self._handover.is_awaited(given.rg):
            return
        if given.snapshot is not None:
            take_over(group, given.snapshot, given.next_serial)
        self._begin(group)

    def _hinted(self, given: Hinted) -> None:
        if given.epoch > self.context.map.epoch:
            self.context.frontier.want(MAP_PARTITION)
        if given.rg in self.groups:
            self._agenda.touch(given.rg)

    def _holdings_wanted(self, given: HoldingsWanted) -> None:
        """Also an RG of which nothing is here is followed, until that is said."""
        if self.membership.phase is not Phase.RUNNING:
            return
        for rg in given.rgs:
            if rg not in self.groups:
                self._follow(rg)
                self.groups[rg].place_on(*self.membership.placing(rg))
            self.groups[rg].speaker.want_holdings()
            self._agenda.touch(rg)

    def _arriving(self, given: Arriving) -> None:
        self.context.arrivals.begin(*given)

    def _arrived(self, given: Arrived) -> None:
        self.context.arrivals.end(given.rg, given.ticket)
        if given.rg in self.groups:
            self._agenda.touch(given.rg)

    def _damaged(self, given: Damaged) -> None:
        group = self.groups.get(given.rg)
        if group is not None:
            found_bad(group, given.version, given.body)
            self._agenda.touch(given.rg)

    def _sound(self, given: Sound) -> None:
        group = self.groups.get(given.rg)
        if group is not None:
            found_right(group, given.version, given.body)
            self._agenda.touch(given.rg)

    def _miscounted(self, given: Miscounted) -> None:
        group = self.groups.get(given.rg)
        if group is not None:
            group.disk.count_anew()
            group.speaker.doubt_disk()
            self._agenda.touch(given.rg)

    def _tick(self, given: Tick) -> None:
        self.context.pulls.room = given.room or self.context.pulls.room
        for rg in self._agenda.ring(self.context.now):
            self.groups[rg].expire()
        self.reception.expire()
        for rg in self._handover.overdue():
            self._begin(self.groups[rg])

    def _stopping(self, _given: Stopping) -> None:
        self.membership.leave()

    def _map_changed(self) -> None:
        """Give every RG its new place: pending at once, whatever was under way."""
        self._handover.placed(self.membership.table)
        if self.membership.phase not in (Phase.RUNNING, Phase.STOPPING):
            return
        for rg in self._placed_here():
            self._follow(rg)
        if not self.groups:
            return
        table = self.membership.table
        assert table is not None
        now = self.context.map
        numbers = (now.replicas, now.min_replicas, now.rules)
        claims_lapse, self._numbers = numbers != self._numbers, numbers
        is_retiring, self._retired = len(now.retired) > self._retired, len(now.retired)
        rows = table.rows[np.fromiter(self.groups, np.int64, len(self.groups))].tolist()
        for group, row in zip(self.groups.values(), rows, strict=True):
            placing = self.membership.placing_of(tuple(osd for osd in row if osd >= 0))
            if (group.placed, group.acting) != placing:
                group.place_on(*placing)
                self._agenda.touch(group.rg)
            elif claims_lapse or (is_retiring and group.doomer.to_retire()):
                self._agenda.touch(group.rg)
        self._agenda.map_read()

    def _placed_here(self) -> list[RgId]:
        """RGs that are to be followed and are not yet: placed here, or stored here."""
        table = self.membership.table
        assert table is not None
        mine = np.nonzero((table.rows == self.context.me.osd).any(axis=1))[0].tolist()
        stored = [] if self.groups else [rg for rg, _ in self.places()]
        return sorted({RgId(rg) for rg in [*mine, *stored]} - self.groups.keys())

    def _follow(self, rg: RgId) -> None:
        group = Group(self.context, rg)
        self.groups[rg] = group
        for damaged in self._missing.pop(rg, ()):
            found_bad(group, damaged.version, damaged.body)
        sharing = self._by_partition.setdefault(group.partition, [])
        if not sharing:
            self.context.frontier.follow(group.partition, group.place.next_offset)
        sharing.append(rg)
        group.is_waiting = group.place.last_offset is None and self._handover.ask(rg)
        if not group.is_waiting:
            self._begin(group)
        self._agenda.touch(rg)

    def _begin(self, group: Group) -> None:
        """Read the RG's records from where its fold is."""
        group.is_waiting = False
        self._agenda.touch(group.rg)
        partition, start = group.partition, group.place.next_offset
        others = (self.groups[rg] for rg in self._by_partition[partition] if rg != group.rg)
        is_read = any(not other.is_waiting for other in others)
        reading = self.context.frontier.next_offset(partition)
        if is_read and reading is not None and start >= reading:
            return
        self.context.effects.follows.append(Follow(*partition, start))
        if self.context.frontier.follow(partition, start):
            self._reached(partition)

    def _forget(self, group: Group) -> None:
        """Nothing of the RG is left here: to this OSD it is undef again."""
        for kind in keys.RG_KINDS:
            for key, _ in list(self.context.overlay.scan(keys.prefix(bytes([kind]), group.rg))):
                self.context.overlay.delete(key)
        if group.state.claim is not None:
            self.context.left[group.rg] = group.state.claim.fence
        del self.groups[group.rg]
        self._handover.is_awaited(group.rg)
        self._agenda.forget(group.rg)
        sharing = self._by_partition[group.partition]
        sharing.remove(group.rg)
        if not sharing:
            del self._by_partition[group.partition]
            self.context.frontier.unfollow(group.partition)
            self.context.effects.follows.append(Follow(*group.partition, None))

    def _advance(self) -> None:
        """Let the touched RGs act; then those that lack objects use the places that are free."""
        self.reception.advance()
        for rg in self._agenda.take():
            self._advance_one(rg)
        self._fetch_on()
        self.reception.release_barriers()
        for fetch in self.context.effects.fetches:
            self._fetches[fetch.ticket] = fetch.rg

    def _advance_one(self, rg: RgId) -> None:
        group = self.groups.get(rg)
        if group is None:
            return
        group.advance()
        group.keep_header()
        if group.is_forgettable:
            self._forget(group)
            return
        self._agenda.note(group)

    def _fetch_on(self) -> None:
        """Give the places that are free to what has the fewest copies."""
        while (rg := self._agenda.scarcest()) is not None:
            group, now = self.groups[rg], self.context.now
            if not self.context.pulls.may_start(now, is_urgent=group.importer.is_urgent):
                return
            group.importer.fetch_next()
            self._agenda.note(group)

    def _ask(self) -> None:
        ask = self.context.frontier.take_ask()
        if ask is not None:
            self.context.effects.asks.append(ask)

    def _delivered(self, partition: TopicPartition, offset: Offset) -> None:
        if self.context.frontier.delivered(partition, offset):
            self._reached(partition)

    def _reached(self, partition: TopicPartition) -> None:
        """A question about this partition is reached: touch whoever may have asked it."""
        if partition == MAP_PARTITION:
            self._agenda.map_read()
        for rg in self._by_partition.get(partition, ()):
            self._agenda.touch(rg)


_HANDLERS: dict[type, Callable[[Node, Any], None]] = {
    Started: Node._started,
    Read: Node._read,
    Ended: Node._ended,
    AppendFailed: Node._append_failed,
    Fetched: Node._fetched,
    Limited: Node._limited,
    Put: lambda node, given: node.reception.ask(given),
    Delete: lambda node, given: node.reception.ask(given),
    Get: lambda node, given: node.reception.ask(given),
    Reserve: lambda node, given: node.reception.ask(given),
    Release: lambda node, given: node.reception.release(given),
    Arriving: Node._arriving,
    Arrived: Node._arrived,
    Stage: lambda node, given: node.reception.stage(given),
    Settled: lambda node, given: node.reception.settled(given),
    SettleAnswered: Node._settle_answered,
    Barrier: lambda node, given: node.reception.barrier(given),
    SnapshotCame: Node._snapshot_came,
    Hinted: Node._hinted,
    HoldingsWanted: Node._holdings_wanted,
    Damaged: Node._damaged,
    Sound: Node._sound,
    Miscounted: Node._miscounted,
    Tick: Node._tick,
    Stopping: Node._stopping,
}
