"""The cluster map: who is in the cluster, with what weight, and since which epoch.

Rule: a map is a value; only `projections.map_fold` makes the next one.

What is not here: which stores an RG is placed on (see `projections.placement`)
and anything an RG's own fold would need: that stands in its claims.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from eventlog.ids import Boot, Epoch, Layout, OsdId, Position, RgId, Store, osd_name
from projections.failure_domains import Candidate


class Osd(msgspec.Struct, frozen=True, kw_only=True):
    """An OSD as the map knows it."""

    osd: OsdId
    weight: int
    """In 1/65,536; 0 when it is leaving."""
    host: str
    rack: str
    is_leaving: bool = False
    is_in: bool = True
    is_up: bool = False
    store: Store | None = None
    """Its present disk; None before its first boot and after that store was retired."""
    boot: Boot = Boot(0)
    address: str | None = None
    """`host:port` of its last boot."""

    @property
    def is_candidate(self) -> bool:
        """Whether placement may choose it, up or not."""
        return self.store is not None and self.is_in and self.weight > 0


class Retirement(msgspec.Struct, frozen=True):
    """A store that is retired: since when, by whom, why."""

    epoch: Epoch
    by: str
    why: str


class ClusterMap(msgspec.Struct, frozen=True, kw_only=True):
    """The map after the events so far."""

    cluster: str = ""
    rg_count: int = 0
    partitions: int = 0
    retention: str = ""
    cleanup: str = ""
    replicas: int = 1
    min_replicas: int = 1
    rules: int = 1
    epoch: Epoch = Epoch(0)
    layout: Layout = Layout(0)
    osds: Mapping[OsdId, Osd] = {}
    retired: Mapping[Store, Retirement] = {}
    pins: Mapping[RgId, tuple[OsdId, ...]] = {}
    skipped: Mapping[Position, bytes] = {}
    """Records that everybody passes over, with the SHA-256 they must have."""

    def osd_of(self, store: Store) -> Osd | None:
        """The OSD whose present disk this store is."""
        osd = self.osds.get(store.osd)
        return osd if osd is not None and osd.store == store else None

    def is_up(self, store: Store) -> bool:
        """Whether this very store is up."""
        osd = self.osd_of(store)
        return osd is not None and osd.is_up


EMPTY = ClusterMap()


class Refusal(NamedTuple):
    """Why a map event is void, and what its author could do."""

    why: str
    hint: str


def candidates(cluster_map: ClusterMap) -> tuple[Candidate, ...]:
    """What placement chooses from, by ascending OSD id."""
    return tuple(
        Candidate(osd=osd.osd, weight=osd.weight, host=osd.host, rack=osd.rack)
        for _, osd in sorted(cluster_map.osds.items())
        if osd.is_candidate
    )


def describe_osd(osd: Osd) -> str:
    """One line for people: `osd.3 up in weight 1 host-a/rack-1`."""
    words = [osd_name(osd.osd), "up" if osd.is_up else "down", "in" if osd.is_in else "out"]
    if osd.is_leaving:
        words.append("leaving")
    return " ".join([*words, f"{osd.host}/{osd.rack}"])
