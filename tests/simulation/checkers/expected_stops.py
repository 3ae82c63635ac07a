"""A node that was not killed stops only for a reason that it names and the run gave.

Rule: a disk that was given up may refuse to return; nobody else stops.
"""

from osd.core.effects import Effects
from osd.core.inputs import Input
from simulation.cluster import Cluster
from simulation.observers import Observer, Violation
from simulation.stores import Machine

NAME = "expected stops"


class ExpectedStops(Observer):
    """Looks at why nodes stop."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        if effects.stop is not None and self._is_present(machine):
            raise Violation(NAME, f"{machine.address} stopped: {effects.stop}")

    def settled(self) -> None:
        """See `Observer`."""
        for osd, known in sorted(self._cluster.map.osds.items()):
            machine = self._cluster.machines[osd]
            if machine.node is None or known.store != machine.store or not known.is_up:
                why = self._cluster.stopped.get(machine.store, "nobody knows why")
                raise Violation(NAME, f"osd.{osd} does not run: {why}")

    def _is_present(self, machine: Machine) -> bool:
        is_retired = machine.store in self._cluster.map.retired
        return machine is self._cluster.machines.get(machine.store.osd) and not is_retired
