"""Proofs of deletion against what disks really have, in a simulated cluster.

Rule: whatever the audit calls proven is looked for on every disk that is not
retired: copies, imports that no event names, bodies that were staged before the
delete, their files. What a crash at this moment would bring back is there.

What is not here: what the audit goes by (see `projections.audit`).
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from eventlog.ids import RgId, Store, Version
from eventlog.map_events import MapChanged
from eventlog.rg_events import ObjectDeleted, ObjectPut
from osd import keys
from osd.core.effects import Effects
from osd.core.inputs import Input
from osd.disk import Copy, Staged
from projections.audit.database import reading
from projections.audit.sync import sync
from projections.replica_group import Folded
from simulation.cluster import Cluster
from simulation.nemesis import Nemesis
from simulation.observers import Observer, Violation
from simulation.reference import Told
from simulation.stores import Machine

NAME = "proofs of deletion"
EVERY = 50
"""Of so many records one is followed by a look."""
PROVEN = "SELECT rg, object, version FROM deletions WHERE state = 'proven'"


class Proofs(Observer):
    """Asks the audit now and then, and looks at the disks."""

    def __init__(self, cluster: Cluster, nemesis: Nemesis, path: Path) -> None:
        self._cluster, self._nemesis, self._path = cluster, nemesis, path
        self.proven: set[tuple[RgId, Version]] = set()
        """All that ever was."""
        self._staged: dict[tuple[Store, bytes], int] = {}
        """When each staged body came, in records of the log."""
        self._deleted: dict[tuple[RgId, Version], int] = {}
        self._files: dict[tuple[RgId, Version], list[tuple[Machine, str]]] = {}
        """By delete: the files that then had bytes of the object."""
        self._sums: dict[tuple[RgId, str], set[bytes]] = {}

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        for key, value in effects.changes.items():
            if key[:1] == b"S" and value is not None:
                self._staged.setdefault((machine.store, key), len(self._cluster.told))

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if folded is not None and folded.void is None and not isinstance(event, MapChanged):
            if isinstance(event, ObjectPut):
                self._sums.setdefault((event.rg, event.object), set()).add(event.sha256)
            elif isinstance(event, ObjectDeleted):
                self._deleted[event.rg, event.version] = len(self._cluster.told)
                sums = self._sums[event.rg, event.object]
                self._files[event.rg, event.version] = list(self._files_of(sums))
        if len(self._cluster.told) % EVERY == 0:
            self.look()

    def settled(self) -> None:
        """See `Observer`."""
        self.look()

    def look(self) -> None:
        """Every proof of this moment."""
        sync(self._path, self._cluster.log)
        with reading(self._path) as connection:
            rows = connection.execute(PROVEN).fetchall()
        for rg, name, version in rows:
            self.proven.add((rg, version))
            for machine in self._disks(rg):
                for what in self._left(machine, rg, name, version):
                    text = f"{name} was deleted as v{version} of rg {rg:x}, that is proven"
                    raise Violation(NAME, f"{text}, and {machine.store} has {what}")

    def _disks(self, rg: RgId) -> list[Machine]:
        """All that are there; of a retired one the proof says that it is."""
        retired = {*self._cluster.map.retired, *self._cluster.reference.rgs[rg].state.retired}
        each = [*self._cluster.machines.values(), *self._cluster.returned]
        gone = retired | self._nemesis.lost_stores
        return [machine for machine in each if machine.store not in gone]

    def _left(self, machine: Machine, rg: RgId, name: str, deleted: Version) -> Iterator[str]:
        for kind in (b"C", b"I"):
            for key, data in self._rows(machine, keys.prefix(kind, rg)):
                version = Version(keys.last_number(key))
                if version <= deleted and msgspec.msgpack.decode(data, type=Copy).name == name:
                    yield f"its v{version} as {kind.decode()}"
        for key, data in self._rows(machine, keys.prefix(b"S", rg)):
            staged = msgspec.msgpack.decode(data, type=Staged)
            came = self._staged[machine.store, key]
            if staged.copy.name == name and came < self._deleted[rg, deleted]:
                yield f"a body staged under {staged.fence}"
        for holder, file in self._files[rg, deleted]:
            if holder is machine and file in machine.files:
                yield f"its bytes in {file}"

    def _rows(self, machine: Machine, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Those that are there, and those that would be there again after a crash."""
        worst = machine.rows.crash()
        yield from machine.rows.scan(prefix)
        yield from ((k, row) for k, row in worst.scan(prefix) if machine.rows.get(k) is None)

    def _files_of(self, sums: set[bytes]) -> Iterator[tuple[Machine, str]]:
        for machine in [*self._cluster.machines.values(), *self._cluster.returned]:
            for file, data in machine.files.items():
                if sha256(data).digest() in sums:
                    yield machine, file
