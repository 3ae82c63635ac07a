"""Observers: what is told of everything that happens in a cluster.

Rule: an observer looks and does nothing. A checker is an observer that raises
`Violation` when it sees what must not be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osd.core.effects import Effects
from osd.core.inputs import Input
from projections.replica_group import Folded
from simulation.reference import Told

if TYPE_CHECKING:
    from simulation.stores import Machine


class Violation(Exception):
    """Something that must never be, was."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker = checker
        self.what = what


class Observer:
    """Sees everything; each method is called right after it happened."""

    def started(self, machine: Machine) -> None:
        """A process was made on this disk, and has not stepped yet."""

    def crashed(self, machine: Machine) -> None:
        """A process died, and of its disk is left what is left."""

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """A process took this input, and its rows have changed."""

    def appended(self, told: Told, folded: Folded | None) -> None:
        """The log has one more record; None if it is one of the map."""

    def noted(self, what: str) -> None:
        """Something was done to the cluster, in plain words."""

    def settled(self) -> None:
        """The last map stands, everything is up and well, and nothing happens any more."""
