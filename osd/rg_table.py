"""An RG's folded state as rows: the stored twin of `projections.rg_memory`.

Rule: what a fold changed and the offset it was folded at are in the same
overlay, hence in one atomic write. Rows here are what the log says; what the
disk really has is in `osd.disk`.
"""

import hashlib
from collections.abc import Iterator
from functools import cache

import msgspec

from eventlog.digest import NO_RECORD
from eventlog.errors import BadRecord
from eventlog.ids import Offset, RgId, Store, Version
from eventlog.schemas import written
from osd import keys
from osd.overlay import Overlay
from projections.encoding import (
    decode_entry,
    decode_memo,
    decode_state,
    encode_entry,
    encode_memo,
    encode_state,
    state_digest,
)
from projections.object_facts import Draft
from projections.replica_group import RULE_SET
from projections.rg_memory import remembered
from projections.rg_state import EMPTY, REMEMBERED_REQUESTS, Entry, Memo, RgState
from projections.snapshots import Content, Snapshot

_BARE = b"bare"
_NAMED = b""
FOLD_FORMAT = 2
"""Raised when the rows of a fold change their meaning; other rows are then folded anew."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """How far an RG is folded."""

    next_offset: Offset = Offset(0)
    digest: bytes = NO_RECORD
    """Of the last record of this RG that was applied."""
    last_offset: Offset | None = None
    """Where that record stands; other RGs' records may follow in its partition."""


class _Header(msgspec.Struct, frozen=True, array_like=True):
    stamp: int | str
    """Of the fold that made the rows; in the first formats a number."""
    place: Place
    state: bytes


class _Begin(msgspec.Struct, frozen=True, array_like=True):
    """What every header begins with, whatever follows: this is never changed."""

    stamp: int | str
    place: Place


_encode = msgspec.msgpack.encode
_decode_header = msgspec.msgpack.Decoder(_Header).decode
_decode_begin = msgspec.msgpack.Decoder(_Begin).decode


@cache
def fold_stamp() -> str:
    """What folded state depends on beside the log: format, rule set, schemas of events."""
    prints = [
        schema.fingerprint for name, schema in sorted(written().items()) if name != "MapChanged"
    ]
    schemas = hashlib.sha256(b"".join(prints)).hexdigest()[:16]
    return f"format {FOLD_FORMAT}, rules {RULE_SET}, schemas {schemas}"


def header_of_none(place: Place) -> bytes:
    """An H row of an RG that reaches so far, and whose other rows no fold may take for its own."""
    return _encode(_Begin("folded anew", place))


def read_header(data: bytes) -> tuple[Place, RgState] | None:
    """An H row's content; None where another fold wrote it."""
    try:
        header = _decode_header(data)
        if header.stamp != fold_stamp():
            return None
        return header.place, decode_state(header.state)
    except msgspec.DecodeError:
        return None


def read_place(data: bytes) -> Place | None:
    """How far an H row's RG is folded, whichever fold wrote it; None where it cannot be told."""
    try:
        return _decode_begin(data).place
    except msgspec.DecodeError:
        return None


