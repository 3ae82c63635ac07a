"""Placement: on which OSDs each replica group is placed.

Rule: `placed(rg)` is a function of the candidates, the number of replicas and
the RG's pin, and of nothing else; the same bits on every machine, in whatever
order the candidates are listed. However a table is made (in full, from the
table before, or one RG at a time) it is the same table.

What is not here: who is a candidate (see `projections.cluster_map`), what a
draw is (see `projections.draws`), how one RG is placed (see
`projections.placement_one`), and how a million rows are found at once (see
`projections.placement_rows`).

Rule set 1. The cluster is a tree of racks, hosts in them, and OSDs in those.
A pinned RG first takes the OSDs of its pin, in the pin's order, as many as are
candidates and as there are replicas. Every further place is found from the
top: of the racks that have an OSD not yet taken, those in which the fewest
OSDs are taken come first, then the smaller (draw, hash), then the lesser
name. In that rack the host is found likewise, and in that host the OSD (the
lower number on a tie). Where the OSDs run out, the row is shorter.

So domains are kept apart as far as there are enough of them, the first n
places do not depend on how many follow, and without a pin a domain's children
take turns in the order of their draws.
"""

from collections.abc import Iterable

import msgspec
import numpy as np

from eventlog.ids import OsdId, RgId
from projections.failure_domains import Candidate, Domain, grow
from projections.placement_change import take_again
from projections.placement_one import Pins, place_in
from projections.placement_rows import MISSING, take
from projections.ranking import Numbers, Rows, seeds

RULES = 1
"""The rule set of this module. A released rule set is never edited."""


class PlacementTable(msgspec.Struct, frozen=True, eq=False):
    """Where every RG is placed, and what that was made from."""

    rows: Numbers
    """OSD numbers, shape (rg_count, replicas); read-only."""
    cluster: Domain
    pins: dict[RgId, tuple[OsdId, ...]]

    @property
    def rg_count(self) -> int:
        """How many RGs there are."""
        return int(self.rows.shape[0])

    @property
    def replicas(self) -> int:
        """How many OSDs an RG is placed on if there are enough."""
        return int(self.rows.shape[1])

    def placed(self, rg: RgId) -> tuple[OsdId, ...]:
        """The RG's OSDs, its primary's first."""
        return tuple(OsdId(osd) for osd in self.rows[rg].tolist() if osd != MISSING)


def place_all(
    candidates: Iterable[Candidate], rg_count: int, replicas: int, pins: Pins | None = None
) -> PlacementTable:
    """The placement of every RG, made from nothing."""
    cluster = grow(candidates)
    return _table(cluster, take(cluster, seeds(rg_count), replicas), pins or {})


def place_again(
    before: PlacementTable,
    candidates: Iterable[Candidate],
    replicas: int,
    pins: Pins | None = None,
) -> PlacementTable:
    """As `place_all`, but an RG that cannot have moved is not drawn again."""
    if replicas > before.replicas:
        return place_all(candidates, before.rg_count, replicas, pins)
    cluster = grow(candidates)
    rg_seeds = seeds(before.rg_count)
    rows = before.rows.T[:replicas]
    if before.pins:
        rows = rows.copy()
        pinned = np.array(sorted(before.pins), np.intp)
        rows[:, pinned] = take(before.cluster, rg_seeds[pinned], replicas)
    return _table(cluster, take_again(before.cluster, cluster, rg_seeds, rows), pins or {})


def moved(before: PlacementTable, after: PlacementTable) -> Rows:
    """Numbers of the RGs whose rows differ, ascending. Rows may differ in width."""
    assert before.rg_count == after.rg_count
    shared = min(before.replicas, after.replicas)
    differs = np.zeros(before.rg_count, np.bool_)
    for place in range(shared):
        differs |= before.rows[:, place] != after.rows[:, place]
    for table in (before, after):
        differs |= (table.rows[:, shared:] != MISSING).any(axis=1)
    return np.flatnonzero(differs)


def _table(cluster: Domain, unpinned: Numbers, pins: Pins) -> PlacementTable:
    """Put the pinned RGs' own rows over what placement alone says."""
    replicas, rg_count = unpinned.shape
    unpinned = unpinned.copy() if pins else unpinned
    for rg, osds in pins.items():
        assert 0 <= rg < rg_count, "an RG is pinned that is not there"
        placed = place_in(cluster, rg, replicas, osds)
        unpinned[:, rg] = placed + (MISSING,) * (replicas - len(placed))
    rows = unpinned.T
    rows.flags.writeable = False
    return PlacementTable(rows, cluster, dict(pins))
