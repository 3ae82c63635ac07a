"""A run from a seed: a cluster, what befalls it, and everything that must hold.

Rule: the seed decides all. A run is so many steps, each one thing that
somebody does; then nothing breaks any more, and the cluster must come to rest.
The first steps of a longer run are those of a shorter one.
"""

import traceback
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from eventlog.ids import OsdId
from osd.core.answers import Done, Found
from osd.core.context import Settings
from osd.core.pulls import Limits
from simulation.ambush import Ambush
from simulation.checkers.acknowledged_writes import AcknowledgedWrites
from simulation.checkers.calm_bursts import CalmBursts
from simulation.checkers.clean_at_rest import CleanAtRest, staged_bodies
from simulation.checkers.clean_statements import CleanStatements
from simulation.checkers.counted_copies_stay import CountedCopiesStay
from simulation.checkers.dense_versions import DenseVersions
from simulation.checkers.expected_stops import ExpectedStops
from simulation.checkers.fetch_slots import FetchSlots
from simulation.checkers.kept_replicas import KeptReplicas
from simulation.checkers.linearizable_objects import LinearizableObjects
from simulation.checkers.live_copies import LiveCopies
from simulation.checkers.log_records import LogRecords
from simulation.checkers.named_stores import NamedStores
from simulation.checkers.no_resurrection import NoResurrection
from simulation.checkers.same_state import SameState
from simulation.client_calls import ReadCall
from simulation.clients import Clients
from simulation.cluster import ONE_COPY, Cluster, Copies
from simulation.inquiries import Inquiries
from simulation.nemesis import Nemesis
from simulation.observers import Observer, Violation
from simulation.operator import Operator
from simulation.pump import AppendFault
from simulation.scrubs import Scrubs
from simulation.situations import Situations
from simulation.throttles import Throttles

STEPS = 200
RGS = 3
THROTTLED = 7
"""Of so many seeds one has limits that change, and disks that are nearly full."""
FIERCE = 3
"""Of so many seeds one is more often ambushed than left in peace."""
SCRUBBED = 3
"""Of so many seeds one has no scrub before the end."""
SLOW = 2
"""Of so many seeds one has large bodies that take their time to come."""
PACES_MS = (0, 10, 60, 300, 1_000, 3_000)
ASKED = 4
"""Of so many seeds from `SNAPSHOTS_FROM` on one has stores asked for what they have."""
SNAPSHOTS_FROM = 200
"""From here on in every second seed RGs that come to a store wait for a snapshot, and in two
of three some RGs share a partition."""
NAMES = [f"object-{n}" for n in range(9)]
SETTINGS = Settings(
    calm_ms=200,
    limits=Limits(pulls=3),
    together=2,
    hint_ms=500,
    retry_ms=100,
    snapshot_ms=0,
    settle_ms=50,
    is_checked=True,
)


class Failure(NamedTuple):
    """What a run came to that must not be."""

    seed: int
    step: int
    """The step in which it showed; the number of all steps if it was at rest."""
    checker: str
    what: str
    is_crash: bool = False
    """No checker objected: a node, or the simulation itself, raised an error."""


