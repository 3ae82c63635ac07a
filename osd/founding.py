"""Founding: a new cluster is a log, its catalogue, and one event of the map.

Rule: founding can be interrupted anywhere and done again; it makes a cluster
only where there is none. What a cluster is made of never changes later: its
number of RGs and of the log's partitions.
"""

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from eventlog.errors import BadName, LogMissing
from eventlog.ids import WEIGHT_ONE, Layout, OsdId
from eventlog.log import Log, LogIdentity
from eventlog.map_events import ClusterCreated, MapChange, OsdAdded
from eventlog.open import create_log, open_log
from osd.client.map_reader import MapReader
from osd.client.map_writer import change_map
from osd.errors import Refused
from projections.cluster_map import ClusterMap
from projections.map_changes import MAX_REPLICAS
from projections.replica_group import RULE_SET

RGS = 64
MAX_RGS = 1 << 24
SHARED_FROM_RGS = 4_096
"""From here on several RGs share a partition of the log."""
RGS_PER_PARTITION = 16
RACK = "rack-1"


class Shape(NamedTuple):
    """What a new cluster is made with."""

    rgs: int = RGS
    replicas: int = 1
    min_replicas: int = 1


def partitions_for(rgs: int) -> int:
    """Partitions of the log: one for each RG, as long as they are not many."""
    return rgs if rgs < SHARED_FROM_RGS else -(-rgs // RGS_PER_PARTITION)


def added(osd: OsdId, weight: int = WEIGHT_ONE, host: str = "", rack: str = "") -> OsdAdded:
    """An OSD on a host of its own, unless another is named."""
    return OsdAdded(osd=osd, weight=weight, host=host or f"host-{osd}", rack=rack or RACK)


def found(url: str, shape: Shape, osds: Sequence[OsdAdded], reason: str, author: str) -> ClusterMap:
    """A new cluster with these OSDs; `Refused` where there is one."""
    _require_possible(shape)
    with _made(url, shape) as log:
        identity = log.identity
        if there := MapReader(log).refresh().cluster:
            raise Refused(f"the log {url} already has cluster {there}", "Use a new log.")
        created = ClusterCreated(
            cluster=identity.cluster,
            rg_count=shape.rgs,
            partitions=identity.partitions,
            retention=identity.retention,
            cleanup=identity.cleanup,
            replicas=shape.replicas,
            min_replicas=shape.min_replicas,
            rules=RULE_SET,
        )
        changes: tuple[MapChange, ...] = (created, *osds)
        return change_map(log, changes, Layout(0), reason, author)


def founded(url: str) -> ClusterMap | None:
    """The map of the cluster at that log. Raises what opening does, but for `LogMissing`."""
    try:
        with open_log(url) as log:
            now = MapReader(log).refresh()
    except LogMissing:
        return None
    return now if now.cluster else None


def _require_possible(shape: Shape) -> None:
    if not 1 <= shape.rgs <= MAX_RGS:
        raise BadName(f"a cluster of {shape.rgs:,} RGs cannot be", f"Give 1 to {MAX_RGS:,}.")
    if not 1 <= shape.min_replicas <= shape.replicas <= MAX_REPLICAS:
        raise BadName(
            f"replicas {shape.replicas} with min_replicas {shape.min_replicas} cannot be",
            f"Both are 1 to {MAX_REPLICAS}, min_replicas no more than replicas.",
        )


def _made(url: str, shape: Shape) -> Log:
    """The log, new or left behind by a founding that was interrupted."""
    try:
        log = open_log(url)
    except LogMissing:
        identity = LogIdentity(
            str(uuid.uuid4()), partitions_for(shape.rgs), retention="unlimited", cleanup="none"
        )
        return create_log(url, identity)
    if log.identity.partitions != partitions_for(shape.rgs):
        partitions = log.identity.partitions
        log.close()
        raise Refused(
            f"the log {url} is there already, with {partitions} partitions",
            f"Use a new log, or as many RGs as it was made for; {shape.rgs:,} do not fit it.",
        )
    return log
