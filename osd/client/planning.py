"""Planning: what changes of the map would do, found out before they are made.

Rule: nothing is appended here. A plan is of the layout that was surveyed, and
what is refused would be refused by the fold.

What is not here: what a plan is (see `projections.map_plan`), and what takes
a change back (see `osd.client.undoing`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eventlog.ids import Layout, Micros, OsdId
from eventlog.map_events import MapChange, MapChanged
from osd.client.map_reader import MapReader
from osd.client.surveying import Surveyed
from osd.errors import Refused
from projections.cluster_map import ClusterMap, Refusal
from projections.map_fold import fold
from projections.map_plan import ImportLimits, MapPlan, make_plan
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
    limits: Mapping[OsdId, ImportLimits]
    """Of the OSDs that would have to import."""

    @property
    def layout(self) -> Layout:
        """What it was made for."""
        return self.plan.before.layout

    @property
    def paused(self) -> tuple[OsdId, ...]:
        """OSDs that would have to import, and whose limits let them do so not in the background."""
        return tuple(osd for osd, limits in self.limits.items() if limits.is_paused)

    @property
    def objections(self) -> tuple[str, ...]:
        """The concerns for which the change should not be made as it is."""
        return tuple(concern.what for concern in self.concerns if concern.is_grave)

    @property
    def is_loss(self) -> bool:
        """Whether the change gives up last copies."""
        return any(concern.is_loss for concern in self.concerns)


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
    importing = [osd.osd for osd in plan.osds if osd.incoming.objects]
    limits = surveyed.survey.limits
    limiting = {osd: limits[osd] for osd in importing if osd in limits}
    return Planned(tuple(changes), plan, found, surveyed.silent, surveyed.rgs_by_log, limiting)


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
