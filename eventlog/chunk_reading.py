"""Reading a log in chunks, whatever kind of log it is.

Rule: here is the one place that knows which logs can be read faster than
record by record; of the others the records are read as anybody reads them.
"""

from collections.abc import Iterator, Mapping

from eventlog.chunks import CHUNK_RECORDS, Chunk, chunk_of
from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Log
from eventlog.sqlite import SqliteLog
from eventlog.sqlite_chunks import read_chunks as read_sqlite


def read_chunks(
    log: Log, starts: Mapping[Partition, Offset], ends: Mapping[Partition, Offset]
) -> Iterator[Chunk]:
    """The records of the topic `rg` from `starts` to `ends` (exclusive), each once.

    Both name the same partitions. Chunks of all partitions may come in any
    order, those of one in its own. Raises what `Log.read` raises.
    """
    if isinstance(log, SqliteLog):
        yield from read_sqlite(log, starts, ends)
        return
    for partition, end in ends.items():
        offset = starts[partition]
        while offset < end:
            count = min(CHUNK_RECORDS, end - offset)
            records = log.read(Topic.RG, partition, offset, count)
            yield chunk_of(records)
            offset = Offset(offset + len(records))
