"""What a store says it has: with nothing staged, nothing else of the past is there either.

Rule: whoever states its holdings with nothing staged has no import, unknown to the log, of a
version that was replaced or deleted by then. A proof of deletion rests on that.
"""

from bisect import bisect_right

import msgspec

from eventlog.ids import RgId, Version
from eventlog.rg_events import HoldingsStated, Operation
from osd import keys
from osd.core.effects import Effects
from osd.core.inputs import Input
from osd.disk import Copy
from projections.replica_group import Folded
from simulation.observers import Observer, Violation
from simulation.reference import Told
from simulation.stores import Machine

NAME = "clean statements"


class CleanStatements(Observer):
    """Remembers every object's versions, and looks at the disk of whoever states its holdings."""

    def __init__(self) -> None:
        self._versions: dict[tuple[RgId, str], list[Version]] = {}

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if isinstance(event, Operation) and folded is not None and folded.void is None:
            self._versions.setdefault((event.rg, event.object), []).append(event.version)

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        for append in effects.appends:
            if isinstance(append.event, HoldingsStated) and append.event.staged_from is None:
                self._look(machine, append.event)

    def _look(self, machine: Machine, stated: HoldingsStated) -> None:
        for key, data in machine.rows.scan(keys.prefix(b"I", stated.rg)):
            name, version = msgspec.msgpack.decode(data, type=Copy).name, keys.last_number(key)
            versions = self._versions[stated.rg, name]
            last = versions[bisect_right(versions, stated.version) - 1]
            if version != last:
                what = f"{machine.address} says at v{stated.version} that nothing is staged in"
                raise Violation(NAME, f"{what} rg {stated.rg:x}, and has v{version} of {name}")
