"""Chunks: many records of a log's replica groups at once, as arrays.

Rule: a chunk's values lie in one buffer, in the log's own bytes; within each
partition its offsets ascend without gap and go on where the chunk before
ended. So whoever reads chunks in order has read what `Log.read` gives.

What is not here: reading them (`eventlog.chunk_reading`), and what the values
say (`eventlog.columns`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from eventlog.avro_cursor import PADDING, Bytes, Longs
from eventlog.ids import Micros, Offset, Partition, Topic
from eventlog.log import Record

CHUNK_RECORDS = 32_768
"""So few that the arrays of one step stay in a processor's cache."""


class Chunk(NamedTuple):
    """Records of the topic `rg`, of one partition or several; arrays of one length."""

    partitions: Longs
    offsets: Longs
    timestamps: Longs
    """Microseconds, the log's own clock at append."""
    values: Bytes

    def __len__(self) -> int:
        return len(self.offsets)

    def value(self, number: int) -> bytes:
        """One record's value."""
        data, starts, ends = self.values
        return memoryview(data)[int(starts[number]) : int(ends[number])].tobytes()

    def record(self, number: int) -> Record:
        """One record; its key is not here, and is empty."""
        return next(self.at(np.array([number])).records())

    def records(self) -> Iterator[Record]:
        """All records, without their keys."""
        view = memoryview(self.values.data)
        starts, ends = self.values.starts.tolist(), self.values.ends.tolist()
        columns = self.partitions.tolist(), self.offsets.tolist(), self.timestamps.tolist()
        for partition, offset, timestamp, start, end in zip(*columns, starts, ends, strict=True):
            place = Partition(partition), Offset(offset), Micros(timestamp)
            yield Record(Topic.RG, *place, b"", view[start:end].tobytes())

    def at(self, index: Longs) -> "Chunk":
        """Some of the records; their values stay in the same buffer."""
        data, starts, ends = self.values
        values = Bytes(data, starts[index], ends[index])
        return Chunk(self.partitions[index], self.offsets[index], self.timestamps[index], values)


def chunk_of(records: Sequence[Record]) -> Chunk:
    """The same records as a chunk."""
    return Chunk(
        numbers([record.partition for record in records]),
        numbers([record.offset for record in records]),
        numbers([record.timestamp for record in records]),
        joined([record.value for record in records]),
    )


def together(chunks: Sequence[Chunk]) -> Chunk:
    """The records of all of these as one chunk, in the same order; their bytes are copied."""
    bases: dict[int, int] = {}
    buffers: list[pa.Buffer] = []
    shifts = []
    for chunk in chunks:
        data = chunk.values.data
        if id(data) not in bases:
            bases[id(data)] = sum(buffer.size for buffer in buffers)
            buffers.append(data)
        shifts.append(bases[id(data)])
    data = pa.py_buffer(b"".join(map(memoryview, buffers)))
    each = [chunk.values for chunk in chunks]
    starts = [values.starts + shift for values, shift in zip(each, shifts, strict=True)]
    ends = [values.ends + shift for values, shift in zip(each, shifts, strict=True)]
    return Chunk(
        np.concatenate([chunk.partitions for chunk in chunks]),
        np.concatenate([chunk.offsets for chunk in chunks]),
        np.concatenate([chunk.timestamps for chunk in chunks]),
        Bytes(data, np.concatenate(starts), np.concatenate(ends)),
    )


def numbers(values: Sequence[int]) -> Longs:
    """An array of 64-bit numbers; `TypeError` or `OverflowError` where one is none."""
    return np.fromiter(values, np.int64, len(values))


def joined(values: Sequence[bytes]) -> Bytes:
    """Values one after the other in one buffer, with the padding that decoding wants."""
    lengths = numbers(list(map(len, values)))
    ends = np.cumsum(lengths)
    data = pa.py_buffer(b"".join([*values, PADDING]))
    return Bytes(data, ends - lengths, ends)
