"""History: what the log says happened to bytes: moved, deleted, erased.

Rule: nothing is asked of an OSD here; each record is read once and folded by
the same folds as everywhere.
"""

from collections.abc import Mapping
from typing import NamedTuple

from eventlog.ids import Position, RgId, Store, Version
from eventlog.log import Log
from eventlog.rg_events import (
    CopiesErased,
    ObjectDeleted,
    ObjectPut,
    ObjectsImported,
    StoreRetired,
)
from osd.client.replay import Replay, Told
from projections.cluster_map import ClusterMap
from projections.rg_state import RgState
from projections.states import is_complete

Copy = tuple[RgId, Version]


class Moved(NamedTuple):
    """What was copied from store to store so far."""

    objects: int
    size: int


class Deletion(NamedTuple):
    """One deleted object, by the log alone."""

    name: str
    rg: RgId
    position: Position
    """Of its last delete."""
    versions: tuple[Version, ...]
    """All it ever had."""
    erased: dict[Store, Position | None]
    """Every store that ever had a copy, and where it confirmed that nothing is left, or was
    retired."""
    retired: frozenset[Store]
    is_forgotten: bool
    """No fact about it is left."""


class History:
    """Folded as far as it was read."""

    def __init__(self, log: Log, cluster_map: ClusterMap) -> None:
        self._replay = Replay(log, cluster_map)
        self._names: dict[Copy, str] = {}
        self._sizes: dict[Copy, int] = {}
        self._versions: dict[str, list[Copy]] = {}
        self._held: dict[str, dict[Store, Version]] = {}
        """By name: the last version that each store ever had."""
        self._deletes: dict[str, Position] = {}
        self._erased: dict[tuple[Store, str], tuple[Version, Position]] = {}
        self._moved = Moved(0, 0)

    def read_on(self) -> None:
        """Fold what was not read yet."""
        for told in self._replay.fold_all():
            if told.folded.void is None:
                self._take(told)

    @property
    def moved(self) -> Moved:
        """From the beginning to here."""
        return self._moved

    def sizes(self) -> dict[RgId, int]:
        """Bytes of the live objects of each RG."""
        return {rg: projection.state.size for rg, projection in self._replay.rgs.items()}

    def objects(self) -> dict[RgId, int]:
        """Live objects of each RG."""
        return {rg: projection.state.live for rg, projection in self._replay.rgs.items()}

    def unsettled(self, placed: Mapping[RgId, tuple[Store, ...]]) -> list[RgId]:
        """RGs of which a copy is elsewhere than it is placed, or not there yet."""
        return [
            rg
            for rg, projection in sorted(self._replay.rgs.items())
            if not _is_settled(projection.state, placed[rg])
        ]

    def deletion(self, name: str) -> Deletion:
        """What became of an object that was deleted."""
        copies = self._versions[name]
        rg = copies[0][0]
        return Deletion(
            name=name,
            rg=rg,
            position=self._deletes[name],
            versions=tuple(version for _, version in copies),
            erased={store: self._confirmed(store, name) for store in sorted(self._held[name])},
            retired=frozenset(self._held[name].keys() & set(self._replay.rg(rg).state.retired)),
            is_forgotten=self._replay.rg(rg).entry(name) is None,
        )

    def _confirmed(self, store: Store, name: str) -> Position | None:
        version, position = self._erased.get((store, name), (Version(0), None))
        return position if version >= self._held[name][store] else None

    def _take(self, told: Told) -> None:
        event, rg = told.event, told.event.rg
        match event:
            case ObjectPut():
                copy = (rg, event.version)
                self._names[copy], self._sizes[copy] = event.object, event.size
                self._versions.setdefault(event.object, []).append(copy)
                for store in event.stores:
                    self._hold(event.object, store, event.version)
            case ObjectDeleted():
                self._deletes[event.object] = told.position
            case ObjectsImported():
                self._take_import(event)
            case CopiesErased():
                for version in event.versions:
                    if name := self._names.get((rg, version)):
                        self._erased[event.store, name] = (version, told.position)
            case StoreRetired():
                self._retire(rg, event.store, told.position)
            case _:
                pass

    def _retire(self, rg: RgId, store: Store, position: Position) -> None:
        """Its disk is gone, with all that it had of the RG."""
        for name, held in self._held.items():
            if store in held and self._versions[name][0][0] == rg:
                self._erased[store, name] = (held[store], position)

    def _take_import(self, event: ObjectsImported) -> None:
        for version in event.versions:
            self._hold(self._names[event.rg, version], event.store, version)
            if event.source is not None:
                size = self._sizes[event.rg, version]
                self._moved = Moved(self._moved.objects + 1, self._moved.size + size)

    def _hold(self, name: str, store: Store, version: Version) -> None:
        held = self._held.setdefault(name, {})
        held[store] = max(version, held.get(store, Version(0)))


def _is_settled(state: RgState, placed: tuple[Store, ...]) -> bool:
    is_nowhere_else = set(state.holders) <= set(placed)
    return is_nowhere_else and all(is_complete(state, store) for store in placed)
