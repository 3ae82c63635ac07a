"""Placing: which OSD to ask about an RG.

Rule: the same placement that the OSDs compute, remembered until the epoch
changes. The primary is the first placed OSD that is up. An answer goes by one
map, though another thread reads on meanwhile.

What is not here: numpy, where there is little to place. Loading it takes longer
than a small command.
"""

from collections.abc import Iterator
from typing import NamedTuple

from eventlog.ids import Epoch, OsdId, RgId, Store, rg_of
from osd.client.map_reader import MapReader
from projections.cluster_map import ClusterMap, Osd, candidates
from projections.failure_domains import Candidate
from projections.placement_one import place_one

MAKE_PLACE = (
    "Start one, or put one in: `osdlog map apply --in ID`, or `--add ID` if it is leaving,"
    " or `--weight ID:1` if it has no weight."
)
"""What helps where RGs are placed nowhere."""

FEW = 1_000
"""So many draws take a tenth of the time in which numpy is loaded."""


class _Placed(NamedTuple):
    """What is known by one map."""

    map: ClusterMap
    candidates: tuple[Candidate, ...]
    primaries: dict[RgId, Osd | None]
    """Of the RGs that were asked for."""


class Placing:
    """Primaries by the reader's map."""

    def __init__(self, reader: MapReader) -> None:
        self._reader = reader
        self._placed = _by(reader.map)

    @property
    def map(self) -> ClusterMap:
        """The map by which this places."""
        return self._now().map

    @property
    def epoch(self) -> Epoch:
        """Of that map."""
        return self.map.epoch

    @property
    def is_anywhere(self) -> bool:
        """Whether there is any OSD that RGs are placed on."""
        return bool(self._now().candidates)

    def rg_of(self, name: str) -> RgId:
        """The RG an object belongs to."""
        return rg_of(name, self.map.rg_count)

    def primary(self, rg: RgId) -> Osd | None:
        """Whom to ask about this RG, or None while nobody placed is up."""
        now, known, primaries = self._now()
        if rg not in primaries:
            placed = place_one(rg, known, now.replicas, now.pins)
            up = (osd for osd in map(now.osds.__getitem__, placed) if osd.is_up and osd.address)
            primaries[rg] = next(up, None)
        return primaries[rg]

    def primaries(self) -> dict[RgId, Osd | None]:
        """The primary of every RG."""
        return primaries_by(self.map)

    def leaderless(self) -> dict[RgId, tuple[Store, ...]]:
        """The RGs of which no placed OSD is up, and the stores where each is placed."""
        now, known, _ = self._now()
        if known and all(osd.is_up and osd.address for osd in now.osds.values()):
            return {}
        up = _up(now)
        return {
            rg: tuple(store for osd in placed if (store := now.osds[osd].store))
            for rg, placed in _all_placed(now)
            if up.keys().isdisjoint(placed)
        }

    def _now(self) -> _Placed:
        newest, placed = self._reader.map, self._placed
        if placed.map is not newest:
            placed = self._placed = _by(newest)
        return placed


def primaries_by(now: ClusterMap) -> dict[RgId, Osd | None]:
    """The primary of every RG by this map."""
    up = _up(now)
    return {
        rg: next((up[osd] for osd in placed if osd in up), None) for rg, placed in _all_placed(now)
    }


def _up(now: ClusterMap) -> dict[OsdId, Osd]:
    return {osd.osd: osd for osd in now.osds.values() if osd.is_up and osd.address}


def _all_placed(now: ClusterMap) -> Iterator[tuple[RgId, tuple[OsdId, ...]]]:
    """Every RG's OSDs; where there are many RGs at once, which is many times faster."""
    known = candidates(now)
    if now.rg_count * len(known) > FEW:
        from projections.placement import place_all

        table = place_all(known, now.rg_count, now.replicas, now.pins)
        return ((rg, table.placed(rg)) for rg in map(RgId, range(now.rg_count)))
    return (
        (rg, place_one(rg, known, now.replicas, now.pins)) for rg in map(RgId, range(now.rg_count))
    )


def _by(now: ClusterMap) -> _Placed:
    return _Placed(now, candidates(now), {})
