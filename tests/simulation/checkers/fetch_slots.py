"""Places for fetches: none is leaked, none is used twice.

Rule: after every step the places that are taken are the background fetches
under way, and never more than there are.
"""

from osd.core.effects import Effects
from osd.core.inputs import Input
from simulation.observers import Observer, Violation
from simulation.stores import Machine

NAME = "fetch slots"


class FetchSlots(Observer):
    """Counts fetches."""

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        node = machine.node
        assert node is not None
        under_way = sum(group.importer.in_background for group in node.groups.values())
        taken, limit = node.context.fetching, node.context.settings.fetches
        if taken != under_way or taken > limit:
            what = f"{machine.address} counts {taken} of {limit} places, {under_way} are in use"
            raise Violation(NAME, what)
