"""Losses: objects of which no good copy is left, or would be without some stores.

Rule: found by folding the whole log, without asking any OSD. Each is named
with its version, and with who had the last copies that counted. A store that
the map has retired has none, also where no primary has said so yet to the RG.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from eventlog.ids import Position, RgId, Store, Version, partition_of
from eventlog.log import Log
from osd.client.past import Progress, fold_present
from osd.client.replay import Replay, Told
from projections.cluster_map import ClusterMap, Retirement
from projections.rg_state import Entry, RgState


class Loss(NamedTuple):
    """An object that cannot be read any more."""

    name: str
    rg: RgId
    version: Version
    size: int
    sha256: str
    holders: tuple[Store, ...]
    """Those that had the last good copies."""
    position: Position | None
    """Of what took the last of them from the RG; None: nothing yet, or the map retired them."""


class Losses(NamedTuple):
    """What a log says of them."""

    lost: tuple[Loss, ...]
    would_be: tuple[Loss, ...]
    """Objects whose good copies are all at the stores that were asked about."""


def find_losses(
    log: Log,
    cluster_map: ClusterMap,
    without: frozenset[Store] = frozenset(),
    progress: Progress | None = None,
) -> Losses:
    """What is lost already, and what would be without these stores; both by name."""
    retired = cluster_map.retired
    unheld: list[tuple[RgId, str, Entry]] = []
    lost, would_be = [], []
    for rg, projection in fold_present(log, None, progress).items():
        if not _may_lose(projection.state, without.union(retired)):
            continue
        for name, entry in projection.names():
            holders = entry.holders()
            good = tuple(store for store in holders if store not in retired)
            if entry.is_unheld:
                unheld.append((rg, name, entry))
            elif holders and not good:
                lost.append(_loss(rg, name, entry, _retired_last(holders, retired), None))
            elif good and without.issuperset(good):
                would_be.append(_loss(rg, name, entry, good, None))
    last = _last_holders(log, cluster_map, {rg for rg, _, _ in unheld})
    lost += [_loss(rg, name, entry, *last[rg, name]) for rg, name, entry in unheld]
    return Losses(_by_name(lost), _by_name(would_be))


def _may_lose(state: RgState, gone: frozenset[Store]) -> bool:
    """Whether its objects need be looked at."""
    return bool(state.unheld) or any(state.ledger(store).held for store in gone)


def _last_holders(
    log: Log, cluster_map: ClusterMap, rgs: Collection[RgId]
) -> Mapping[tuple[RgId, str], tuple[tuple[Store, ...], Position]]:
    """Of the objects of these RGs that have no good copy: who had the last, and until when."""
    partitions = sorted({partition_of(rg, log.identity.partitions) for rg in rgs})
    last: dict[tuple[RgId, str], tuple[tuple[Store, ...], Position]] = {}
    for told in Replay(log, cluster_map, partitions).fold_all():
        for name, was in _lost_by(told):
            last[told.event.rg, name] = (was, told.position)
    return last


def _lost_by(told: Told) -> Iterable[tuple[str, tuple[Store, ...]]]:
    """Objects whose last good copies went with this event, and where those were."""
    for name, (before, after) in told.folded.draft.entries.items():
        if before is not None and after is not None and after.is_unheld:
            was = before.holders()
            if was:
                yield name, was


def _retired_last(
    holders: tuple[Store, ...], retired: Mapping[Store, Retirement]
) -> tuple[Store, ...]:
    """Those of them that counted longest."""
    last = max(retired[store].epoch for store in holders)
    return tuple(store for store in holders if retired[store].epoch == last)


def _loss(
    rg: RgId, name: str, entry: Entry, holders: tuple[Store, ...], position: Position | None
) -> Loss:
    body = entry.body
    assert body is not None
    digest = body.sha256.hex()
    return Loss(name, rg, entry.version, body.size, digest, holders, position)


def _by_name(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    return tuple(sorted(losses, key=lambda loss: loss.name))
