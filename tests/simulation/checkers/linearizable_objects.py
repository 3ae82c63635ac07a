"""Invariant 1: what clients of an object saw could have happened one by one.

Rule: judged from what clients sent and heard, and from nothing else; at the
end, and so with every read of the settled cluster in it.
"""

from simulation.history import History
from simulation.observers import Observer, Violation

NAME = "linearizable objects"


class LinearizableObjects(Observer):
    """Judges the history."""

    def __init__(self, history: History) -> None:
        self._history = history

    def settled(self) -> None:
        """See `Observer`."""
        for fault in self._history.faults():
            raise Violation(NAME, fault)
