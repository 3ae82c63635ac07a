"""What a store says it has: with nothing staged, nothing else of the past is there, or comes.

Rule: whoever states its holdings with nothing staged has no import, unknown to the log, of a
version that was replaced or deleted by then, and no body arrives there of an object on which there
was an operation since it began to. Whoever says that nothing of an RG is left has none arriving at
all. From then on no body of a version that was replaced or deleted by then begins to arrive there,
is staged or imported. Proofs of deletion rest on all of that.
"""

from bisect import bisect_right
from collections import defaultdict
from typing import NamedTuple

import msgspec

from eventlog.ids import Fence, RgId, Serial, Store, Version
from eventlog.rg_events import ExportClosed, HoldingsStated, ObjectPut, Operation
from osd import keys
from osd.core.effects import Effects, Ticket
from osd.core.inputs import Arrived, Arriving, Input
from osd.disk import Copy, Staged
from projections.replica_group import Folded
from simulation.observers import Observer, Violation
from simulation.reference import Told
from simulation.stores import Machine

NAME = "clean statements"


class _Arrival(NamedTuple):
    rg: RgId
    name: str
    operations: int
    """So many there had been on the object when it began."""


class CleanStatements(Observer):
    """Remembers every object's versions, what arrives where, and what was said of disks."""

    def __init__(self) -> None:
        self._versions: dict[tuple[RgId, str], list[Version]] = defaultdict(list)
        self._puts: dict[tuple[RgId, Fence, Serial], tuple[str, Version]] = {}
        self._arriving: dict[Store, dict[Ticket, _Arrival]] = defaultdict(dict)
        self._said: dict[tuple[Store, RgId], Version] = {}
        """Up to which version nothing of the past is there."""

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if isinstance(event, Operation) and folded is not None and folded.void is None:
            self._versions[event.rg, event.object].append(event.version)
            if isinstance(event, ObjectPut):
                self._puts[event.rg, event.fence, event.serial] = (event.object, event.version)

    def crashed(self, machine: Machine) -> None:
        """See `Observer`."""
        self._arriving.pop(machine.store, None)

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        if isinstance(given, Arriving):
            self._begin(machine, given)
        elif isinstance(given, Arrived):
            del self._arriving[machine.store][given.ticket]
        for key, value in effects.changes.items():
            if value is not None and key[:1] in (b"S", b"I"):
                self._come(machine, key, value)
        for append in effects.appends:
            event = append.event
            if isinstance(event, HoldingsStated) and event.staged_from is None:
                self._look(machine, event.rg, event.version)
            elif isinstance(event, ExportClosed):
                self._close(machine, event.rg)

    def _begin(self, machine: Machine, given: Arriving) -> None:
        rg, ticket, name, staging = given
        arrival = _Arrival(rg, name, len(self._versions[rg, name]))
        self._arriving[machine.store][ticket] = arrival
        if staging is not None:
            self._judge_staging(machine, rg, *staging, "is sent")

    def _come(self, machine: Machine, key: bytes, row: bytes) -> None:
        rg = keys.rg_of_key(key)
        if key[:1] == b"S":
            staged = msgspec.msgpack.decode(row, type=Staged)
            self._judge_staging(machine, rg, staged.fence, staged.serial, "has staged")
        else:
            name, version = _imported(key, row)
            self._judge(machine, rg, name, version, "imports")

    def _judge_staging(
        self, machine: Machine, rg: RgId, fence: Fence, serial: Serial, what: str
    ) -> None:
        name, version = self._puts.get((rg, fence, serial), ("", None))
        if version is not None:
            self._judge(machine, rg, name, version, what)

    def _judge(self, machine: Machine, rg: RgId, name: str, version: Version, what: str) -> None:
        at = self._said.get((machine.store, rg))
        if at is not None and self._is_past(rg, name, version, at):
            what = f"{machine.address} {what} v{version} of {name}, and had said at v{at} that"
            raise Violation(NAME, f"{what} nothing else is in rg {rg:x}")

    def _look(self, machine: Machine, rg: RgId, at: Version) -> None:
        self._said[machine.store, rg] = at
        what = f"{machine.address} says at v{at} that nothing is staged in rg {rg:x}, and"
        for key, row in machine.rows.scan(keys.prefix(b"I", rg)):
            name, version = _imported(key, row)
            if self._is_past(rg, name, version, at):
                raise Violation(NAME, f"{what} has v{version} of {name}")
        for _ in machine.rows.scan(keys.prefix(b"S", rg)):
            raise Violation(NAME, f"{what} something is")
        for arrival in self._arriving[machine.store].values():
            since = self._versions[arrival.rg, arrival.name][arrival.operations :]
            if arrival.rg == rg and since and since[0] <= at:
                raise Violation(NAME, f"{what} {arrival.name} arrives since before v{since[0]}")

    def _close(self, machine: Machine, rg: RgId) -> None:
        assert machine.node is not None
        for arrival in self._arriving[machine.store].values():
            if arrival.rg == rg:
                what = f"{machine.address} says that nothing of rg {rg:x} is left"
                raise Violation(NAME, f"{what}, and {arrival.name} arrives")
        self._look(machine, rg, machine.node.groups[rg].state.version)

    def _is_past(self, rg: RgId, name: str, version: Version, at: Version) -> bool:
        """Whether that version was no more the object's last at the other."""
        versions = self._versions[rg, name]
        return version <= at and versions[bisect_right(versions, at) - 1] != version


def _imported(key: bytes, row: bytes) -> tuple[str, Version]:
    return msgspec.msgpack.decode(row, type=Copy).name, Version(keys.last_number(key))
