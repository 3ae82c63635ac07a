"""Invariant 5: no counted copy leaves a disk, and nothing goes because something is missing.

Rule: whenever a step removes a copy from a disk, the log says at that very
moment that this store's copy of that version is doomed, replaced or unknown;
and a damaged one of a live object stays until the object's primary dooms it.
"""

from eventlog.ids import RgId, Store, Version
from eventlog.rg_events import CopiesDoomed, CopiesLost, ObjectsImported
from osd import keys
from osd.core.effects import Effects
from osd.core.inputs import Input
from projections.replica_group import Folded
from projections.rg_state import Status
from simulation.observers import Observer, Violation
from simulation.reference import Reference, Told
from simulation.stores import Machine

NAME = "counted copies stay"


class CountedCopiesStay(Observer):
    """Looks at every row that a step removes."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._lost: set[tuple[Store, RgId, Version]] = set()
        """Copies that are damaged, and that no primary has doomed since."""

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if folded is None or folded.void is not None:
            return
        if isinstance(event, CopiesLost):  # what was doomed before stays so
            facts = [was.fact_of(event.store) for was, _ in folded.draft.entries.values() if was]
            self._lost |= {
                (event.store, event.rg, fact.version)
                for fact in facts
                if fact is not None and fact.status is Status.HELD
            }
        elif isinstance(event, CopiesDoomed | ObjectsImported):
            self._lost -= {(event.store, event.rg, version) for version in event.versions}

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
        if (machine.store, rg, version) in self._lost and entry.version == version and entry.body:
            what = f"{machine.address} removed the damaged {name} v{version} of rg {rg:x}"
            raise Violation(NAME, what)
        if fact is not None and fact.version == version and fact.status is not Status.DOOMED:
            what = f"{machine.address} removed {name} v{version} of rg {rg:x}: {fact.status.name}"
            raise Violation(NAME, what)
