"""The objects of all RGs, in arrays: what a bulk fold knows of them.

Rule: an object has one row for ever, found by its RG and name; a row says what
`projections.rg_state.Entry` says, no more and no less, and gives and takes
entries. A row without an entry is of an object that is forgotten. Whose row it
is stands in `projections.bulk.names`.

A copy is one word: its version, its store's code, its status; 0 is none. Beside
each stands its weight (see `projections.holdings`), since sums need it often.

What is not here: how rows change in bulk (see `projections.bulk.copies`), and
the requests that an RG remembers, which only its own OSDs need.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eventlog.ids import Micros, RgId, Store, Version
from projections.bulk.arrays import Longs, Octets, Words, grown
from projections.bulk.names import Names
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
        self.names = Names()
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

    def rows_of(self, rgs: Longs, names: pa.Array) -> Longs:
        """The row of each name (a text) in its RG; new ones are made."""
        found = self.names.rows(rgs, names)
        self._grow()
        return found

    def row_of(self, rg: RgId, name: str) -> int | None:
        """The row of a name, if it has one."""
        return self.names.row(rg, name)

    def row_made(self, rg: RgId, name: str) -> int:
        """The row of a name."""
        found = self.names.row(rg, name)
        return int(self.rows_of(np.array([rg]), pa.array([name]))[0]) if found is None else found

    def widen(self) -> None:
        """Make room for more copies of an object."""
        self.words = np.hstack([self.words, np.zeros_like(self.words)])
        self.weights = np.hstack([self.weights, np.zeros_like(self.weights)])

    def entry(self, row: int) -> Entry | None:
        """What is known of the object."""
        kind = self.kind[row]
        if kind == NO_ENTRY:
            return None
        version, name = Version(int(self.version[row])), self.names.name(row)
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

    def _grow(self) -> None:
        size = self.names.count
        if size <= len(self.kind):
            return
        for field in (
            *("kind", "version", "weight", "size", "words", "weights", "operation"),
            *("time", "actor", "media", "sha256", "request", "metadata"),
        ):
            setattr(self, field, grown(getattr(self, field), size))
