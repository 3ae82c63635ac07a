"""Placements of a simulation: found once for all nodes that ask the same.

Rule: where an RG is placed is a pure function of a few values, so what one node
found out is told to every other that asks with the same values. The reference
finds it out for itself, from nothing, while nodes go from table to table: if
the two ways differed, the cluster would not come to rest where it should.

What is not here: placement itself (see `projections.placement`).
"""

from collections.abc import Callable

from projections.failure_domains import Candidate
from projections.placement import PlacementTable, place_again, place_all
from projections.placement_one import Pins

KEPT = 1_000

_Key = tuple[object, ...]


class Placements:
    """Tables by what they are made from."""

    def __init__(self) -> None:
        self._tables: dict[_Key, PlacementTable] = {}

    def all(
        self, candidates: tuple[Candidate, ...], rg_count: int, replicas: int, pins: Pins
    ) -> PlacementTable:
        """See `place_all`."""
        key = (candidates, rg_count, replicas, tuple(sorted(pins.items())))
        return self._table(key, lambda: place_all(candidates, rg_count, replicas, pins))

    def again(
        self, before: PlacementTable, candidates: tuple[Candidate, ...], replicas: int, pins: Pins
    ) -> PlacementTable:
        """See `place_again`."""
        key = (candidates, before.rg_count, replicas, tuple(sorted(pins.items())))
        return self._table(key, lambda: place_again(before, candidates, replicas, pins))

    def _table(self, key: _Key, make: Callable[[], PlacementTable]) -> PlacementTable:
        found = self._tables.get(key)
        if found is None:
            if len(self._tables) >= KEPT:
                self._tables.clear()
            found = self._tables[key] = make()
        return found
