"""Change words: what CHANGES mean for the map that their author sees.

Rule: all words of one command become one event, whatever the order in which
they were said: OSDs first, then pins, then what takes OSDs and stores away.
What a change needs to know of the map (which boot is down, which store is
retired) is taken from the map that the author saw.

What is not here: how words are typed (see `osd.cli.words`), and those for pins
(see `osd.cli.pin_words`).
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from eventlog.errors import BadName
from eventlog.ids import WEIGHT_ONE, OsdId, osd_name, parse_osd
from eventlog.map_events import (
    MapChange,
    OsdAdded,
    OsdDown,
    OsdIn,
    OsdMoved,
    OsdOut,
    OsdReweighted,
    OsdUp,
    ReplicasSet,
    RulesRaised,
    StoreWrittenOff,
)
from osd.cli.pin_words import pins_said, two_parts
from osd.cli.words import Words, option_of
from osd.errors import Refused
from osd.founding import added
from projections.cluster_map import ClusterMap, Osd
from projections.map_departures import departures, pins_without
from projections.replica_group import RULE_SET

if TYPE_CHECKING:
    from projections.pinning import Homes

_ADD = re.compile(r"([^:@/]+)(?::([^:@/]+))?(?:@([^:@/]+)(?:/([^:@/]+))?)?")
_MOVE = re.compile(r"([^:@/]+)@([^:@/]+)/([^:@/]+)")
_WEIGHT = re.compile(r"\d{1,6}(?:\.\d{1,9})?")


def changes_of(
    words: Words, seen: ClusterMap, author: str, reason: str, homes: "Homes | None" = None
) -> tuple[MapChange, ...]:
    """The changes; raises `BadName` for words that are none, `Refused` for impossible ones.

    `homes` is where RGs are, for words that pin them there (`pin_words.needs_homes`).
    """
    _require_consistent(words)
    removed = [parse_osd(text) for text in words.remove]
    retired = [_written_off(text, seen, author, reason) for text in words.retire]
    osds = (
        *map(_added, words.add),
        *(OsdOut(osd=parse_osd(text)) for text in words.out),
        *(OsdIn(osd=parse_osd(text)) for text in words.into),
        *(_marked(text, seen, is_up=True, why=reason) for text in words.up),
        *(_marked(text, seen, is_up=False, why=reason) for text in words.down),
        *map(_reweighted, words.weight),
        *map(_moved, words.move),
    )
    numbers = tuple(_replicas_set(words, seen))
    leaving = frozenset(removed) | {
        one.store.osd for one in retired if seen.osds[one.store.osd].is_leaving
    }
    pins = pins_said(words.pin, words.unpin, seen, (*osds, *numbers), homes, leaving)
    spoken_of = {pin.rg for pin in pins}
    is_raised = any(change.replicas > seen.replicas for change in numbers)
    found = (
        *osds,
        *(numbers if is_raised else ()),
        *pins,
        *pins_without(seen, leaving, spoken_of),
        *(() if is_raised else numbers),
        *departures(seen, removed, author, seen.pins),
        *retired,
        *_rules_raised(words),
    )
    if not found:
        raise BadName("no change is named", "Say at least one, as in --add 3 or --out 1.")
    return found


def _require_consistent(words: Words) -> None:
    """Of one OSD not both of what cannot be, and nothing twice; raises `BadName`."""
    for one, other in (("out", "into"), ("up", "down"), ("add", "remove"), ("add", "retire")):
        both = _named(getattr(words, one)) & _named(getattr(words, other))
        if both:
            raise BadName(
                f"{osd_name(min(both))} is named by {option_of(one)} and by {option_of(other)}",
                "Say one of them, or give two commands.",
            )
    for field in ("add", "weight", "move"):
        said = getattr(words, field)
        if len(said) > len(_named(said)):
            raise BadName(
                f"{option_of(field)} names one OSD twice", "Say once what it is to become."
            )


def _named(texts: Sequence[str]) -> set[OsdId]:
    return {parse_osd(re.split("[:@]", text)[0]) for text in texts}


def parse_weight(text: str) -> int:
    """`1`, `0.5` in 1/65,536; `BadName` for anything else."""
    if not _WEIGHT.fullmatch(text):
        raise BadName(f"{text!r} is not a weight", "Write 0 to 65,536, as in 1 or 0.75.")
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
    osd, weight = two_parts(text, "ID:WEIGHT, as in 3:0.5")
    return OsdReweighted(osd=parse_osd(osd), weight=parse_weight(weight))


def _moved(text: str) -> OsdMoved:
    match = _MOVE.fullmatch(text)
    if match is None:
        raise BadName(
            f"{text!r} does not say where an OSD is", "Write ID@HOST/RACK, as in 3@host-a/rack-1."
        )
    return OsdMoved(osd=parse_osd(match[1]), host=match[2], rack=match[3])


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
            f"{osd_name(osd)} is not in the map", "`osdlog map show` lists the OSDs there are."
        )
    if found.store is None:
        raise Refused(
            f"{osd_name(osd)} has no store: it never started",
            f"Start it first, or take it out of the map with `osdlog map apply --remove {osd}`.",
        )
    return found


def _rules_raised(words: Words) -> Iterator[RulesRaised]:
    if words.rules is None:
        return
    if words.rules > RULE_SET:
        raise Refused(
            f"this program knows rule sets up to {RULE_SET}, and would stop under {words.rules}",
            "Install one that knows it on every machine first.",
        )
    yield RulesRaised(rules=words.rules)


def _replicas_set(words: Words, seen: ClusterMap) -> Iterator[ReplicasSet]:
    if words.replicas is not None or words.min_replicas is not None:
        yield ReplicasSet(
            replicas=words.replicas or seen.replicas,
            min_replicas=words.min_replicas or seen.min_replicas,
        )
