"""Placing: which OSD to ask about an RG.

Rule: the same placement that the OSDs compute, remembered until the epoch
changes. The primary is the first placed OSD that is up.
"""

from eventlog.ids import Epoch, RgId, Store, rg_of
from osd.client.map_reader import MapReader
from projections.cluster_map import ClusterMap, Osd, candidates
from projections.placement import PlacementTable, place_all, place_one


class Placing:
    """Primaries by the reader's map."""

    def __init__(self, reader: MapReader) -> None:
        self._reader = reader
        self._map = reader.map
        self._candidates = candidates(self._map)
        self._primaries: dict[RgId, Osd | None] = {}

    @property
    def map(self) -> ClusterMap:
        """The map by which this places."""
        if self._map is not self._reader.map:
            self._map = self._reader.map
            self._candidates = candidates(self._map)
            self._primaries.clear()
        return self._map

    @property
    def epoch(self) -> Epoch:
        """Of that map."""
        return self.map.epoch

    def rg_of(self, name: str) -> RgId:
        """The RG an object belongs to."""
        return rg_of(name, self.map.rg_count)

    def primary(self, rg: RgId) -> Osd | None:
        """Whom to ask about this RG, or None while nobody placed is up."""
        now = self.map
        if rg not in self._primaries:
            placed = place_one(rg, self._candidates, now.replicas, now.pins)
            up = (osd for osd in map(now.osds.__getitem__, placed) if osd.is_up and osd.address)
            self._primaries[rg] = next(up, None)
        return self._primaries[rg]

    def primaries(self) -> dict[RgId, Osd | None]:
        """The primary of every RG."""
        now = self.map
        up = {osd.osd: osd for osd in now.osds.values() if osd.is_up and osd.address}
        return {
            RgId(rg): next((up[osd] for osd in row if osd in up), None)
            for rg, row in enumerate(self._placed().rows.tolist())
        }

    def leaderless(self) -> dict[RgId, tuple[Store, ...]]:
        """The RGs of which no placed OSD is up, and the stores where each is placed."""
        osds = self.map.osds
        if self._candidates and all(osd.is_up and osd.address for osd in osds.values()):
            return {}
        table = self._placed()
        return {
            rg: tuple(store for osd in table.placed(rg) if (store := osds[osd].store))
            for rg, primary in self.primaries().items()
            if primary is None
        }

    def _placed(self) -> PlacementTable:
        """Every RG at once, which is many times faster than one by one."""
        now = self.map
        return place_all(self._candidates, now.rg_count, now.replicas, now.pins)
