"""Planning: what changes of the map would do, found out before they are made.

Rule: nothing is appended here. A plan is of the layout that was surveyed, and
what is refused would be refused by the fold.

What is not here: what a plan is (see `projections.map_plan`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from eventlog.ids import Epoch, Layout, Micros, OsdId
from eventlog.map_events import MapChange, MapChanged
from osd.client.map_reader import MapReader
from osd.client.surveying import Surveyed
from osd.core.membership import MONITOR
from osd.errors import Refused
from projections.cluster_map import ClusterMap, Refusal
from projections.map_fold import fold
from projections.map_intent import changes_to, intent_of, lost_stores, without_change
from projections.map_plan import MapPlan, make_plan
from projections.plan_concerns import Concern, concerns


class Planned(NamedTuple):
    """A plan, what speaks against it, and what it rests on."""

    changes: tuple[MapChange, ...]
    plan: MapPlan
    concerns: tuple[Concern, ...]
    silent: tuple[OsdId, ...]
    """OSDs that have started and did not answer."""
    rgs_by_log: int
    """How many RGs the log was asked about, since their primaries did not answer."""

    @property
    def layout(self) -> Layout:
        """What it was made for."""
        return self.plan.before.layout

    @property
    def objections(self) -> tuple[str, ...]:
        """The concerns for which the change should not be made as it is."""
        return tuple(concern.what for concern in self.concerns if concern.is_grave)

    @property
    def is_loss(self) -> bool:
        """Whether the change gives up last copies."""
        return any(concern.is_loss for concern in self.concerns)


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


class AcceptedChange(NamedTuple):
    """One accepted event of the map, and the maps around it."""

    event: MapChanged
    before: ClusterMap
    after: ClusterMap


def map_with(
    seen: ClusterMap, changes: Sequence[MapChange], layout: Layout, author: str = ""
) -> ClusterMap:
    """The map that these changes would make; `Refused` with the sentence that voids them."""
    event = MapChanged(
        time=Micros(0), author=author, reason="", layout=layout, changes=tuple(changes)
    )
    after = fold(seen, event)
    if isinstance(after, Refusal):
        raise Refused(after.why, after.hint)
    return after


def planned(surveyed: Surveyed, changes: Sequence[MapChange], layout: Layout) -> Planned:
    """What these changes would move. Raises `Refused`."""
    after = map_with(surveyed.map, changes, layout)
    plan = make_plan(surveyed.map, after, surveyed.survey)
    found = concerns(plan, surveyed.survey.stats)
    return Planned(tuple(changes), plan, found, surveyed.silent, surveyed.rgs_by_log)


def accepted_changes(reader: MapReader) -> list[AcceptedChange]:
    """Every accepted event so far, by a reader that has read nothing yet."""
    found, before = [], reader.map
    for record, after in reader.maps():
        if record.refusal is None:
            found.append(AcceptedChange(record.event, before, after))
            before = after
    return found


def map_at(past: Sequence[AcceptedChange], epoch: int) -> ClusterMap:
    """The map of that epoch. Raises `Refused`."""
    for one in past:
        if one.after.epoch == epoch:
            return one.after
    last = past[-1].after.epoch
    said = "was skipped by a bump" if 0 < epoch < last else f"is not there: the map is at {last}"
    raise Refused(f"epoch {epoch} {said}", "`osdlog map log` lists the epochs there are.")


def undoing(past: Sequence[AcceptedChange], epoch: Epoch | None, by: str) -> Undoing:
    """What brings back the map of that epoch, or takes back the last change. Raises `Refused`."""
    if epoch is None:
        return _of_last_change(past, by)
    now, then = past[-1].after, map_at(past, epoch)
    if now.epoch == epoch:
        raise Refused(f"epoch {epoch} is the map as it is", "Name an earlier one: `map log`.")
    found = changes_to(now, intent_of(then), by)
    impossible = (*lost_stores(now, then), *found.impossible)
    if not found.changes:
        hint = f" ({'; '.join(impossible)})" if impossible else ""
        raise Refused(
            f"in all that can be changed the map is as at epoch {epoch} already{hint}",
            "Look at `osdlog map log` for the epoch that you mean.",
        )
    last = _last_change(past)
    seen = last.after.epoch if last is not None else None
    return Undoing(epoch, None, seen, now, found.changes, impossible)


def _of_last_change(past: Sequence[AcceptedChange], by: str) -> Undoing:
    now, change = past[-1].after, _last_change(past)
    if change is None:
        raise Refused("no change of the map can be undone", "Look at `osdlog map log`.")
    wanted = without_change(intent_of(now), intent_of(change.before), intent_of(change.after))
    found = changes_to(now, wanted, by)
    impossible = (*lost_stores(now, change.before), *found.impossible)
    if not found.changes:
        raise Refused(
            f"all that epoch {change.after.epoch} changed is otherwise by now",
            "Name the epoch whose map you want back: `osdlog map log` lists them.",
        )
    undone = change.after.epoch
    return Undoing(change.before.epoch, undone, undone, now, found.changes, impossible)


def _last_change(past: Sequence[AcceptedChange]) -> AcceptedChange | None:
    """The last event in which an operator changed what operators say of the map."""
    for one in reversed(past):
        is_operators = one.event.layout is not None and not one.event.author.startswith(MONITOR)
        if is_operators and one.before.rg_count and intent_of(one.before) != intent_of(one.after):
            return one
    return None
