"""The logs that must keep the contract. To add one, add a line to `KINDS`."""

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from brokers.broker import Broker
from eventlog.ids import Offset, Partition, RgId, Topic, rg_key
from eventlog.kafka import KafkaLog
from eventlog.log import Entry, Log, LogIdentity, Record, Tail
from eventlog.memory import MemoryLog
from eventlog.sqlite import SqliteLog

IDENTITY = LogIdentity("9a1c5cb4-0b1e-4f0e-9d0c-3f6f6a1f2b11", 8, "unlimited", "none")


class Room(NamedTuple):
    """What a test has for a log of any kind."""

    folder: Path
    request: pytest.FixtureRequest

    @property
    def broker(self) -> Broker:
        """Started when the first test asks."""
        broker = self.request.getfixturevalue("broker")
        assert isinstance(broker, Broker)
        return broker


Make = Callable[[Room, LogIdentity], Log]

KINDS: Mapping[str, Make] = {
    "memory": lambda _, identity: MemoryLog(identity),
    "sqlite": lambda room, identity: SqliteLog.create(
        room.folder / f"{uuid.uuid4().hex}.log", identity
    ),
    "kafka": lambda room, identity: KafkaLog.create(
        room.broker.url(f"c-{uuid.uuid4().hex}"), identity
    ),
}
"""Each makes a new, empty log."""

LASTING = ("sqlite", "kafka")
"""Those whose address opens them again, also in other processes."""

RG = Topic.RG
P0, P1, P2 = Partition(0), Partition(1), Partition(2)
START = Offset(0)


def entry(partition: int, value: bytes, topic: Topic = RG) -> Entry:
    return Entry(topic, Partition(partition), rg_key(RgId(partition)), value)


def values(records: list[Record]) -> list[bytes]:
    return [record.value for record in records]


def drain(tail: Tail, max_records: int = 10_000) -> list[Record]:
    """All there is now."""
    records: list[Record] = []
    while some := tail.poll(0, max_records):
        assert len(some) <= max_records
        records += some
    return records


def in_order(records: list[Record]) -> dict[tuple[Topic, Partition], list[bytes]]:
    """Values by partition, in the order in which they came; offsets must be in order too."""
    found: dict[tuple[Topic, Partition], list[bytes]] = {}
    last: dict[tuple[Topic, Partition], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        assert record.offset == last.get(place, record.offset - 1) + 1
        last[place] = record.offset
        found.setdefault(place, []).append(record.value)
    return found
