"""Records of Kafka's client as records of a log.

Rule: bytes come through unchanged. A key or value that is null, which this
program never writes, counts as empty.
"""

from collections.abc import Iterable
from typing import Any

from eventlog.ids import Partition, Topic
from eventlog.log import Record

_new_tuple = tuple.__new__
"""Makes a Record in half the time that calling it takes."""


def as_records(topic: Topic, partition: Partition, fetched: Iterable[Any]) -> list[Record]:
    """The same records, in the same order."""
    return [
        _new_tuple(
            Record,
            (
                topic,
                partition,
                record.offset,
                1_000 * record.timestamp,
                record.key or b"",
                record.value or b"",
            ),
        )
        for record in fetched
    ]
