"""Stories: the events that led to an RG being as it is, and since when it is not clean.

Rule: a pure fold over the events of the map and of one RG, in the order of
the log's clock. Two topics have no order of their own, and nothing may rest on
the one that is assumed here: it is for telling, and the RG's own fold does not
see it. A story begins anew whenever the RG is clean; what is told is a handful
of steps: of claims, and of what a store stated, the last; of imports, doomings
and erasures their number; of many maps the first and the last.

What is not here: reading the log, and what nodes know of themselves.
"""

from typing import NamedTuple

from eventlog.ids import (
    Boot,
    Fence,
    Incarnation,
    Micros,
    Offset,
    OsdId,
    Position,
    RgId,
    Store,
    Topic,
    rg_name,
)
from eventlog.map_events import MapChanged
from eventlog.rg_events import (
    CopiesDoomed,
    CopiesErased,
    CopiesLost,
    HoldingsStated,
    ObjectDeclaredLost,
    ObjectDeleted,
    ObjectPut,
    ObjectsImported,
    RgClaimed,
    RgEvent,
)
from eventlog.telling import tell
from projections.cluster_map import EMPTY, ClusterMap, Refusal, candidates
from projections.explain import OPERATOR, Explanation, Reason, explain
from projections.map_fold import fold
from projections.placement_one import place_one
from projections.replica_group import Folded, has_unknown_rules
from projections.rg_memory import RgProjection
from projections.rg_state import Claim
from projections.states import State, View, flags

_NOBODY = Store(OsdId(0), Incarnation(0))
MANY_MAPS = 5
"""More map changes than this are told by the first and the last."""


class Step(NamedTuple):
    """One event, or several of a kind that are told as one."""

    position: Position
    """Of the first."""
    until: Position
    """Of the last."""
    time: Micros
    """Of the last, by the log's clock."""
    text: str
    events: int = 1
    copies: int = 0


class Since(NamedTuple):
    """What ended the time in which the RG was clean."""

    position: Position
    time: Micros


Key = tuple[object, ...]


class Story:
    """One RG, told from the log."""

    def __init__(self, rg: RgId) -> None:
        self.rg = rg
        self.map: ClusterMap = EMPTY
        self.projection = RgProjection(rg)
        self.placed: tuple[Store, ...] = ()
        self.acting: tuple[Store, ...] = ()
        self.since: Since | None = None
        """None while it is clean."""
        self.stopped: str | None = None
        """Why the RG cannot be folded any further."""
        self._steps: dict[Key, Step] = {}
        self._judged: tuple[Claim | None, ClusterMap] = (None, EMPTY)
        """The claim and the map for which `_fence` was found: most questions repeat."""
        self._fence: Fence | None = None

    @property
    def view(self) -> View:
        """The RG as its primary sees it, as far as the log tells."""
        me = (self.acting or self.placed)[0] if self.placed else _NOBODY
        return View(
            me=me,
            placed=self.placed,
            acting=self.acting,
            replicas=self.map.replicas,
            state=self.projection.state,
            mine=self._standing_fence(me),
        )

    @property
    def chain(self) -> tuple[Step, ...]:
        """The steps that led here, in order; none where it is clean."""
        steps = sorted(self._steps.values(), key=lambda step: (step.time, step.position))
        return tuple(_few_maps(steps))

    def map_changed(self, event: MapChanged, position: Position, time: Micros) -> None:
        """An event of the map."""
        after = fold(self.map, event)
        if isinstance(after, Refusal):
            return
        before = self._concerned()
        self.map = after
        self._place()
        if self._concerned() != before:
            self._tell((position,), event, Since(position, time))

    def happened(self, event: RgEvent, position: Position, time: Micros) -> None:
        """An event of the RG."""
        if self.stopped is not None:
            return
        if has_unknown_rules(event):
            self.stop(f"{position} claims it under rule set {event.rules}, unknown to this program")
            return
        folded = self.projection.fold(event, Offset(position.offset))
        if folded.void is None:
            self._tell(_key(event), event, Since(position, time), folded)

    def stop(self, why: str) -> None:
        """A record cannot be understood: nobody folds the RG past it."""
        self.stopped = why

    def explain(self) -> Explanation:
        """Why the RG is as it is, from the log alone."""
        if self.stopped is not None:
            sentence = f"{rg_name(self.rg)} cannot be read any further: {self.stopped}."
            return Explanation(sentence, Reason.STOPPED, (OPERATOR,))
        said = explain(self.rg, self.view, self.map)
        if said.reason is not Reason.CLAIM_AWAITED:
            return said
        claim, me = self.projection.state.claim, said.who[0]
        last = f"the last claim is {claim.fence}" if claim else "nobody has claimed it"
        sentence = f"{me}, by the map its primary, must claim {rg_name(self.rg)}; {last}."
        return Explanation(sentence, Reason.CLAIM_AWAITED, (me,))

    def _tell(
        self, key: Key, event: MapChanged | RgEvent, at: Since, folded: Folded | None = None
    ) -> None:
        """Begin anew where it is clean; else keep the event, if it can be a cause."""
        if self.placed and self.acting and flags(self.view)[0] is State.CLEAN:
            self.since = None
            self._steps.clear()
            return
        is_first = self.since is None
        self.since = self.since or at
        if is_first or _is_told(event):
            copies = _copies(event, folded) if folded is not None else 0
            step = Step(at.position, at.position, at.time, tell(event), copies=copies)
            earlier = self._steps.pop(key, None)
            self._steps[key] = _joined(earlier, step) if earlier else step

    def _place(self) -> None:
        now = self.map
        osds = place_one(self.rg, candidates(now), now.replicas, now.pins)
        stores = ((now.osds[osd].store, now.osds[osd].is_up) for osd in osds)
        known = [(store, is_up) for store, is_up in stores if store is not None]
        self.placed = tuple(store for store, _ in known)
        self.acting = tuple(store for store, is_up in known if is_up)

    def _concerned(self) -> object:
        """All of the map that concerns this RG."""
        primary = self.map.osd_of(self.acting[0]) if self.acting else None
        boot = primary.boot if primary else Boot(0)
        holders = tuple(map(self.map.is_up, self.projection.state.holders))
        now = self.map
        return self.placed, self.acting, boot, holders, now.replicas, now.min_replicas, now.rules

    def _standing_fence(self, me: Store) -> Fence | None:
        """The fence under which the primary's present process can act, if there is one."""
        claim = self.projection.state.standing
        if claim is self._judged[0] and self.map is self._judged[1]:
            return self._fence
        self._judged = (claim, self.map)
        self._fence = self._judge(claim, me)
        return self._fence

    def _judge(self, claim: Claim | None, me: Store) -> Fence | None:
        osd = self.map.osd_of(me)
        if claim is None or osd is None or claim.fence.process != (me, osd.boot):
            return None
        now = self.map
        wanted = (self.placed, now.replicas, now.min_replicas, now.rules)
        said = (claim.placed, claim.replicas, claim.min_replicas, claim.rules)
        return claim.fence if said == wanted else None


