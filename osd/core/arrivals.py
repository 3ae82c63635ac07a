"""Arrivals: large bodies on their way here, which are files already and no rows yet.

Rule: an operation on an object that is folded while a body of it arrives may
have made that body one of the past, and neither an event nor a row tells of
its bytes. So until it is a row, or its file is removed, holdings are stated as
with something staged; and that nothing of an RG is left here is not said while
anything arrives for it. What begins to arrive later is of what is to come.

One that a primary sends to be staged may take longer than any other put of
its RG is remembered, so whether its own put was folded is noted with it.

What is not here: receiving (see `osd.bodies`), and what is fetched (see
`osd.core.importer`).
"""

from dataclasses import dataclass

from eventlog.ids import Fence, RgId, Serial
from osd.core.effects import Ticket


@dataclass(slots=True)
class _Arrival:
    name: str
    staging: tuple[Fence, Serial] | None
    """As what it is to be staged here; None for a client's."""
    is_past: bool = False
    has_put: bool = False


class Arrivals:
    """Those of one node: also of RGs that it does not follow."""

    def __init__(self) -> None:
        self._by_rg: dict[RgId, dict[Ticket, _Arrival]] = {}

    def begin(
        self, rg: RgId, ticket: Ticket, name: str, staging: tuple[Fence, Serial] | None
    ) -> None:
        """A body of that object begins to arrive."""
        self._by_rg.setdefault(rg, {})[ticket] = _Arrival(name, staging)

    def end(self, rg: RgId, ticket: Ticket) -> None:
        """It is a row, or gone."""
        there = self._by_rg[rg]
        del there[ticket]
        if not there:
            del self._by_rg[rg]

    def operated(self, rg: RgId, name: str | None = None) -> None:
        """An operation on that object was folded; what may be of any, where none is named."""
        for arrival in self._by_rg.get(rg, {}).values():
            arrival.is_past |= name in (None, arrival.name)
            arrival.has_put |= name is None

    def put(self, rg: RgId, fence: Fence, serial: Serial) -> None:
        """The put of that body was folded."""
        for arrival in self._of(rg, fence, serial):
            arrival.has_put = True

    def has_put(self, rg: RgId, fence: Fence, serial: Serial) -> bool | None:
        """Whether that body's put was folded since it began to arrive; None if it does not."""
        arriving = self._of(rg, fence, serial)
        return any(arrival.has_put for arrival in arriving) if arriving else None

    def is_any(self, rg: RgId) -> bool:
        """Whether any body arrives for that RG."""
        return rg in self._by_rg

    def has_past(self, rg: RgId) -> bool:
        """Whether one arrives on whose object there was an operation meanwhile."""
        return any(arrival.is_past for arrival in self._by_rg.get(rg, {}).values())

    def _of(self, rg: RgId, fence: Fence, serial: Serial) -> list[_Arrival]:
        there = self._by_rg.get(rg, {}).values()
        return [arrival for arrival in there if arrival.staging == (fence, serial)]
