"""Reading a log in chunks, whatever kind of log it is.

Rule: a log that has a faster way than record by record says so by having the
method below; of the others the records are read as anybody reads them.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from eventlog.chunks import CHUNK_RECORDS, Chunk, chunk_of
from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Log
from eventlog.places import ends_before


@runtime_checkable
class ReadsChunks(Protocol):
    """A log with a faster way."""

    def read_chunks(
        self, starts: Mapping[Partition, Offset], ends: Mapping[Partition, Offset]
    ) -> Iterator[Chunk]:
        """As the function of that name; no start is beyond its end."""
        ...


def read_chunks(
    log: Log, starts: Mapping[Partition, Offset], ends: Mapping[Partition, Offset]
) -> Iterator[Chunk]:
    """The records of the topic `rg` from `starts` to `ends` (exclusive), each once.

    Both name the same partitions. Chunks of all partitions may come in any
    order, those of one in its own. Raises what `Log.read` raises.
    """
    for partition, end in ends.items():
        if starts[partition] > end:
            raise ends_before((Topic.RG, partition), end, starts[partition])
    yield from (log if isinstance(log, ReadsChunks) else _Records(log)).read_chunks(starts, ends)


class _Records:
    """Any log, read as anybody reads it."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def read_chunks(
        self, starts: Mapping[Partition, Offset], ends: Mapping[Partition, Offset]
    ) -> Iterator[Chunk]:
        """Partition after partition."""
        for partition, end in ends.items():
            offset = starts[partition]
            while offset < end:
                count = min(CHUNK_RECORDS, end - offset)
                records = self._log.read(Topic.RG, partition, offset, count)
                if not records:
                    raise ends_before((Topic.RG, partition), offset, end)
                yield chunk_of(records)
                offset = Offset(offset + len(records))
