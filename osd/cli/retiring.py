"""Retiring a store: what would be lost with it.

Rule: nobody waits for a retired store, so whatever only it holds is gone.
That is found by folding the whole log, and is refused unless it was accepted.
"""

from collections.abc import Iterator

from eventlog.ids import Store
from eventlog.log import Log
from osd.client.replay import Replay
from osd.errors import Refused
from projections.cluster_map import ClusterMap

NAMED = 5


def require_no_loss(log: Log, cluster_map: ClusterMap, stores: frozenset[Store]) -> None:
    """`Refused` where some object's only copies that count are on these stores."""
    replay = Replay(log, cluster_map)
    for _ in replay.fold_all():
        pass
    lost = sorted(_only_on(replay, stores))
    if lost:
        first = ", ".join(lost[:NAMED])
        more = f" and {len(lost) - NAMED:,} more" if len(lost) > NAMED else ""
        raise Refused(
            f"{len(lost):,} objects have no other copy: {first}{more}",
            "Let them move first (`osdlog map apply --remove ID`, then wait until all RGs are"
            " clean); if that disk is lost for good, add --accept-loss.",
        )


def _only_on(replay: Replay, stores: frozenset[Store]) -> Iterator[str]:
    for rg in replay.rgs.values():
        for name, entry in rg.names():
            holders = entry.holders()
            if entry.body is not None and holders and stores.issuperset(holders):
                yield name
