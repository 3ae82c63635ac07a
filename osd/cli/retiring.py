"""Retiring a store: what would be lost with it.

Rule: nobody waits for a retired store, so whatever only it holds is gone.
That is found in the log, is refused unless it was accepted, and is named.
"""

from typing import TYPE_CHECKING

from osd.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventlog.ids import Store
    from eventlog.log import Log
    from osd.client.losses import Loss
    from projections.cluster_map import ClusterMap

NAMED = 5


def require_acceptable(
    log: "Log", cluster_map: "ClusterMap", stores: "frozenset[Store]", *, accept_loss: bool
) -> "Sequence[Loss]":
    """What is lost with these stores; `Refused` where that is something and not accepted."""
    from osd.cli.output import count
    from osd.client.losses import find_losses

    found = find_losses(log, cluster_map, stores).would_be
    if found and not accept_loss:
        raise Refused(
            f"{count(len(found), 'object')} {'has' if len(found) == 1 else 'have'} no other copy: "
            f"{_some(found)}",
            "Let them move first (`osdlog map apply --remove ID`, then wait until all RGs are"
            " clean); if that disk is lost for good, add --accept-loss.",
        )
    return found


def name_lost(losses: "Sequence[Loss]") -> None:
    """What was accepted, once the store is retired."""
    from osd.cli.output import count, note

    if losses:
        note(f"lost: {count(len(losses), 'object')} had no other copy: {_some(losses)}")


def say_losses(losses: "Sequence[Loss]") -> None:
    """Each with the version, and where its last good copies were."""
    from osd.cli.output import table

    rows = [
        (loss.name, loss.version, f"{loss.size:,}", " ".join(map(str, loss.holders)))
        for loss in losses
    ]
    table(("object", "version", "bytes", "last held by"), rows, numbers=("version", "bytes"))


def _some(losses: "Sequence[Loss]") -> str:
    more = f" and {len(losses) - NAMED:,} more" if len(losses) > NAMED else ""
    return ", ".join(loss.name for loss in losses[:NAMED]) + more
