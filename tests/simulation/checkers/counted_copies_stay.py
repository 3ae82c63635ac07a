"""Invariant 5: no counted copy leaves a disk, and nothing goes because something is missing.

Rule: whenever a step removes a copy from a disk, the log says at that very
moment that this store's copy of that version is doomed, replaced or unknown;
and if it is the current one of a live object, that another store has it. So
also damaged bytes stay while there are no better.
"""

from eventlog.ids import RgId, Version
from osd import keys
from osd.core.effects import Effects
from osd.core.inputs import Input
from projections.rg_state import Status
from simulation.observers import Observer, Violation
from simulation.reference import Reference
from simulation.stores import Machine

NAME = "counted copies stay"


class CountedCopiesStay(Observer):
    """Looks at every row that a step removes."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        for key, value in effects.changes.items():
            if value is None and key[:1] == b"C":
                self._judge(machine, keys.rg_of_key(key), Version(keys.last_number(key)))

    def _judge(self, machine: Machine, rg: RgId, version: Version) -> None:
        projection = self._reference.rgs[rg]
        name = projection.name_of(version)
        entry = projection.entry(name) if name is not None else None
        if entry is None:
            return
        fact = entry.fact_of(machine.store)
        if entry.body is not None and entry.version == version and not entry.holders():
            what = f"{machine.address} removed the last bytes of {name} v{version} of rg {rg:x}"
            raise Violation(NAME, what)
        if fact is not None and fact.version == version and fact.status is not Status.DOOMED:
            what = f"{machine.address} removed {name} v{version} of rg {rg:x}: {fact.status.name}"
            raise Violation(NAME, what)
