"""Undoing: what takes back the last change of the map, or brings back an earlier one.

Rule: only what an operator said is taken back, marks of up and down among it;
what was said or happened since stays. The last change is an operator's last,
whatever it changed: one of which nothing can be taken back is refused, and
never passed over for the one before. Nothing is appended here.

Nor is anything said for others. Whom a monitor had marked down, or who had
stopped, is not marked down by an operator, whose mark stands until he takes it
back; and who does not answer now is not marked up.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from eventlog.ids import Boot, Epoch, OsdId, Store, osd_name
from eventlog.map_events import (
    EpochBumped,
    MapChange,
    MapChanged,
    OsdDown,
    OsdUp,
    RecordSkipped,
    RulesRaised,
)
from osd.client.planning import AcceptedChange, map_at
from osd.core.membership import MONITOR
from osd.errors import Refused
from projections.cluster_map import ClusterMap, Osd
from projections.map_intent import (
    Restoration,
    changes_to,
    intent_of,
    lost_stores,
    without_change,
)

WHY_DOWN = "an undo"
_NAME_ANOTHER = "Name the epoch whose map you want back: `osdlog map log` lists them."


class Undoing(NamedTuple):
    """What would bring back an earlier map, and what cannot be brought back."""

    epoch: Epoch
    """Of the map that it is to be as."""
    undone: Epoch | None
    """The epoch whose change it takes back; None where all since then is."""
    last: Epoch | None
    """The epoch of the last change that an operator made, as far as it was seen here."""
    seen: ClusterMap
    changes: tuple[MapChange, ...]
    impossible: tuple[str, ...]


def undoing(
    past: Sequence[AcceptedChange],
    epoch: Epoch | None,
    by: str,
    silent: Collection[OsdId] = (),
) -> Undoing:
    """What brings back the map of that epoch, or takes back the last change. Raises `Refused`.

    `silent` are OSDs that do not answer as the process that the map has.
    """
    if epoch is None:
        return _of_last_change(past, by, silent)
    now, then = past[-1].after, map_at(past, epoch)
    if now.epoch == epoch:
        raise Refused(f"epoch {epoch} is the map as it is", "Name an earlier one: `map log`.")
    found = changes_to(now, intent_of(then), by)
    marks = _marked_back(past, then, now.epoch, silent)
    changes = (*found.changes, *marks.changes)
    impossible = (*lost_stores(now, _osds(then)), *found.impossible, *marks.impossible)
    if not changes:
        hint = f" ({'; '.join(impossible)})" if impossible else ""
        raise Refused(
            f"in all that can be changed the map is as at epoch {epoch} already{hint}",
            "Look at `osdlog map log` for the epoch that you mean.",
        )
    last = _last_change(past)
    seen = last.after.epoch if last is not None else None
    return Undoing(epoch, None, seen, now, changes, impossible)


def _of_last_change(past: Sequence[AcceptedChange], by: str, silent: Collection[OsdId]) -> Undoing:
    now, change = past[-1].after, _last_change(past)
    if change is None:
        raise Refused("no change of the map can be undone", "Look at `osdlog map log`.")
    undone = change.after.epoch
    wanted = without_change(intent_of(now), intent_of(change.before), intent_of(change.after))
    found = changes_to(now, wanted, by)
    marks = _marked_back(past, change.before, undone, silent)
    changes = (*found.changes, *marks.changes)
    impossible = (
        *lost_stores(now, _changed(change)),
        *_for_good(change.event),
        *found.impossible,
        *marks.impossible,
    )
    if not changes:
        why = "; ".join(impossible) or "all that it changed is otherwise by now"
        raise Refused(f"nothing of epoch {undone} can be undone: {why}", _NAME_ANOTHER)
    return Undoing(change.before.epoch, undone, undone, now, changes, impossible)


def _last_change(past: Sequence[AcceptedChange]) -> AcceptedChange | None:
    """The last event that an operator brought into a cluster."""
    for one in reversed(past):
        if one.before.rg_count and _is_operators(one.event):
            return one
    return None


def _is_operators(event: MapChanged) -> bool:
    return event.layout is not None and not event.author.startswith(MONITOR)


def _marked_back(
    past: Sequence[AcceptedChange], then: ClusterMap, until: Epoch, silent: Collection[OsdId]
) -> Restoration:
    """The marks that are as they were then, of those that an operator made otherwise."""
    marked_then = _last_marks(past, then.epoch)
    changes, impossible = list[MapChange](), list[str]()
    for store, boot, is_up in _marked_since(past, then, until):
        if not is_up and store.osd in silent:
            impossible.append(f"{osd_name(store.osd)} stays down: it does not answer")
        elif not is_up:
            changes.append(OsdUp(store=store, boot=boot))
        elif (mark := marked_then.get((store, boot))) and _is_operators(mark.event):
            changes.append(OsdDown(store=store, boot=boot, why=WHY_DOWN))
        else:
            impossible.append(f"{osd_name(store.osd)} stays up: no operator had marked it down")
    return Restoration(tuple(changes), tuple(impossible))


def _marked_since(
    past: Sequence[AcceptedChange], then: ClusterMap, until: Epoch
) -> Iterator[tuple[Store, Boot, bool]]:
    """Processes that are up, or down, as they were not then, and by an operator up to `until`."""
    now = past[-1].after
    marks = _last_marks(past, now.epoch)
    for number, was in sorted(then.osds.items()):
        osd = now.osds.get(number)
        if osd is None or osd.store is None or was.is_up == osd.is_up:
            continue
        marked = marks.get((osd.store, osd.boot))
        if (was.store, was.boot) != (osd.store, osd.boot) or marked is None:
            continue
        if _is_operators(marked.event) and marked.after.epoch <= until:
            yield osd.store, osd.boot, osd.is_up


def _last_marks(
    past: Sequence[AcceptedChange], until: Epoch
) -> Mapping[tuple[Store, Boot], AcceptedChange]:
    """Which change marked a process last."""
    return {
        (mark.store, mark.boot): one
        for one in past
        for mark in one.event.changes
        if isinstance(mark, OsdUp | OsdDown) and one.after.epoch <= until
    }


def _osds(then: ClusterMap) -> Iterator[Osd]:
    return (osd for _, osd in sorted(then.osds.items()))


def _changed(change: AcceptedChange) -> Iterator[Osd]:
    """The OSDs that it made otherwise, as they were: the disks of others are not its matter."""
    return (osd for osd in _osds(change.before) if change.after.osds.get(osd.osd) != osd)


def _for_good(event: MapChanged) -> Iterator[str]:
    """What only ever goes one way, but for stores that are retired (see `lost_stores`)."""
    for change in event.changes:
        match change:
            case RulesRaised():
                yield f"rule set {change.rules} stays: rule sets are only raised"
            case EpochBumped():
                yield f"the epoch stays at {change.to} or above: it only grows"
            case RecordSkipped():
                yield "the record that it lets pass was passed over for good"
            case _:
                continue
