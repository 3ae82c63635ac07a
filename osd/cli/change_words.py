"""CHANGES: the words by which people say how the map is to change.

Rule: all words of one command become one event, in the order of the list
below, whatever the order in which they were said. What a change needs to
know of the map (which boot is down, which store is retired) is taken from the
map that the author saw.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from eventlog.errors import BadName
from eventlog.ids import WEIGHT_ONE, OsdId, osd_name, parse_osd, parse_rg
from eventlog.map_events import (
    MapChange,
    OsdAdded,
    OsdDown,
    OsdIn,
    OsdLeaving,
    OsdOut,
    OsdReweighted,
    OsdUp,
    ReplicasSet,
    RgPinned,
    RgUnpinned,
    StoreWrittenOff,
)
from osd.errors import Refused
from osd.founding import added
from projections.cluster_map import ClusterMap, Osd

_ADD = re.compile(r"([^:@/]+)(?::([^:@/]+))?(?:@([^:@/]+)(?:/([^:@/]+))?)?")
_WEIGHT = re.compile(r"\d{1,6}(?:\.\d{1,9})?")


class Words(NamedTuple):
    """What was said, option by option."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    out: Sequence[str] = ()
    into: Sequence[str] = ()
    up: Sequence[str] = ()
    down: Sequence[str] = ()
    weight: Sequence[str] = ()
    pin: Sequence[str] = ()
    unpin: Sequence[str] = ()
    retire: Sequence[str] = ()
    replicas: int | None = None
    min_replicas: int | None = None


def changes_of(words: Words, seen: ClusterMap, author: str, reason: str) -> tuple[MapChange, ...]:
    """The changes; raises `BadName` for words that are none, `Refused` for impossible ones."""
    found = (
        *map(_added, words.add),
        *(OsdLeaving(osd=parse_osd(text)) for text in words.remove),
        *(OsdOut(osd=parse_osd(text)) for text in words.out),
        *(OsdIn(osd=parse_osd(text)) for text in words.into),
        *(_marked(text, seen, is_up=True, why=reason) for text in words.up),
        *(_marked(text, seen, is_up=False, why=reason) for text in words.down),
        *map(_reweighted, words.weight),
        *map(_pinned, words.pin),
        *(RgUnpinned(rg=parse_rg(text)) for text in words.unpin),
        *(_written_off(text, seen, author, reason) for text in words.retire),
        *_replicas_set(words, seen),
    )
    if not found:
        raise BadName("no change is named", "Say at least one, as in --add 3 or --out 1.")
    return found


def parse_weight(text: str) -> int:
    """`1`, `0.5` in 1/65,536; `BadName` for anything else."""
    if not _WEIGHT.fullmatch(text):
        raise BadName(f"{text!r} is not a weight", "Write a number from 0 on, as in 1 or 0.75.")
    return int((Decimal(text) * WEIGHT_ONE).to_integral_value())


def _added(text: str) -> OsdAdded:
    match = _ADD.fullmatch(text)
    if match is None:
        raise BadName(
            f"{text!r} does not name an OSD to add",
            "Write ID[:WEIGHT][@HOST[/RACK]], as in 3 or 3:0.5@host-a/rack-1.",
        )
    osd, weight, host, rack = match.groups()
    parsed = parse_weight(weight) if weight else WEIGHT_ONE
    return added(parse_osd(osd), parsed, host or "", rack or "")


def _reweighted(text: str) -> OsdReweighted:
    osd, weight = _two(text, "ID:WEIGHT, as in 3:0.5")
    return OsdReweighted(osd=parse_osd(osd), weight=parse_weight(weight))


def _pinned(text: str) -> RgPinned:
    rg, osds = _two(text, "RG:ID,ID, as in 1f:3,4")
    return RgPinned(rg=parse_rg(rg), osds=tuple(parse_osd(osd) for osd in osds.split(",")))


def _two(text: str, form: str) -> tuple[str, str]:
    first, found, second = text.partition(":")
    if not (first and found and second):
        raise BadName(f"{text!r} has not the form of that option", f"Write {form}.")
    return first, second


def _marked(text: str, seen: ClusterMap, *, is_up: bool, why: str) -> OsdUp | OsdDown:
    osd = _started(parse_osd(text), seen)
    assert osd.store is not None
    if is_up:
        return OsdUp(store=osd.store, boot=osd.boot)
    return OsdDown(store=osd.store, boot=osd.boot, why=why or "an operator says so")


def _written_off(text: str, seen: ClusterMap, author: str, reason: str) -> StoreWrittenOff:
    osd = _started(parse_osd(text), seen)
    assert osd.store is not None
    return StoreWrittenOff(store=osd.store, by=author, why=reason or "an operator says so")


def _started(osd: OsdId, seen: ClusterMap) -> Osd:
    found = seen.osds.get(osd)
    if found is None:
        raise Refused(
            f"{osd_name(osd)} is not in the map", f"Add it with `osdlog map apply --add {osd}`."
        )
    if found.store is None:
        raise Refused(f"{osd_name(osd)} has no store: it never started", "Start it first.")
    return found


def _replicas_set(words: Words, seen: ClusterMap) -> Iterator[ReplicasSet]:
    if words.replicas is not None or words.min_replicas is not None:
        yield ReplicasSet(
            replicas=words.replicas or seen.replicas,
            min_replicas=words.min_replicas or seen.min_replicas,
        )
