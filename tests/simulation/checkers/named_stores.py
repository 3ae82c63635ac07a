"""Who may have bytes: a store that some claim names.

Rule: what a store imports or stages, and each large body that begins to arrive there, is of an RG
of which an accepted claim names the store as placed, at that moment or before. A proof of deletion
asks those stores, and no others, what they hold.
"""

from eventlog.ids import RgId, Store
from eventlog.rg_events import RgClaimed
from osd import keys
from osd.core.effects import Effects
from osd.core.inputs import Arriving, Input
from projections.replica_group import Folded
from simulation.observers import Observer, Violation
from simulation.reference import Told
from simulation.stores import Machine

NAME = "named stores"


class NamedStores(Observer):
    """Remembers whom claims name, and looks at every body."""

    def __init__(self) -> None:
        self._named: dict[RgId, set[Store]] = {}

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if isinstance(event, RgClaimed) and folded is not None and folded.void is None:
            self._named.setdefault(event.rg, set()).update(event.placed)

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        if isinstance(given, Arriving):
            self._judge(machine, given.rg, "is sent a body of")
        for key, value in effects.changes.items():
            if value is not None and key[:1] in (b"I", b"S"):
                self._judge(machine, keys.rg_of_key(key), "takes a body of")

    def _judge(self, machine: Machine, rg: RgId, what: str) -> None:
        if machine.store not in self._named.get(rg, ()):
            raise Violation(NAME, f"{machine.address} {what} rg {rg:x}, of which no claim names it")
