"""Occasions: something happens now and then, from the beginning of a run to its end.

Rule: all of it is drawn from chance of its own, so that the run is otherwise
the run without.

What is not here: what happens.
"""

from random import Random

from simulation.cluster import Cluster


class Occasions:
    """Of one kind, in one run."""

    PAUSE_MS: int
    """Between two, at most."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._has_ended = False

    def begin(self) -> None:
        """From now on it happens now and then."""
        self._cluster.world.after(self._random.randint(1, self.PAUSE_MS), self._come)

    def end(self) -> None:
        """No more of these."""
        self._has_ended = True

    def _come(self) -> None:
        if self._has_ended:
            return
        self.begin()
        self._act()

    def _act(self) -> None:
        raise NotImplementedError
