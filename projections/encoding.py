"""Encoding: the one form in which folded state is written down and compared.

Rule: equal states have equal bytes. Rows of a node, snapshots and the digests
that `verify` compares all use this form, so they cannot disagree by form.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from eventlog.ids import Store, Version
from projections.rg_state import Claim, Entry, Ledger, Memo, RgState

_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_entry = msgspec.msgpack.Decoder(Entry)
_memo = msgspec.msgpack.Decoder(Memo)


class _StateForm(msgspec.Struct, frozen=True, array_like=True):
    """`RgState` with its ledgers as sorted pairs."""

    version: Version
    claim: Claim | None
    live: int
    tombstones: int
    size: int
    unheld: int
    ledgers: tuple[tuple[Store, Ledger], ...]
    retired: tuple[Store, ...]
    voids: int


_state = msgspec.msgpack.Decoder(_StateForm)


def encode_state(state: RgState) -> bytes:
    """The state without its objects."""
    ledgers = tuple(sorted(state.ledgers.items(), key=lambda pair: pair[0]))
    return _pack(
        _StateForm(
            state.version,
            state.claim,
            state.live,
            state.tombstones,
            state.size,
            state.unheld,
            ledgers,
            state.retired,
            state.voids,
        )
    )


def decode_state(data: bytes) -> RgState:
    """Inverse of `encode_state`; raises `msgspec.DecodeError` on anything else."""
    form = _state.decode(data)
    return RgState(
        form.version,
        form.claim,
        form.live,
        form.tombstones,
        form.size,
        form.unheld,
        dict(form.ledgers),
        form.retired,
        form.voids,
    )


def encode_entry(entry: Entry) -> bytes:
    """One object; its facts sorted by store."""
    facts = entry.facts
    if len(facts) > 1:
        facts = tuple(sorted(facts, key=lambda fact: fact.store))
        entry = msgspec.structs.replace(entry, facts=facts)
    return _pack(entry)


def decode_entry(data: bytes) -> Entry:
    """Inverse of `encode_entry`."""
    return _entry.decode(data)


def encode_memo(memo: Memo) -> bytes:
    """One remembered operation."""
    return _pack(memo)


def decode_memo(data: bytes) -> Memo:
    """Inverse of `encode_memo`."""
    return _memo.decode(data)


def state_digest(
    state: RgState,
    entries: Iterable[tuple[str, bytes]],
    bare: Iterable[tuple[Store, Version]],
) -> str:
    """SHA-256, hexadecimal, of an RG's whole folded state.

    `entries` are encoded, in the order of their names' UTF-8; `bare` is sorted.
    """
    digest = hashlib.sha256(encode_state(state))
    for name, data in entries:
        raw = name.encode()
        digest.update(b"%d:%d:" % (len(raw), len(data)) + raw + data)
    for store, version in bare:
        digest.update(f"{store}:{version};".encode())
    return digest.hexdigest()
