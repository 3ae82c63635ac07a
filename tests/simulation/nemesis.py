"""The nemesis: everything that breaks, by the seed.

Rule: it kills, freezes, cuts and spoils, and notes what data it destroyed:
whoever looks for lost objects excuses those and no others.

What is not here: what a broken thing then does.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from eventlog.ids import OsdId, Partition, RgId, Store, Topic, Version
from eventlog.log import TopicPartition
from eventlog.map_events import StoreWrittenOff
from osd.core.inputs import Stopping
from osd.disk import Copy
from projections.rg_state import Entry
from simulation.cluster import Cluster
from simulation.network import LOG, Weather
from simulation.pump import FAULTS, AppendFault
from simulation.stores import Machine

YEAR_MS = 365 * 24 * 3_600_000


class Mood(NamedTuple):
    """What may break in one run; each seed has its own, so that each thing is also left out."""

    weather: Weather
    append_faults: int
    """In thousandths of all appends."""
    weights: tuple[int, ...]
    """Of the acts, in the order of `Nemesis.acts`."""


class Nemesis:
    """Breaks things in a run."""

    def __init__(self, cluster: Cluster, random: Random, *, is_fierce: bool) -> None:
        self._cluster = cluster
        self._random = random
        self.lost_stores: set[Store] = set()
        """Disks that are gone with all that was on them."""
        self.spoiled: set[tuple[Store, RgId, Version]] = set()
        """Copies whose bytes were changed."""
        self.misplaced: set[tuple[Store, RgId, Version]] = set()
        """Copies that went while their process was dead: the next one finds that out."""
        self._fates: list[AppendFault] = []
        self._destroyed: set[tuple[RgId, Version]] = set()
        """Versions of which every copy that counted was among those."""
        self._acts: list[Callable[[Machine], None]] = [
            self._crash,
            self._stop,
            self._freeze,
            self._cut,
            self._heal,
            self._leap,
            self._fill,
            self._spoil,
            self._lose_disk,
            self._return_disk,
            self._lag,
        ]
        self.mood = self._draw_mood()
        if is_fierce:
            weather = Weather(random.choice([3, 20]), 0, 50, 5)
            self.mood = Mood(weather, 150, (6, 0, 3, 3, 3, 0, 0, 1, 0, 0, 4))

    def begin(self) -> None:
        """From now on things break."""
        self._cluster.network.weather = self.mood.weather
        self._cluster.fault = self._fault

    def act(self) -> None:
        """Break one thing, or let it be whole again."""
        machine = self._machine()
        if machine is None:
            return
        if machine.inbox is not None:
            self._say(f"{machine.address} goes on")
            self._cluster.thaw(machine)
        elif machine.node is None:
            if self._random.randrange(8) == 0:
                self._misplace(machine)
            self._start(machine)
        else:
            [act] = self._random.choices(self._acts, self.mood.weights)
            act(machine)

    def strike(self, machine: Machine) -> None:
        """Break this one, in a way that it may come back from."""
        self._random.choice([self._crash, self._freeze, self._cut, self._lag])(machine)

    def next_fate(self, fault: AppendFault) -> None:
        """The next append of any node meets this, if appends fail at all in this run."""
        if self.mood.append_faults:
            self._fates.append(fault)

    def end(self) -> None:
        """Nothing breaks any more, and everything runs."""
        self._cluster.network.weather = Weather()
        self._cluster.network.heal()
        self._cluster.fault = lambda: None
        for frozen in self._cluster.alive():
            if frozen.inbox is not None:
                self._cluster.thaw(frozen)
        for osd in sorted(self._cluster.map.osds):
            machine = self._cluster.machines.get(osd)
            if machine is None or machine.store in self._cluster.map.retired:
                self._renew(osd)
                continue
            machine.is_full = False
            if machine.node is None:
                self._restart(machine)

    def _restart(self, machine: Machine) -> None:
        """A new disk is one until the map has it: it needs the explicit word again."""
        known = self._cluster.map.osds[machine.store.osd]
        is_new = known.store != machine.store
        self._cluster.start(machine.store.osd, may_rebuild=is_new)

    def lose_row(self, machine: Machine, random: Random) -> None:
        """The row of one copy, and its bytes, are not on the disk any more."""
        copies = self._copies(machine)
        if not copies:
            return
        rg, version, copy = random.choice(copies)
        self._say(f"{machine.address} has no row of rg {rg:x} v{version} any more")
        self.spoiled.add((machine.store, rg, version))
        machine.vanish(rg, version, copy)
        self._reckon()

    def burn(self, machine: Machine) -> None:
        """Lose its disk, where other disks have copies too."""
        if self._cluster.map.replicas > 1:
            self._lose_disk(machine)

    def has_destroyed(self, rg: RgId, entry: Entry) -> bool:
        """Whether all that counted of this version was destroyed, now or before."""
        self._look(rg, entry, self._is_silent)
        return (rg, entry.version) in self._destroyed

    def is_excused(self, store: Store, rg: RgId, version: Version) -> bool:
        """Whether this copy was destroyed."""
        return (store, rg, version) in self.misplaced or self._is_silent(store, rg, version)

    def _is_silent(self, store: Store, rg: RgId, version: Version) -> bool:
        """Whether it was destroyed, and nobody but a reader can know it."""
        if store in self.lost_stores:
            return True
        return (store, rg, version) in self.spoiled and not self._is_mended(store, rg, version)

    def _is_mended(self, store: Store, rg: RgId, version: Version) -> bool:
        """Whether good bytes have taken the place of those that were spoiled."""
        machine = self._cluster.machines.get(store.osd)
        if machine is None or machine.store != store:
            return False
        copy = machine.disk(rg).copy_of(version)
        return copy is not None and machine.read_body(rg, copy) is not None

    def _look(self, rg: RgId, entry: Entry, is_bad: Callable[[Store, RgId, Version], bool]) -> None:
        holders, version = entry.holders(), entry.version
        if holders and all(is_bad(store, rg, version) for store in holders):
            self._destroyed.add((rg, version))

    def _reckon(self) -> None:
        """Note what was destroyed just now, while the log still says where it was."""
        for rg, projection in self._cluster.reference.rgs.items():
            for _, entry in projection.names():
                self._look(rg, entry, self.is_excused)

    def _draw_mood(self) -> Mood:
        draw, chance = self._random.randrange, self._random.choice
        weather = Weather(
            jitter_ms=chance([0, 3, 20, 120]),
            loss=chance([0, 0, 30, 150]),
            twice=chance([0, 50, 200]),
            slow=chance([0, 0, 20, 100]),
        )
        several = self._cluster.map.replicas > 1
        often = (10, 2, 3, 3, 3, 1, 1, 2 + several, 1 + several, 1, 4)
        weights = tuple(weight * (draw(3) > 0) for weight in often)
        weights = (max(weights[0], 1), *weights[1:])
        return Mood(weather, chance([0, 40, 150]), weights)

    def _fault(self) -> AppendFault | None:
        if self._fates:
            return self._fates.pop()
        if self._random.randrange(1_000) >= self.mood.append_faults:
            return None
        return self._random.choice(FAULTS)

    def _machine(self) -> Machine | None:
        machines = [machine for _, machine in sorted(self._cluster.machines.items())]
        gone = [osd for osd in sorted(self._cluster.map.osds) if osd not in self._cluster.machines]
        if gone:
            self._renew(gone[0])
            return None
        return self._random.choice(machines) if machines else None

    def _start(self, machine: Machine) -> None:
        if machine.store in self._cluster.map.retired:
            self._renew(machine.store.osd)
            return
        machine.is_full = False
        machine.clock_ms = self._random.randrange(10**9)
        machine.skew_micros = self._random.randint(-(10**10), 10**10)
        self._say(f"{machine.address} starts")
        self._restart(machine)

    def _renew(self, osd: OsdId) -> None:
        """The OSD gets a new, empty disk."""
        old = self._cluster.machines.get(osd)
        if old is not None:
            if old.node is not None:
                self._cluster.kill(osd)
            self._retire_machine(old)
        self._say(f"osd.{osd} starts on a new disk")
        self._cluster.start(osd, may_rebuild=True)

    def _retire_machine(self, machine: Machine) -> None:
        self.lost_stores.add(machine.store)
        self._reckon()
        self._cluster.wipe(machine.store.osd)
        now = self._cluster.map
        if machine.store in now.retired or now.osd_of(machine.store) is not None:
            machine.address += " of old"
            self._cluster.returned.append(machine)

    def _crash(self, machine: Machine) -> None:
        keep = self._random.randint(0, machine.rows.unsynced)
        self._say(f"{machine.address} is killed, {keep} of {machine.rows.unsynced} changes stay")
        if self._random.randrange(4) == 0:
            machine.upload(b"half of a body that was on its way")
        self._cluster.kill(machine.store.osd, keep)

    def _stop(self, machine: Machine) -> None:
        self._say(f"{machine.address} is stopped")
        self._cluster.feed(machine, Stopping())
        boot = machine.boot

        def end() -> None:
            if machine.node is not None and machine.boot == boot:
                self._cluster.kill_machine(machine, None)

        self._cluster.world.after(self._random.choice([5, 100]), end)

    def _freeze(self, machine: Machine) -> None:
        self._say(f"{machine.address} stands still")
        self._cluster.freeze(machine)

    def _cut(self, machine: Machine) -> None:
        others = [m.address for m in self._cluster.alive() if m is not machine]
        one, other = machine.address, self._random.choice([LOG, LOG, *others])
        self._say(f"no way from {one} to {other}")
        ways = self._random.choice([((one, other),), ((other, one),), ((one, other), (other, one))])
        for way in ways:
            self._cluster.network.cut(*way)

    def _lag(self, machine: Machine) -> None:
        """One node reads the map late, or the RGs, or all."""
        numbers = range(self._cluster.log.identity.partitions)
        places: list[TopicPartition] = [(Topic.RG, Partition(number)) for number in numbers]
        places.insert(0, (Topic.MAP, Partition(0)))
        chosen = self._random.choice([places, places, places[:1], [self._random.choice(places)]])
        ms = self._random.choice([20, 200, 2_000])
        self._say(f"{machine.address} reads {len(chosen)} partitions {ms} ms late")
        for place in chosen:
            self._cluster.lag(machine, place, ms)

    def _heal(self, _machine: Machine) -> None:
        self._say("all ways are open")
        self._cluster.network.heal()

    def _leap(self, machine: Machine) -> None:
        """A node returns after a very long time, as one that was down or stood still."""
        years = self._random.randint(1, 30)
        self._say(f"{machine.address} is away for {years} years")
        if self._random.randrange(2):
            self._cluster.kill(machine.store.osd)
        else:
            self._cluster.freeze(machine)
        self._cluster.world.run(self._random.choice([50, 2_000]))
        self._cluster.world.leap(years * YEAR_MS)

    def _fill(self, machine: Machine) -> None:
        self._say(f"the disk of {machine.address} is full")
        machine.is_full = True

    def _spoil(self, machine: Machine) -> None:
        """Silent corruption of one copy."""
        copies = self._copies(machine)
        if not copies:
            return
        rg, version, copy = self._random.choice(copies)
        self._say(f"{machine.address} has other bytes of rg {rg:x} v{version} now")
        self.spoiled.add((machine.store, rg, version))
        machine.spoil(rg, copy.body)
        self._reckon()

    def _misplace(self, machine: Machine) -> None:
        """A dead one's disk has lost one copy without a word: its file, or all of it."""
        copies = self._copies(machine)
        if not copies:
            return
        rg, version, copy = self._random.choice(copies)
        self._say(f"{machine.address} has nothing of rg {rg:x} v{version} any more")
        self.misplaced.add((machine.store, rg, version))
        self._reckon()
        machine.misplace(rg, version, copy)

    def _copies(self, machine: Machine) -> list[tuple[RgId, Version, Copy]]:
        """What is on the disk; only what is elsewhere too, if there is any."""
        copies = [
            (rg, version, copy)
            for rg in sorted(self._cluster.reference.rgs)
            for version, copy in machine.disk(rg).copies()
        ]
        moving = [
            (rg, version, copy)
            for rg, version, copy in copies
            if any(
                other is not machine and other.disk(rg).copy_of(version)
                for _, other in sorted(self._cluster.machines.items())
            )
        ]
        return moving or copies

    def _lose_disk(self, machine: Machine) -> None:
        """The disk is lost; sometimes somebody writes it off before there is a new one."""
        self._say(f"{machine.address} loses its disk")
        self._cluster.kill(machine.store.osd)
        self._retire_machine(machine)
        if self._random.randrange(2):
            self._cluster.change_map(
                StoreWrittenOff(store=machine.store, by="operator", why="burnt")
            )

    def _return_disk(self, _machine: Machine) -> None:
        """A disk that was given up is plugged in again, elsewhere."""
        old = [machine for machine in self._cluster.returned if machine.node is None]
        if old:
            machine = self._random.choice(old)
            self._say(f"{machine.store} returns")
            is_retired = machine.store in self._cluster.map.retired  # else the word would be heard
            may_rebuild = is_retired and bool(self._random.randrange(2))
            self._cluster.start_machine(machine, may_rebuild=may_rebuild)

    def _say(self, what: str) -> None:
        for observer in self._cluster.observers:
            observer.noted(f"nemesis: {what}")
