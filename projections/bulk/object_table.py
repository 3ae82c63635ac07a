"""The objects of all RGs, in arrays: what a bulk fold knows of them.

Rule: an object has one row for ever, found by its RG and name; a row says what
`projections.rg_state.Entry` says, no more and no less, and gives and takes
entries. A row without an entry is of an object that is forgotten.

A copy is one word: its version, its store's code, its status; 0 is none. Beside
each stands its weight (see `projections.holdings`), since sums need it often.

What is not here: how rows change in bulk (see `projections.bulk.copies`), and
the requests that an RG remembers, which only its own OSDs need.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count, islice

import numpy as np
import numpy.typing as npt

from eventlog.ids import Micros, RgId, Store, Version
from projections.bulk.arrays import Longs, Octets, Words, grown
from projections.holdings import weight
from projections.rg_state import Body, Entry, Fact, Memo, OpKind, Status

STATUS_BITS, STORE_BITS = 2, 20
VERSION_SHIFT = STATUS_BITS + STORE_BITS
STORE_MASK = (1 << STORE_BITS) - 1
STATUS_MASK = (1 << STATUS_BITS) - 1
MAX_STORES = STORE_MASK
NO_ENTRY, LIVE, TOMBSTONE = 0, 1, 2
"""What a row is."""

Objects = npt.NDArray[np.object_]


def word(version: int, store: int, status: int) -> int:
    """A copy as one number."""
    return version << VERSION_SHIFT | store << STATUS_BITS | status


class Codes:
    """Values that many objects share, each with a number; 0 is None."""

    def __init__(self) -> None:
        self.values: list[str | None] = [None]
        self._codes: dict[str | None, int] = {None: 0}

    def code(self, value: str | None) -> int:
        """The number of a value."""
        found = self._codes.get(value)
        if found is None:
            found = self._codes[value] = len(self.values)
            self.values.append(value)
        return found


class ObjectTable:
    """Rows by number. Arrays are longer than there are rows."""

    def __init__(self) -> None:
        self.stores: list[Store] = []
        self._store_codes: dict[Store, int] = {}
        self._rows: defaultdict[str, int] = defaultdict(count().__next__)
        self._elsewhere: dict[tuple[int, str], int] = {}
        """Rows of names that another RG had first."""
        self.names: list[str] = []
        self.rg: Longs = np.zeros(0, np.int64)
        self.kind: Octets = np.zeros(0, np.uint8)
        """`NO_ENTRY`, `LIVE`, `TOMBSTONE`."""
        self.version: Longs = np.zeros(0, np.int64)
        self.weight: Words = np.zeros(0, np.uint64)
        """Of a copy of that version; meaningful where a put made it."""
        self.size: Longs = np.zeros(0, np.int64)
        self.words: Longs = np.zeros((0, 2), np.int64)
        self.weights: Words = np.zeros((0, 2), np.uint64)
        self.operation: Octets = np.zeros(0, np.uint8)
        self.time: Longs = np.zeros(0, np.int64)
        self.actor: Longs = np.zeros(0, np.int64)
        self.media: Longs = np.zeros(0, np.int64)
        self.sha256: Octets = np.zeros((0, 32), np.uint8)
        self.request: Objects = np.zeros(0, np.object_)
        self.metadata: Objects = np.zeros(0, np.object_)
        self.texts = Codes()

    def store_code(self, store: Store) -> int:
        """A store's number."""
        found = self._store_codes.get(store)
        if found is None:
            found = self._store_codes[store] = len(self.stores)
            assert found <= MAX_STORES, "more stores than a word can tell apart"
            self.stores.append(store)
        return found

    def rows_of(self, rgs: Longs, names: Sequence[str]) -> Longs:
        """The row of each name in its RG; new ones are made."""
        known = len(self._rows)
        before = len(self.names)
        found = np.fromiter(map(self._rows.__getitem__, names), np.int64, len(names))
        added = len(self._rows) - known
        if added:
            self._take_in(list(islice(reversed(self._rows), added))[::-1], before, found, rgs)
        wrong = np.flatnonzero(self.rg[found] != rgs)
        for number in wrong.tolist():
            found[number] = self._row_elsewhere(int(rgs[number]), names[number])
        return found

    def row_of(self, rg: RgId, name: str) -> int | None:
        """The row of a name, if it has one."""
        row = self._rows.get(name)
        if row is not None and self.rg[row] == rg:
            return row
        return self._elsewhere.get((rg, name))

    def row_made(self, rg: RgId, name: str) -> int:
        """The row of a name."""
        return int(self.rows_of(np.array([rg]), [name])[0])

    def widen(self) -> None:
        """Make room for more copies of an object."""
        self.words = np.hstack([self.words, np.zeros_like(self.words)])
        self.weights = np.hstack([self.weights, np.zeros_like(self.weights)])

    def entry(self, row: int) -> Entry | None:
        """What is known of the object."""
        kind = self.kind[row]
        if kind == NO_ENTRY:
            return None
        version, name = Version(int(self.version[row])), self.names[row]
        operation = OpKind(int(self.operation[row]))
        memo = Memo(operation, name, version, self.request[row])
        facts = tuple(self.facts(row))
        actor = self.texts.values[int(self.actor[row])]
        body = self._body(row) if kind == LIVE else None
        return Entry(version, body, facts, memo, Micros(int(self.time[row])), actor)

    def facts(self, row: int) -> Iterable[Fact]:
        """Its copies."""
        for value in self.words[row].tolist():
            if value:
                store = self.stores[value >> STATUS_BITS & STORE_MASK]
                status = Status(value & STATUS_MASK)
                yield Fact(store, Version(value >> VERSION_SHIFT), status)

    def set_entry(self, rg: RgId, row: int, entry: Entry | None) -> None:
        """Make the row say what this entry says."""
        self.words[row], self.weights[row] = 0, 0
        if entry is None:
            self.kind[row] = NO_ENTRY
            return
        self.kind[row] = LIVE if entry.body is not None else TOMBSTONE
        self.version[row] = entry.version
        self.weight[row] = weight(rg, entry.version)
        self.operation[row] = entry.last.kind
        self.request[row] = entry.last.request
        self.time[row] = entry.time
        self.actor[row] = self.texts.code(entry.actor)
        self._set_body(row, entry.body)
        while self.words.shape[1] < len(entry.facts):
            self.widen()
        for slot, fact in enumerate(entry.facts):
            self.words[row, slot] = word(fact.version, self.store_code(fact.store), fact.status)
            self.weights[row, slot] = weight(rg, fact.version)

    def _body(self, row: int) -> Body:
        media = self.texts.values[int(self.media[row])]
        metadata = self.metadata[row]
        sha256 = self.sha256[row].tobytes()
        return Body(int(self.size[row]), sha256, media, dict(metadata) if metadata else {})

    def _set_body(self, row: int, body: Body | None) -> None:
        self.size[row] = body.size if body is not None else 0
        self.metadata[row] = (body.metadata or None) if body is not None else None
        self.media[row] = self.texts.code(body.media_type) if body is not None else 0
        if body is not None:
            self.sha256[row] = np.frombuffer(body.sha256, np.uint8)

    def _take_in(self, added: list[str], before: int, found: Longs, rgs: Longs) -> None:
        """Names that are new get rows, each in the RG that first had it."""
        self._grow(added)
        # Those of `_elsewhere` have rows of their own, so numbers go on from what is given out.
        is_new = found >= before
        first = np.flatnonzero(is_new)[::-1]
        self.rg[found[first]] = rgs[first]

    def _row_elsewhere(self, rg: int, name: str) -> int:
        found = self._elsewhere.get((rg, name))
        if found is None:
            found = self._elsewhere[rg, name] = self._rows.default_factory()  # type: ignore[misc]
            self._grow([name])
            self.rg[found] = rg
        return found

    def _grow(self, added: list[str]) -> None:
        self.names += added
        size = len(self.names)
        if size <= len(self.rg):
            return
        for field in (
            *("rg", "kind", "version", "weight", "size", "words", "weights", "operation"),
            *("time", "actor", "media", "sha256", "request", "metadata"),
        ):
            setattr(self, field, grown(getattr(self, field), size))
