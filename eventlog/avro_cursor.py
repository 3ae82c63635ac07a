"""Where the next field of each of many records begins, and what stands there.

Rule: every step does the same to all records at hand, so that its cost is
shared; nothing here is a loop over records. A record whose bytes are not what
was asked for is marked as bad and from then on is empty; it never changes what
is read of another one.

The encoding is that of the Avro specification 1.11, "Binary Encoding". Reading
at a place costs many times what computing with a number does, so a field is
read with as few readings as can be.

What is not here: types and schemas (see `eventlog.avro_columns`).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
_Octets = npt.NDArray[np.uint8]

PADDING = bytes(64)
"""What must follow the records' bytes: so much can be read at any of them, and a null is read here.

Zeros are an empty value of every type, so what is null is read as all others are.
"""

MAX_BYTES = 2**31 - 1 - len(PADDING)
"""Of one buffer: views have 32-bit offsets."""

WORD = 8
_INLINE = 12
"""Bytes up to which Arrow keeps a text in the view itself."""

_MORE = np.uint64(0x80)
"""Set in a byte of a number after which another one follows."""
_HIGH = np.uint64(0x8080808080808080)
_HIGH_OF_FOUR = np.uint64(0x80808080)
_SQUEEZES = (
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
)
"""Low halves, high halves, and how far these move: groups of 7, 14 and 28 bits join."""

_VIEW_MASKS = np.frombuffer(
    b"".join(bytes(4) + b"\xff" * kept + bytes(12 - kept) for kept in (*range(_INLINE + 1), 4)),
    "V16",
)
"""By a text's length, what of a view is its bytes; the last is that of all long ones."""
_OCTET = np.uint64(0xFF)
_ONE, _THREE, _THIRTY_TWO = np.uint64(1), np.uint8(3), np.uint64(32)


class Bytes(NamedTuple):
    """Records' bytes in one buffer, which ends with `PADDING`."""

    data: pa.Buffer
    starts: Longs
    ends: Longs


class Cursor:
    """Where the next field of each record begins."""

    def __init__(self, data: pa.Buffer, at: Longs, ends: Longs) -> None:
        self.data = data
        self.at = at
        self.ends = ends
        self.is_bad = at > ends

    def __len__(self) -> int:
        return len(self.at)

    def part(self, index: Longs) -> "Cursor":
        """The same for some of the records; `rejoin` takes back where it got."""
        return Cursor(self.data, self.at[index], self.ends[index])

    def with_nulls(self, is_null: Bools) -> "Cursor":
        """The same, but what is null is read from the padding."""
        zeros = self.data.size - len(PADDING)
        at = np.where(is_null, zeros, self.at)
        return Cursor(self.data, at, np.where(is_null, zeros + len(PADDING), self.ends))

    def rejoin(self, index: Longs, part: "Cursor") -> None:
        """Go on with these records where a part got."""
        self.at[index] = part.at
        self.is_bad[index] |= part.is_bad

    def condemn(self, is_bad: Bools) -> None:
        """Mark records as bad; from here on they are empty."""
        if is_bad.any():
            self.is_bad |= is_bad
            self.at[is_bad] = self.ends[is_bad]

    def skip(self, length: Longs | int) -> None:
        """Go on by so many bytes; beyond a record's end it is bad."""
        self.at += length
        self.condemn(self.at > self.ends)

    def windows(self, words: int) -> Words:
        """So many words from here on, a row for each record: 64 bytes at most."""
        assert words * WORD <= len(PADDING), "so much cannot be read everywhere"
        found = self._every(f"V{words * WORD}")[self.at]
        return found.view("<u8").reshape(len(self), words)

    def octets(self, place: Longs) -> _Octets:
        """The bytes at these places of the buffer."""
        found: _Octets = np.frombuffer(self.data, np.uint8)[place]
        return found

    def longs(self) -> Longs:
        """The next `long` (or `int`) of each: a zigzag number in groups of 7 bits."""
        octets = self.octets(self.at)
        if len(octets) and octets.max() >= _MORE:
            raw, length = self._long_words()
            self.skip(length)
        else:
            raw = octets.astype(np.uint64)
            self.skip(1)
        return ((raw >> _ONE) ^ (np.uint64(0) - (raw & _ONE))).view(np.int64)

    def _long_words(self) -> tuple[Words, Longs]:
        word = self._every("<u8")[self.at]
        stop = ~word & _HIGH
        mask = stop ^ (stop - _ONE)
        word &= mask & ~_HIGH
        is_short = bool((stop & _HIGH_OF_FOUR).all())
        for low, high, by in _SQUEEZES[: 2 if is_short else 3]:
            word = (word & low) | ((word & high) >> by)
        length = (np.bitwise_count(mask) >> _THREE).astype(np.int64)
        if not is_short and not stop.all():
            self._add_tail(np.flatnonzero(stop == 0), word, length)
        return word, length

    def _add_tail(self, longer: Longs, word: Words, length: Longs) -> None:
        """Bytes 9 and 10, which only numbers of 57 bits and more have."""
        both = self._every("V2")[self.at[longer] + WORD].view("<u2").astype(np.uint64)
        ninth, tenth = both & _OCTET, both >> np.uint64(8)
        has_tenth = ninth >= _MORE
        highest = (tenth & _ONE) * has_tenth
        word[longer] |= (ninth & ~_MORE) << np.uint64(56) | highest << np.uint64(63)
        # A number that is too long is made to end nowhere.
        length[longer] = np.where(has_tenth & (tenth > 1), MAX_BYTES, 9 + has_tenth)

    def fixed(self, size: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """The next `size` bytes of each, as numbers of that kind."""
        found = self._every(np.dtype(kind).newbyteorder("<"))[self.at]
        self.skip(size)
        return found

    def views(self, length: Longs) -> pa.Buffer:
        """Arrow's views of the next bytes of each, so many as `length` says."""
        self.condemn((length < 0) | (length > self.ends - self.at))
        if self.is_bad.any():
            length = np.where(self.is_bad, 0, length)
        start = self.at
        self.at = start + length
        # A view is its length and what follows, up to 12 bytes, or 4 and a place.
        views = self._every("V16")[start - 4].view("<u8").reshape(-1, 2)
        views &= _VIEW_MASKS[np.minimum(length, _INLINE + 1)].view("<u8").reshape(-1, 2)
        views.view("<u4")[:, 0] = length
        views[:, 1] |= (start * (length > _INLINE)).view(np.uint64) << _THIRTY_TWO
        return pa.py_buffer(views)

    def _every(self, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """A number of that kind at each byte of the buffer."""
        size = np.dtype(kind).itemsize
        return np.ndarray((self.data.size - size + 1,), kind, self.data, strides=(1,))
