"""What this disk really has of an RG: copies, imports not yet logged, staged bodies.

Rule: these rows are kept apart from what the log says (`osd.rg_table`), so
that the two can be compared. A copy becomes one (C) only in the same atomic
write as the fold that makes it a fact; its holdings are summed beside it.
Bytes are removed only on the word of `osd.core.custody`. What is staged is few
and asked for often, so it is read once and remembered beside its rows.
"""

from collections.abc import Iterator

import msgspec

from eventlog.ids import Fence, RgId, Serial, Version
from osd import keys
from osd.overlay import Overlay
from projections.holdings import NOTHING, Holdings

Body = int | str
"""Where bytes are: the number of a B row, or the id of a file."""


class Copy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Bytes on this disk."""

    name: str
    size: int
    sha256: bytes
    body: Body


class Staged(msgspec.Struct, frozen=True, array_like=True):
    """A body staged under a fence."""

    fence: Fence
    serial: Serial
    copy: Copy


_encode = msgspec.msgpack.encode
_copy = msgspec.msgpack.Decoder(Copy).decode
_staged = msgspec.msgpack.Decoder(Staged).decode
_holdings = msgspec.msgpack.Decoder(Holdings).decode


class Disk:
    """One RG's rows of what is here. Removals return file ids that are to be unlinked."""

    def __init__(self, overlay: Overlay, rg: RgId) -> None:
        self._overlay = overlay
        self._rg = rg
        self._holdings_key = keys.prefix(b"P", rg)
        data = overlay.get(self._holdings_key)
        self.holdings = _holdings(data) if data is not None else NOTHING
        self._remembered: dict[tuple[Fence, Serial], Staged] | None = None
        """What is staged; None until it is asked for."""

    def keep_body(self, number: int, data: bytes) -> Body:
        """Store a small body."""
        self._overlay.put(keys.body(self._rg, number), data)
        return number

    def read_body(self, number: int) -> bytes | None:
        """The bytes of a small body."""
        return self._overlay.get(keys.body(self._rg, number))

    def stage(self, staged: Staged) -> None:
        """Note a staged body."""
        self._overlay.put(self._staged_key(staged), _encode(staged))
        self._stages[staged.fence, staged.serial] = staged

    def staged(self) -> list[Staged]:
        """Every staged body, oldest fence first."""
        return sorted(self._stages.values(), key=self._staged_key)

    def staged_as(self, fence: Fence, serial: Serial) -> Staged | None:
        """The body staged under that fence and serial."""
        return self._stages.get((fence, serial))

    def unstage(self, staged: Staged) -> list[str]:
        """Remove a staged body with its bytes."""
        self._forget_staged(staged)
        return self._drop_body(staged.copy)

    def import_copy(self, version: Version, copy: Copy) -> None:
        """Note a copy that is here but not yet in the log."""
        self._overlay.put(keys.by_version(b"I", self._rg, version), _encode(copy))

    def imported(self) -> Iterator[tuple[Version, Copy]]:
        """Copies not yet in the log, by version."""
        for key, data in self._overlay.scan(keys.prefix(b"I", self._rg)):
            yield Version(keys.last_number(key)), _copy(data)

    def import_of(self, version: Version) -> Copy | None:
        """The copy of that version that is here but not yet in the log."""
        data = self._overlay.get(keys.by_version(b"I", self._rg, version))
        return _copy(data) if data is not None else None

    def drop_import(self, version: Version) -> list[str]:
        """Remove an import with its bytes."""
        copy = self.import_of(version)
        self._overlay.delete(keys.by_version(b"I", self._rg, version))
        return self._drop_body(copy) if copy else []

    def copy_of(self, version: Version) -> Copy | None:
        """The copy of that version that the log knows to be here."""
        data = self._overlay.get(keys.by_version(b"C", self._rg, version))
        return _copy(data) if data is not None else None

    def copies(self, after: Version = Version(0)) -> Iterator[tuple[Version, Copy]]:
        """Copies that the log knows to be here, by version, above `after`."""
        start = keys.by_version(b"C", self._rg, after)
        for key, data in self._overlay.scan(keys.prefix(b"C", self._rg), start):
            yield Version(keys.last_number(key)), _copy(data)

    def counted(self) -> Holdings:
        """The holdings by the copies' own rows, whatever sum is kept beside them."""
        found = NOTHING
        for version, _ in self.copies():
            found = found.plus(self._rg, version)
        return found

    def count_anew(self) -> None:
        """Keep the sum of the copies' own rows."""
        found = self.counted()
        if found != self.holdings:
            self._set_holdings(found)

    def promote_staged(self, fence: Fence, serial: Serial, version: Version) -> bool:
        """A put made the staged body a copy; False where nothing is staged so."""
        staged = self.staged_as(fence, serial)
        if staged is None:
            return False
        self._forget_staged(staged)
        self._add_copy(version, staged.copy)
        return True

    def import_staged(self, staged: Staged, version: Version) -> None:
        """The put of a staged body did not name this store: the body is an import now."""
        self._forget_staged(staged)
        self.import_copy(version, staged.copy)

    def promote_import(self, version: Version) -> bool:
        """The log took the import; False where none of that version is here."""
        copy = self.import_of(version)
        if copy is None:
            return False
        self._overlay.delete(keys.by_version(b"I", self._rg, version))
        self._add_copy(version, copy)
        return True

    def drop_copy(self, version: Version) -> list[str]:
        """Remove a copy with its bytes; one that is not here is fine."""
        copy = self.copy_of(version)
        if copy is None:
            return []
        self._overlay.delete(keys.by_version(b"C", self._rg, version))
        self._set_holdings(self.holdings.minus(self._rg, version))
        return self._drop_body(copy)

    def has_unlogged(self) -> bool:
        """Whether anything is staged or imported but not logged."""
        return bool(self._stages) or any(True for _ in self.imported())

    @property
    def _stages(self) -> dict[tuple[Fence, Serial], Staged]:
        if self._remembered is None:
            rows = self._overlay.scan(keys.prefix(b"S", self._rg))
            read = (_staged(data) for _, data in rows)
            self._remembered = {(staged.fence, staged.serial): staged for staged in read}
        return self._remembered

    def _staged_key(self, staged: Staged) -> bytes:
        return keys.staged(self._rg, staged.fence, staged.serial)

    def _forget_staged(self, staged: Staged) -> None:
        self._overlay.delete(self._staged_key(staged))
        self._stages.pop((staged.fence, staged.serial), None)

    def _add_copy(self, version: Version, copy: Copy) -> None:
        self._overlay.put(keys.by_version(b"C", self._rg, version), _encode(copy))
        self._set_holdings(self.holdings.plus(self._rg, version))

    def _set_holdings(self, holdings: Holdings) -> None:
        self.holdings = holdings
        self._overlay.put(self._holdings_key, _encode(holdings))

    def _drop_body(self, copy: Copy) -> list[str]:
        if isinstance(copy.body, str):
            return [copy.body]
        self._overlay.delete(keys.body(self._rg, copy.body))
        return []
