"""Map plans: what one change of the map would move, before anybody makes it.

Rule: a plan is data, made from two maps and the RG statistics; nobody is told
of it. What comes in at an OSD is what its placed RGs have and it does not;
what goes out is what it holds of RGs that are placed elsewhere, on as many OSDs
as there are replicas: else it is kept. An OSD that the change adds is counted
as started.

The minimum is what has to be moved by any way from the copies there are to the
same fill of every OSD: the sum of what each gains. So in - out = after - before
at every OSD, and what moves is never less than the minimum.

What is not here: what speaks against the change (see
`projections.plan_concerns`), and what is moved by maps in a row (see
`projections.map_sequence`). Bytes are the objects' own: what a disk needs
beside them is not known here.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from eventlog.ids import OsdId, RgId
from projections.cluster_map import ClusterMap, Osd, candidates
from projections.failure_domains import Candidate
from projections.placement import PlacementTable, place_again, place_all
from projections.placement_rows import MISSING
from projections.rg_stats import Amount, Copies, RgStats, placed_copies, stats_with


class Disk(NamedTuple):
    """An OSD's disk as it says, in bytes."""

    total: int
    free: int
    reserve: int
    """What is kept free of imports."""

    @property
    def room(self) -> int:
        """What imports may still take."""
        return max(0, self.free - self.reserve)


