"""How one process reaches the log: what `osd.pump` does with a thread, done in the world's time.

Rule: what the core asks for is carried out one job at a time, in its order:
rows are made durable, then files unlinked, then events appended; the next job
waits until the fate of the appends is told. A job that was sent may reach the
log after its process is dead. Records come in the order of each partition, and
in no other.

What is not here: what the fates are drawn from (see `simulation.nemesis`).
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from eventlog.ids import Offset
from eventlog.log import TopicPartition
from osd.blobs import BlobId
from osd.core.effects import Append, Ask, Effects
from osd.core.inputs import AppendFailed, Decoded, Ended, Read
from simulation.network import LOG
from simulation.world import Action

if TYPE_CHECKING:
    from simulation.cluster import Cluster
    from simulation.stores import Machine

APPEND_MS, READ_MS, ASK_MS, AGAIN_MS = 2, 1, 1, 50


class AppendFault(Enum):
    """What may become of an append that does not just succeed."""

    REFUSED = "refused"
    FULL = "the log is full"
    LOST = "unknown, never in the log"
    LANDED = "unknown, in the log"
    LATE = "unknown, in the log a good while later"
    PART = "unknown, only some of it in the log"
    TWICE = "unknown, in the log, and once more later"
    UNSAID = "said to be in the log, and never there"

    @property
    def is_unknown(self) -> bool:
        """Whether nobody is told what became of it."""
        return self not in (AppendFault.REFUSED, AppendFault.FULL)


FAULTS = [fault for fault in AppendFault if fault is not AppendFault.UNSAID]
"""What a log may do; the last is for a transcript alone."""


class Pump:
    """One process's way to the log; closed when the process dies."""

    def __init__(self, cluster: Cluster, machine: Machine) -> None:
        self.is_open = True
        self._cluster = cluster
        self._machine = machine
        self._jobs: list[Effects] = []
        self._is_busy = False
        self._followed: dict[TopicPartition, int] = {}
        """Where reading goes on."""
        self._expected: dict[TopicPartition, int] = {}
        """The next record that the process is to be given."""
        self._has_news: dict[TopicPartition, None] = {}
        self._is_waiting = False
        """Whether the log cannot be reached and is tried again in a moment."""
        self.lagging: dict[TopicPartition, int] = {}
        """Partitions that are not read before that time."""

    @property
    def is_idle(self) -> bool:
        """Whether all that was submitted is carried out."""
        return not self._is_busy

    def submit(self, effects: Effects) -> None:
        """Carry this out after all submitted before."""
        for topic, partition, offset in effects.follows:
            self._follow((topic, partition), offset)
        for ask in effects.asks:
            self._later(ASK_MS, partial(self._answer, ask))
        if effects.appends or effects.unlink or effects.confirms:
            self._jobs.append(effects)
            self._next_job()

    def told(self, places: tuple[TopicPartition, ...]) -> None:
        """There are new records in these partitions."""
        places = tuple(place for place in places if place in self._followed)
        self._has_news.update(dict.fromkeys(places))
        if not self._cluster.network.weather.jitter_ms:
            self._later(READ_MS, partial(self._poll, places))
            return
        for place in places:
            self._later(READ_MS, partial(self._poll, (place,)))

    def fresh(self, given: Read) -> Read:
        """What a process still wants of records that were read: as `osd.shell` sifts them."""
        wanted = []
        for decoded in given.records:
            place = (decoded.record.topic, decoded.record.partition)
            if self._expected.get(place) == decoded.record.offset:
                self._expected[place] = decoded.record.offset + 1
                wanted.append(decoded)
        return Read(tuple(wanted))

    def _follow(self, place: TopicPartition, offset: Offset | None) -> None:
        if offset is None:
            self._followed.pop(place, None)
            self._expected.pop(place, None)
        else:
            self._followed[place] = self._expected[place] = offset
            self.told((place,))

    def _poll(self, places: tuple[TopicPartition, ...]) -> None:
        if self._cluster.network.is_cut(LOG, self._machine.address):
            self._wait_for_way()
            return
        found: list[Decoded] = []
        for place in self._cluster.chance.also(places, list(self._has_news)):
            behind = self.lagging.get(place, 0) - self._cluster.world.now
            if behind > 0:
                self._later(behind, partial(self._poll, (place,)))
                continue
            self._has_news.pop(place, None)
            offset = self._followed.get(place)
            if offset is None:
                continue
            records = self._cluster.records(place)[offset:]
            batch = self._cluster.chance.batch(records)
            self._followed[place] = offset + len(batch)
            found += batch
            if len(batch) < len(records):
                self.told((place,))
        if found:
            self._cluster.feed(self._machine, Read(tuple(found)))

    def _wait_for_way(self) -> None:
        """Everything that is new is read as soon as the log can be reached again."""
        if not self._is_waiting:
            self._is_waiting = True
            self._later(AGAIN_MS, self._try_way)

    def _try_way(self) -> None:
        self._is_waiting = False
        self._poll(tuple(self._has_news))

    def _answer(self, ask: Ask) -> None:
        network, address = self._cluster.network, self._machine.address
        if network.is_cut(LOG, address) or network.is_cut(address, LOG):
            self._later(AGAIN_MS, lambda: self._answer(ask))
            return
        ends = self._cluster.log.end_offsets(sorted(ask.partitions))
        answer = Ended(ask.number, ends)
        if network.weather.jitter_ms:
            self._later(0, lambda: self._cluster.feed(self._machine, answer))
        else:
            self._cluster.feed(self._machine, answer)

    def _next_job(self) -> None:
        if not self._is_busy and self._jobs:
            self._is_busy = True
            self._later(APPEND_MS, self._carry_out)

    def _carry_out(self) -> None:
        if self._machine.inbox is not None:  # the thread stands still with its process
            self._later(AGAIN_MS, self._carry_out)
            return
        jobs, self._jobs = self._jobs, []
        self._machine.rows.sync()
        self._machine.files.unlink(BlobId(name) for job in jobs for name in job.unlink)
        for reply in [reply for job in jobs for reply in job.confirms]:
            self._cluster.reply(self._machine, reply)
        appends = [append for job in jobs for append in job.appends]
        if not appends:
            self._done()
        elif self._cluster.network.weather.jitter_ms:
            self._later(0, partial(self._append, appends))
        else:
            self._append(appends)

    def _append(self, appends: list[Append]) -> None:
        cluster, address = self._cluster, self._machine.address
        fault = cluster.fault()
        if cluster.network.is_cut(address, LOG):
            fault = AppendFault.REFUSED
        elif cluster.network.is_cut(LOG, address):
            fault = AppendFault.LANDED
        chosen = cluster.chance.part(appends) if fault is AppendFault.PART else appends
        is_there = fault in (None, AppendFault.LANDED, AppendFault.PART, AppendFault.TWICE)
        if is_there:
            cluster.land_after(cluster.network.delay(0), chosen, self._machine, fault)
        if fault in (AppendFault.LATE, AppendFault.TWICE):
            cluster.land_after(cluster.chance.late_ms(), appends, self._machine, fault)
        if fault is AppendFault.UNSAID:
            self._done()
        elif fault is not None:
            self._later(0, lambda: self._failed(appends, fault))

    def landed(self, fault: AppendFault | None) -> None:
        """The log has the appends of the job under way; only a faultless one is told so."""
        if fault is None and self.is_open:
            self._done()

    def _failed(self, appends: list[Append], fault: AppendFault) -> None:
        tickets = tuple(append.ticket for append in appends)
        is_full = fault is AppendFault.FULL
        failed = AppendFailed(tickets, fault.value, fault.is_unknown, is_full)
        self._cluster.feed(self._machine, failed)
        if self.is_open:
            self._done()

    def _done(self) -> None:
        self._is_busy = False
        self._next_job()

    def _later(self, ms: int, action: Action) -> None:
        def act() -> None:
            if self.is_open:
                action()

        self._cluster.world.after(self._cluster.network.delay(ms), act)
