"""The words for pins: one RG, many of them, a part of what is pinned.

    --pin RG:ID,ID    placed on these first
    --pin RG, all     held where its data is: a freeze
    --pin first:N         of so many more that are not held yet
    --unpin RG, all   placed by placement again
    --unpin N%, first:N   a release of that part of the cluster's RGs, or of so many

Rule: an RG is named once. A part is of all RGs of the cluster, so that four
times 25% releases what was frozen.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from eventlog.errors import BadName
from eventlog.ids import Micros, OsdId, RgId, parse_osd, parse_rg, rg_name
from eventlog.map_events import MapChange, MapChanged, RgPinned, RgUnpinned
from osd.client.known import known_rg
from osd.errors import Refused
from projections.cluster_map import ClusterMap, Refusal
from projections.map_fold import fold

if TYPE_CHECKING:
    from osd.client.async_client import AsyncClient
    from projections.pinning import Homes

ALL = "all"
_PERCENT = re.compile(r"(\d{1,3})%")
_FIRST = re.compile(r"first:(\d{1,9})")

Pins = tuple[RgPinned | RgUnpinned, ...]


def needs_homes(pin: Sequence[str]) -> bool:
    """Whether these words pin RGs to where their data is."""
    return any(map(_is_freeze, pin))


async def homes_for(client: "AsyncClient", pin: Sequence[str]) -> "Homes | None":
    """Where RGs are, if these words need it."""
    if not needs_homes(pin):
        return None
    from osd.cli.progress import rated_counter
    from projections.pinning import homes_of

    with rated_counter("measuring", "events") as progress:
        surveyed = await client.survey(progress)
    return homes_of(surveyed.map, surveyed.survey.stats)


def pins_said(
    pin: Sequence[str],
    unpin: Sequence[str],
    seen: ClusterMap,
    beside: Sequence[MapChange],
    homes: "Homes | None",
    leaving: Collection[OsdId],
) -> Pins:
    """The changes; `beside` is what else is said of OSDs, `leaving` those that go."""
    if not pin and not unpin:
        return ()
    from projections.pinning import MAX_PINS

    found: Pins = (
        *(RgUnpinned(rg=rg) for text in unpin for rg in _released(text, seen)),
        *(_pinned(text) for text in pin if not _is_freeze(text)),
        *_frozen(list(filter(_is_freeze, pin)), seen, beside, homes, leaving),
    )
    if len(found) > MAX_PINS:
        raise Refused(
            f"{len(found):,} pins are more than one map event takes",
            f"Freeze or release at most {MAX_PINS:,} RGs at once, part after part, before what they"
            f" are to outlast: --pin first:{MAX_PINS}, --unpin first:{MAX_PINS}.",
        )
    twice = sorted(rg for rg, count in _counts(found).items() if count > 1)
    if twice:
        raise BadName(f"{rg_name(twice[0])} is named twice", "Say once what its pin is to be.")
    return found


def two_parts(text: str, form: str) -> tuple[str, str]:
    """`3:0.5` as `3` and `0.5`, else `BadName`."""
    first, found, second = text.partition(":")
    if not (first and found and second):
        raise BadName(f"{text!r} has not the form of that option", f"Write {form}.")
    return first, second


def _counts(pins: Pins) -> dict[RgId, int]:
    counts: dict[RgId, int] = {}
    for pin in pins:
        counts[pin.rg] = counts.get(pin.rg, 0) + 1
    return counts


def _is_freeze(text: str) -> bool:
    return ":" not in text or _FIRST.fullmatch(text) is not None


def _pinned(text: str) -> RgPinned:
    rg, osds = two_parts(text, "RG:ID,ID, as in 1f:3,4, or RG alone, or all")
    return RgPinned(rg=parse_rg(rg), osds=tuple(parse_osd(osd) for osd in osds.split(",")))


def _released(text: str, seen: ClusterMap) -> Iterator[RgId]:
    if text == ALL:
        count = seen.rg_count
    elif match := _PERCENT.fullmatch(text):
        count = -(-seen.rg_count * int(match[1]) // 100)
    elif match := _FIRST.fullmatch(text):
        count = int(match[1])
    else:
        yield parse_rg(text)
        return
    from projections.pinning import release

    if not seen.pins:
        raise Refused("no RG is pinned", "Look at the map with `osdlog map show`.")
    yield from (change.rg for change in release(seen, count))


def _frozen(
    texts: Sequence[str],
    seen: ClusterMap,
    beside: Sequence[MapChange],
    homes: "Homes | None",
    leaving: Collection[OsdId],
) -> Iterator[RgPinned]:
    if not texts:
        return
    from projections.pinning import freeze

    assert homes is not None, "whoever freezes RGs has looked where they are"
    every = list(map(RgId, range(seen.rg_count)))
    parts = [int(match[1]) for text in texts if (match := _FIRST.fullmatch(text))]
    named = [text for text in texts if text != ALL and not _FIRST.fullmatch(text)]
    rgs = every if ALL in texts else [known_rg(seen, parse_rg(text)) for text in named]
    stay = {rg: tuple(osd for osd in osds if osd not in leaving) for rg, osds in homes.items()}
    after, spoken_of = _with(seen, beside), set(rgs)
    others = freeze((rg for rg in every if rg not in spoken_of), stay, after)
    found = [*freeze(rgs, stay, after), *islice(others, sum(parts))]
    if not found:
        raise Refused("all these RGs are pinned where they are already", "Nothing is to be done.")
    yield from found


def _with(seen: ClusterMap, beside: Sequence[MapChange]) -> ClusterMap:
    """The map with all else that is said; what it refuses is refused when it is applied."""
    if not beside:
        return seen
    event = MapChanged(
        time=Micros(0), author="", reason="", layout=seen.layout, changes=tuple(beside)
    )
    after = fold(seen, event)
    return seen if isinstance(after, Refusal) else after
