"""What a change of candidates moves: the rows after it, from those before.

Rule: the rows are those that `projections.placement_rows` makes from nothing.
An RG that provably stays is not drawn again.

What is not here: pins and tables (see `projections.placement`).

The proof, for a domain with at least as many children as places, before and
after. A child that was there before and keeps its weight draws what it drew;
one that is heavier now draws no more than before, one that is lighter no less.
So the children that an RG has stay the same, in the same order, unless one of
them went or changed its weight (for one place: went or became lighter), or
another that came or became heavier draws no more than the last of them. Only
then are the children ranked again, and only where a place has another child
than before, or one that changed inside, is anything looked at further down.
"""

import numpy as np

from projections.draws import Item
from projections.failure_domains import Domain
from projections.placement_rows import MISSING, grouped, one_of_each, take
from projections.ranking import Flags, Numbers, Rows, Words, best, rivalled

LOOKUP_LIMIT = 1 << 20
"""Greatest OSD number up to which numbers are found by a table, not by bisection."""


def take_again(before: Domain, after: Domain, rg_seeds: Words, rows: Numbers) -> Numbers:
    """`take(after, ...)` of as many places, where `take(before, ...)` had given `rows`.

    May return `rows` itself.
    """
    return _Change(before).take(before, after, rg_seeds, rows)


class _Change:
    """What the cluster was before, so that an OSD is found in it by its index.

    The index is the OSD's number, or its place among the numbers if they are large.
    """

    def __init__(self, cluster: Domain) -> None:
        self._numbers = np.array(sorted(cluster.osds), np.int32)
        self._is_dense = max(cluster.osds, default=0) < LOOKUP_LIMIT
        self._size = max(cluster.osds, default=0) + 1 if self._is_dense else len(cluster.osds)

    def take(self, before: Domain, after: Domain, rg_seeds: Words, rows: Numbers) -> Numbers:
        """`take_again`, in two domains of the same name."""
        if before == after:
            return rows
        if _have_the_same_only_child(before, after):
            return self.take(before.children[0], after.children[0], rg_seeds, rows)
        if min(len(before.children), len(after.children)) < len(rows):
            return take(after, rg_seeds, len(rows))
        return self._take_where_touched(before, after, rg_seeds, rows)

    def _take_where_touched(
        self, before: Domain, after: Domain, rg_seeds: Words, rows: Numbers
    ) -> Numbers:
        had_child = self._child_of(before, after).take(self._index(rows), mode="clip")
        touched, order = _order_where_touched(before, after, rg_seeds, had_child)
        if not len(touched):
            return rows
        again = rows.copy()
        for place, chosen in enumerate(order):
            prior = np.full(len(touched), MISSING, np.int32)
            for osds, children in zip(rows, had_child, strict=True):
                np.copyto(prior, osds[touched], where=children[touched] == chosen)
            taken = self._one_of_each(before, after, rg_seeds[touched], chosen, prior)
            again[place, touched] = taken
        return again

    def _one_of_each(
        self, before: Domain, after: Domain, rg_seeds: Words, chosen: Numbers, prior: Numbers
    ) -> Numbers:
        """One OSD in each RG's child; `prior` is the one it had there before, or MISSING."""
        if len(after.children) == len(after.osds):
            return one_of_each(after.children, rg_seeds, chosen)
        had = {child.name: child for child in before.children}
        placed = np.empty(len(chosen), np.int32)
        for number, rows in grouped(chosen, len(after.children)):
            child = after.children[number]
            known = prior[rows] != MISSING
            fresh, kept = rows[~known], rows[known]
            placed[fresh] = take(child, rg_seeds[fresh], 1)[0]
            if len(kept):
                old = prior[np.newaxis, kept]
                placed[kept] = self.take(had[child.name], child, rg_seeds[kept], old)[0]
        return placed

    def _index(self, osds: Numbers) -> Numbers:
        if self._is_dense:
            return osds
        return np.searchsorted(self._numbers, osds).astype(np.int32)

    def _child_of(self, before: Domain, after: Domain) -> Numbers:
        """By index of OSD: number in `after` of the child it was in before, or MISSING."""
        numbers = {child.name: number for number, child in enumerate(after.children)}
        child_of = np.full(self._size, MISSING, np.int32)
        for child in before.children:
            osds = np.array(child.osds, np.int32)
            child_of[self._index(osds)] = numbers.get(child.name, MISSING)
        return child_of


def _have_the_same_only_child(before: Domain, after: Domain) -> bool:
    if len(before.children) != 1 or len(after.children) != 1:
        return False
    return before.children[0].name == after.children[0].name


def _order_where_touched(
    before: Domain, after: Domain, rg_seeds: Words, had_child: Numbers
) -> tuple[Rows, Numbers]:
    """RGs whose children are others, or others inside; and those children, best first."""
    had = {child.name: child for child in before.children}
    same = [had.get(child.name) == child for child in after.children]
    is_unlike = np.array([not it for it in same] + [True])
    is_ranked = _must_rank(before, after, rg_seeds, had_child)
    touched_flags = is_ranked.copy()
    for children in had_child:
        touched_flags |= is_unlike.take(children, mode="wrap")
    touched = np.flatnonzero(touched_flags)
    order = had_child[:, touched]
    ranked = np.flatnonzero(is_ranked[touched])
    items = [child.item for child in after.children]
    order[:, ranked] = best(rg_seeds[touched[ranked]], items, len(order))
    return touched, order


def _must_rank(before: Domain, after: Domain, rg_seeds: Words, had_child: Numbers) -> Flags:
    """Where a child that an RG had can have lost its place, by the proof above."""
    weights = {child.name: child.weight for child in before.children}
    firm = [_is_firm(child, weights, len(had_child)) for child in after.children]
    rivals = {
        number: child.item
        for number, child in enumerate(after.children)
        if child.weight > weights.get(child.name, 0)
    }
    flags = rivalled(rg_seeds, had_child[-1], _marks(after, firm, list(rivals)), rivals)
    # The last entry answers for MISSING: a child that went.
    is_infirm = np.array([not it for it in firm] + [True])
    for children in had_child:
        flags |= is_infirm.take(children, mode="wrap")
    return flags


def _is_firm(child: Domain, weights: dict[str, int], places: int) -> bool:
    """Whether an RG that has this child keeps it in its place if no rival comes."""
    weight = weights.get(child.name)
    if weight is None or places > 1:
        return weight == child.weight
    return weight <= child.weight


def _marks(domain: Domain, firm: list[bool], rivals: list[int]) -> list[Item]:
    """The children as rivals have to beat them.

    Where it does not matter (the RG is ranked anyway, or the only rival is its
    holder) a weight is replaced by a usual one: one weight for all is quicker.
    """
    items = [child.item for child in domain.children]
    matters = [it and rivals != [number] for number, it in enumerate(firm)]
    usual = next((item.weight for item, it in zip(items, matters, strict=True) if it), 1)
    return [item if it else Item(item.key, usual) for item, it in zip(items, matters, strict=True)]
