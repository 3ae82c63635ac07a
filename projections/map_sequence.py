"""Sequences: what maps in a row would have moved, each had it stood, and all of them together.

Rule: each step is from a cluster in which the map before it stood until all
was moved, so what it moves is what its placement differs in. The whole is from
the first map to the last: a detour costs steps, and the whole nothing.

Sizes are those handed in, the same for every step.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from projections.cluster_map import ClusterMap
from projections.map_plan import copies_left, moves_to, table_after, table_of
from projections.placement import PlacementTable
from projections.rg_stats import Amount, RgStats, placed_copies


class Step(NamedTuple):
    """From one map to another."""

    before: ClusterMap
    after: ClusterMap
    rgs: int
    """How many RGs are copied, in whole or to one more place."""
    moved: Amount
    minimum: int
    """Bytes that any way to the same fills moves."""


class MapSequence(NamedTuple):
    """Maps in a row."""

    steps: tuple[Step, ...]
    whole: Step

    @property
    def total(self) -> Amount:
        """What all steps move, each obeyed to its end."""
        objects = sum(step.moved.objects for step in self.steps)
        return Amount(objects, sum(step.moved.size for step in self.steps))


class _Placed(NamedTuple):
    map: ClusterMap
    table: PlacementTable


def steps_of(maps: Sequence[ClusterMap], stats: RgStats, known: ClusterMap | None) -> MapSequence:
    """What is moved from map to map.

    OSDs that `known` does not have count as started; None where the maps say
    themselves when each started.
    """
    placed = list(_placed(maps, known))
    pairs = pairwise(placed)
    return MapSequence(
        tuple(_step(before, after, stats) for before, after in pairs),
        _step(placed[0], placed[-1], stats),
    )


def _placed(maps: Iterable[ClusterMap], known: ClusterMap | None) -> Iterator[_Placed]:
    table: PlacementTable | None = None
    for one in maps:
        table = table_of(one) if table is None else table_after(table, known or one, one)
        yield _Placed(one, table)


def _step(before: _Placed, after: _Placed, stats: RgStats) -> Step:
    copies = placed_copies(stats, before.table.rows)
    left = copies_left(before.map, after.map, copies)
    moves = moves_to(after.table, stats, left)
    comes, goes = moves.incoming.by_osd(), moves.outgoing.by_osd()
    gains = (amount.size - goes.get(osd, Amount()).size for osd, amount in comes.items())
    return Step(
        before=before.map,
        after=after.map,
        rgs=len(moves.incoming.by_rg()),
        moved=moves.incoming.total,
        minimum=sum(max(0, gain) for gain in gains),
    )
