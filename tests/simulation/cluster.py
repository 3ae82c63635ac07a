"""A simulated cluster: node cores, one memory log, a network and a clock, all in one thread.

Rule: everything that happens is an action of the world's queue. Without a
seed nothing is left to chance: what a transcript does happens so each time.

What is not here: faults by chance (see `simulation.nemesis`), clients that
retry (see `simulation.clients`), what must hold (see `simulation.checkers`).
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from eventlog.codec import Decoder, Event, encode
from eventlog.errors import OsdlogError
from eventlog.ids import WEIGHT_ONE, Layout, Micros, OsdId, Partition, RgId, Store, Topic, rg_key
from eventlog.log import Entry, LogIdentity, TopicPartition
from eventlog.map_events import ClusterCreated, MapChange, MapChanged, OsdAdded
from eventlog.memory import MemoryLog
from osd.core.answers import Answer, Found, Kept
from osd.core.context import Settings
from osd.core.effects import Append, AskSnapshot, Effects, Fetch, Reply, Settle, Ticket
from osd.core.handover import next_serial
from osd.core.inputs import (
    Damaged,
    Decoded,
    Get,
    Hinted,
    Input,
    Put,
    Read,
    SettleAnswered,
    Settled,
    SnapshotCame,
    Started,
    Tick,
)
from osd.core.pulls import Limits
from osd.disk import Copy
from osd.errors import DiskFull
from osd.snapshots import believed, snapshot_of
from projections.cluster_map import ClusterMap, Refusal
from projections.map_fold import fold
from projections.snapshots import Doubt
from simulation.chance import Chance
from simulation.fetching import SILENCE_MS, SMALL_BYTES, Fetching
from simulation.network import Network
from simulation.observers import Observer
from simulation.pump import AppendFault, Pump
from simulation.reference import Reference, Told
from simulation.stores import START_MICROS, Machine
from simulation.uploading import Uploading
from simulation.world import World

SETTINGS = Settings(
    calm_ms=1_000, limits=Limits(pulls=4), together=1, snapshot_ms=0, is_checked=True
)
TICK_MS = 100
NET_MS = 3


class Copies(NamedTuple):
    """How many copies a cluster keeps of each object."""

    replicas: int = 1
    min_replicas: int = 1


ONE_COPY = Copies()


class Cluster:
    """Machines, the log between them, and what they answer."""

    def __init__(
        self,
        rgs: int = 1,
        settings: Settings = SETTINGS,
        random: Random | None = None,
        copies: Copies = ONE_COPY,
        partitions: int | None = None,
    ) -> None:
        """As many partitions as RGs unless said otherwise; fewer are shared."""
        partitions = partitions or rgs
        self.world = World()
        self.network = Network(self.world, random or Random(0))
        self.chance = Chance(random)
        self.settings = settings
        identity = LogIdentity("simulated", partitions, "unlimited", "none")
        self.log = MemoryLog(identity, lambda: Micros(START_MICROS + self.world.now * 1_000))
        self.machines: dict[OsdId, Machine] = {}
        self.returned: list[Machine] = []
        """Old disks whose OSD has another one by now."""
        self.told: list[Told] = []
        self.reference = Reference(rgs)
        self.observers: list[Observer] = []
        self.stopped: dict[Store, OsdlogError] = {}
        """What stopped a node that was not killed, by store."""
        self.fault: Callable[[], AppendFault | None] = lambda: None
        """Asked before each append of a node."""
        self.pace: Callable[[], int] = lambda: 0
        """Asked how long each large body takes to come."""
        self.copied = 0
        """Objects fetched by nodes from nodes."""
        self.asked: dict[Ticket, Callable[[Machine, Answer, bytes | None], None]] = {}
        """Who waits for an answer, and for the bytes that came with it."""
        self._records: dict[TopicPartition, list[Decoded]] = {}
        self._reads: dict[Ticket, Get] = {}
        """Reads that are not answered yet."""
        self._decoder = Decoder(self.log)
        self._pumps: dict[Store, Pump] = {}
        self._tickets = 0
        self._incarnations = 0
        self.change_map(
            ClusterCreated(
                cluster="simulated",
                rg_count=rgs,
                partitions=partitions,
                retention="unlimited",
                cleanup="none",
                replicas=copies.replicas,
                min_replicas=copies.min_replicas,
                rules=1,
            )
        )

    # What an operator does.

    def change_map(
        self, *changes: MapChange, layout: Layout | None = None, author: str = "operator"
    ) -> str | None:
        """Append one map event for the present layout; the refusal's text if it is void."""
        before = self.map
        event = MapChanged(
            time=Micros(START_MICROS + self.world.now * 1_000),
            author=author,
            reason="",
            layout=before.layout if layout is None else layout,
            changes=changes,
        )
        self._append([event])
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
        self.start_machine(self.machines[osd], may_rebuild=may_rebuild)

    def start_machine(self, machine: Machine, *, may_rebuild: bool = False) -> None:
        """Start a process on this disk, unless it refuses."""
        try:
            machine.start(self.log, may_rebuild=may_rebuild)
        except OsdlogError as error:
            self.stopped[machine.store] = error
            return
        pump = self._pumps[machine.store] = Pump(self, machine)
        for observer in self.observers:
            observer.started(machine)
        self.feed(machine, Started(machine.address))
        self._tick(machine, pump)

    def kill(self, osd: OsdId, keep: int | None = 0) -> None:
        """Kill -9: what was not durable is gone, but for the first `keep` changes."""
        self.kill_machine(self.machines[osd], keep)

    def kill_machine(self, machine: Machine, keep: int | None = 0) -> None:
        """The same, for any disk."""
        self._pumps.pop(machine.store).is_open = False
        machine.crash(keep)
        for observer in self.observers:
            observer.crashed(machine)

    def wipe(self, osd: OsdId) -> Machine:
        """The disk is lost; the next start has a new one. Returns the old one."""
        return self.machines.pop(osd)

    # What is asked of nodes.

    def ticket(self) -> Ticket:
        """A new one for a request; even, since odd ones are the core's."""
        self._tickets += 2
        return self._tickets

    def upload(self, machine: Machine, put: Put, over_ms: int | None = None) -> None:
        """A put reaches the process: its body first, wherever it is to be.

        A large one is a file that takes its time, as is one that is said to.
        """
        if over_ms is None and put.size > SMALL_BYTES:
            over_ms = self.pace()
        Uploading(self, machine, put, over_ms).begin()

    def feed(self, machine: Machine, given: Input) -> None:
        """This happens to the process, now or when it goes on."""
        if machine.node is None:
            return
        if machine.inbox is not None:
            machine.inbox.append(given)
            return
        if isinstance(given, Get):
            self._reads[given.ticket] = given
        if isinstance(given, Read):
            given = self._pumps[machine.store].fresh(given)
            if not given.records:
                return
        try:
            effects = machine.step(given, self.world.now)
        except DiskFull:
            self.kill_machine(machine, None)
            return
        for observer in self.observers:
            observer.stepped(machine, given, effects)
        self._carry_out(machine, effects)

    def lag(self, machine: Machine, place: TopicPartition, ms: int) -> None:
        """The process reads this partition no further for a while, and all others do."""
        if machine.node is not None:
            self._pumps[machine.store].lagging[place] = self.world.now + ms

    def freeze(self, machine: Machine) -> None:
        """The process stands still, and does not know it."""
        machine.inbox = [] if machine.inbox is None else machine.inbox

    def thaw(self, machine: Machine) -> None:
        """It goes on, with all that came meanwhile."""
        inbox, machine.inbox = machine.inbox or [], None
        boot = machine.boot
        for given in inbox:
            if machine.boot == boot:
                self.feed(machine, given)

    # What an observer sees.

    @property
    def map(self) -> ClusterMap:
        """The map at the log's end."""
        return self.reference.map

    def primary(self, rg: RgId) -> OsdId | None:
        """The OSD that the map makes the RG's primary, if any is up."""
        return self.reference.primary(rg)

    def alive(self) -> list[Machine]:
        """Machines with a process, by OSD."""
        each = [*(machine for _, machine in sorted(self.machines.items())), *self.returned]
        return [machine for machine in each if machine.node is not None]

    def records(self, place: TopicPartition) -> Sequence[Decoded]:
        """All records of a partition."""
        return self._records.get(place, ())

    def settle(self, quiet_ms: int = 3_000, limit_ms: int = 120_000) -> bool:
        """Let time pass until nothing was appended for a while; False at the limit."""
        end = self.world.now + limit_ms
        while self.world.now < end:
            seen = len(self.told)
            self.world.run(quiet_ms)
            if len(self.told) == seen:
                return True
        return False

    # How effects are carried out.

    def land_after(
        self, ms: int, appends: Sequence[Append], machine: Machine, fault: AppendFault | None
    ) -> None:
        """The log gets these a while later, be their process alive or not."""
        pump = self._pumps[machine.store]

        def land() -> None:
            self._append([append.event for append in appends])
            pump.landed(fault)

        self.world.after(ms, land) if ms else land()

    def _carry_out(self, machine: Machine, effects: Effects) -> None:
        if effects.stop is not None:
            self.stopped[machine.store] = effects.stop
            self.kill_machine(machine, None)
            return
        self._pumps[machine.store].submit(effects)
        for fetch in effects.fetches:
            self._fetch(machine, fetch)
        for hint in effects.hints:
            given = Hinted(hint.rg, hint.epoch)
            for target in self.alive():
                if target.address == hint.address:
                    self._send(machine, target, given)
        for settle in effects.settles:
            self._settle(machine, settle)
        for wanted in effects.snapshots:
            self._snapshot(machine, wanted)
        for reply in effects.replies:
            self.reply(machine, reply)

    def _settle(self, machine: Machine, settle: Settle) -> None:
        """Tell a peer what is settled, and hear what it did."""
        ticket, node = self.ticket(), machine.node
        told = Settled(ticket, settle.rg, settle.fence, settle.below, settle.next_offset)

        def answered(target: Machine, answer: Answer, _data: bytes | None) -> None:
            given = SettleAnswered(settle.ticket, settle.rg, isinstance(answer, Kept))
            self._send(target, machine, given)

        def give_up() -> None:
            if machine.node is node:  # an answer that was heard makes this one late
                self.feed(machine, SettleAnswered(settle.ticket, settle.rg, is_done=False))

        self.asked[ticket] = answered
        self.world.after(SILENCE_MS, give_up)
        for target in self.alive():
            if target.address == settle.address:
                self._send(machine, target, told)

    def _snapshot(self, machine: Machine, wanted: AskSnapshot) -> None:
        """Ask the first of these that lives; what it gives may be late, damaged or lost."""

        def give(target: Machine) -> None:
            group = target.node.groups.get(wanted.rg) if target.node is not None else None
            data = snapshot_of(group.table) if group is not None else None
            damaged = self.chance.damaged(data) if data is not None else b""
            found = believed(damaged, wanted.rg, self.log)
            snapshot = None if isinstance(found, Doubt) else found
            above = next_serial(group) if group is not None else None
            self._send(target, machine, SnapshotCame(wanted.rg, snapshot, above))

        for target in self.alive():
            if target.address == wanted.addresses[0]:
                ends = machine.address, target.address
                self.network.send(*ends, NET_MS, lambda target=target: give(target))  # type: ignore[misc]

    def _send(self, origin: Machine, target: Machine, given: Input) -> None:
        self.network.send(origin.address, target.address, NET_MS, lambda: self.feed(target, given))

    def _fetch(self, machine: Machine, fetch: Fetch) -> None:
        node = machine.node

        def is_there() -> bool:
            return machine.node is node

        Fetching(self, machine, fetch, is_there).begin()

    def reply(self, machine: Machine, reply: Reply) -> None:
        """Whoever asked is answered."""
        answer, data = reply.answer, None
        if isinstance(answer, Found):
            data = self._serve(machine, answer)
            if data is None:
                self.world.after(0, lambda: self._ask_again(machine, answer, reply.ticket))
                return
        self._reads.pop(reply.ticket, None)
        asked = self.asked.pop(reply.ticket, None)
        if asked is not None:
            asked(machine, answer, data)

    def _ask_again(self, machine: Machine, found: Found, ticket: Ticket) -> None:
        """The copy is bad: the core is told, and asked again, each in a step of its own."""
        self.feed(machine, Damaged(found.rg, found.entry.version, found.body))
        if ticket in self._reads:
            self.feed(machine, self._reads[ticket])

    def _serve(self, machine: Machine, found: Found) -> bytes | None:
        """The bytes that go out, None if they are not what the log says."""
        body = found.entry.body
        assert body is not None
        copy = Copy(found.entry.last.object, body.size, body.sha256, found.body)
        return machine.read_body(found.rg, copy)

    def _append(self, events: Sequence[Event]) -> None:
        entries = [self._entry(event) for event in events]
        for position in self.log.append(entries):
            [record] = self.log.read(position.topic, position.partition, position.offset, 1)
            decoded = Decoded(record, self._decoder.decode(record))
            self._records.setdefault((record.topic, record.partition), []).append(decoded)
            told = Told(record, decoded.event)
            self.told.append(told)
            folded = self.reference.fold(told)
            for observer in self.observers:
                observer.appended(told, folded)
        places = tuple(dict.fromkeys((entry.topic, entry.partition) for entry in entries))
        for machine in self.alive():
            self._pumps[machine.store].told(places)

    def _entry(self, event: Event) -> Entry:
        if isinstance(event, MapChanged):
            return Entry(Topic.MAP, Partition(0), b"map", encode(event))
        partition = Partition(event.rg % self.log.identity.partitions)
        return Entry(Topic.RG, partition, rg_key(event.rg), encode(event))

    def _tick(self, machine: Machine, pump: Pump) -> None:
        if not pump.is_open:
            return
        self.world.after(TICK_MS, lambda: self._tick(machine, pump))
        self.feed(machine, Tick(machine.room))