def _is_told(event: MapChanged | RgEvent) -> bool:
    """Whether it can be a cause; a put or delete is one only where it ends a clean time."""
    if isinstance(event, HoldingsStated):
        return event.answers is not None
    return not isinstance(event, ObjectPut | ObjectDeleted)


def _key(event: RgEvent) -> Key:
    """Events with the same key are told as one."""
    match event:
        case RgClaimed():
            return ("claim",)
        case ObjectsImported():
            return ("import", event.store, event.source)
        case CopiesDoomed() | CopiesErased() | HoldingsStated():
            return (event.schema, event.store)
        case CopiesLost():
            return (event.schema, event.store, event.gone, event.why)
        case ObjectPut() | ObjectDeleted() | ObjectDeclaredLost():
            return (event.schema, event.version)
        case _:
            return (event.schema, event.store)


def _copies(event: MapChanged | RgEvent, folded: Folded) -> int:
    match event:
        case ObjectsImported() | CopiesErased() | CopiesLost() | CopiesDoomed():
            return len(event.versions) - len(folded.items)
        case _:
            return 0


def _joined(earlier: Step, step: Step) -> Step:
    """Several events of one kind: the words of the last, the numbers of all."""
    if not step.copies:
        return step
    events, copies = earlier.events + step.events, earlier.copies + step.copies
    return Step(earlier.position, step.until, step.time, step.text, events, copies)


def _few_maps(steps: list[Step]) -> list[Step]:
    maps = [step for step in steps if step.position.topic is Topic.MAP]
    if len(maps) <= MANY_MAPS:
        return steps
    hidden = maps[1:-1]
    told = f"map changed {len(hidden):,} times more"
    between = Step(hidden[0].position, hidden[-1].until, hidden[-1].time, told, len(hidden))
    kept = [step for step in steps if step not in hidden[:-1]]
    return [between if step is hidden[-1] else step for step in kept]


def words(step: Step) -> str:
    """What the step's line says."""
    if step.events == 1 or not step.copies:
        return step.text
    return f"{step.text} ({step.copies:,} copies in {step.events:,} events)"
