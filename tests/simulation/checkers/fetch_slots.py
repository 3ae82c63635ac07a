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
        pulls = [
            pull
            for group in node.groups.values()
            for pull in group.importer.under_way.values()
            if pull.is_background
        ]
        counted = (node.context.pulls.under_way, node.context.pulls.bytes_under_way)
        in_use = (len(pulls), sum(pull.size for pull in pulls))
        if counted != in_use:
            what = f"{machine.address} counts {counted} pulls and bytes, {in_use} are in use"
            raise Violation(NAME, what)
