"""A simulated cluster: node cores, one memory log, a network and a clock, all in one thread.

Rule: everything that happens is an action in one queue, ordered by time and
then by when it was scheduled. The same calls give the same run.

What is not here: faults by chance (a transcript says when something dies).
"""

import hashlib
import heapq
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from eventlog.codec import Decoder, Event, encode
from eventlog.ids import (
    WEIGHT_ONE,
    Epoch,
    Layout,
    Micros,
    Offset,
    OsdId,
    Partition,
    RgId,
    Topic,
    rg_key,
    rg_of,
)
from eventlog.log import Entry, LogIdentity, Record, TopicPartition
from eventlog.map_events import ClusterCreated, MapChange, MapChanged, OsdAdded
from eventlog.memory import MemoryLog
from osd.core.answers import Answer
from osd.core.context import Settings
from osd.core.effects import Append, Ask, Effects, Fetch, Hint
from osd.core.inputs import (
    AppendFailed,
    Decoded,
    Delete,
    Ended,
    Fetched,
    FetchFailed,
    Get,
    Hinted,
    Input,
    Put,
    Read,
    Started,
    Tick,
)
from projections.cluster_map import EMPTY, ClusterMap, Refusal, candidates
from projections.map_fold import fold
from projections.placement import place_all
from simulation.machine import START_MICROS, Machine

SETTINGS = Settings(calm_ms=1_000, fetches=4, is_checked=True)
TICK_MS = 100
APPEND_MS, READ_MS, ASK_MS, NET_MS, LATE_MS = 2, 1, 1, 3, 700


class AppendFault(Enum):
    """What may become of an append that does not just succeed."""

    REFUSED = "refused"
    LOST = "unknown, never in the log"
    LANDED = "unknown, in the log"
    LATE = "unknown, in the log a good while later"


class Told(NamedTuple):
    """An event as it stands in the log."""

    record: Record
    event: Event


