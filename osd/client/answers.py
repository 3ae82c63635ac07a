"""Answers: what a client's calls give back.

Rule: an answer is a value, made from what an OSD or the log said and from
nothing else.
"""

from typing import Any, NamedTuple

from eventlog.ids import Epoch, Micros, Offset, OsdId, RgId, Version
from eventlog.map_events import MapChanged
from projections.cluster_map import ClusterMap, Osd, Refusal

Facts = dict[str, Any]
"""An answer in JSON, as the OSD said it."""


class PutResult(NamedTuple):
    """An object is stored."""

    rg: RgId
    version: Version
    etag: str
    copies: int
    is_repeated: bool
    """The same request id was answered before."""


class Stat(NamedTuple):
    """An object without its bytes."""

    name: str
    rg: RgId
    version: Version
    etag: str
    size: int
    """Bytes."""
    sha256: str
    media_type: str | None
    metadata: dict[str, str]
    modified: str | None
    """As in HTTP."""
    held_by: tuple[str, ...] = ()
    """The OSDs whose copies count, by name."""


class Listed(NamedTuple):
    """One name of a list."""

    name: str
    rg: RgId
    version: Version
    size: int
    sha256: str
    copies: int
    """How many copies count; with none it cannot be read."""


class OsdStatus(NamedTuple):
    """An OSD of the map, and what it says of itself."""

    osd: Osd
    said: Facts | None
    """None where it did not answer."""
    why: str | None
    """Why there is no answer."""


class ScrubAsked(NamedTuple):
    """A scrub that an OSD is asked for."""

    depth: str
    """`light` or `deep`."""
    actor: str
    bytes_s: int | None = None
    """None: as fast as those that the OSD begins by itself; 0: without a limit."""


class RgRow(NamedTuple):
    """One RG, as its primary says."""

    rg: RgId
    primary: OsdId | None
    said: Facts | None
    why: str | None


class MapRecord(NamedTuple):
    """One event of the map's history, and what it did."""

    offset: Offset
    event: MapChanged
    epoch: Epoch
    """Of the map after it."""
    refusal: Refusal | None
    """Why it is void."""
    appended: Micros
    """By the log's clock; the event has its author's."""


class MapChange(NamedTuple):
    """A change of the map was accepted."""

    before: ClusterMap
    after: ClusterMap
