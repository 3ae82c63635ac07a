"""Events of many records at once: what `codec.Decoder` gives one by one, built from columns.

Rule: the same events, errors and positions as those of the single decoder,
which is asked wherever columns stop. Stores and fences, of which there are few,
are the same objects in all events that name them.

What is not here: what a record is in columns (see `eventlog.columns`).
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from eventlog.chunks import Chunk
from eventlog.codec import EVENT_TYPES, Decoder
from eventlog.columns import ColumnDecoder
from eventlog.ids import Fence, Offset, Partition, Position, Store
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgEvent

Placed = tuple[Partition, Offset, RgEvent]
"""An event, and where it stands in the topic `rg`."""


class EventDecoder:
    """Decodes the chunks of one log, in order. One thread uses it."""

    def __init__(self, log: Log, skipped: Mapping[Position, bytes]) -> None:
        """`skipped`: records that the map lets everybody pass over, with their SHA-256."""
        self._log = log
        self._skipped = skipped
        self._columns = ColumnDecoder(log, skipped)
        self._single = Decoder(log)
        self._stores: dict[tuple[int, int], Store] = _Made(lambda key: Store(*key))
        self._fences: dict[tuple[Any, ...], Fence] = _Made(lambda key: Fence(*key))

    def events(self, chunk: Chunk) -> Iterator[Placed]:
        """Those of one partition in order, but for skipped ones; raises as `Decoder` does."""
        tables = self._columns.decode(chunk)
        if self._columns.stops:
            self._columns = ColumnDecoder(self._log, self._skipped)
            return self._one_by_one(chunk)
        return self._in_order(tables)

    def _in_order(self, tables: Mapping[str, pa.Table]) -> Iterator[Placed]:
        events = [event for name, table in tables.items() for event in self._built(name, table)]
        partitions, offsets = (
            np.concatenate([table[name].to_numpy() for table in tables.values()] or [[]])
            for name in ("partition", "offset")
        )
        order = np.lexsort((offsets, partitions))
        places = partitions[order].tolist(), offsets[order].tolist()
        return zip(*places, map(events.__getitem__, order.tolist()), strict=True)

    def _built(self, name: str, table: pa.Table) -> Iterator[RgEvent]:
        kind = EVENT_TYPES[name]
        for batch in table.to_batches():
            columns = [self._values(field, batch.column(field)) for field in kind.__struct_fields__]
            yield from map(kind, *columns)

    def _values(self, field: str, column: pa.Array) -> list[Any]:
        match field:
            case "store" | "source":
                return self._stores_of(column)
            case "fence" | "serves" | "answers":
                return self._fences_of(column)
            case "stores" | "placed":
                return _lists(column, self._stores_of(column.values))
            case "versions":
                return _lists(column, column.values.to_pylist())
            case "metadata":
                return list(map(dict, column.to_pylist()))
            case _:
                found: list[Any] = column.to_pylist()
                return found

    def _stores_of(self, column: pa.Array) -> list[Store | None]:
        parts = (column.field(name).to_pylist() for name in ("osd", "incarnation"))
        return _where_there(column, map(self._stores.__getitem__, zip(*parts, strict=True)))

    def _fences_of(self, column: pa.Array) -> list[Fence | None]:
        epochs, rounds, boots = (
            column.field(name).to_pylist() for name in ("epoch", "round", "boot")
        )
        parts = zip(epochs, rounds, self._stores_of(column.field("store")), boots, strict=True)
        return _where_there(column, map(self._fences.__getitem__, parts))

    def _one_by_one(self, chunk: Chunk) -> Iterator[Placed]:
        for record in chunk.records():
            if self._is_skipped(record):
                continue
            event = self._single.decode(record)
            assert not isinstance(event, MapChanged)
            yield record.partition, record.offset, event

    def _is_skipped(self, record: Record) -> bool:
        wanted = self._skipped.get(record.position) if self._skipped else None
        return wanted is not None and wanted == sha256(record.value).digest()


class _Made(dict[Any, Any]):
    """What was made of a key once is used again."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> Any:
        made = self[key] = self._make(key)
        return made


def _where_there(column: pa.Array, values: Iterator[Any]) -> list[Any]:
    if not column.null_count:
        return list(values)
    there = column.is_valid().to_pylist()
    return [value if is_there else None for value, is_there in zip(values, there, strict=True)]


def _lists(column: pa.Array, items: list[Any]) -> list[tuple[Any, ...]]:
    return [tuple(items[start:end]) for start, end in pairwise(column.offsets.to_pylist())]
