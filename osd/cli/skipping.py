"""Skipping: the one way past a record that nobody can decode.

Rule: a record that can be decoded is never skipped, since it may have been
folded; the one that is skipped is named with its sum, so that no other can
take its place. None of the map is skipped: the word for it would stand in the
map after it, where nobody could read it.
"""

from hashlib import sha256
from typing import TYPE_CHECKING

from eventlog.codec import MAP_HINT, Decoder
from eventlog.errors import RecordError
from eventlog.ids import Position, Topic
from eventlog.log import Log
from eventlog.map_events import RecordSkipped
from osd.cli.waiting import Change, Changed, for_layout
from osd.errors import Refused

if TYPE_CHECKING:
    from osd.client.async_client import AsyncClient


def skipped(log: Log, position: Position, by: str, why: str) -> RecordSkipped:
    """The change that lets everybody pass over it; `Refused` where nobody is to."""
    if position.topic is not Topic.RG:
        raise Refused(f"only a record of an RG is skipped, and {position} is none", MAP_HINT)
    place = (position.topic, position.partition)
    if position.offset >= log.end_offsets([place])[place]:
        raise Refused(f"there is no record at {position}", "`osdlog log cat` shows all there are.")
    [record] = log.read(*place, position.offset, 1)
    try:
        Decoder(log).decode(record)
    except RecordError:
        return RecordSkipped(
            topic=position.topic,
            partition=position.partition,
            offset=position.offset,
            sha256=sha256(record.value).digest(),
            by=by,
            why=why,
        )
    raise Refused(
        f"the record at {position} can be decoded", "Only one that stops its readers is skipped."
    )


def passing_over(found: RecordSkipped) -> Change:
    """What makes that change: it names one record, whatever the map is by then."""

    async def change(client: "AsyncClient") -> Changed:
        before = await client.map()
        after = await client.change_map(
            [found], layout=before.layout, reason=found.why, author=found.by
        )
        return Changed(before, after)

    return for_layout(None, change)
