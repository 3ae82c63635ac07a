"""History: what clients asked, when, and what they were told; and whether it can be true.

Rule: a call is noted when its answer arrives at the client; an operation of
which no answer arrived that settles it stays open. Operations that surely did
nothing are not noted.
"""

from collections import defaultdict
from collections.abc import Iterator

from simulation.linearizability import Call, judge
from simulation.object_model import ABSENT, Did, steps

ObjectCall = Call[Did]


class History:
    """Calls by object."""

    def __init__(self) -> None:
        self.calls: dict[str, list[ObjectCall]] = defaultdict(list)

    def note(self, name: str, invoked: int, returned: int | None, did: Did) -> None:
        """One call on one object."""
        self.calls[name].append(Call(invoked, returned, did))

    def faults(self) -> Iterator[str]:
        """Objects whose calls no order explains."""
        for name, calls in sorted(self.calls.items()):
            verdict = judge(calls, ABSENT, steps)
            if not verdict.is_linearizable:
                yield f"no order explains what was seen of {name}:\n{_tell(calls, verdict.order)}"


def _tell(calls: list[ObjectCall], order: tuple[ObjectCall, ...]) -> str:
    lines = ["  the longest order that could be:"]
    lines += [f"    {_line(call)}" for call in order]
    lines.append("  and what it leaves:")
    lines += [f"    {_line(call)}" for call in _by_time(calls) if call not in order]
    return "\n".join(lines)


def _by_time(calls: list[ObjectCall]) -> list[ObjectCall]:
    return sorted(calls, key=lambda call: call.invoked)


def _line(call: ObjectCall) -> str:
    end = "..." if call.returned is None else str(call.returned)
    return f"{call.invoked}-{end} {call.what}"
