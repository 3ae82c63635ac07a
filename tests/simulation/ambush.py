"""Ambushes: several things at once, at the moment that suits them worst.

Rule: nothing happens here that clients, operator and nemesis do not do by
themselves; only the moment is not left to chance. A trap is sprung by what its
process sends to the log, or brings into it, and by nothing else.
"""

from collections.abc import Callable
from random import Random

from eventlog.codec import Event
from eventlog.ids import OsdId, RgId, Store, rg_of
from eventlog.map_events import MapChanged, RgPinned
from eventlog.rg_events import Statement
from osd.core.effects import Effects
from osd.core.inputs import Input
from projections.replica_group import Folded
from simulation.clients import Clients
from simulation.cluster import Cluster
from simulation.nemesis import Nemesis
from simulation.observers import Observer
from simulation.pump import APPEND_MS, FAULTS, AppendFault
from simulation.reference import Told
from simulation.stores import Machine


class Ambush(Observer):
    """Lies in wait in a run."""

    def __init__(
        self, cluster: Cluster, clients: Clients, nemesis: Nemesis, random: Random
    ) -> None:
        self._cluster = cluster
        self._clients = clients
        self._nemesis = nemesis
        self._random = random
        self._trapped: Machine | None = None
        """Struck when it has brought something into the log, before it can read that back."""
        self._tinder: Machine | None = None
        """Its disk burns when it has sent something to the log, which comes late."""

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """Spring the other trap."""
        if machine is self._tinder and effects.appends:
            self._tinder = None
            self._nemesis.next_fate(AppendFault.LATE)
            self._befall(machine, APPEND_MS + 1, self._nemesis.burn)

    def appended(self, told: Told, folded: Folded | None) -> None:
        """Spring the trap: whoever said this is struck before it can read it back."""
        machine = self._trapped
        if machine is not None and _speaker(told.event) == machine.store:
            self._trapped = None
            self._befall(machine, 0, self._nemesis.strike)

    def _befall(self, machine: Machine, ms: int, strike: Callable[[Machine], None]) -> None:
        """This happens to the process so much later, if there still is one."""
        boot = machine.boot

        def happen() -> None:
            if machine.node is not None and machine.boot == boot and machine.inbox is None:
                strike(machine)

        self._cluster.world.after(ms, happen)

    def end(self) -> None:
        """Nothing lies in wait any more."""
        self._trapped = self._tinder = None

    def act(self) -> None:
        """While operations are under way their RG moves, and something befalls its primary."""
        rg = RgId(self._random.randrange(len(self._cluster.reference.rgs)))
        osd = self._cluster.primary(rg)
        machine = self._cluster.machines.get(osd) if osd is not None else None
        if machine is None or machine.node is None:
            return
        if self._random.randrange(2):
            self._nemesis.next_fate(self._random.choice(FAULTS))
        if self._random.randrange(4) == 0:
            self._trapped = machine
        if self._random.randrange(16) == 0:
            self._tinder = self._random.choice(self._cluster.alive())
        for _ in range(self._random.randint(1, 3)):
            self._ask(rg)
        self._pass()
        each = [self._strike, self._move, self._ask_there, self._bounce]
        for befalls in self._random.sample(each, 3):
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
            is_burnt = self._random.randrange(12) == 0
            (self._nemesis.burn if is_burnt else self._nemesis.strike)(machine)

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

    def _bounce(self, rg: RgId, machine: Machine) -> None:
        """To another OSD for as long as it takes to copy something, and back."""
        others = [
            osd
            for osd, known in sorted(self._cluster.map.osds.items())
            if known.is_candidate and osd != machine.store.osd
        ]
        if not others:
            return
        self._cluster.change_map(RgPinned(rg=rg, osds=(self._random.choice(others),)))
        self._cluster.world.run(self._cluster.settings.calm_ms + self._random.randrange(150))
        self._cluster.change_map(RgPinned(rg=rg, osds=(machine.store.osd,)))
        self._cluster.world.run(self._random.choice([0, 20, self._cluster.settings.calm_ms]))

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


def _speaker(event: Event) -> Store | None:
    """Who said this of an RG."""
    if isinstance(event, MapChanged):
        return None
    if isinstance(event, Statement):
        return event.store
    return event.fence.store
