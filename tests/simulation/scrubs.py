"""Scrubs of simulated machines: as `osd.scrub` does it, with time between looking and telling.

Rule: a scrub looks at windows of a running node and reads bodies on its disk.
What it found is told to the node a while later, when all may be different.
"""

from collections.abc import Callable
from random import Random

from eventlog.ids import RgId, Version
from osd.core.inputs import Damaged, Input, Miscounted, Sound
from osd.core.membership import Phase
from osd.core.scrubbing import Check, Depth, window
from simulation.cluster import Cluster
from simulation.occasions import Occasions
from simulation.stores import Machine

LATE_MS = (0, 0, 5, 200)


class Scrubs(Occasions):
    """Some machine scrubs one of its RGs."""

    PAUSE_MS = 700

    def __init__(
        self, cluster: Cluster, random: Random, lose_row: Callable[[Machine, Random], None]
    ) -> None:
        super().__init__(cluster, random)
        self._lose_row = lose_row

    def everywhere(self) -> None:
        """Every machine reads all it has."""
        for machine in self._cluster.alive():
            self.all_of(machine, Depth.DEEP)

    def all_of(self, machine: Machine, depth: Depth) -> None:
        """One machine looks at all it has, and is told at once."""
        assert machine.node is not None
        for rg in sorted(machine.node.groups):
            self._scrub(machine, rg, depth, 0)

    def _act(self) -> None:
        machines = [machine for machine in self._cluster.alive() if machine.inbox is None]
        if not machines:
            return
        machine = self._random.choice(machines)
        assert machine.node is not None
        rgs = sorted(machine.node.groups)
        if self._random.randrange(40) == 0:
            self._lose_row(machine, self._random)
        if rgs and machine.node.membership.phase is Phase.RUNNING:
            depth = self._random.choice(list(Depth))
            late_ms = self._random.choice(LATE_MS)
            self._scrub(machine, self._random.choice(rgs), depth, late_ms)

    def _scrub(self, machine: Machine, rg: RgId, depth: Depth, late_ms: int) -> None:
        after: Version | None = Version(0)
        while after is not None and machine.node is not None:
            group = machine.node.groups.get(rg)
            if group is None or not group.is_caught_up:
                return
            seen = window(group, after, self._random.randint(1, 4))
            found: list[Input] = [Miscounted(rg)] if seen.differs else []
            found += [said for check in seen.checks if (said := _look(machine, check, depth))]
            for said in found:
                self._tell(machine, said, late_ms)
            after = seen.next_after

    def _tell(self, machine: Machine, said: Input, late_ms: int) -> None:
        boot = machine.boot

        def tell() -> None:
            if machine.boot == boot:
                self._cluster.feed(machine, said)

        if late_ms:
            self._cluster.world.after(late_ms, tell)
        else:
            tell()


def _look(machine: Machine, check: Check, depth: Depth) -> Input | None:
    """What the node is to be told of one copy, if anything."""
    copy = machine.disk(check.rg).copy_of(check.version)
    data = machine.raw_body(check.rg, check.body)
    if depth is Depth.LIGHT or copy is None:
        is_right = data is not None and len(data) == check.size
    else:
        is_right = machine.read_body(check.rg, copy) is not None
    about = (check.rg, check.version, check.body)
    if not is_right:
        return Damaged(*about)
    return Sound(*about) if check.is_lost and depth is Depth.DEEP else None