class Cluster:
    """Machines, the log between them, and what was answered."""

    def __init__(self, rgs: int = 1, settings: Settings = SETTINGS) -> None:
        self.now = 0
        self.settings = settings
        identity = LogIdentity("simulated", rgs, "unlimited", "none")
        self.log = MemoryLog(identity, lambda: Micros(START_MICROS + self.now * 1_000))
        self.rgs = rgs
        self.machines: dict[OsdId, Machine] = {}
        self.told: list[Told] = []
        self.answers: dict[int, Answer] = {}
        self.stopped: dict[OsdId, str] = {}
        self.fault: Callable[[], AppendFault | None] = lambda: None
        """Asked before each append of a node."""
        self.copied = 0
        """Objects fetched by nodes from nodes."""
        self._decoder = Decoder(self.log)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._tickets = 0
        self._incarnations = 0
        self.change_map(
            ClusterCreated(
                cluster="simulated",
                rg_count=rgs,
                partitions=rgs,
                retention="unlimited",
                cleanup="none",
                replicas=1,
                min_replicas=1,
                rules=1,
            )
        )

    # What an operator does.

    def change_map(self, *changes: MapChange, layout: Layout | None = None) -> str | None:
        """Append one map event for the present layout; the refusal's text if it is void."""
        before = self.map()
        event = MapChanged(
            time=Micros(START_MICROS + self.now * 1_000),
            author="operator",
            reason="",
            layout=before.layout if layout is None else layout,
            changes=changes,
        )
        self._append_now([Append(0, event)])
        after = fold(before, event)
        return after.why if isinstance(after, Refusal) else None

    def add(self, osd: OsdId, weight: int = WEIGHT_ONE) -> None:
        """Add an OSD to the map and start it."""
        change = OsdAdded(osd=osd, weight=weight, host=f"host-{osd}", rack="rack-1")
        assert self.change_map(change) is None
        self.start(osd)

    def start(self, osd: OsdId, *, may_rebuild: bool = False) -> None:
        """Start the OSD's process, on a new disk if it has none."""
        if osd not in self.machines:
            self._incarnations += 1
            self.machines[osd] = Machine(osd, self._incarnations, self.settings)
        machine = self.machines[osd]
        machine.start(may_rebuild=may_rebuild)
        boot = machine.boot
        self._feed(machine, Started(machine.address))
        self._after(TICK_MS, lambda: self._tick(machine, boot))

    def kill(self, osd: OsdId, keep: int | None = 0) -> None:
        """Kill -9: what was not durable is gone, but for the first `keep` changes."""
        self.machines[osd].crash(keep)

    def wipe(self, osd: OsdId) -> None:
        """The disk is lost; the next start has a new one."""
        del self.machines[osd]

    # What a client does.

    def put(self, name: str, data: bytes, **options: object) -> int:
        """Send a put to the primary; its ticket."""
        ticket, rg = self._ticket(), rg_of(name, self.rgs)
        sha256 = hashlib.sha256(data).digest()
        request = Put(
            ticket,
            rg,
            name,
            Epoch(0),
            self.now + 10_000,
            data,
            len(data),
            sha256,
            **options,  # type: ignore[arg-type]
        )
        return self._request(rg, request)

    def delete(self, name: str, **options: object) -> int:
        """Send a delete to the primary; its ticket."""
        ticket, rg = self._ticket(), rg_of(name, self.rgs)
        request = Delete(ticket, rg, name, Epoch(0), self.now + 10_000, **options)  # type: ignore[arg-type]
        return self._request(rg, request)

    def get(self, name: str) -> int:
        """Send a read to the primary; its ticket."""
        ticket, rg = self._ticket(), rg_of(name, self.rgs)
        return self._request(rg, Get(ticket, rg, name, Epoch(0), self.now + 10_000))

    # Time.

    def run(self, ms: int) -> None:
        """Let this much time pass."""
        self.run_until(lambda: False, ms)

    def run_until(self, is_reached: Callable[[], bool], limit_ms: int = 60_000) -> bool:
        """Let time pass until something holds; False where the limit came first."""
        end = self.now + limit_ms
        while not is_reached():
            if not self._queue or self._queue[0][0] > end:
                self.now = end
                return False
            self.now, _, action = heapq.heappop(self._queue)
            action()
        return True

    def settle(self, quiet_ms: int = 3_000, limit_ms: int = 120_000) -> bool:
        """Let time pass until nothing was appended for a while; False at the limit."""
        end = self.now + limit_ms
        while self.now < end:
            seen = len(self.told)
            self.run(quiet_ms)
            if len(self.told) == seen:
                return True
        return False

    # What an observer sees.

    def map(self) -> ClusterMap:
        """The map at the log's end."""
        state = EMPTY
        for told in self.told:
            if isinstance(told.event, MapChanged):
                after = fold(state, told.event)
                state = state if isinstance(after, Refusal) else after
        return state

    def primary(self, rg: RgId) -> OsdId | None:
        """The OSD that the map makes the RG's primary, if any is up."""
        cluster_map = self.map()
        table = place_all(candidates(cluster_map), self.rgs, cluster_map.replicas, cluster_map.pins)
        for osd in table.placed(rg):
            if cluster_map.osds[osd].is_up:
                return osd
        return None

    def alive(self) -> list[Machine]:
        """Machines with a process, by OSD."""
        return [m for _, m in sorted(self.machines.items()) if m.node is not None]

    # How effects are carried out.

    def _request(self, rg: RgId, request: Put | Delete | Get) -> int:
        osd = self.primary(rg)
        machine = self.machines.get(osd) if osd is not None else None
        if machine is not None and machine.node is not None:
            self._feed(machine, request)
        return request.ticket

    def _feed(self, machine: Machine, given: Input) -> None:
        if machine.node is None:
            return
        effects = machine.step(given, self.now)
        self._carry_out(machine, effects)

    def _carry_out(self, machine: Machine, effects: Effects) -> None:
        osd = machine.store.osd
        if effects.stop is not None:
            self.stopped[osd] = str(effects.stop)
            machine.crash()
            return
        for topic, partition, offset in effects.follows:
            self._follow(machine, (topic, partition), offset)
        if effects.appends or effects.unlink:
            boot = machine.boot
            self._after(APPEND_MS, lambda: self._make_durable(machine, boot, effects))
        for ask in effects.asks:
            self._after(ASK_MS, lambda ask=ask: self._answer_ask(machine, ask))  # type: ignore[misc]
        for fetch in effects.fetches:
            self._after(NET_MS, lambda fetch=fetch: self._fetch(machine, fetch))  # type: ignore[misc]
        for hint in effects.hints:
            self._after(NET_MS, lambda hint=hint: self._hint(hint))  # type: ignore[misc]
        for reply in effects.replies:
            self.answers[reply.ticket] = reply.answer

    def _follow(self, machine: Machine, place: TopicPartition, offset: Offset | None) -> None:
        if offset is None:
            machine.followed.pop(place, None)
        else:
            machine.followed[place] = offset
            self._after(READ_MS, lambda: self._poll(machine, (place,)))

    def _make_durable(self, machine: Machine, boot: int, effects: Effects) -> None:
        if machine.node is None or machine.boot != boot:
            return
        machine.rows.sync()
        for file in effects.unlink:
            machine.files.pop(file, None)
        fault = self.fault() if effects.appends else None
        if fault in (None, AppendFault.LANDED):
            self._append_now(effects.appends)
        if fault is AppendFault.LATE:
            self._after(LATE_MS, lambda: self._append_now(effects.appends))
        if fault is not None:
            tickets = tuple(append.ticket for append in effects.appends)
            is_unknown = fault is not AppendFault.REFUSED
            self._feed(machine, AppendFailed(tickets, fault.value, is_unknown))

    def _append_now(self, appends: list[Append]) -> None:
        entries = [self._entry(append.event) for append in appends]
        for position in self.log.append(entries):
            [record] = self.log.read(position.topic, position.partition, position.offset, 1)
            self.told.append(Told(record, self._decoder.decode(record)))
        places = tuple(dict.fromkeys((entry.topic, entry.partition) for entry in entries))
        for machine in self.alive():
            self._after(READ_MS, lambda machine=machine: self._poll(machine, places))  # type: ignore[misc]

    def _entry(self, event: Event) -> Entry:
        if isinstance(event, MapChanged):
            return Entry(Topic.MAP, Partition(0), b"map", encode(event))
        return Entry(Topic.RG, Partition(event.rg % self.rgs), rg_key(event.rg), encode(event))

    def _poll(self, machine: Machine, places: tuple[TopicPartition, ...]) -> None:
        if machine.node is None:
            return
        found = []
        for place in places:
            offset = machine.followed.get(place)
            if offset is None:
                continue
            records = self.log.read(Topic(place[0]), Partition(place[1]), Offset(offset))
            machine.followed[place] = offset + len(records)
            found += [Decoded(record, self._decoder.decode(record)) for record in records]
        if found:
            self._feed(machine, Read(tuple(found)))

    def _answer_ask(self, machine: Machine, ask: Ask) -> None:
        self._feed(machine, Ended(ask.number, self.log.end_offsets(ask.partitions)))

    def _fetch(self, machine: Machine, fetch: Fetch) -> None:
        for store, _ in fetch.sources:
            source = self.machines.get(store.osd)
            if source is None or source.node is None or source.store != store:
                continue
            data = source.read_copy(fetch.rg, fetch.version)
            if data is not None:
                self.copied += 1
                self._feed(machine, Fetched(fetch.ticket, data, store))
                return
        self._feed(machine, FetchFailed(fetch.ticket, "no source gave it"))

    def _hint(self, hint: Hint) -> None:
        for machine in self.alive():
            if machine.address == hint.address:
                self._feed(machine, Hinted(hint.rg, hint.epoch))

    def _tick(self, machine: Machine, boot: int) -> None:
        if machine.node is not None and machine.boot == boot:
            self._feed(machine, Tick())
            self._after(TICK_MS, lambda: self._tick(machine, boot))

    def _after(self, ms: int, action: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._queue, (self.now + ms, self._scheduled, action))

    def _ticket(self) -> int:
        self._tickets += 2
        return self._tickets
