"""A bulk fold: the fold of many RGs' events at once, for who reads a whole log.

Rule: what comes out is what `projections.replica_group.fold` makes of the same
events one by one, to the last bit of every state and object; a test compares
the two on every kind of log. Ordinary RGs of a batch are folded by arrays,
all others by that very fold, on the same rows. A batch changes nothing of an
RG before all of it is known to be ordinary.

What is not here: reading a log, and the requests that an RG remembers.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from eventlog.ids import Offset, RgId, Store, Version
from eventlog.rg_events import Operation, RgEvent
from projections.bulk.arrays import (
    Bools,
    Longs,
    Octets,
    Words,
    grown,
    is_any,
    longs,
    octets,
    plain_texts,
    put_rows,
    rows_at,
    texts,
)
from projections.bulk.batch import DELETED, DOOMED, ERASED, IMPORTED, PUT, Batch, Items
from projections.bulk.claims import ClaimBook
from projections.bulk.copies import MAX_EVENTS, Copies, touches
from projections.bulk.ledgers import Ledgers, store_lists
from projections.bulk.object_table import (
    LIVE,
    STATUS_MASK,
    TOMBSTONE,
    VERSION_SHIFT,
    ObjectTable,
)
from projections.bulk.ordinary import Judged, judge
from projections.bulk.weights import weights_of
from projections.encoding import encode_entry, state_digest
from projections.object_facts import Draft
from projections.replica_group import Folded, fold
from projections.rg_state import EMPTY, Entry, Ledger, Memo, OpKind, RgState, Status

Rows = dict[int, tuple[Items, Longs]]
"""Items by kind, with the rows of their objects."""


class BulkRg:
    """One RG of a bulk fold. Implements `projections.rg_state.RgRows`."""

    def __init__(self, rg: RgId, objects: ObjectTable) -> None:
        self.rg = rg
        self.state: RgState = EMPTY
        self.next_offset = Offset(0)
        self.bare: set[tuple[Store, Version]] = set()
        self._objects = objects
        self._rows: Longs = np.zeros(0, np.int64)
        """By version: the row of the object that it is of."""

    def fold(self, event: RgEvent, offset: Offset) -> Folded:
        """Fold one event."""
        folded = fold(self.state, self, event, offset)
        self._apply(folded.draft)
        self.state, self.next_offset = folded.state, Offset(offset + 1)
        if folded.void is None and isinstance(event, Operation):
            row = self._objects.row_made(self.rg, event.object)
            self.set_rows(event.version, np.array([row]))
        return folded

    def rows_of(self, versions: Longs) -> Longs:
        """The rows of the objects that these versions are of; there are operations of all."""
        return self._rows[versions]

    def set_rows(self, version: int, rows: Longs) -> None:
        """The rows of this version and of those that follow it."""
        self._rows = grown(self._rows, version + len(rows))
        self._rows[version : version + len(rows)] = rows

    def entry(self, name: str) -> Entry | None:
        """See `RgRows`."""
        row = self._objects.row_of(self.rg, name)
        return self._objects.entry(row) if row is not None else None

    def name_of(self, version: Version) -> str | None:
        """See `RgRows`."""
        if not 1 <= version <= self.state.version:
            return None
        row = int(self._rows[version])
        is_own = bool((self._objects.words[row] >> VERSION_SHIFT == version).any())
        is_known = self._objects.kind[row] and (self._objects.version[row] == version or is_own)
        return self._objects.names.name(row) if is_known else None

    def is_bare(self, store: Store, version: Version) -> bool:
        """See `RgRows`."""
        return (store, version) in self.bare

    def memo(self, request: str) -> Memo | None:
        """Not kept here: only who serves an RG is asked the same thing twice."""
        raise AssertionError(f"a bulk fold remembers no request, such as {request}")

    def facts_of(
        self, store: Store, after: Version = Version(0)
    ) -> Iterator[tuple[Version, str | None]]:
        """See `RgRows`."""
        found: list[tuple[Version, str | None]] = [
            (v, None) for s, v in sorted(self.bare) if s == store
        ]
        for name, entry in self.names():
            found += [(fact.version, name) for fact in entry.facts if fact.store == store]
        return iter(sorted(pair for pair in found if pair[0] > after))

    def names(self, after: str = "", prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """See `RgRows`."""
        rows = np.unique(self._rows[1 : self.state.version + 1])
        known = rows[self._objects.kind[rows] > 0].tolist()
        named = {self._objects.names.name(row): row for row in known}
        chosen = (n for n in named if n.startswith(prefix) and n.encode() > after.encode())
        for name in sorted(chosen, key=str.encode):
            entry = self._objects.entry(named[name])
            assert entry is not None
            yield name, entry

    def digest(self) -> str:
        """As `projections.rg_memory.RgProjection.digest`."""
        entries = ((name, encode_entry(entry)) for name, entry in self.names())
        return state_digest(self.state, entries, sorted(self.bare))

    def _apply(self, draft: Draft) -> None:
        for name, (_, after) in draft.entries.items():
            self._objects.set_entry(self.rg, self._objects.row_made(self.rg, name), after)
        for copy, is_there in draft.bare.items():
            (self.bare.add if is_there else self.bare.discard)(copy)


class BulkFold:
    """All RGs of a log, as far as they are folded."""

    def __init__(self) -> None:
        self.rgs: dict[RgId, BulkRg] = {}
        self.objects = ObjectTable()

    def rg(self, rg: RgId) -> BulkRg:
        """One RG, be it without any event yet."""
        found = self.rgs.get(rg)
        if found is None:
            found = self.rgs[rg] = BulkRg(rg, self.objects)
        return found

    def fold(self, tables: Mapping[str, pa.Table]) -> frozenset[RgId]:
        """Fold the events of all ordinary RGs; returns the others, whose events are left.

        Those are now to be folded one by one by `BulkRg.fold`. Tables are as
        `eventlog.columns` gives them, and have `MAX_EVENTS` events at most.
        """
        batch = Batch(tables)
        assert len(batch) < MAX_EVENTS
        rgs = [self.rg(rg) for rg in batch.rg_ids()]
        states = [each.state for each in rgs]
        judged = judge(batch, states, self.objects)
        if judged is None:
            return frozenset(batch.rg_ids())
        return _Step(self.objects, batch, rgs, judged).fold()


class _Step:
    """One batch."""

    def __init__(
        self, objects: ObjectTable, batch: Batch, rgs: Sequence[BulkRg], judged: Judged
    ) -> None:
        self._objects, self._batch, self._rgs = objects, batch, rgs
        self._states = [each.state for each in rgs]
        wanted = judged.is_ordinary[batch.rg]
        self._judged = judged._replace(puts=store_lists(judged.puts, wanted))
        self._book = ClaimBook(batch, self._states, judged.claims.at_event)

    def fold(self) -> frozenset[RgId]:
        is_ordinary = self._judged.is_ordinary
        copies = self._copies(is_ordinary)
        changes = copies.run()
        ledgers = Ledgers(self._batch, self._states, self._objects.stores, self._judged, changes)
        ledgers.judge(copies.is_odd)
        is_ordinary &= ~copies.is_odd
        self._keep(copies, ledgers, is_ordinary)
        return frozenset(self._rgs[number].rg for number in np.flatnonzero(~is_ordinary).tolist())

    def _copies(self, is_ordinary: Bools) -> Copies:
        operations = self._operations(is_ordinary)
        touched = touches(self._batch, operations, self._items(is_ordinary))
        has_bare = np.array([bool(each.bare) for each in self._rgs], np.bool_)
        return Copies(self._batch, self._judged, self._objects, touched, self._book, has_bare)

    def _operations(self, is_ordinary: Bools) -> tuple[Longs, Longs, Words]:
        """Operations of ordinary RGs, their objects' rows, and the weights of their versions."""
        batch = self._batch
        rows = np.zeros(len(batch), np.int64)
        is_it = ((batch.kind == PUT) | (batch.kind == DELETED)) & is_ordinary[batch.rg]
        for kind in (PUT, DELETED):
            if events := batch.of(kind):
                kept = is_it[events.at]
                at = events.at[kept]
                names = plain_texts(events.table, "object", kept)
                rows[at] = self._objects.rows_of(batch.rgs[batch.rg[at]], names)
        events_at = np.flatnonzero(is_it)
        rgs, versions = batch.rgs[batch.rg[events_at]], self._judged.version[events_at]
        self._note_versions(events_at, rows[events_at])
        weights = np.zeros(len(events_at), np.uint64)
        is_put = batch.kind[events_at] == PUT
        weights[is_put] = weights_of(rgs[is_put], versions[is_put])
        return events_at, rows[events_at], weights

    def _note_versions(self, events: Longs, rows: Longs) -> None:
        for number, start, end in _runs(self._batch.rg[events]):
            rg = self._rgs[number]
            rg.set_rows(rg.state.version + 1, rows[start:end])

    def _items(self, is_ordinary: Bools) -> Rows:
        found: Rows = {}
        is_wanted = is_ordinary[self._batch.rg]
        for kind in (IMPORTED, DOOMED, ERASED):
            items = self._batch.items(kind, is_wanted)
            rows = np.empty(len(items.at), np.int64)
            for number, start, end in _runs(self._batch.rg[items.at]):
                rows[start:end] = self._rgs[number].rows_of(items.versions[start:end])
            found[kind] = items, rows
        return found

    def _keep(self, copies: Copies, ledgers: Ledgers, is_ordinary: Bools) -> None:
        sums = self._keep_objects(copies, is_ordinary)
        kept: dict[int, dict[Store, Ledger]] = {}
        for number, store, ledger in ledgers.after(is_ordinary):
            kept.setdefault(number, dict(self._states[number].ledgers))[store] = ledger
        for number in np.flatnonzero(is_ordinary).tolist():
            rg, before = self._rgs[number], self._states[number]
            last = int(self._batch.first[number + 1]) - 1
            live, tombstones, size, unheld = (int(row[number]) for row in sums)
            rg.next_offset = Offset(int(self._batch.offset[last]) + 1)
            rg.state = replace(
                before,
                version=Version(int(self._judged.version[last])),
                claim=self._book.last(number),
                live=before.live + live,
                tombstones=before.tombstones + tombstones,
                size=before.size + size,
                unheld=before.unheld + unheld,
                ledgers=kept.get(number, before.ledgers),
            )

    def _keep_objects(self, copies: Copies, is_ordinary: Bools) -> tuple[Longs, ...]:
        """Write the touched objects down; by how much each RG's sums change."""
        kept = np.flatnonzero(is_ordinary[copies.rg])
        rows, rg, objects = copies.rows[kept], copies.rg[kept], self._objects
        before = _sums(objects.kind[rows], objects.size[rows], rows_at(objects.words, rows))
        objects.kind[rows] = copies.kind[kept]
        objects.version[rows] = copies.version[kept]
        objects.weight[rows] = copies.weight[kept]
        words = rows_at(copies.words, kept)
        put_rows(objects.words, rows, words)
        put_rows(objects.weights, rows, rows_at(copies.weights, kept))
        _keep_operations(self._batch, objects, rows, copies.operation[kept])
        after = _sums(objects.kind[rows], objects.size[rows], words)
        found = []
        for old, new in zip(before, after, strict=True):
            total = np.zeros(len(self._rgs), np.int64)
            np.add.at(total, rg, new - old)
            found.append(total)
        return tuple(found)


