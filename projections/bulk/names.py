"""Names: which row an object has, asked for many names at once.

Rule: a row is of one (RG, name) for ever; rows are numbered from 0 on as they
are first asked for. Two names are the same where all their bytes are: the sum
of a name says only where to look. Names stay bytes until one is to be read.

Rows stand in one array, each at the place its name's sum says or at one of the
next. Whoever knows how sums are made can choose names that all want one place,
so a name that finds none nearby is kept in a dict, whose sums nobody can know.

What is not here: what is known of an object (`projections.bulk.object_table`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from projections.bulk.arrays import Bools, Longs, Octets, Words, grown

NEARBY = 32
"""Places that are looked at. Half of all are free, so that hardly any name needs so many."""
_LEAST_PLACES = 1 << 12
_TOGETHER = 1 << 15
"""So many get new places at once."""
_WORD = 8
_FACTOR = 0x9E3779B97F4A7C15
_ALL = (1 << 64) - 1
_HALF = 32


class Texts(NamedTuple):
    """Names of RGs, in a buffer that goes on for a word after the last one."""

    rgs: Longs
    starts: Longs
    lengths: Longs
    octets: Octets

    def at(self, index: Longs) -> "Texts":
        """Some of them."""
        return Texts(self.rgs[index], self.starts[index], self.lengths[index], self.octets)

    def one(self, number: int) -> bytes:
        """One of them."""
        start = int(self.starts[number])
        return self.octets[start : start + int(self.lengths[number])].tobytes()

    def words(self) -> Iterator[tuple[Longs | slice, Words]]:
        """Eight bytes of each, then the next of those that have more; and which those are."""
        every = np.ndarray((len(self.octets) - _WORD + 1,), "<u8", self.octets, strides=(1,))
        index: Longs | slice = slice(None)
        at, left = self.starts, self.lengths
        while len(at):
            found = every[at]
            if left.min() <= _WORD:
                found <<= np.maximum(_WORD - left, 0).astype(np.uint64) * np.uint64(_WORD)
            yield index, found
            more = np.flatnonzero(left > _WORD)
            if len(more) < len(left):
                index = more if isinstance(index, slice) else index[more]
                at, left = at[more], left[more]
            at, left = at + _WORD, left - _WORD

    def sums(self) -> Words:
        """Of each, over its RG and all its bytes: what `sum_of` says."""
        found = self.rgs.astype(np.uint64)
        for index, words in self.words():
            found[index] = _mixed(words ^ found[index])
        return _mixed(found)

    def are(self, others: "Texts") -> Bools:
        """Which are the same as that of the others at their place."""
        found: Bools = (self.rgs == others.rgs) & (self.lengths == others.lengths)
        if not found.all():
            same = np.flatnonzero(found)
            found[same] = self.at(same).are(others.at(same))
            return found
        for (index, own), (_, theirs) in zip(self.words(), others.words(), strict=True):
            found[index] &= own == theirs
        return found


def _mixed(words: Words) -> Words:
    found = words * np.uint64(_FACTOR)
    found ^= found >> np.uint64(_HALF)
    return found


def texts_of(rgs: Longs, names: pa.Array) -> Texts:
    """The names in an array of texts (not of views)."""
    _, offsets, data = names.buffers()
    ends = np.frombuffer(offsets, np.int32)[names.offset :][: len(names) + 1].astype(np.int64)
    first, last = int(ends[0]), int(ends[-1])
    octets = np.zeros(last - first + _WORD, np.uint8)
    octets[:-_WORD] = np.frombuffer(data or b"", np.uint8)[first:last]
    return Texts(rgs, ends[:-1] - first, np.diff(ends), octets)


def sum_of(rg: int, name: bytes) -> int:
    """The sum of one name."""
    found = rg
    for at in range(0, len(name), _WORD):
        word = int.from_bytes(name[at : at + _WORD].rjust(_WORD, b"\0"), "little")
        found = _mixed_one(found ^ word)
    return _mixed_one(found)


def _mixed_one(word: int) -> int:
    found = word * _FACTOR & _ALL
    return found ^ found >> _HALF


class Names:
    """All names there are."""

    def __init__(self) -> None:
        self.count = 0
        """Of rows."""
        self._rgs: Longs = np.zeros(0, np.int64)
        self._starts: Longs = np.zeros(0, np.int64)
        self._lengths: Longs = np.zeros(0, np.int64)
        self._octets: Octets = np.zeros(_WORD, np.uint8)
        self._used = 0
        """Of these bytes."""
        self._sums: Words = np.zeros(0, np.uint64)
        self._places: Longs = np.zeros(_LEAST_PLACES, np.int64)
        """At each a row plus 1; 0 is free."""
        self._crowded: dict[tuple[int, bytes], int] = {}

    def name(self, row: int) -> str:
        """The name that has this row."""
        return self._bytes(row).decode()

    def row(self, rg: int, name: str) -> int | None:
        """The row of one name, if it has one."""
        octets = name.encode()
        place = sum_of(rg, octets)
        for _ in range(NEARBY):
            row = int(self._places[place % len(self._places)]) - 1
            if row < 0:
                return None
            if self._rgs[row] == rg and self._bytes(row) == octets:
                return row
            place += 1
        return self._crowded.get((rg, octets))

    def rows(self, rgs: Longs, names: pa.Array) -> Longs:
        """The row of each of these texts, made where it has none."""
        self._make_room(len(rgs))
        texts, found = texts_of(rgs, names), np.zeros(len(rgs), np.int64)
        sums = texts.sums()
        left, places = np.arange(len(rgs)), self._wanted(sums)
        for _ in range(NEARBY):
            is_new = self._fill(places, left, names, texts.rgs, sums)
            rows = self._places[places] - 1
            is_it = self._sums[rows] == sums[left]
            likely = np.flatnonzero(is_it & ~is_new)
            is_it[likely] = texts.at(left[likely]).are(self._known.at(rows[likely]))
            found[left[is_it]] = rows[is_it]
            left, places = left[~is_it], self._next(places[~is_it])
            if not len(left):
                break
        for number in left.tolist():
            found[number] = self._crowded_row(int(rgs[number]), names[number], sums[number])
        return found

    @property
    def _known(self) -> Texts:
        return Texts(self._rgs, self._starts, self._lengths, self._octets)

    def _bytes(self, row: int) -> bytes:
        return self._known.one(row)

    def _wanted(self, sums: Words) -> Longs:
        return (sums & np.uint64(len(self._places) - 1)).astype(np.int64)

    def _next(self, places: Longs) -> Longs:
        found: Longs = (places + 1) & (len(self._places) - 1)
        return found

    def _fill(self, places: Longs, who: Longs, names: pa.Array, rgs: Longs, sums: Words) -> Bools:
        """Who got a free place, and so is new; of several that want the same, one."""
        free = np.flatnonzero(self._places[places] == 0)
        wanted, marks = places[free], free + 1
        self._places[wanted] = marks
        new = free[self._places[wanted] == marks]
        if len(new):
            added = who[new]
            rows = self._take_in(rgs[added], names.take(pa.array(added)), sums[added])
            self._places[places[new]] = rows + 1
        is_new = np.zeros(len(places), np.bool_)
        is_new[new] = True
        return is_new

    def _take_in(self, rgs: Longs, names: pa.Array, sums: Words) -> Longs:
        """Rows for names that have none."""
        texts = texts_of(rgs, names)
        ends = self._used + np.cumsum(texts.lengths)
        first, self.count, self._used = self.count, self.count + len(sums), int(ends[-1])
        for name in ("_rgs", "_starts", "_lengths", "_sums"):
            setattr(self, name, grown(getattr(self, name), self.count))
        self._octets = grown(self._octets, self._used + _WORD)
        rows = np.arange(first, self.count)
        self._rgs[rows], self._sums[rows] = texts.rgs, sums
        self._starts[rows], self._lengths[rows] = ends - texts.lengths, texts.lengths
        self._octets[self._used - int(texts.lengths.sum()) : self._used] = texts.octets[:-_WORD]
        return rows

    def _crowded_row(self, rg: int, name: pa.Scalar, total: np.uint64) -> int:
        key = rg, name.as_py().encode()
        if key not in self._crowded:
            [row] = self._take_in(np.array([rg]), pa.array([name]), np.array([total])).tolist()
            self._crowded[key] = row
        return self._crowded[key]

    def _make_room(self, count: int) -> None:
        """Half of all places are free, and stay so when so many rows more come."""
        size = len(self._places)
        while size < 2 * (self.count + count):
            size *= 4
        if size == len(self._places):
            return
        self._places = np.zeros(size, np.int64)
        self._crowded = {}
        for start in range(0, self.count, _TOGETHER):
            self._replace(np.arange(start, min(start + _TOGETHER, self.count)))

    def _replace(self, left: Longs) -> None:
        """Rows that are there get places."""
        places = self._wanted(self._sums[left])
        for _ in range(NEARBY):
            free = np.flatnonzero(self._places[places] == 0)
            self._places[places[free]] = left[free] + 1
            is_left = self._places[places] != left + 1
            left, places = left[is_left], self._next(places[is_left])
        self._crowded |= {(int(self._rgs[row]), self._bytes(row)): row for row in left.tolist()}
