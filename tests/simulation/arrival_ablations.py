"""Ablations of what keeps bodies that arrive from being where nobody knows of them.

Rule: as in `simulation.ablations`: each puts another function in the place of
one of the product, for the length of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from pytest import MonkeyPatch  # noqa: PT013

from eventlog.ids import Epoch, Serial
from eventlog.map_events import OsdBooted
from osd.core import arrivals, context, doomer, handover, node, reception, reservations, stagings
from osd.core.group import Group
from projections import map_changes
from projections.cluster_map import ClusterMap
from projections.snapshots import Snapshot
from simulation import uploading

Ablation = Callable[[MonkeyPatch], None]


def _always(value: object) -> Callable[..., Any]:
    return lambda *_args, **_options: value


def _silent_arrivals(patch: MonkeyPatch) -> None:
    """Whoever states its holdings does not say that a body of the past still comes."""
    patch.setattr(arrivals.Arrivals, "has_past", _always(False))


def _closed_early(patch: MonkeyPatch) -> None:
    """Nothing is said to be left of an RG for which something arrives."""
    patch.setattr(arrivals.Arrivals, "is_any", _always(False))


def _past_by_name_alone(patch: MonkeyPatch) -> None:
    """What a snapshot brings makes no body that arrives one of the past."""
    operated = arrivals.Arrivals.operated

    def by_name(self: arrivals.Arrivals, rg: Any, name: str | None = None) -> None:
        if name is not None:
            operated(self, rg, name)

    patch.setattr(arrivals.Arrivals, "operated", by_name)


def _put_unnoted(patch: MonkeyPatch) -> None:
    """A body that arrives is taken though its put was folded meanwhile."""
    patch.setattr(arrivals.Arrivals, "put", _always(None))


def _any_serial_after_snapshot(patch: MonkeyPatch) -> None:
    """Who goes on from a snapshot takes bodies of the puts that are in it."""
    patch.setattr(stagings.Stagings, "refuse_below", _always(None))


def _snapshot_of_anybody(patch: MonkeyPatch) -> None:
    """A snapshot under a claim that places the store may be any store's."""

    def take_any(group: Group, snapshot: Snapshot, above: Serial | None) -> None:
        handover.take_over(group, snapshot, above or Serial(1))

    patch.setattr(node, "take_over", take_any)


def _never_overtaken(patch: MonkeyPatch) -> None:
    """A body comes to its end though no put can name it any more."""
    patch.setattr(reception.Reception, "overtaken", _always(None))


def _left_and_forgotten(patch: MonkeyPatch) -> None:
    """It is not remembered under which claim an RG was left."""
    patch.setattr(context.Context, "left", property(lambda _: {}, _always(None)), raising=False)


def _unreleased(patch: MonkeyPatch) -> None:
    """What was reserved for a body that came to nothing is not given back."""
    patch.setattr(reception.Reception, "release", _always(None))


def _untold(patch: MonkeyPatch) -> None:
    """Peers are not told what is settled."""
    patch.setattr(reservations.Reservations, "_settle", _always(None))


def _unclaimed_body(patch: MonkeyPatch) -> None:
    """A large body of which one copy is kept waits for no claim."""
    begin = uploading.Uploading.begin

    def begin_at_once(self: uploading.Uploading) -> None:
        if self._is_alone and self._over_ms is not None:
            self._receive(self._over_ms)
        else:
            begin(self)

    patch.setattr(uploading.Uploading, "begin", begin_at_once)


def _sleeping_primary(patch: MonkeyPatch) -> None:
    """The retirement of a store wakes no RG but those whose place it changes."""
    map_changed = node.Node._map_changed

    def change(self: node.Node) -> None:
        with MonkeyPatch.context() as inner:
            inner.setattr(doomer.Doomer, "to_retire", _always([]))
            map_changed(self)

    patch.setattr(node.Node, "_map_changed", change)


def _first_boot_of_anything(patch: MonkeyPatch) -> None:
    """A first boot does not say which disk it takes the place of."""
    boot = map_changes._boot

    def boot_any(now: ClusterMap, change: OsdBooted, author: str, epoch: Epoch) -> Any:
        return boot(now, replace(change, replaces=None), author, epoch)

    patch.setattr(map_changes, "_boot", boot_any)


ARRIVAL_ABLATIONS: dict[str, Ablation] = {
    "arriving-is-owned-up": _silent_arrivals,
    "arriving-keeps-open": _closed_early,
    "arriving-in-snapshots": _past_by_name_alone,
    "put-of-arriving": _put_unnoted,
    "next-serial": _any_serial_after_snapshot,
    "snapshot-of-primary": _snapshot_of_anybody,
    "overtaken": _never_overtaken,
    "left-is-remembered": _left_and_forgotten,
    "reserved-given-back": _unreleased,
    "settled-is-told": _untold,
    "claimed-before-body": _unclaimed_body,
    "retirement-wakes": _sleeping_primary,
    "replaced-is-named": _first_boot_of_anything,
}
"""All, by the name of what is missing."""
