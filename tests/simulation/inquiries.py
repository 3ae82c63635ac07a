"""Inquiries: somebody's proof waits for what stores have, and asks them, now and then.

Rule: all of it is drawn from chance of its own. Any store is asked of any RG,
also one that it does not follow, and what it says must change nothing else.
"""

from random import Random

from eventlog.ids import RgId
from osd.core.inputs import HoldingsWanted
from simulation.cluster import Cluster

PAUSE_MS = 700


class Inquiries:
    """Of one run."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._has_ended = False

    def begin(self) -> None:
        """From now on some store is asked now and then."""
        self._cluster.world.after(self._random.randint(1, PAUSE_MS), self._act)

    def end(self) -> None:
        """Nobody is asked any more but by `everywhere`."""
        self._has_ended = True

    def everywhere(self) -> None:
        """Every store is asked of everything."""
        every = tuple(map(RgId, range(len(self._cluster.reference.rgs))))
        for machine in self._cluster.alive():
            self._cluster.feed(machine, HoldingsWanted(every))

    def _act(self) -> None:
        if self._has_ended:
            return
        self.begin()
        machines = self._cluster.alive()
        if machines:
            rg = RgId(self._random.randrange(len(self._cluster.reference.rgs)))
            self._cluster.feed(self._random.choice(machines), HoldingsWanted((rg,)))
