"""Inquiries: somebody's proof waits for what stores have, and asks them, now and then.

Rule: any store is asked of any RG, also one that it does not follow, and what
it says must change nothing else.
"""

from eventlog.ids import RgId
from osd.core.inputs import HoldingsWanted
from simulation.occasions import Occasions


class Inquiries(Occasions):
    """Some store is asked; at its end nobody is, but by `everywhere`."""

    PAUSE_MS = 700

    def everywhere(self) -> None:
        """Every store is asked of everything."""
        every = tuple(map(RgId, range(len(self._cluster.reference.rgs))))
        for machine in self._cluster.alive():
            self._cluster.feed(machine, HoldingsWanted(every))

    def _act(self) -> None:
        machines = self._cluster.alive()
        if machines:
            rg = RgId(self._random.randrange(len(self._cluster.reference.rgs)))
            self._cluster.feed(self._random.choice(machines), HoldingsWanted((rg,)))
