"""Snapshots: the folded state of one RG as bytes, to be handed to another store.

Rule: a snapshot is believed only whole. It says which program's fold made it
(its stamp), of which RG, and how far it reaches; its sum covers every byte,
and what it holds must give the state digest that it names. On any doubt it is
thrown away, and the doubt is said in a sentence: what it would have saved is
folded from the log instead. Whether the log has its last record is for who
reads logs to ask (`Reach.digest`).

Form: 8 bytes of magic, 32 bytes SHA-256 of what follows, then one msgpack value.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from eventlog.ids import Offset, RgId, Store, Version
from projections.encoding import decode_entry, decode_state, state_digest
from projections.rg_state import Entry, RgState

MAGIC = b"osdlogS1"
_SUM_BYTES = 32


class Reach(msgspec.Struct, frozen=True, array_like=True):
    """How far an RG is folded."""

    next_offset: Offset
    """In its partition, exclusive."""
    last_offset: Offset
    """Where the last record of this RG stands that was folded."""
    digest: bytes
    """Of that record, by `eventlog.digest`."""


class Content(NamedTuple):
    """What is folded of an RG, in the form of `projections.encoding`."""

    state: bytes
    entries: Iterable[tuple[str, bytes]]
    """In the order of their names' UTF-8."""
    bare: Sequence[tuple[Store, Version]]
    """Sorted."""
    memos: Iterable[tuple[Version, bytes]]
    """Remembered requests, each with the version of its operation."""


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """One RG, folded as far as `reach` says."""

    stamp: str
    """Of the fold that made it: another one is not believed."""
    rg: RgId
    reach: Reach
    state_digest: str
    state: bytes
    entries: tuple[tuple[str, bytes], ...]
    bare: tuple[tuple[Store, Version], ...]
    memos: tuple[tuple[Version, bytes], ...]

    def folded(self) -> RgState:
        """The state without its objects."""
        return decode_state(self.state)

    def objects(self) -> Iterable[tuple[str, Entry]]:
        """Objects and tombstones."""
        for name, data in self.entries:
            yield name, decode_entry(data)


class Doubt(NamedTuple):
    """Why a snapshot is thrown away."""

    why: str


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


def write_snapshot(stamp: str, rg: RgId, reach: Reach, content: Content) -> bytes:
    """The bytes of a snapshot."""
    entries, memos = tuple(content.entries), tuple(content.memos)
    bare = tuple(content.bare)
    digest = state_digest(decode_state(content.state), entries, bare)
    whole = _encode(Snapshot(stamp, rg, reach, digest, content.state, entries, bare, memos))
    return MAGIC + hashlib.sha256(whole).digest() + whole


def read_snapshot(data: bytes, stamp: str, rg: RgId) -> Snapshot | Doubt:
    """The snapshot, if these bytes are one of this RG by a fold of this stamp."""
    begin = len(MAGIC) + _SUM_BYTES
    if not data.startswith(MAGIC):
        return Doubt("it is not in this program's form")
    if hashlib.sha256(data[begin:]).digest() != data[len(MAGIC) : begin]:
        return Doubt("its bytes do not match their sum")
    try:
        found = _decode(data[begin:])
        if found.stamp != stamp:
            return Doubt(f"the fold that made it is {found.stamp}, this one is {stamp}")
        if found.rg != rg:
            return Doubt("it is of another RG")
        state = found.folded()
        digest = state_digest(state, found.entries, found.bare)
    except (msgspec.DecodeError, ValueError) as error:
        return Doubt(f"it cannot be decoded: {error}")
    if digest != found.state_digest:
        return Doubt("its state does not match its digest")
    return found
