"""Linearizability: whether calls that overlapped in time could have been done one by one.

Rule: each call takes effect at one moment between its invocation and its
return; one that never returned takes effect at any later moment, or never. The
search is that of Wing and Gong, with the memory of Lowe ("Testing for
linearizability", 2017), as Porcupine does it: the same calls done, leading to
the same state, are looked at once.

What is not here: what the calls are (see `simulation.object_model`), and any
simulation: histories of real clusters are judged by the same search.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

What = TypeVar("What")
State = TypeVar("State", bound=Hashable)


class Call(NamedTuple, Generic[What]):
    """One call of a client; times are of one clock that all clients share."""

    invoked: int
    returned: int | None
    """None: nobody heard what became of it."""
    what: What


class Verdict(NamedTuple, Generic[What]):
    """Whether an order was found, and the longest one that was tried."""

    is_linearizable: bool
    order: tuple[Call[What], ...]


Steps = Callable[[State, What], Iterable[State]]
"""The states that a call may lead to; none where it cannot have happened in that state."""


def judge(calls: Sequence[Call[What]], initial: State, steps: Steps[State, What]) -> Verdict[What]:
    """Whether some order of the calls explains what each of them saw."""
    ordered = sorted(calls, key=lambda call: call.invoked)
    return _Search(ordered, steps).run(initial)


class _Search(Generic[State, What]):
    """Depth first, over sets of calls done, as bits."""

    def __init__(self, calls: Sequence[Call[What]], steps: Steps[State, What]) -> None:
        self._calls = calls
        self._steps = steps
        self._must = sum(1 << at for at, call in enumerate(calls) if call.returned is not None)
        self._seen: set[tuple[int, State]] = set()
        self._longest: tuple[int, ...] = ()

    def run(self, initial: State) -> Verdict[What]:
        """Try orders until one has every call that returned."""
        stack: list[tuple[int, State, tuple[int, ...]]] = [(0, initial, ())]
        while stack:
            done, state, order = stack.pop()
            if done & self._must == self._must:
                return Verdict(True, self._named(order))
            if len(order) > len(self._longest):
                self._longest = order
            for at in reversed(self._next(done)):
                for after in self._steps(state, self._calls[at].what):
                    key = (done | 1 << at, after)
                    if key not in self._seen:
                        self._seen.add(key)
                        stack.append((*key, (*order, at)))
        return Verdict(False, self._named(self._longest))

    def _next(self, done: int) -> list[int]:
        """Calls that can come next: no other that is not done returned before them."""
        chosen: list[int] = []
        first_return: int | None = None
        for at, call in enumerate(self._calls):
            if done >> at & 1:
                continue
            if first_return is not None and call.invoked > first_return:
                break
            chosen.append(at)
            if call.returned is not None and (first_return is None or call.returned < first_return):
                first_return = call.returned
        return chosen

    def _named(self, order: tuple[int, ...]) -> tuple[Call[What], ...]:
        return tuple(self._calls[at] for at in order)