class Transfer(NamedTuple):
    """What an OSD has fetched from others, and how long it was at it."""

    objects: int
    size: int
    busy_ms: int

    def ms_for(self, amount: Amount) -> int:
        """How long so much takes, by whichever of objects and bytes takes longer."""
        by_size = -(-amount.size * self.busy_ms // max(self.size, 1))
        return max(by_size, -(-amount.objects * self.busy_ms // max(self.objects, 1)))


class ImportLimits(NamedTuple):
    """What an OSD may import in the background, as it says."""

    is_paused: bool = False
    """Nothing."""
    rate: int = 0
    """At most so many bytes a second; 0: as many as come."""

    def ms_for(self, amount: Amount) -> int:
        """How long so much takes at least."""
        return -(-1_000 * amount.size // self.rate) if self.rate else 0


class Survey(msgspec.Struct, frozen=True, eq=False):
    """What is known of the cluster when a plan is made."""

    stats: RgStats
    disks: Mapping[OsdId, Disk] = {}
    transfers: Mapping[OsdId, Transfer] = {}
    """Of those that have fetched anything since they started."""
    limits: Mapping[OsdId, ImportLimits] = {}


class Moves(msgspec.Struct, frozen=True, eq=False):
    """What has to be copied to where, and what then is no longer needed where."""

    incoming: Copies
    outgoing: Copies


class OsdPlan(NamedTuple):
    """One OSD: what comes, what goes, and what its disk is then."""

    osd: OsdId
    held: Amount
    """Copies that it has now."""
    incoming: Amount
    outgoing: Amount
    disk: Disk | None
    """None where the OSD did not say."""
    ms: int | None
    """How long the copying takes; None where no rate was measured, or it may not copy."""

    @property
    def after(self) -> Amount:
        """What it has in the end."""
        return Amount(
            self.held.objects + self.incoming.objects - self.outgoing.objects,
            self.held.size + self.incoming.size - self.outgoing.size,
        )

    @property
    def growth(self) -> int:
        """Bytes by which it has more in the end; less than 0 where it has fewer."""
        return self.incoming.size - self.outgoing.size


class RgPlan(NamedTuple):
    """One RG that moves."""

    rg: RgId
    amount: Amount
    """What is copied, summed over the OSDs that it comes to."""
    placed: tuple[OsdId, ...]
    """Where it is placed now, its primary's first."""
    after: tuple[OsdId, ...]


class MapPlan(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What the change moves, as data."""

    before: ClusterMap
    after: ClusterMap
    """Its epoch and layout are those that the change makes."""
    placed: PlacementTable
    placed_after: PlacementTable
    moves: Moves
    moved: Amount
    under_way: Amount
    """What would be copied without the change, since the present map is not done yet."""
    minimum: int
    """Bytes."""
    osds: tuple[OsdPlan, ...]
    rate: Transfer | None
    """Of all OSDs that have fetched anything, together."""

    @property
    def ms(self) -> int | None:
        """Until the slowest OSD is done; None where one's time is not known."""
        times = [osd.ms for osd in self.osds if osd.incoming.objects]
        known = [ms for ms in times if ms is not None]
        return max(known, default=0) if len(known) == len(times) else None

    def rgs(self) -> Iterable[RgPlan]:
        """The RGs of which something is copied, by number."""
        for rg, amount in self.moves.incoming.by_rg().items():
            yield RgPlan(rg, amount, self.placed.placed(rg), self.placed_after.placed(rg))


def make_plan(before: ClusterMap, after: ClusterMap, survey: Survey) -> MapPlan:
    """What moves if `before`, the map as it is, becomes `after`."""
    stats = survey.stats
    placed = table_of(before)
    placed_after = table_after(placed, before, after)
    left = copies_left(before, after, stats.copies)
    moves = moves_to(placed_after, stats, left)
    osds = tuple(_osd_plans(before, after, moves, left.by_osd(), survey))
    return MapPlan(
        before=before,
        after=after,
        placed=placed,
        placed_after=placed_after,
        moves=moves,
        moved=moves.incoming.total,
        under_way=moves_to(placed, stats, stats.copies).incoming.total,
        minimum=sum(max(0, osd.growth) for osd in osds),
        osds=osds,
        rate=together(survey.transfers),
    )


def table_of(cluster_map: ClusterMap) -> PlacementTable:
    """Where the map places every RG."""
    now = cluster_map
    return place_all(candidates(now), now.rg_count, now.replicas, now.pins)


def table_after(table: PlacementTable, known: ClusterMap, after: ClusterMap) -> PlacementTable:
    """Where `after` places every RG, once the OSDs that `known` does not have are started."""
    new = (
        Candidate(osd=osd.osd, weight=osd.weight, host=osd.host, rack=osd.rack)
        for osd in newcomers(known, after)
        if osd.is_in and osd.weight
    )
    return place_again(table, sorted((*candidates(after), *new)), after.replicas, after.pins)


def newcomers(known: ClusterMap, after: ClusterMap) -> list[Osd]:
    """The OSDs that were added since and have not started."""
    osds = (osd for _, osd in sorted(after.osds.items()))
    return [osd for osd in osds if osd.store is None and osd.osd not in known.osds]


def moves_to(table: PlacementTable, stats: RgStats, held: Copies) -> Moves:
    """What is to be copied and what is left over, to come from these copies to that placement.

    What these copies do not have cannot be copied.
    """
    wanted = placed_copies(stats_with(stats, held), table.rows)
    wanted_keys, held_keys = wanted.keys, held.keys
    at = np.searchsorted(held_keys, wanted_keys)
    at_or_last = np.minimum(at, max(len(held_keys) - 1, 0))
    found = np.zeros(len(wanted_keys), np.bool_)
    if len(held_keys):
        found = held_keys[at_or_last] == wanted_keys
    objects, sizes = wanted.objects.copy(), wanted.sizes.copy()
    objects[found] -= held.objects[at[found]]
    sizes[found] -= held.sizes[at[found]]
    incoming = Copies(wanted.rgs, wanted.osds, objects, sizes).where(objects > 0)
    is_full = (table.rows != MISSING).all(axis=1)
    is_left_over = is_full[held.rgs]
    is_left_over[at[found]] = False
    return Moves(incoming, held.where(is_left_over))


def together(transfers: Mapping[OsdId, Transfer]) -> Transfer | None:
    """The sum: what one OSD does on average."""
    if not transfers:
        return None
    return Transfer(*(sum(column) for column in zip(*transfers.values(), strict=True)))


def copies_left(before: ClusterMap, after: ClusterMap, copies: Copies) -> Copies:
    """The copies that the change leaves: those on another store than an OSD's last are gone."""
    stores = {number: osd.store for number, osd in after.osds.items()}
    gone = [n for n, osd in before.osds.items() if osd.store and stores.get(n) != osd.store]
    return copies.where(~np.isin(copies.osds, gone)) if gone else copies


def _osd_plans(
    before: ClusterMap,
    after: ClusterMap,
    moves: Moves,
    held: Mapping[OsdId, Amount],
    survey: Survey,
) -> Iterable[OsdPlan]:
    incoming, outgoing = moves.incoming.by_osd(), moves.outgoing.by_osd()
    average = together(survey.transfers)
    for osd in sorted({*before.osds, *after.osds}):
        comes = incoming.get(osd, Amount())
        rate = survey.transfers.get(osd, average)
        yield OsdPlan(
            osd=osd,
            held=held.get(osd, Amount()),
            incoming=comes,
            outgoing=outgoing.get(osd, Amount()),
            disk=survey.disks.get(osd),
            ms=_ms_for(comes, rate, survey.limits.get(osd, ImportLimits())),
        )


def _ms_for(comes: Amount, rate: Transfer | None, limits: ImportLimits) -> int | None:
    if rate is None or (limits.is_paused and comes.objects):
        return None
    return max(rate.ms_for(comes), limits.ms_for(comes))
