"""Torn writes and forgotten intents: a process dies after each event and at each write.

Whatever the moment, once all is up again every acknowledged object is there
with its bytes, every RG is clean, and the nodes' state is that of the log.
"""

import pytest

from eventlog.ids import OsdId, RgId
from eventlog.map_events import RgPinned
from osd.core.answers import Done, Found, NotFound
from projections.replica_group import Folded
from simulation.asking import Asker
from simulation.checkers.clean_at_rest import faults_of
from simulation.checkers.same_state import SameState
from simulation.cluster import Cluster
from simulation.observers import Observer
from simulation.reference import Told
from simulation.stores import Machine

ONE, TWO = OsdId(1), OsdId(2)
EVENTS = 24
"""The scenario's records, and some more."""


class DeathAfter(Observer):
    """Kills one OSD right after the log got its n-th record."""

    def __init__(self, cluster: Cluster, osd: OsdId, number: int) -> None:
        self._cluster, self._osd, self._left = cluster, osd, number
        self.has_struck = False

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        self._left -= 1
        machine = self._cluster.machines.get(self._osd)
        if self._left == 0 and machine is not None and machine.node is not None:
            self.has_struck = True
            self._cluster.world.after(0, lambda: self._strike(machine))

    def _strike(self, machine: Machine) -> None:
        if machine.node is not None:
            self._cluster.kill_machine(machine, 0)


def made() -> tuple[Cluster, Asker]:
    cluster = Cluster()
    for osd in (ONE, TWO):
        cluster.add(osd)
        cluster.world.run(100)
    cluster.change_map(RgPinned(rg=RgId(0), osds=(ONE,)))
    cluster.world.run(50)
    return cluster, Asker(cluster)


def scenario(cluster: Cluster, asker: Asker) -> dict[str, bytes | None]:
    """Put, overwrite, delete and move; what was acknowledged."""
    done: dict[str, bytes | None] = {}
    for name, data in (("a", b"1"), ("b", b"2"), ("c", b"3"), ("a", b"4"), ("b", None)):
        for _ in range(3):
            _start_all(cluster)
            ticket = asker.delete(name) if data is None else asker.put(name, data)
            cluster.world.run(60)
            answer = asker.answers.get(ticket)
            if isinstance(answer, Done | NotFound):
                done[name] = data
                break
            cluster.world.run(600)
        else:
            raise AssertionError(f"{name} is never answered")
    cluster.change_map(RgPinned(rg=RgId(0), osds=(TWO,)))
    cluster.world.run(1_100)
    _start_all(cluster)
    return done


def _start_all(cluster: Cluster) -> None:
    for osd, machine in sorted(cluster.machines.items()):
        if machine.node is None:
            cluster.start(osd)
            cluster.world.run(100)


def check(cluster: Cluster, asker: Asker, done: dict[str, bytes | None]) -> None:
    _start_all(cluster)
    assert cluster.settle()
    assert cluster.stopped == {}
    assert faults_of(cluster) == []
    SameState(cluster).settled()
    for name, data in done.items():
        ticket = asker.get(name)
        cluster.world.run(100)
        if data is None:
            assert isinstance(asker.answers[ticket], NotFound)
        else:
            assert isinstance(asker.answers[ticket], Found)
            assert asker.bytes[ticket] == data


@pytest.mark.parametrize("osd", [ONE, TWO])
@pytest.mark.parametrize("number", range(1, EVENTS))
def test_restart_forgets_no_intent(osd: OsdId, number: int) -> None:
    """It dies after each event: what it then had to do, it does."""
    cluster, asker = made()
    death = DeathAfter(cluster, osd, number)
    cluster.observers.append(death)
    done = scenario(cluster, asker)
    check(cluster, asker, done)


def test_the_scenario_has_so_many_events() -> None:
    """Or the test above would end too early to see the last of them."""
    cluster, asker = made()
    before = len(cluster.told)
    check(cluster, asker, scenario(cluster, asker))
    assert len(cluster.told) - before in range(EVENTS - 8, EVENTS)


MOMENTS = [(ms, keep) for ms in range(8) for keep in range(4)]
"""Milliseconds after a put came, and how many of the changes since survive the crash."""


@pytest.mark.parametrize(("ms", "keep"), MOMENTS)
def test_torn_write(ms: int, keep: int) -> None:
    """It dies at each write of a put: the object is whole, the new one or the one before."""
    cluster, asker = made()
    before = asker.put("a", b"before")
    cluster.world.run(50)
    assert isinstance(asker.answers[before], Done)
    ticket = asker.put("a", b"after")
    cluster.world.run(ms)
    machine = cluster.machines[ONE]
    cluster.kill(ONE, min(keep, machine.rows.unsynced))
    _start_all(cluster)
    assert cluster.settle()
    assert faults_of(cluster) == []
    read = asker.get("a")
    cluster.world.run(50)
    wanted = {b"after"} if isinstance(asker.answers.get(ticket), Done) else {b"before", b"after"}
    assert asker.bytes[read] in wanted
