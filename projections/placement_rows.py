"""The placement of very many RGs at once, made from nothing.

Rule: the rows are those that `projections.placement` defines, without pins.
All arrays of OSDs here have shape (places, RGs).

What is not here: pins and tables (see `projections.placement`), what a change
moves (see `projections.placement_change`), and draws (see `projections.ranking`).

Without a pin, a domain's children take turns in the order of their draws, and
who has no OSD left drops out. So with at least as many children as places,
place k goes to the k-th child, and that child is asked for one OSD.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from projections.failure_domains import Domain
from projections.ranking import Numbers, Rows, Words, best

MISSING = -1
"""Stands in a row where there is no OSD; never before one."""


def take(domain: Domain, rg_seeds: Words, places: int) -> Numbers:
    """The OSDs that each RG takes in the domain."""
    if not len(rg_seeds):
        return np.empty((places, 0), np.int32)
    if not domain.children:
        return _padded(np.full((1, len(rg_seeds)), _only(domain), np.int32), places)
    if len(domain.children) == 1:
        return take(domain.children[0], rg_seeds, places)
    width = min(places, len(domain.children))
    order = best(rg_seeds, [child.item for child in domain.children], width)
    if width == places or len(domain.children) == len(domain.osds):
        rows = [one_of_each(domain.children, rg_seeds, chosen) for chosen in order]
        return _padded(np.array(rows, np.int32), places)
    return _take_in_turns(domain.children, rg_seeds, order, places)


def one_of_each(children: Sequence[Domain], rg_seeds: Words, chosen: Numbers) -> Numbers:
    """One OSD in the child chosen for each RG."""
    if all(len(child.osds) == 1 for child in children):
        return np.array([_only(child) for child in children], np.int32)[chosen]
    placed = np.empty(len(chosen), np.int32)
    for number, rows in grouped(chosen, len(children)):
        placed[rows] = take(children[number], rg_seeds[rows], 1)[0]
    return placed


def grouped(chosen: Numbers, count: int) -> Iterator[tuple[int, Rows]]:
    """Each child chosen anywhere, with the places in `chosen` where it is."""
    narrow = chosen.astype(np.uint16) if count <= 1 << 16 else chosen
    in_order = np.argsort(narrow, kind="stable")
    ends = np.cumsum(np.bincount(chosen, minlength=count)).tolist()
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        if start < end:
            yield number, in_order[start:end]


def _padded(rows: Numbers, places: int) -> Numbers:
    if len(rows) == places:
        return rows
    padded = np.full((places, rows.shape[1]), MISSING, np.int32)
    padded[: len(rows)] = rows[:places]
    return padded


def _only(domain: Domain) -> int:
    return domain.osds[0] if domain.osds else MISSING


def _take_in_turns(
    children: Sequence[Domain], rg_seeds: Words, order: Numbers, places: int
) -> Numbers:
    """More places than children: `order` has all of them, and some have several OSDs."""
    turns, at = _turns(np.array([len(child.osds) for child in children])[order], places)
    picked = np.take_along_axis(order, at, axis=0)
    rows = np.full((places, len(rg_seeds)), MISSING, np.int32)
    for number, child in enumerate(children):
        mine = (at != MISSING) & (picked == number)
        inside = take(child, rg_seeds, int(turns[mine].max(initial=-1)) + 1)
        for place in range(places):
            found = np.flatnonzero(mine[place])
            rows[place, found] = inside[turns[place, found], found]
    return rows


def _turns(room: Rows, places: int) -> tuple[Rows, Rows]:
    """For each place and RG: how often its child had a turn before, and which child in order.

    `room` is how many OSDs the children have, shape (children, RGs). MISSING
    stands where no child has an OSD left.
    """
    turns = np.zeros((places, room.shape[1]), np.intp)
    at = np.full((places, room.shape[1]), MISSING, np.intp)
    place = np.zeros(room.shape[1], np.intp)
    for turn in range(places):
        for child, has in enumerate(room):
            rows = np.flatnonzero((has > turn) & (place < places))
            turns[place[rows], rows] = turn
            at[place[rows], rows] = child
            place[rows] += 1
    return turns, at
