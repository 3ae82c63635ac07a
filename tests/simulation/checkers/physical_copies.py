"""Where bytes really are: what checkers of copies look at.

Rule: a store has a copy if, after a crash at this moment, its bytes would be
there: as a copy, as an import, or staged under the fence and serial of the put.
"""

from collections.abc import Iterable

from eventlog.ids import RgId, Store, Version
from eventlog.rg_events import ObjectPut
from osd import keys
from simulation.cluster import Cluster
from simulation.stores import Machine

BYTES = b"CISB"
"""Kinds of rows that bytes of objects need."""


def machine_of(cluster: Cluster, store: Store) -> Machine | None:
    """The machine with this disk."""
    each = [*cluster.machines.values(), *cluster.returned]
    return next((machine for machine in each if machine.store == store), None)


def has_bytes(cluster: Cluster, store: Store, rg: RgId, version: Version) -> bool:
    """Whether the store would have the bytes of that version after a crash now, and has them."""
    machine = machine_of(cluster, store)
    if machine is None:
        return False
    put = cluster.reference.accepted.get((rg, version))
    found = [keys.by_version(b"C", rg, version), keys.by_version(b"I", rg, version)]
    if isinstance(put, ObjectPut) and store in put.stores:
        found.append(keys.staged(rg, put.fence, put.serial))
    rows = machine.rows
    is_there = any(rows.get(key) is not None for key in found)
    return is_there and any(rows.get_durable(key) is not None for key in found)


def touched(changed: Iterable[bytes]) -> set[RgId]:
    """The RGs whose bytes these keys are about."""
    return {keys.rg_of_key(key) for key in changed if key[0] in BYTES}
