"""Ambushes: several things at once, at the moment that suits them worst.

Rule: nothing happens here that clients, operator and nemesis do not do by
themselves; only the moment is not left to chance.
"""

from random import Random

from eventlog.ids import OsdId, RgId, rg_of
from eventlog.map_events import RgPinned
from simulation.clients import Clients
from simulation.cluster import Cluster
from simulation.nemesis import Nemesis
from simulation.pump import AppendFault
from simulation.stores import Machine


class Ambush:
    """Lies in wait in a run."""

    def __init__(
        self, cluster: Cluster, clients: Clients, nemesis: Nemesis, random: Random
    ) -> None:
        self._cluster = cluster
        self._clients = clients
        self._nemesis = nemesis
        self._random = random

    def act(self) -> None:
        """While operations are under way their RG moves, and something befalls its primary."""
        rg = RgId(self._random.randrange(len(self._cluster.reference.rgs)))
        osd = self._cluster.primary(rg)
        machine = self._cluster.machines.get(osd) if osd is not None else None
        if machine is None or machine.node is None:
            return
        if self._random.randrange(2):
            self._nemesis.next_fate(self._random.choice(list(AppendFault)))
        for _ in range(self._random.randint(1, 3)):
            self._ask(rg)
        self._pass()
        for befalls in self._random.sample([self._strike, self._move, self._ask_there], 3):
            befalls(rg, machine)
            self._pass()

    def _ask(self, rg: RgId, first: OsdId | None = None) -> None:
        names = [name for name in self._clients.names if self._rg(name) == rg]
        if names:
            self._clients.act_on(self._random.choice(names), first)

    def _ask_there(self, rg: RgId, machine: Machine) -> None:
        """Somebody who still believes in the old primary."""
        for _ in range(self._random.randint(1, 3)):
            self._ask(rg, machine.store.osd)
            self._pass()

    def _strike(self, _rg: RgId, machine: Machine) -> None:
        if machine.node is not None and machine.inbox is None and self._random.randrange(2):
            self._nemesis.strike(machine)

    def _move(self, rg: RgId, machine: Machine) -> None:
        """To another OSD; sometimes it is back before anybody knew."""
        osds = sorted(osd for osd, known in self._cluster.map.osds.items() if known.is_candidate)
        for osd in self._random.sample(osds, min(len(osds), self._random.randint(1, 2))):
            self._cluster.change_map(RgPinned(rg=rg, osds=(OsdId(osd),)))
            self._pass()
        if self._random.randrange(2):
            self._settle_in(rg)
        if self._random.randrange(4) == 0:
            self._cluster.change_map(RgPinned(rg=rg, osds=(machine.store.osd,)))

    def _settle_in(self, rg: RgId) -> None:
        """The new primary has time for its claim, and then something to do."""
        self._cluster.world.run(self._random.choice([20, 80]))
        for _ in range(2):
            self._ask(rg)
            self._cluster.world.run(30)

    def _pass(self) -> None:
        self._cluster.world.run(self._random.choice([0, 0, 1, 2, 3, 5, 20, 250]))

    def _rg(self, name: str) -> RgId:
        return rg_of(name, len(self._cluster.reference.rgs))
