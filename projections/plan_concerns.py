"""Concerns: what speaks against a change of the map, found in its plan.

Rule: a concern says in one sentence what would be, and with which numbers. It
is grave where the change should not be made as it is: a disk has no room, a
domain alone has what was spread, reads or writes stop, or last copies are given
up. An OSD is up or down as the map says once it is changed.
Anything else is a caution. What is not known is a caution too, never a guess.

What is not here: what moves (see `projections.map_plan`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eventlog.ids import OsdId, RgId, osd_name, rg_name
from projections.cluster_map import ClusterMap
from projections.map_plan import MapPlan, OsdPlan, newcomers
from projections.placement_rows import MISSING
from projections.ranking import Numbers, Rows
from projections.rg_stats import RgStats

NAMED = 5
"""How many OSDs or RGs a sentence names; the rest are counted."""

Flags = npt.NDArray[np.bool_]


class Concern(NamedTuple):
    """What speaks against a change."""

    is_grave: bool
    what: str
    is_loss: bool = False
    """Last copies are given up."""


def concerns(plan: MapPlan, stats: RgStats) -> tuple[Concern, ...]:
    """All that speaks against the plan, the grave first."""
    found = (
        *_disks(plan),
        *_lengths(plan),
        *_silence(plan),
        *_domains(plan),
        *_last_copies(plan, stats),
        *_sources(plan, stats),
        *_unstarted(plan),
        *_down_targets(plan),
    )
    return tuple(sorted(found, key=lambda concern: not concern.is_grave))


def _disks(plan: MapPlan) -> Iterator[Concern]:
    silent = []
    for osd in plan.osds:
        if not osd.incoming.size:
            continue
        if osd.disk is None:
            silent.append(osd_name(osd.osd))
        elif osd.growth > osd.disk.room:
            yield Concern(True, _overfilled(osd, osd.disk.room, "has room for"))
        elif osd.incoming.size > osd.disk.room:
            yield Concern(False, _overfilled(osd, osd.disk.room, "has at first room for"))
    if silent:
        yield Concern(False, f"how full the disk of {_some(silent)} is, is not known")


def _overfilled(osd: OsdPlan, room: int, has: str) -> str:
    goes = f" and lose {osd.outgoing.size:,}" if osd.outgoing.size else ""
    return f"{osd_name(osd.osd)} would get {osd.incoming.size:,} bytes{goes}, but {has} {room:,}"


def _lengths(plan: MapPlan) -> Iterator[Concern]:
    """Rows that are shorter than they should be."""
    before, after = plan.before, plan.after
    had, length = _length(plan.placed.rows), _length(plan.placed_after.rows)
    nowhere = (length == 0) & (had > 0)
    if nowhere.any():
        yield Concern(True, f"{_rgs(nowhere)} would be placed nowhere")
    was_writable = had >= before.min_replicas
    unwritable = ~nowhere & was_writable & (length < after.min_replicas)
    if unwritable.any():
        least = f"fewer OSDs than the {after.min_replicas} that a write needs"
        yield Concern(True, f"{_rgs(unwritable)} would be placed on {least}")
    was_short = (had < before.replicas) & (length >= had)
    short = ~nowhere & ~unwritable & ~was_short & (length < after.replicas)
    if short.any():
        fewer = f"fewer OSDs than the {after.replicas} replicas"
        yield Concern(False, f"{_rgs(short)} would be placed on {fewer}")
    if after.replicas < before.replicas:
        kept = f"{after.replicas} copies" if after.replicas > 1 else "one copy"
        yield Concern(False, f"every object would have {kept} instead of {before.replicas}")


def _silence(plan: MapPlan) -> Iterator[Concern]:
    """RGs that are placed on enough OSDs, of which too few would be up."""
    before, after = plan.before, plan.after
    had = _count(plan.placed.rows, _up(before))
    has = _count(plan.placed_after.rows, _up(after) | _new(plan))
    length, least = _length(plan.placed_after.rows), after.min_replicas
    nobody = (had > 0) & (has == 0) & (length > 0)
    if nobody.any():
        said = "would have no OSD that is up: reads and writes would stop"
        yield Concern(True, f"{_rgs(nobody)} {said}")
    too_few = (had >= before.min_replicas) & (has < least) & (length >= least) & ~nobody
    if too_few.any():
        said = f"would have fewer OSDs up than the {least} that a write needs"
        yield Concern(True, f"{_rgs(too_few)} {said}")


def _count(rows: Numbers, osds: set[OsdId]) -> Rows:
    """On how many of these OSDs each RG is placed."""
    counts: Rows = np.isin(rows, sorted(osds)).sum(axis=1)
    return counts


def _up(cluster_map: ClusterMap) -> set[OsdId]:
    return {number for number, osd in cluster_map.osds.items() if osd.is_up}


def _new(plan: MapPlan) -> set[OsdId]:
    """The OSDs that count as started here."""
    return {osd.osd for osd in newcomers(plan.before, plan.after)}


def _domains(plan: MapPlan) -> Iterator[Concern]:
    """Hosts and racks that keep copies apart now and would no longer."""
    length = _length(plan.placed_after.rows)
    for kind in ("host", "rack"):
        had = _spread(plan.placed.rows, plan.before, kind)
        has = _spread(plan.placed_after.rows, plan.after, kind)
        is_less = (has < had) & (has < length)
        together = is_less & (has == 1)
        if together.any():
            said = f"all copies of {_rgs(together)} would be in one {kind}"
            yield Concern(True, f"{said}; now they are spread over several")
        if (is_less & ~together).any():
            yield Concern(False, f"{_rgs(is_less & ~together)} would be in fewer {kind}s than now")


def _spread(rows: Numbers, cluster_map: ClusterMap, kind: str) -> Rows:
    """In how many hosts, or racks, each RG is placed."""
    osds = sorted(cluster_map.osds.values(), key=lambda osd: osd.osd)
    names = [osd.rack if kind == "rack" else f"{osd.rack}/{osd.host}" for osd in osds]
    index = {name: number for number, name in enumerate(sorted(set(names)))}
    domains = np.array([MISSING, *(index[name] for name in names)], np.int32)
    numbers = np.array([MISSING, *(osd.osd for osd in osds)], np.int32)
    found = np.sort(domains[np.searchsorted(numbers, rows)], axis=1)
    is_another = np.ones(found.shape, np.bool_)
    is_another[:, 1:] = found[:, 1:] != found[:, :-1]
    spread: Rows = (is_another & (found != MISSING)).sum(axis=1)
    return spread


def _last_copies(plan: MapPlan, stats: RgStats) -> Iterator[Concern]:
    """Stores that the change retires, and what only they have."""
    retired = [
        number
        for number, osd in sorted(plan.before.osds.items())
        if osd.store is not None and osd.store in plan.after.retired
    ]
    if not retired:
        return
    names = _some([osd_name(OsdId(number)) for number in retired])
    lost = _only_at(stats, retired)
    if lost.is_all.any():
        said = f"{_rgs(lost.is_all)} would be given up: only {names} has copies"
        yield Concern(True, said, is_loss=True)
    if lost.is_part.any():
        said = f"{lost.part_words(lost.is_part)} would be given up: only {names} has copies of them"
        yield Concern(True, said, is_loss=True)


def _sources(plan: MapPlan, stats: RgStats) -> Iterator[Concern]:
    """RGs that are to be copied, but from OSDs that are down."""
    osds = sorted(plan.after.osds.items())
    down = [number for number, osd in osds if osd.store is not None and not osd.is_up]
    if not down:
        return
    moving = np.zeros(stats.rg_count, np.bool_)
    moving[plan.moves.incoming.rgs] = True
    waits = _only_at(stats, down).among(moving)
    for rgs, words in ((waits.is_all, _rgs), (waits.is_part, waits.part_words)):
        if rgs.any():
            holders = {*stats.copies.osds[rgs[stats.copies.rgs]].tolist()} & {*down}
            names = _some([osd_name(OsdId(number)) for number in sorted(holders)])
            yield Concern(False, f"{words(rgs)} can only be copied from what is down: {names}")


class _Only(NamedTuple):
    """What of each RG nobody else may have."""

    objects: Rows
    """At most so many of its objects."""
    is_all: Flags
    """Nobody else has any."""

    @property
    def is_part(self) -> Flags:
        """RGs of which others have some, and not surely all."""
        flags: Flags = (self.objects > 0) & ~self.is_all
        return flags

    def among(self, rgs: Flags) -> "_Only":
        """The same of these RGs alone."""
        return _Only(np.where(rgs, self.objects, 0), self.is_all & rgs)

    def part_words(self, rgs: Flags) -> str:
        """The objects of these RGs."""
        count = int(self.objects[rgs].sum())
        return f"up to {count:,} {'object' if count == 1 else 'objects'} of {_rgs(rgs)}"


def _only_at(stats: RgStats, osds: list[OsdId]) -> _Only:
    """What only these OSDs may have: nobody else has more than the fullest of the others."""
    copies = stats.copies
    is_here = np.isin(copies.osds, osds)
    here, elsewhere = np.zeros_like(stats.objects), np.zeros_like(stats.objects)
    np.add.at(here, copies.rgs[is_here], copies.objects[is_here])
    np.maximum.at(elsewhere, copies.rgs[~is_here], copies.objects[~is_here])
    objects = np.minimum(stats.objects - elsewhere, here)
    return _Only(objects, (objects > 0) & (elsewhere == 0))


def _unstarted(plan: MapPlan) -> Iterator[Concern]:
    new = list(map(osd_name, sorted(_new(plan))))
    if len(new) == 1:
        yield Concern(False, f"{new[0]} counts as started here; nothing comes to it until it is")
    elif new:
        here = "count as started here; nothing comes to them until they are"
        yield Concern(False, f"{_some(new)} {here}")


def _down_targets(plan: MapPlan) -> Iterator[Concern]:
    """OSDs that something is to come to, and that are down."""
    awake = _up(plan.after) | _new(plan)
    down = [osd.osd for osd in plan.osds if osd.incoming.objects and osd.osd not in awake]
    if len(down) == 1:
        yield Concern(False, f"{osd_name(down[0])} is down; nothing comes to it until it is up")
    elif down:
        names = _some(list(map(osd_name, down)))
        yield Concern(False, f"{names} are down; nothing comes to them until they are up")


def _length(rows: Numbers) -> Rows:
    lengths: Rows = (rows != MISSING).sum(axis=1)
    return lengths


def _rgs(flags: Flags) -> str:
    found = np.flatnonzero(flags).tolist()
    if len(found) <= NAMED:
        return _some([rg_name(RgId(rg)) for rg in found])
    return f"{len(found):,} RGs"


def _some(names: list[str]) -> str:
    if len(names) <= NAMED:
        return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED:,} more"
