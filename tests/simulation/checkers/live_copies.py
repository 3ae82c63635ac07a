"""Invariant 4: every live object's current version is on every store whose copy counts.

Rule: looked at whenever the log or a disk changes; bytes count as there only
if they would be there after a crash at this very moment. What the nemesis
destroyed is excused, copy by copy.
"""

from eventlog.ids import RgId
from osd.core.effects import Effects
from osd.core.inputs import Input
from projections.replica_group import Folded
from projections.rg_state import Entry
from simulation.checkers.physical_copies import has_bytes, touched
from simulation.cluster import Cluster
from simulation.nemesis import Nemesis
from simulation.observers import Observer, Violation
from simulation.reference import Told
from simulation.stores import Machine

NAME = "live copies"


class LiveCopies(Observer):
    """Looks for the bytes of live objects."""

    def __init__(self, cluster: Cluster, nemesis: Nemesis) -> None:
        self._cluster = cluster
        self._nemesis = nemesis

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        if folded is None:
            return
        for name, (_, after) in folded.draft.entries.items():
            if after is not None:
                self._look(folded.draft.rg, name, after)

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        if not effects.changes:
            return
        for rg in sorted(touched(key for key, value in effects.changes.items() if value is None)):
            self._look_at_all(rg)

    def crashed(self, machine: Machine) -> None:
        """See `Observer`."""
        for rg in sorted(self._cluster.reference.rgs):
            self._look_at_all(rg)

    def _look_at_all(self, rg: RgId) -> None:
        for name, entry in self._cluster.reference.rgs[rg].names():
            self._look(rg, name, entry)

    def _look(self, rg: RgId, name: str, entry: Entry) -> None:
        if entry.body is None or self._nemesis.has_destroyed(rg, entry):
            return
        version, holders = entry.version, entry.holders()
        lacking = [s for s in holders if not has_bytes(self._cluster, s, rg, version)]
        if holders and all(self._nemesis.is_excused(store, rg, version) for store in lacking):
            return
        stores = ", ".join(map(str, holders)) or "no store"
        what = f"{name} v{version} of rg {rg:x} counts on {stores}, and is not on "
        raise Violation(NAME, what + (", ".join(map(str, lacking)) or "any"))
