"""Placing: which OSD to ask about an RG.

Rule: the same placement that the OSDs compute, remembered until the epoch
changes. The primary is the first placed OSD that is up. An answer goes by one
map, though another thread reads on meanwhile.
"""

from typing import NamedTuple

from eventlog.ids import Epoch, RgId, Store, rg_of
from osd.client.map_reader import MapReader
from projections.cluster_map import ClusterMap, Osd, candidates
from projections.failure_domains import Candidate
from projections.placement import PlacementTable, place_all, place_one

MAKE_PLACE = (
    "Start one, or put one in: `osdlog map apply --in ID`, or `--add ID` if it is leaving,"
    " or `--weight ID:1` if it has no weight."
)
"""What helps where RGs are placed nowhere."""


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
        table = _all_placed(now)
        return {
            rg: tuple(store for osd in table.placed(rg) if (store := now.osds[osd].store))
            for rg, primary in _primaries(now, table).items()
            if primary is None
        }

    def _now(self) -> _Placed:
        newest, placed = self._reader.map, self._placed
        if placed.map is not newest:
            placed = self._placed = _by(newest)
        return placed


def primaries_by(now: ClusterMap) -> dict[RgId, Osd | None]:
    """The primary of every RG by this map."""
    return _primaries(now, _all_placed(now))


def _primaries(now: ClusterMap, table: PlacementTable) -> dict[RgId, Osd | None]:
    up = {osd.osd: osd for osd in now.osds.values() if osd.is_up and osd.address}
    return {
        RgId(rg): next((up[osd] for osd in row if osd in up), None)
        for rg, row in enumerate(table.rows.tolist())
    }


def _all_placed(now: ClusterMap) -> PlacementTable:
    """Every RG at once, which is many times faster than one by one."""
    return place_all(candidates(now), now.rg_count, now.replicas, now.pins)


def _by(now: ClusterMap) -> _Placed:
    return _Placed(now, candidates(now), {})
