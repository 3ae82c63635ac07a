"""Retiring a store: what would be lost with it.

Rule: nobody waits for a retired store, so whatever only it holds is gone.
That is found in the log, is refused unless it was accepted, and is listed
either way.
"""

from typing import TYPE_CHECKING

from osd.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventlog.ids import Store
    from eventlog.log import Log
    from osd.client.losses import Loss, Losses
    from projections.cluster_map import ClusterMap

NAMED = 5


def require_acceptable(
    log: "Log",
    cluster_map: "ClusterMap",
    stores: "frozenset[Store]",
    *,
    accept_loss: bool,
    json: bool,
) -> "Sequence[Loss]":
    """What is lost with these stores; where that is not accepted it is listed, and `Refused`."""
    from osd.cli.output import count, say_json

    found = read_losses(log, cluster_map, stores).would_be
    if found and not accept_loss:
        if json:
            for loss in found:
                say_json(loss)
        else:
            say_losses(found)
        raise Refused(
            f"{count(len(found), 'object')} {'has' if len(found) == 1 else 'have'} no other copy: "
            f"{_some(found)}",
            "Let them move first (`osdlog map apply --remove ID`, then wait until all RGs are"
            " clean); if that disk is lost for good, add --accept-loss.",
        )
    return found


def read_losses(log: "Log", cluster_map: "ClusterMap", stores: "frozenset[Store]") -> "Losses":
    """What is lost, and would be without these stores; the log is read from its beginning."""
    from osd.cli.progress import rated_counter
    from osd.client.losses import find_losses

    with rated_counter("looking for last copies", "events") as progress:
        return find_losses(log, cluster_map, stores, progress)


def note_lost(lost: "Sequence[Loss]") -> None:
    """How much was accepted."""
    from osd.cli.output import count, note

    if lost:
        note(f"lost: {count(len(lost), 'object')} had no other copy: {_some(lost)}")


def say_losses(losses: "Sequence[Loss]") -> None:
    """Each with the version, and where its last good copies were; of none nothing.

    There may be millions: they are no table that is drawn as one.
    """
    from osd.cli.output import flush, say, shown

    if not losses:
        return
    width = max(len("object"), *(len(shown(loss.name)) for loss in losses))
    say(f"{'object':<{width}}  version           bytes  last held by")
    for loss in losses:
        holders = " ".join(map(str, loss.holders))
        say(f"{shown(loss.name):<{width}}  {loss.version:>7}  {loss.size:>14,}  {holders}")
    flush()  # before an error, or a server that runs on


def _some(losses: "Sequence[Loss]") -> str:
    more = f" and {len(losses) - NAMED:,} more" if len(losses) > NAMED else ""
    return ", ".join(loss.name for loss in losses[:NAMED]) + more
