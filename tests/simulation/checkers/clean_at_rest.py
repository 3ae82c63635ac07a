"""Invariant 6: when the last map stands and all are up, every RG becomes clean.

Rule: then facts are where the map places them and nowhere else; no stray, no
tombstone, no staged byte, no file without a row is left; nothing arrives; former OSDs have
nothing; and every live object's bytes are what was put.
"""

from hashlib import sha256

from eventlog.ids import OsdId, RgId
from osd.disk import Copy
from projections.rg_memory import RgProjection
from projections.rg_state import EMPTY
from projections.states import State
from simulation.cluster import Cluster
from simulation.observers import Observer, Violation
from simulation.stores import Machine

NAME = "clean at rest"


class CleanAtRest(Observer):
    """Looks at logs, folds and disks of a settled cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def settled(self) -> None:
        """See `Observer`."""
        if faults := faults_of(self._cluster):
            raise Violation(NAME, "\n".join(faults))


def staged_bodies(cluster: Cluster) -> list[str]:
    """What is still staged: nothing, once primaries have told their peers what is settled."""
    return [
        f"rg {rg:x} at {machine.address} has staged {staged.copy.name} under {staged.fence}"
        for machine in cluster.alive()
        for rg in sorted(cluster.reference.rgs)
        for staged in machine.disk(rg).staged()
    ]


def faults_of(cluster: Cluster) -> list[str]:
    """Everything that is wrong with a settled cluster; empty if all is well."""
    found = []
    for rg, projection in cluster.reference.rgs.items():
        if projection.state == EMPTY:
            continue
        placed = cluster.reference.placed(rg)
        if not placed:
            found.append(f"rg {rg:x} is placed nowhere")
        for machine in cluster.alive():
            if machine.store.osd in placed:
                expected = State.CLEAN if machine.store.osd == placed[0] else State.REPLICA
                found += _faults_where_placed(machine, projection, expected)
            else:
                found += _faults_elsewhere(machine, rg)
        found += _faults_in_log(projection, placed)
    for machine in cluster.alive():
        found += [*_loose_files(machine), *_arriving(machine, cluster)]
    return found


def _faults_in_log(projection: RgProjection, placed: tuple[OsdId, ...]) -> list[str]:
    state, found = projection.state, []
    if state.tombstones:
        found.append(f"rg {projection.rg:x} has {state.tombstones} tombstones left")
    strays = [str(store) for store in state.holders if store.osd not in placed]
    return [*found, *(f"rg {projection.rg:x} has facts about {store}" for store in strays)]


def _faults_elsewhere(machine: Machine, rg: RgId) -> list[str]:
    where = f"rg {rg:x} at {machine.address}"
    assert machine.node is not None
    group = machine.node.groups.get(rg)
    if group is not None:
        return [f"{where} is {'+'.join(group.flags)}, not forgotten"]
    disk = machine.disk(rg)
    left = [*disk.copies(), *disk.imported(), *disk.staged()]
    return [f"{where} has {len(left)} bodies left"] if left else []


def _faults_where_placed(machine: Machine, projection: RgProjection, expected: State) -> list[str]:
    assert machine.node is not None
    group = machine.node.groups.get(projection.rg)
    where = f"rg {projection.rg:x} at {machine.address}"
    if group is None:
        return [f"{where} is not followed where it is placed"]
    found = []
    if group.flags != (expected,):
        found.append(f"{where} is {'+'.join(group.flags)}: {group.why_waiting()}")
    if group.disk.holdings != group.ledger.holdings or group.disk.has_unlogged():
        found.append(f"{where} has a disk that differs from the log")
    return found + _wrong_bytes(machine, projection)


def _wrong_bytes(machine: Machine, projection: RgProjection) -> list[str]:
    found = []
    where = f"rg {projection.rg:x} at {machine.address}"
    for name, entry in projection.names():
        copy = machine.disk(projection.rg).copy_of(entry.version)
        data = machine.raw_body(projection.rg, copy.body) if copy is not None else None
        if entry.body is None or data is None:
            found.append(f"{where} cannot read {name} v{entry.version}")
        elif sha256(data).digest() != entry.body.sha256:
            found.append(f"{where} has wrong bytes for {name} v{entry.version}")
    return found


def _loose_files(machine: Machine) -> list[str]:
    copies: list[Copy] = []
    assert machine.node is not None
    for rg in machine.node.groups:
        disk = machine.disk(rg)
        copies += [copy for _, copy in [*disk.copies(), *disk.imported()]]
        copies += [staged.copy for staged in disk.staged()]
    loose = machine.files.keys() - {copy.body for copy in copies}
    return [f"{machine.address} has {len(loose)} files that no row names"] if loose else []


def _arriving(machine: Machine, cluster: Cluster) -> list[str]:
    assert machine.node is not None
    arrivals = machine.node.context.arrivals
    rgs = [rg for rg in sorted(cluster.reference.rgs) if arrivals.is_any(rg)]
    return [f"bodies of rg {rg:x} are thought to arrive at {machine.address}" for rg in rgs]
