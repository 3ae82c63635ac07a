"""Throttles: limits of background pulls are changed while nodes run, and disks are nearly full.

Rule: at the end every limit is wide and every disk has room: whatever was held
up then goes on by itself.
"""

from osd.core.inputs import Limited
from osd.core.pulls import Limits
from osd.core.room import Room
from simulation.occasions import Occasions

WIDE = Limits(pulls=3)
LIMITS = (WIDE, Limits(pulls=0), Limits(pulls=1), Limits(pulls=2, rate=50), Limits(rate=2_000))
ROOMY = Room(free=900_000, total=1_000_000)
ROOMS = (ROOMY, ROOMY, Room(free=250_040, total=1_000_000), Room(free=0, total=1_000_000))
"""Of the third only bodies of 40 bytes or less fit into what imports may have."""


class Throttles(Occasions):
    """Some machine is throttled, or not any more."""

    PAUSE_MS = 900

    def end(self) -> None:
        """Nothing holds anything up any more."""
        super().end()
        for machine in [*self._cluster.machines.values(), *self._cluster.returned]:
            machine.room = ROOMY
            self._cluster.feed(machine, Limited(WIDE))

    def _act(self) -> None:
        machines = self._cluster.alive()
        if machines:
            machine = self._random.choice(machines)
            machine.room = self._random.choice(ROOMS)
            if machine.inbox is None:
                self._cluster.feed(machine, Limited(self._random.choice(LIMITS)))
