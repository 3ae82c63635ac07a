"""Settling: how far the cluster is from being as its map wants it.

Rule: it is settled when every OSD that may hold data and is waited for has
started, every RG is clean by its primary, which knows the present map, and no
placed copy is missing. What a primary does not say is unknown, and not settled.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from eventlog.ids import OsdId
from osd.client.questions import Questions
from osd.client.surveying import stats_said
from projections.cluster_map import ClusterMap
from projections.map_plan import moves_to, table_of
from projections.rg_stats import Amount, stats_of

CLEAN, UNKNOWN = "clean", "unknown"


class Settling(NamedTuple):
    """The cluster at one moment."""

    remaining: Amount
    """Copies that are still to be made, as far as primaries say."""
    states: Mapping[str, int]
    """RGs by state."""
    unstarted: tuple[OsdId, ...]
    """Those that are waited for and have not started."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done."""
        return not self.unstarted and set(self.states) <= {CLEAN} and not self.remaining.objects


async def settling(
    questions: Questions, now: ClusterMap, awaited: Collection[OsdId] = ()
) -> Settling:
    """How far it is; `awaited` are OSDs that are to start."""
    rows = await questions.rgs()
    stats = stats_of(now, stats_said(rows))
    missing = moves_to(table_of(now), stats, stats.copies).incoming
    states = Counter(row.said["state"] if row.said else UNKNOWN for row in rows)
    known = ((osd, now.osds.get(osd)) for osd in sorted(awaited))
    unstarted = tuple(osd for osd, it in known if it is not None and it.store is None)
    return Settling(missing.total, dict(sorted(states.items())), unstarted)
