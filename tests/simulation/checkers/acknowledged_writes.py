"""Invariant 1: an acknowledged write is an accepted event, and one request is done once.

Rule: whenever a node answers `Done`, the log has that operation, accepted, at
that version; whatever a node serves was put under that version; and no two
accepted operations carry the same request id.

What is not here: whether the answers can be put in an order (see
`simulation.checkers.linearizable_objects`).
"""

from eventlog.ids import RgId, Version
from eventlog.rg_events import ObjectDeclaredLost, ObjectDeleted, ObjectPut
from osd.core.answers import Done, Found, Known
from osd.core.effects import Effects
from osd.core.inputs import Input
from projections.replica_group import Folded
from projections.rg_state import Memo, OpKind
from simulation.observers import Observer, Violation
from simulation.reference import Reference, Told
from simulation.stores import Machine

NAME = "acknowledged writes"
_KINDS = {
    ObjectPut: OpKind.PUT,
    ObjectDeleted: OpKind.DELETE,
    ObjectDeclaredLost: OpKind.DECLARED_LOST,
}


class AcknowledgedWrites(Observer):
    """Compares every answer with the log."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._requests: dict[tuple[RgId, str], Version] = {}

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        for reply in effects.replies:
            answer = reply.answer
            if isinstance(answer, Done):
                event = self._reference.accepted.get((answer.rg, answer.version))
                if event is None or _KINDS[type(event)] is not answer.kind:
                    raise Violation(NAME, f"{machine.address} says {answer}, the log has {event}")
            elif isinstance(answer, Found | Known):
                self._served(machine, answer.rg, answer.entry.last, answer.entry.version)

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        event = told.event
        if (
            folded is None
            or folded.void is not None
            or not isinstance(event, ObjectPut | ObjectDeleted)
        ):
            return
        if event.request is not None:
            first = self._requests.setdefault((event.rg, event.request), event.version)
            if first != event.version:
                what = f"request {event.request} was done as v{first} and as v{event.version}"
                raise Violation(NAME, what)

    def _served(self, machine: Machine, rg: RgId, memo: Memo, version: Version) -> None:
        event = self._reference.accepted.get((rg, version))
        if not isinstance(event, ObjectPut) or event.object != memo.object:
            raise Violation(NAME, f"{machine.address} serves v{version}, the log has {event}")
