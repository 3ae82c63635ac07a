"""Invariant 2: what was deleted or overwritten before a read came is not what it gives.

Rule: a read that asks the log gives nothing older than what the log had
accepted of the object when the read arrived, whatever was down for however
long; and finds nothing only if at some moment since there was nothing.
"""

from eventlog.ids import RgId, Version
from eventlog.rg_events import ObjectPut
from osd.core.answers import Answer, Found, Known, NotFound, Unavailable
from osd.core.effects import Effects, Ticket
from osd.core.inputs import Consistency, Get, Input
from projections.replica_group import Folded
from simulation.observers import Observer, Violation
from simulation.reference import OPERATIONS, Reference, Told
from simulation.stores import Machine

NAME = "no resurrection"


class NoResurrection(Observer):
    """Remembers what the log had when each read came."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._changes: dict[tuple[RgId, str], list[tuple[Version, bool]]] = {}
        """Accepted operations of each object: version, and whether it lived then."""
        self._reads: dict[Ticket, tuple[Get, int]] = {}
        """Reads under way, and how many changes their object had before."""

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if folded is not None and folded.void is None and isinstance(event, OPERATIONS):
            changes = self._changes.setdefault((event.rg, event.object), [])
            changes.append((event.version, isinstance(event, ObjectPut)))

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        if isinstance(given, Get) and given.consistency is not Consistency.LOCAL:
            before = len(self._changes.get((given.rg, given.name), ()))
            self._reads[given.ticket] = (given, before)
        for ticket, answer in effects.replies:
            read, before = self._reads.pop(ticket, (None, 0))
            if read is not None:
                self._judge(machine, read, before, answer)

    def _judge(self, machine: Machine, read: Get, before: int, answer: Answer) -> None:
        changes = self._changes.get((read.rg, read.name), [])
        since = changes[max(before - 1, 0) :]
        if isinstance(answer, Found | Known | Unavailable):
            version = answer.version if isinstance(answer, Unavailable) else answer.entry.version
            if (version, True) not in since:
                what = f"{machine.address} gives {read.name} v{version}, it had {since}"
                raise Violation(NAME, what)
        if isinstance(answer, NotFound) and before and all(is_live for _, is_live in since):
            raise Violation(NAME, f"{machine.address} finds no {read.name}, it had {since}")