def _runs(numbers: Longs) -> Iterator[tuple[int, int, int]]:
    """Each number of an ascending array, with where it begins and ends."""
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = np.append(starts[1:], len(numbers))[: len(starts)]
    yield from zip(numbers[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)


def _sums(kind: Octets, size: Longs, words: Longs) -> tuple[Longs, ...]:
    """Of each object: what it adds to live, tombstones, size and unheld."""
    is_live = kind == LIVE
    is_held = is_any((words & STATUS_MASK) == int(Status.HELD))
    return (
        is_live.astype(np.int64),
        (kind == TOMBSTONE).astype(np.int64),
        np.where(is_live, size, 0),
        (is_live & ~is_held).astype(np.int64),
    )


def _keep_operations(batch: Batch, objects: ObjectTable, rows: Longs, events: Longs) -> None:
    """What the last operations say of their objects."""
    row_of_event = np.zeros(len(batch), np.int64)
    for kind, operation in ((PUT, OpKind.PUT), (DELETED, OpKind.DELETE)):
        said = batch.of(kind)
        chosen = np.flatnonzero((events >= 0) & (batch.kind[events] == kind))
        if said is None or not len(chosen):
            continue
        row_of_event[said.at] = np.arange(len(said.at))
        at, own = row_of_event[events[chosen]], rows[chosen]
        objects.operation[own] = operation
        objects.time[own] = longs(said.table, "time")[at]
        objects.actor[own] = _codes(objects, said.table, "actor")[at]
        objects.request[own] = _values(said.table, "request", at)
        if kind == PUT:
            objects.size[own] = longs(said.table, "size")[at]
            put_rows(objects.sha256, own, rows_at(octets(said.table, "sha256", 32), at))
            objects.media[own] = _codes(objects, said.table, "media_type")[at]
            objects.metadata[own] = _values(said.table, "metadata", at)
        else:
            objects.size[own], objects.media[own], objects.metadata[own] = 0, 0, None


def _codes(objects: ObjectTable, table: pa.Table, name: str) -> Longs:
    numbers, values = texts(table, name)
    codes = np.array([*map(objects.texts.code, values), 0], np.int64)
    return codes[numbers]


def _values(table: pa.Table, name: str, at: Longs) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Values that few rows have, or that no two rows share."""
    column = table[name].combine_chunks()
    found = np.full(len(at), None, np.object_)
    if pa.types.is_map(column.type):
        lengths = np.diff(column.offsets.to_numpy())
        for place in np.flatnonzero(lengths[at]).tolist():
            found[place] = dict(column[int(at[place])].as_py())
        return found
    if column.null_count < len(column):
        found[:] = np.array(column.to_pylist(), np.object_)[at]
    return found
