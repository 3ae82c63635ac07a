"""An RG folded in memory: for replay, for tests, and as the reference for stored rows.

Rule: holds exactly what `RgRows` promises and no more; `RgProjection.fold` is
`projections.replica_group.fold` and then the changes it returned.
"""

from collections.abc import Iterator

from eventlog.ids import Offset, RgId, Store, Version
from eventlog.rg_events import RgEvent
from projections.encoding import encode_entry, state_digest
from projections.object_facts import Draft
from projections.replica_group import Folded, fold
from projections.rg_state import EMPTY, REMEMBERED_REQUESTS, Entry, Memo, RgState


def remembered(entry: Entry | None) -> set[Version]:
    """The versions that an entry keeps remembered: its own and those of its facts."""
    if entry is None:
        return set()
    return {entry.version, *(fact.version for fact in entry.facts)}


class RgProjection:
    """One RG's state and objects. Implements `RgRows`."""

    def __init__(self, rg: RgId) -> None:
        self.rg = rg
        self.state: RgState = EMPTY
        self.next_offset = Offset(0)
        self._entries: dict[str, Entry] = {}
        self._names: dict[Version, str] = {}
        self._bare: set[tuple[Store, Version]] = set()
        self._memos: dict[str, Memo] = {}
        self._requests: dict[Version, str] = {}

    def fold(self, event: RgEvent, offset: Offset) -> Folded:
        """Fold one event and keep what it changed."""
        folded = fold(self.state, self, event, offset)
        self.state = folded.state
        self._apply(folded.draft)
        self.next_offset = Offset(offset + 1)
        return folded

    def entry(self, name: str) -> Entry | None:
        """See `RgRows`."""
        return self._entries.get(name)

    def name_of(self, version: Version) -> str | None:
        """See `RgRows`."""
        return self._names.get(version)

    def is_bare(self, store: Store, version: Version) -> bool:
        """See `RgRows`."""
        return (store, version) in self._bare

    def memo(self, request: str) -> Memo | None:
        """See `RgRows`."""
        return self._memos.get(request)

    def facts_of(
        self, store: Store, after: Version = Version(0)
    ) -> Iterator[tuple[Version, str | None]]:
        """See `RgRows`."""
        found: list[tuple[Version, str | None]] = [
            (v, None) for s, v in sorted(self._bare) if s == store
        ]
        for name, entry in self._entries.items():
            found += [(fact.version, name) for fact in entry.facts if fact.store == store]
        return iter(sorted(pair for pair in found if pair[0] > after))

    def names(self, after: str = "", prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """See `RgRows`."""
        chosen = (n for n in self._entries if n.startswith(prefix) and n.encode() > after.encode())
        return iter([(name, self._entries[name]) for name in sorted(chosen, key=str.encode)])

    def digest(self) -> str:
        """Digest of everything folded; equal on every node that folded as far."""
        entries = ((name, encode_entry(entry)) for name, entry in self.names())
        return state_digest(self.state, entries, sorted(self._bare))

    def _apply(self, draft: Draft) -> None:
        for name, (before, after) in draft.entries.items():
            if after is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = after
            if before is not None:
                for version in sorted(remembered(before) - remembered(after)):
                    del self._names[version]
            if after is not None:
                self._names[after.version] = name
                for fact in after.facts:
                    self._names[fact.version] = name
        for copy, is_there in draft.bare.items():
            (self._bare.add if is_there else self._bare.discard)(copy)
        if draft.memo is not None:
            self._remember(draft.memo)

    def _remember(self, memo: Memo) -> None:
        old = self._requests.pop(Version(memo.version - REMEMBERED_REQUESTS), None)
        if old is not None and self._memos[old].version == memo.version - REMEMBERED_REQUESTS:
            del self._memos[old]
        if memo.request is not None:
            self._requests[memo.version] = memo.request
            self._memos[memo.request] = memo
