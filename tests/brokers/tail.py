"""Losing the tail: what a power failure takes from a broker that had not flushed.

A segment is a row of record batches, each with its first offset in 8 bytes and
the length of the rest in 4, big-endian
(https://kafka.apache.org/documentation/#recordbatch).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from brokers.broker import Broker

HEAD = struct.Struct(">qi")
SEGMENT = "00000000000000000000.log"


class Batch(NamedTuple):
    """Where one batch stands in its file, and its first offset."""

    begin: int
    end: int
    first: int


def lose_tail(broker: Broker, topic: str, partition: int = 0, batches: int = 1) -> int:
    """Cut the last batches off a partition's log; returns how many bytes went.

    The broker must have been killed, not stopped: after a clean stop Kafka
    trusts its indexes and does not look.
    """
    assert not broker.is_running(), "a broker that runs would write on"
    path = f"{topic}-{partition}/{SEGMENT}"
    segment = broker.read_file(path)
    found = list(_batches(segment))
    assert len(found) >= batches, f"{path} has {len(found)} batches"
    kept = segment[: found[-batches].begin]
    broker.write_file(path, kept)
    return len(segment) - len(kept)


def _batches(segment: bytes) -> Iterator[Batch]:
    begin = 0
    while begin + HEAD.size <= len(segment):
        first, length = HEAD.unpack_from(segment, begin)
        end = begin + HEAD.size + length
        if length == 0 or end > len(segment):
            return
        yield Batch(begin, end, first)
        begin = end
