"""The life of one object: every version of it, and every copy that ever was.

Rule: told by the folds of its RG and of the map, and by nothing else. A copy's
time begins and ends at records of the RG's log: where it was put or imported,
and where its erasure was confirmed, its store retired, or its status changed.

What is not here: what SQL says of the same (`copy_history`, `object_versions`
of the audit), by which tests check this.
"""

from typing import NamedTuple

from eventlog.ids import Fence, Micros, Offset, Position, RgId, Store, Version
from eventlog.map_events import MapChanged
from eventlog.rg_events import (
    ObjectDeclaredLost,
    ObjectDeleted,
    ObjectPut,
    Operation,
    RgEvent,
)
from projections.cluster_map import EMPTY, ClusterMap, Refusal
from projections.map_fold import fold
from projections.replica_group import Folded, has_unknown_rules
from projections.rg_memory import RgProjection
from projections.rg_state import Entry
from projections.voids import Void


class Point(NamedTuple):
    """A record, and its time by the log's clock."""

    position: Position
    time: Micros


class VersionTold(NamedTuple):
    """One operation on the object, accepted or void."""

    at: Point
    event: Operation
    void: Void | None

    @property
    def operation(self) -> str:
        """Its kind in one word."""
        match self.event:
            case ObjectPut():
                return "put"
            case ObjectDeleted():
                return "delete"
            case ObjectDeclaredLost():
                return "declared lost"

    @property
    def fence(self) -> Fence:
        """The claim it was said under."""
        return self.event.fence


class CopyTold(NamedTuple):
    """One store had one version, in one status, from here to there."""

    store: Store
    version: Version
    status: str
    since: Point
    until: Point | None
    """None while it is there."""


_Copies = dict[tuple[Store, Version], str]


class ObjectLife:
    """One object, told from the log. Implements `osd.client.stories.Teller`."""

    def __init__(self, rg: RgId, name: str) -> None:
        self.rg = rg
        self.name = name
        self.map: ClusterMap = EMPTY
        self.versions: list[VersionTold] = []
        self.copies: list[CopyTold] = []
        """Those that are over, in the order of their ends."""
        self.stopped: str | None = None
        self._projection = RgProjection(rg)
        self._there: dict[tuple[Store, Version], CopyTold] = {}
        self._accepted: set[Version] = set()

    @property
    def entry(self) -> Entry | None:
        """The object as the log leaves it; None where it is forgotten or never was."""
        return self._projection.entry(self.name)

    @property
    def present(self) -> list[CopyTold]:
        """The copies that are there, by store."""
        return [copy for _, copy in sorted(self._there.items())]

    def states(self) -> list[str]:
        """Of each version: live, superseded, deleted, deletion, or void."""
        found: list[str] = []
        later: VersionTold | None = None
        for told in reversed(self.versions):
            found.append("void" if told.void is not None else _state(told, later))
            later = told if told.void is None else later
        return found[::-1]

    def map_changed(
        self,
        event: MapChanged,
        position: Position,  # noqa: ARG002 - as of every teller
        time: Micros,  # noqa: ARG002
    ) -> None:
        """An event of the map: who is in the cluster now."""
        after = fold(self.map, event)
        self.map = self.map if isinstance(after, Refusal) else after

    def happened(self, event: RgEvent, position: Position, time: Micros) -> None:
        """An event of the RG."""
        if self.stopped is not None:
            return
        if has_unknown_rules(event):
            self.stop(f"{position} claims it under rule set {event.rules}, unknown to this program")
            return
        at = Point(position, time)
        folded = self._projection.fold(event, Offset(position.offset))
        if isinstance(event, Operation) and event.object == self.name:
            self.versions.append(VersionTold(at, event, folded.void))
            if folded.void is None:
                self._accepted.add(event.version)
        self._look(folded, at)

    def stop(self, why: str) -> None:
        """A record cannot be understood: nothing is known after it."""
        self.stopped = why

    def _look(self, folded: Folded, at: Point) -> None:
        """Which of its copies this event changed."""
        before: _Copies = {}
        after: _Copies = {}
        if self.name in folded.draft.entries:
            old, new = folded.draft.entries[self.name]
            before, after = _copies(old), _copies(new)
        for (store, version), is_there in folded.draft.bare.items():
            if version in self._accepted:
                (after if is_there else before)[store, version] = "doomed"
        for copy in sorted(before.keys() | after.keys()):
            if before.get(copy) != after.get(copy):
                self._change(copy, after.get(copy), at)

    def _change(self, copy: tuple[Store, Version], status: str | None, at: Point) -> None:
        ended = self._there.pop(copy, None)
        if ended is not None:
            self.copies.append(ended._replace(until=at))
        if status is not None:
            self._there[copy] = CopyTold(*copy, status, at, None)


def _copies(entry: Entry | None) -> _Copies:
    facts = entry.facts if entry is not None else ()
    return {(fact.store, fact.version): fact.status.name.lower() for fact in facts}


def _state(told: VersionTold, later: VersionTold | None) -> str:
    if told.operation != "put":
        return "deletion"
    if later is None:
        return "live"
    return "superseded" if later.operation == "put" else "deleted"