class Run:
    """One run. Make it, then `go`."""

    def __init__(self, seed: int, steps: int = STEPS, replicas: int = 1) -> None:
        self.seed, self.steps, self.step = seed, steps, 0
        random = Random(seed)
        self.random = random
        copies = Copies(replicas, random.randint(1, replicas)) if replicas > 1 else ONE_COPY
        settings, partitions = SETTINGS, RGS
        if seed >= SNAPSHOTS_FROM:
            partitions = 1 + seed % RGS
        if seed >= SNAPSHOTS_FROM and seed % 2:
            settings = SETTINGS._replace(snapshot_ms=random.choice([5, 100, 400]))
        chance = Random(random.getrandbits(64))
        self.cluster = Cluster(RGS, settings, chance, copies, partitions)
        self.clients = Clients(self.cluster, NAMES, Random(random.getrandbits(64)))
        self.operator = Operator(self.cluster, Random(random.getrandbits(64)))
        is_fierce = seed % FIERCE == 0
        self.nemesis = Nemesis(self.cluster, Random(random.getrandbits(64)), is_fierce=is_fierce)
        self.ambush = Ambush(
            self.cluster, self.clients, self.nemesis, Random(random.getrandbits(64))
        )
        self.scrubs = Scrubs(self.cluster, Random(-1 - seed), self.nemesis.lose_row)
        self.throttles = Throttles(self.cluster, Random(-1_000_001 - seed))
        self.inquiries = Inquiries(self.cluster, Random(-2_000_001 - seed))
        self._pace = Random(-3_000_001 - seed)
        self.at_rest: list[Observer] = [CalmBursts(self.cluster)]
        """Looks that change the cluster, and so come last."""
        self.situations = Situations(self.cluster)
        self.cluster.observers += [self.situations, self.ambush, *self._checkers()]
        for osd in range(random.choice([2, 3, 4])):
            self.cluster.add(OsdId(osd))
        self._weights = [random.choice([10, 20]), 10, random.choice([0, 2, 6]), 1, 1, 1]
        self._weights += [random.choice([0, 3, 6]), random.choice([0, 2, 6])]
        self._weights += [random.choice([0, 0, 1]), random.choice([0, 1])]
        if is_fierce:
            self._weights = [8, 8, 1, 0, 2, 0, 2, 8, 0, 1]

    def go(self) -> Failure | None:
        """Do it all; what must not be, if it was."""
        try:
            self._disturb()
            self._rest()
        except Violation as violation:
            return Failure(self.seed, self.step, violation.checker, violation.what)
        except Exception as error:  # noqa: BLE001 - whatever a node raises is its mistake
            where = "".join(traceback.format_exception(error)[-3:])
            return Failure(self.seed, self.step, type(error).__name__, where, is_crash=True)
        return None

    def _checkers(self) -> list[Observer]:
        cluster, reference = self.cluster, self.cluster.reference
        return [
            AcknowledgedWrites(reference),
            NoResurrection(reference),
            DenseVersions(),
            LiveCopies(cluster, self.nemesis),
            CountedCopiesStay(reference),
            KeptReplicas(reference),
            SameState(cluster),
            FetchSlots(),
            NamedStores(),
            CleanStatements(),
            ExpectedStops(cluster),
            LogRecords(),
            CleanAtRest(cluster),
            LinearizableObjects(self.clients.history),
        ]

    def _disturb(self) -> None:
        self.cluster.world.run(50)
        self.nemesis.begin()
        if self.seed % SCRUBBED:
            self.scrubs.begin()
        if self.seed % SLOW:
            self.cluster.pace = lambda: self._pace.choice(PACES_MS)
        if self.seed % THROTTLED == THROTTLED - 1:
            self.throttles.begin()
        if self.seed >= SNAPSHOTS_FROM and self.seed % ASKED == 0:
            self.inquiries.begin()
        acts: list[Callable[[], None]] = [
            self.clients.act,
            self._wait,
            self.operator.act,
            self.operator.burst,
            self.operator.flap,
            self.operator.late,
            self.nemesis.act,
            self.ambush.act,
            self.operator.overhaul,
            self.operator.verdict,
        ]
        for self.step in range(self.steps):  # noqa: B020
            [act] = self.random.choices(acts, self._weights)
            act()
            self.cluster.world.run(self.random.choice([0, 0, 1, 3]))
        self.step = self.steps

    def _wait(self) -> None:
        self.cluster.world.run(self.random.choice([1, 3, 10, 40, 300, 1_500]))

    def _rest(self) -> None:
        """Everything is mended; what was destroyed is found out, and deleted."""
        self.ambush.end()
        self.nemesis.end()
        self.scrubs.end()
        self.inquiries.end()
        self.cluster.pace = lambda: 0
        self.cluster.world.run(5_000)
        self.nemesis.end()  # who was just stopping has ended by now
        self.throttles.end()
        self.cluster.world.run(500)
        self.operator.mend()
        self._settle()
        if left := staged_bodies(self.cluster):
            raise Violation("clean at rest", "\n".join(left))
        self._doubt()
        self.scrubs.everywhere()
        self.inquiries.everywhere()
        self._settle()
        reads = [self.clients.read(name) for name in NAMES]
        self._settle()
        for read in reads:
            self._judge(read)
        self._settle()
        for observer in [*self.cluster.observers, *self.at_rest]:
            observer.settled()

    def _doubt(self) -> None:
        """Appends of unknown outcome, and no map change that would help: all goes on."""
        for name in NAMES[:RGS]:
            fates = iter([AppendFault.LOST])
            self.cluster.fault = lambda fates=fates: next(fates, None)  # type: ignore[misc]
            put = self.clients.put(name)
            self._settle()
            if not isinstance(put.answer, Done):
                raise Violation("clean at rest", f"{put.words} of a settled cluster: {put.answer}")

    def _settle(self) -> None:
        if not self.cluster.settle(limit_ms=60_000):
            raise Violation("clean at rest", "the cluster does not come to rest")

    def _judge(self, read: ReadCall) -> None:
        """What was destroyed is the only thing that may not be read, and goes now."""
        entry = self.cluster.reference.rgs[read.rg].entry(read.name)
        if entry is None or entry.body is None:
            return
        if self.nemesis.has_destroyed(read.rg, entry):
            self.clients.delete(read.name)
        elif not isinstance(read.answer, Found):
            raise Violation("clean at rest", f"{read.words} of a settled cluster: {read.answer}")