class RgTable:
    """Implements `projections.rg_state.RgRows` over an OSD's rows."""

    def __init__(self, overlay: Overlay, rg: RgId, *, is_anew: bool = False) -> None:
        """`is_anew`: folded from the log's first record, whatever header is there."""
        self._overlay = overlay
        self.rg = rg
        self.place = Place()
        self.state: RgState = EMPTY
        self.is_stored = False
        """Whether the state has a row, so that a next process knows of the RG."""
        if not is_anew:
            self._load()

    def keep(self, draft: Draft, state: RgState, place: Place) -> None:
        """Store what one event changed, and that it is folded."""
        for name, (before, after) in draft.entries.items():
            self._keep_entry(name, before, after)
        for (store, version), is_there in draft.bare.items():
            key = keys.fact(self.rg, store, version)
            if is_there:
                self._overlay.put(key, _BARE)
            else:
                self._overlay.delete(key)
        if draft.memo is not None:
            self._keep_memo(draft.memo)
        self.state, self.place = state, place

    def keep_header(self) -> None:
        """Store the state and place; once a step is enough, the overlay is atomic."""
        header = _Header(fold_stamp(), self.place, encode_state(self.state))
        self._overlay.put(keys.prefix(b"H", self.rg), _encode(header))
        self.is_stored = True

    def entry(self, name: str) -> Entry | None:
        """See `RgRows`."""
        data = self._overlay.get(keys.by_text(b"E", self.rg, name))
        return decode_entry(data) if data is not None else None

    def name_of(self, version: Version) -> str | None:
        """See `RgRows`."""
        data = self._overlay.get(keys.by_version(b"V", self.rg, version))
        return data.decode() if data is not None else None

    def is_bare(self, store: Store, version: Version) -> bool:
        """See `RgRows`."""
        return self._overlay.get(keys.fact(self.rg, store, version)) == _BARE

    def memo(self, request: str) -> Memo | None:
        """See `RgRows`."""
        data = self._overlay.get(keys.by_text(b"Q", self.rg, request))
        return decode_memo(data) if data is not None else None

    def facts_of(
        self, store: Store, after: Version = Version(0)
    ) -> Iterator[tuple[Version, str | None]]:
        """See `RgRows`."""
        start = keys.fact(self.rg, store, after)
        for key, value in self._overlay.scan(keys.of_store(self.rg, store), start):
            version = Version(keys.last_number(key))
            yield version, None if value == _BARE else self.name_of(version)

    def names(self, after: str = "", prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """See `RgRows`."""
        for name, data in self._raw_entries(after, prefix):
            yield name, decode_entry(data)

    def digest(self) -> str:
        """Digest of everything folded; equal to `RgProjection.digest` as far as folded alike."""
        return state_digest(self.state, self._raw_entries("", ""), sorted(self._bare_copies()))

    def content(self) -> Content:
        """All that is folded, for a snapshot."""
        bare = sorted(self._bare_copies())
        return Content(encode_state(self.state), self._raw_entries("", ""), bare, self._memos())

    def take_over(self, snapshot: Snapshot) -> None:
        """Be as folded as the snapshot; nothing of the RG may be here."""
        self._keep_all(snapshot)
        for store, version in snapshot.bare:
            self._overlay.put(keys.fact(self.rg, store, version), _BARE)
        for _, data in snapshot.memos:
            self._keep_memo(decode_memo(data))
        reach = snapshot.reach
        self.place = Place(reach.next_offset, reach.digest, reach.last_offset)
        self.state = snapshot.folded()

    def _keep_all(self, snapshot: Snapshot) -> None:
        """As `_keep_entry` of each object; the rows of one kind together."""
        entries, versions, facts = (keys.prefix(kind, self.rg) for kind in (b"E", b"V", b"F"))
        stores: dict[Store, bytes] = {}
        own: list[tuple[bytes, bytes]] = []
        named: list[tuple[bytes, bytes]] = []
        copies: list[bytes] = []
        for (name, entry), (_, data) in zip(snapshot.objects(), snapshot.entries, strict=True):
            raw = name.encode()
            own.append((entries + raw, data))
            named += [(versions + keys.ending(each), raw) for each in remembered(entry)]
            for fact in entry.facts:
                store = stores.get(fact.store)
                if store is None:
                    store = stores[fact.store] = keys.of_store(self.rg, fact.store)
                copies.append(store + keys.ending(fact.version))
        self._overlay.put_all(entries, own)
        self._overlay.put_all(versions, named)
        self._overlay.put_all(facts, dict.fromkeys(copies, _NAMED).items())

    def _memos(self) -> Iterator[tuple[Version, bytes]]:
        for key, request in self._overlay.scan(keys.prefix(b"R", self.rg)):
            data = self._overlay.get(keys.by_text(b"Q", self.rg, request.decode()))
            version = Version(keys.last_number(key))
            if data is not None and decode_memo(data).version == version:
                yield version, data

    def _load(self) -> None:
        data = self._overlay.get(keys.prefix(b"H", self.rg))
        if data is None:
            return
        header = read_header(data)
        if header is None:
            raise BadRecord(
                f"the stored state of rg {self.rg:x} is not of this program's format",
                "Start the OSD with the program that wrote it, or on an empty directory "
                "with --rebuild.",
            )
        self.place, self.state = header
        self.is_stored = True

    def _raw_entries(self, after: str, prefix: str) -> Iterator[tuple[str, bytes]]:
        start = keys.by_text(b"E", self.rg, after)
        for key, data in self._overlay.scan(keys.by_text(b"E", self.rg, prefix), start):
            yield key[5:].decode(), data

    def _bare_copies(self) -> Iterator[tuple[Store, Version]]:
        for store in self.state.holders:
            for key, value in self._overlay.scan(keys.of_store(self.rg, store)):
                if value == _BARE:
                    yield store, Version(keys.last_number(key))

    def _keep_entry(self, name: str, before: Entry | None, after: Entry | None) -> None:
        key = keys.by_text(b"E", self.rg, name)
        if after is None:
            self._overlay.delete(key)
        else:
            self._overlay.put(key, encode_entry(after))
        self._keep_versions(name, remembered(before), remembered(after))
        had = {(f.store, f.version) for f in before.facts} if before else set()
        has = {(f.store, f.version) for f in after.facts} if after else set()
        for store, version in had - has:
            self._overlay.delete(keys.fact(self.rg, store, version))
        for store, version in has - had:
            self._overlay.put(keys.fact(self.rg, store, version), _NAMED)

    def _keep_versions(self, name: str, had: set[Version], has: set[Version]) -> None:
        for version in had - has:
            self._overlay.delete(keys.by_version(b"V", self.rg, version))
        for version in has - had:
            self._overlay.put(keys.by_version(b"V", self.rg, version), name.encode())

    def _keep_memo(self, memo: Memo) -> None:
        old = Version(memo.version - REMEMBERED_REQUESTS)
        if old > 0:
            self._forget_memo(old)
        if memo.request is not None:
            key = keys.by_version(b"R", self.rg, memo.version)
            self._overlay.put(key, memo.request.encode())
            self._overlay.put(keys.by_text(b"Q", self.rg, memo.request), encode_memo(memo))

    def _forget_memo(self, version: Version) -> None:
        key = keys.by_version(b"R", self.rg, version)
        request = self._overlay.get(key)
        if request is None:
            return
        self._overlay.delete(key)
        memo = self.memo(request.decode())
        if memo is not None and memo.version == version:
            self._overlay.delete(keys.by_text(b"Q", self.rg, request.decode()))
