"""The agenda: which RGs are to act in this step, and which wait for what.

Rule: an RG acts when something touched it: a record, an answer, a request, or
the time it asked for. Whoever waits only for the map, or only for a place to
fetch, is kept apart, so that no step costs more than what it concerns. Places
go to the RG whose next objects have the fewest copies; among equals to the
one that came first, which keeps its turn, so that few RGs are walked at once.
"""

from collections.abc import Iterator

from eventlog.ids import RgId
from osd.core.group import Group


class Agenda:
    """Waiting lists of one node. Orders are those of arrival, so steps are repeatable."""

    def __init__(self) -> None:
        self._touched: dict[RgId, None] = {}
        self._due: dict[RgId, int] = {}
        self._for_map: dict[RgId, None] = {}
        self._fetching: dict[int, dict[RgId, None]] = {}
        """RGs that could fetch now, by how few copies their next objects have."""
        self._scarcity: dict[RgId, int] = {}

    def touch(self, rg: RgId) -> None:
        """The RG is to act in this step."""
        self._touched[rg] = None

    def ring(self, now: int) -> list[RgId]:
        """Touch, and return, the RGs whose time has come."""
        ringing = [rg for rg, due in self._due.items() if due <= now]
        self._touched.update(dict.fromkeys(ringing))
        return ringing

    def map_read(self) -> None:
        """The map was read on, or to its end: touch those that wait for it."""
        self._touched.update(self._for_map)

    def take(self) -> Iterator[RgId]:
        """The RGs to act now; those touched meanwhile come in the next step."""
        touched, self._touched = self._touched, {}
        return iter(touched)

    def scarcest(self) -> RgId | None:
        """The RG to which the next place for a fetch belongs."""
        if not self._fetching:
            return None
        return next(iter(self._fetching[min(self._fetching)]))

    def note(self, group: Group) -> None:
        """What the RG waits for, after it acted."""
        rg, due = group.rg, group.due
        if due is None:
            self._due.pop(rg, None)
        else:
            self._due[rg] = due
        _list(self._for_map, rg, group.claims.is_wanted)
        self._note_scarcity(rg, group.importer.scarcity)

    def forget(self, rg: RgId) -> None:
        """The RG is not followed any more."""
        self._due.pop(rg, None)
        self._note_scarcity(rg, None)
        for waiting in (self._touched, self._for_map):
            waiting.pop(rg, None)

    def _note_scarcity(self, rg: RgId, scarcity: int | None) -> None:
        before = self._scarcity.get(rg)
        if before == scarcity:
            return
        if before is not None:
            del self._scarcity[rg], self._fetching[before][rg]
            if not self._fetching[before]:
                del self._fetching[before]
        if scarcity is not None:
            self._scarcity[rg] = scarcity
            self._fetching.setdefault(scarcity, {})[rg] = None


def _list(waiting: dict[RgId, None], rg: RgId, belongs: bool) -> None:
    if belongs:
        waiting[rg] = None
    else:
        waiting.pop(rg, None)
