"""Surveying: how much each RG has and how full each disk is, asked of the OSDs.

Rule: what an RG has is its primary's word; of RGs whose primary does not
answer it is the log's, whose partitions are then folded, and it is said of how
many. What only an OSD knows, its disk and how fast it copies, is left unknown
where it does not answer. How fast it copies is as measured; what its limits
allow now is said beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from eventlog.ids import OsdId, RgId, parse_store
from eventlog.log import Log
from osd.client.answers import Facts, OsdStatus, RgRow
from osd.client.past import Progress, fold_present
from projections.cluster_map import ClusterMap
from projections.map_plan import Disk, ImportLimits, Survey, Transfer
from projections.rg_stats import RgStat, stats_of


class Surveyed(NamedTuple):
    """What is known, and from whom."""

    survey: Survey
    map: ClusterMap
    """As it was."""
    silent: tuple[OsdId, ...]
    """Those that have started and did not answer."""
    rgs_by_log: int
    """How many RGs the log was asked about."""


def put_together(
    statuses: Sequence[OsdStatus],
    rows: Sequence[RgRow],
    log: Log,
    cluster_map: ClusterMap,
    progress: Progress | None = None,
) -> Surveyed:
    """What OSDs and primaries said, and the log of what they did not; `progress` is of the log."""
    unsaid = [row.rg for row in rows if row.said is None or "held" not in row.said]
    by_log = stats_by_log(log, unsaid, progress) if unsaid else []
    stats = stats_of(cluster_map, [*stats_said(rows), *by_log])
    started = [one for one in statuses if one.osd.store is not None]
    silent = tuple(one.osd.osd for one in started if one.said is None)
    said = (dict(_disks(statuses)), dict(_transfers(statuses)), dict(_limits(statuses)))
    return Surveyed(Survey(stats, *said), cluster_map, silent, len(unsaid))


def stats_by_log(log: Log, rgs: Sequence[RgId], progress: Progress | None = None) -> list[RgStat]:
    """What the log alone says of these RGs: their partitions are folded from the start."""
    folded = fold_present(log, rgs, progress)
    states = ((rg, found.state) for rg, found in sorted(folded.items()))
    return [
        RgStat(rg, state.live, state.size, {s: it.held for s, it in state.ledgers.items()})
        for rg, state in states
    ]


def stats_said(rows: Iterable[RgRow]) -> Iterable[RgStat]:
    """What primaries say of their RGs; those that they do not are left out."""
    for row in rows:
        if row.said is not None and "held" in row.said:
            held = {parse_store(store): count for store, count in row.said["held"].items()}
            yield RgStat(row.rg, row.said["objects"], row.said["bytes"], held)


def _disks(statuses: Iterable[OsdStatus]) -> Iterable[tuple[OsdId, Disk]]:
    for one in statuses:
        if one.said is not None:
            disk: Mapping[str, int] = one.said["disk"]
            # A node of an earlier version keeps one reserve for all.
            reserve = disk.get("import_reserve", disk["reserve"])
            yield one.osd.osd, Disk(disk["total"], disk["free"], reserve)


def _transfers(statuses: Iterable[OsdStatus]) -> Iterable[tuple[OsdId, Transfer]]:
    for one in statuses:
        copied: Facts = one.said["copied"] if one.said is not None else {}
        if copied.get("objects") and "busy_ms" in copied:
            took_ms = max(1, copied["busy_ms"])
            yield one.osd.osd, Transfer(copied["objects"], copied["bytes"], took_ms)


def _limits(statuses: Iterable[OsdStatus]) -> Iterable[tuple[OsdId, ImportLimits]]:
    for one in statuses:
        limits: Mapping[str, int] = (one.said or {}).get("limits", {})
        if limits:
            yield one.osd.osd, ImportLimits(limits["pulls"] == 0, limits["rate"])
