"""Stories read from the log: one RG folded from its first record, without any OSD.

Rule: the records of the map and of the RG's partition are told in the order of
the log's clock, up to where both ended when it was asked. What a `record
skipped` of the map names is passed over; a record of the partition that cannot
be decoded ends the story there, as it ends the fold of every OSD.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Protocol

from eventlog.codec import Decoder
from eventlog.errors import RecordError
from eventlog.ids import Micros, Offset, Position, RgId, Topic, partition_of
from eventlog.log import Log, Record, TopicPartition
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgEvent
from osd.client.history_cut import naming_cuts
from osd.client.map_reader import PARTITION as MAP_PARTITION
from osd.client.map_reader import MapReader

READ_RECORDS = 5_000


class Teller(Protocol):
    """What hears of each event."""

    def map_changed(self, event: MapChanged, position: Position, time: Micros) -> None:
        """An event of the map."""
        ...

    def happened(self, event: RgEvent, position: Position, time: Micros) -> None:
        """An event of the RG."""
        ...

    def stop(self, why: str) -> None:
        """The next record of the RG cannot be understood."""
        ...


def read_story(
    log: Log, rg: RgId, teller: Teller, step: Callable[[int], None] = lambda _: None
) -> None:
    """Tell everything that concerns the RG; `step` hears of every record.

    Raises `LogError`, and `RecordError` for a record of the map.
    """
    place = (Topic.RG, partition_of(rg, log.identity.partitions))
    skipped, decoder = MapReader(log).refresh().skipped, Decoder(log)
    ends = log.end_offsets([(Topic.MAP, MAP_PARTITION), place])
    is_stopped = False
    for record in _merged(log, ends):
        step(1)
        if record.topic is Topic.MAP:
            event = decoder.decode(record)
            assert isinstance(event, MapChanged), "the codec knows no other event of the map"
            teller.map_changed(event, record.position, record.timestamp)
        elif not is_stopped and not _is_skipped(record, skipped):
            is_stopped = not _tell(record, rg, decoder, teller)


def _merged(log: Log, ends: Mapping[TopicPartition, Offset]) -> Iterator[Record]:
    """The records of several partitions in the order of the log's clock."""
    each = (_records(log, at, end) for at, end in ends.items())
    with naming_cuts(log, ends):
        yield from heapq.merge(*each, key=lambda record: (record.timestamp, record.position))


def _tell(record: Record, rg: RgId, decoder: Decoder, teller: Teller) -> bool:
    """Whether the record could be understood; it is told if it is of the RG."""
    try:
        event = decoder.decode(record)
    except RecordError as error:
        teller.stop(error.what)
        return False
    assert not isinstance(event, MapChanged), "the map's events are in their own topic"
    if event.rg == rg:
        teller.happened(event, record.position, record.timestamp)
    return True


def _is_skipped(record: Record, skipped: Mapping[Position, bytes]) -> bool:
    wanted = skipped.get(record.position) if skipped else None
    return wanted is not None and wanted == sha256(record.value).digest()


def _records(log: Log, place: TopicPartition, end: Offset) -> Iterator[Record]:
    offset = Offset(0)
    while offset < end and (records := log.read(*place, offset, READ_RECORDS)):
        yield from (record for record in records if record.offset < end)
        offset = Offset(records[-1].offset + 1)
