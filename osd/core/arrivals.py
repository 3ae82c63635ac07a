"""Arrivals: large bodies on their way here, which are files already and no rows yet.

Rule: an operation on an object that is folded while a body of it arrives may
have made that body one of the past, and neither an event nor a row tells of
its bytes. So until it is a row, or its file is removed, holdings are stated as
with something staged; and that nothing of an RG is left here is not said while
anything arrives for it. What begins to arrive later is of what is to come.

What is not here: receiving (see `osd.bodies`), and what is fetched (see
`osd.core.importer`).
"""

from dataclasses import dataclass

from eventlog.ids import RgId
from osd.core.effects import Ticket


@dataclass(slots=True)
class _Arrival:
    name: str
    is_past: bool = False


class Arrivals:
    """Those of one node: also of RGs that it does not follow."""

    def __init__(self) -> None:
        self._by_rg: dict[RgId, dict[Ticket, _Arrival]] = {}

    def begin(self, rg: RgId, ticket: Ticket, name: str) -> None:
        """A body of that object begins to arrive."""
        self._by_rg.setdefault(rg, {})[ticket] = _Arrival(name)

    def end(self, rg: RgId, ticket: Ticket) -> None:
        """It is a row, or gone."""
        there = self._by_rg[rg]
        del there[ticket]
        if not there:
            del self._by_rg[rg]

    def operated(self, rg: RgId, name: str | None = None) -> None:
        """An operation on that object was folded; on any that it may be, where none is named."""
        for arrival in self._by_rg.get(rg, {}).values():
            arrival.is_past |= name in (None, arrival.name)

    def is_any(self, rg: RgId) -> bool:
        """Whether any body arrives for that RG."""
        return rg in self._by_rg

    def has_past(self, rg: RgId) -> bool:
        """Whether one arrives on whose object there was an operation meanwhile."""
        return any(arrival.is_past for arrival in self._by_rg.get(rg, {}).values())
