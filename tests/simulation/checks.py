"""What must be true of a simulated cluster once the last map stands and everything is up.

Rule: each check looks at the log, the folds and the disks, and names what is wrong.
"""

import hashlib

from eventlog.ids import RgId
from eventlog.map_events import MapChanged
from projections.rg_memory import RgProjection
from projections.rg_state import EMPTY
from projections.states import State
from simulation.cluster import Cluster
from simulation.machine import Machine


def replay(cluster: Cluster) -> dict[RgId, RgProjection]:
    """Every RG folded from the log alone."""
    projections = {RgId(rg): RgProjection(RgId(rg)) for rg in range(cluster.rgs)}
    for told in cluster.told:
        if not isinstance(told.event, MapChanged):
            projections[told.event.rg].fold(told.event, told.record.offset)
    return projections


def faults(cluster: Cluster) -> list[str]:
    """Everything that is wrong with a settled cluster; empty if all is well."""
    found = []
    for rg, projection in replay(cluster).items():
        if projection.state == EMPTY:
            continue
        primary = cluster.primary(rg)
        if primary is None:
            found.append(f"rg {rg:x} has no primary")
            continue
        for machine in cluster.alive():
            is_primary = machine.store.osd == primary
            found += _faults_at(machine, rg, projection, is_primary=is_primary)
        if projection.state.tombstones:
            found.append(f"rg {rg:x} has {projection.state.tombstones} tombstones left")
    return found


def _faults_at(
    machine: Machine, rg: RgId, projection: RgProjection, *, is_primary: bool
) -> list[str]:
    assert machine.node is not None
    group = machine.node.groups.get(rg)
    where = f"rg {rg:x} at {machine.address}"
    if not is_primary:
        left = list(machine.disk(rg).copies())
        if group is not None:
            return [f"{where} is {'+'.join(group.flags)}, not forgotten"]
        return [f"{where} has {len(left)} copies left"] if left else []
    if group is None:
        return [f"{where} is not followed by its primary"]
    found = []
    if group.flags != (State.CLEAN,):
        found.append(f"{where} is {'+'.join(group.flags)}: {group.why_waiting()}")
    if group.table.digest() != projection.digest():
        found.append(f"{where} is folded otherwise than its log")
    if group.disk.holdings != group.ledger.holdings or group.disk.has_unlogged():
        found.append(f"{where} has a disk that differs from the log")
    for name, entry in projection.names():
        data = machine.read_copy(rg, entry.version)
        if entry.body is None or data is None:
            found.append(f"{where} cannot read {name} v{entry.version}")
        elif hashlib.sha256(data).digest() != entry.body.sha256:
            found.append(f"{where} has wrong bytes for {name} v{entry.version}")
    return found
