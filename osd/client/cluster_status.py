"""The cluster's status: what its OSDs say of themselves, put together.

Rule: a pure function of what the map says, what each OSD said, and where the
log ended before they were asked. What nobody says is counted as unknown.

What is not here: asking (see `osd.client.questions`), and printing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from eventlog.ids import Epoch, Offset, OsdId, Partition, RgId, Store, Topic, osd_name
from eventlog.log import Log, TopicPartition
from osd.client.answers import Facts, OsdStatus
from osd.client.known import why_no_disk
from osd.lately import LATELY_S
from projections.cluster_map import ClusterMap, Osd
from projections.explain import OPERATOR, Reason, explain_unled, marked_down

CLEAN = "clean"
UNKNOWN = "unknown"
RUNNING = "running"
"""The node's `Phase.RUNNING`: a client does without the node's code."""
WORST = 3

Ends = Mapping[TopicPartition, Offset]


class Worst(NamedTuple):
    """An RG that is among the worst, and why."""

    rg: RgId | None
    """None where it is about OSDs."""
    reason: Reason
    sentence: str
    who_acts: tuple[str, ...]


class Moving(NamedTuple):
    """What is left to move, and how fast it goes."""

    objects: int
    """To be imported, by all OSDs together."""
    to_erase: int
    objects_per_s: float | None
    """While it was copied, as measured since the OSDs started, and as their limits allow.

    None where nothing was copied yet, or nothing may be.
    """
    bytes_per_s: float | None
    eta_s: float | None
    """Until the slowest OSD is done; None where that is not known."""


class ClusterStatus(NamedTuple):
    """The cluster at a glance."""

    osds: tuple[OsdStatus, ...]
    rg_count: int
    states: Mapping[str, int]
    """RGs by the state that their primary shows; `unknown` where nobody says."""
    moving: Moving
    lag: Mapping[str, int]
    """Records not yet read, by OSD, of those that are behind."""
    worst: tuple[Worst, ...]
    """What is wrong with OSDs, then RGs; a few of all."""
    is_current: bool
    """Every OSD that answers can use the log, and knows the map as it is."""
    has_room: bool
    """Every OSD that answers, and that objects are placed on, takes new bodies."""

    @property
    def answering(self) -> int:
        """How many OSDs said something."""
        return sum(osd.said is not None for osd in self.osds)

    @property
    def is_healthy(self) -> bool:
        """Every OSD answers by the map and the log as they are, and every RG is clean.

        And none refuses what clients write.
        """
        is_whole = self.answering == len(self.osds) and self.states.get(CLEAN, 0) == self.rg_count
        return is_whole and self.is_current and self.has_room


def followed_places(log: Log) -> list[TopicPartition]:
    """The partitions that OSDs follow."""
    count = log.identity.partitions
    return [(Topic.MAP, Partition(0)), *((Topic.RG, Partition(n)) for n in range(count))]


def put_together(
    cluster_map: ClusterMap,
    osds: Sequence[OsdStatus],
    leaderless: Mapping[RgId, tuple[Store, ...]],
    ends: Ends,
    comings: Mapping[OsdId, int],
) -> ClusterStatus:
    """What the OSDs say, as one.

    `leaderless`: the RGs of which no placed OSD is up, and where they are placed.
    `comings`: OSDs that lately came up often, and how often.
    """
    said = [osd.said for osd in osds if osd.said is not None]
    states: Counter[str] = Counter()
    for one in said:
        states.update(one["leading"])
    unknown = cluster_map.rg_count - sum(states.values())
    if unknown > 0:
        states[UNKNOWN] = unknown
    lag = {one["name"]: behind for one in said if (behind := _lag(one, ends))}
    late = [*_stalled(said), *_behind_map(said, ends)]
    full = list(_full(osds))
    rgs = [*_worst(said), *_leaderless(leaderless)]
    named = {name for one in rgs for name in one.who_acts}
    absent = _absent(cluster_map, [one for one in osds if osd_name(one.osd.osd) not in named])
    lesser = [*_nearly_full(osds), *_flapping(cluster_map, comings), *absent, *rgs]
    lesser.sort(key=lambda one: (one.reason.rank, one.rg or 0))
    worst = [*_silent(osds), *_marked_down(osds, cluster_map.epoch), *full, *late, *lesser]
    return ClusterStatus(
        tuple(osds),
        cluster_map.rg_count,
        dict(sorted(states.items())),
        _moving(said),
        lag,
        tuple(worst[:WORST]),
        not late,
        not full,
    )


def _lag(said: Facts, ends: Ends) -> int:
    """Records that were in the log before the OSD was asked, and that it has not read."""
    behind: int = 0
    for partition, next_offset in said["log"]["next_offsets"].items():
        end = ends.get((Topic.RG, Partition(int(partition))), Offset(0))
        behind += max(0, end - next_offset)
    return behind + _map_lag(said, ends)


def _map_lag(said: Facts, ends: Ends) -> int:
    map_end = ends.get((Topic.MAP, Partition(0)), Offset(0))
    return max(0, map_end - int(said["log"]["map_next_offset"]))


def _moving(said: Sequence[Facts]) -> Moving:
    objects = sum(one["missing"]["objects"] for one in said)
    rates = [_rate(one) for one in said]
    busy = [
        (one, rate)
        for one, rate in zip(said, rates, strict=True)
        if one["missing"]["objects"] and rate
    ]
    measured = [rate for _, rate in busy]
    is_known = len(busy) == sum(bool(one["missing"]["objects"]) for one in said)
    eta = max((one["missing"]["objects"] / rate[0] for one, rate in busy), default=None)
    return Moving(
        objects,
        sum(one["to_erase"] for one in said),
        sum(rate[0] for rate in measured) if measured else None,
        sum(rate[1] for rate in measured) if measured else None,
        eta if is_known else None,
    )


def _rate(said: Facts) -> tuple[float, float] | None:
    """Objects and bytes a second while it copied, no more than its limits allow now."""
    copied: dict[str, Any] = said["copied"]
    busy_s = _busy_ms(said) / 1_000
    if _is_paused(said) or not copied["objects"] or busy_s <= 0:
        return None
    return copied["objects"] / busy_s, copied["bytes"] / busy_s


def _is_paused(said: Facts) -> bool:
    """Whether its limits let it import nothing in the background."""
    limits: dict[str, int] = said.get("limits", {})
    return limits.get("pulls") == 0


def _busy_ms(said: Facts) -> int:
    """How long it copied, or would have within its limits as they are."""
    copied: dict[str, int] = said["copied"]
    rate: int = said.get("limits", {}).get("rate", 0)
    return max(copied["busy_ms"], 1_000 * copied["bytes"] // rate if rate else 0)


def _silent(osds: Sequence[OsdStatus]) -> Iterator[Worst]:
    names = tuple(osd_name(osd.osd.osd) for osd in osds if osd.said is None and osd.osd.is_up)
    if names:
        does = "does" if len(names) == 1 else "do"
        why = f"{' and '.join(names)} should be up by the map, and {does} not answer."
        yield Worst(None, Reason.SILENT, why, names)


def is_marked_down(osd: OsdStatus, epoch: Epoch) -> bool:
    """Whether it runs and answers, though the map, which is of this epoch, has it down.

    One that knows a newer map may be up by that.
    """
    if osd.said is None or osd.osd.is_up or osd.said["epoch"] > epoch:
        return False
    return bool(osd.said["phase"] == RUNNING)


def _marked_down(osds: Sequence[OsdStatus], epoch: Epoch) -> Iterator[Worst]:
    names = tuple(osd_name(osd.osd.osd) for osd in osds if is_marked_down(osd, epoch))
    if names:
        yield Worst(None, Reason.MARKED_DOWN, f"{marked_down(names)}.", (OPERATOR,))


def _full(osds: Sequence[OsdStatus]) -> Iterator[Worst]:
    names = _with_disk(osds, "takes_puts", is_so=False)
    if names:
        takes, disk = ("takes", "its disk is") if len(names) == 1 else ("take", "their disks are")
        why = f"{' and '.join(names)} {takes} deletes only: {disk} full."
        yield Worst(None, Reason.DISK_FULL, why, (OPERATOR,))


def _nearly_full(osds: Sequence[OsdStatus]) -> Iterator[Worst]:
    full = _with_disk(osds, "takes_puts", is_so=False)
    names = [name for name in _with_disk(osds, "is_nearly_full", is_so=True) if name not in full]
    if names:
        disks = "disk of {} is" if len(names) == 1 else "disks of {} are"
        why = f"the {disks.format(' and '.join(names))} nearly full."
        yield Worst(None, Reason.NEARLY_FULL, why, (OPERATOR,))


def _flapping(cluster_map: ClusterMap, comings: Mapping[OsdId, int]) -> Iterator[Worst]:
    for osd, times in comings.items():
        often = f"came up {times} times in {LATELY_S / 60:.0f} min"
        why = f"{osd_name(osd)} {often}: why is told where it runs, and in `osdlog map log`."
        if cluster_map.osds[osd].is_candidate:
            why += f" `osdlog map apply --out {osd}` moves its part to others."
        yield Worst(None, Reason.FLAPPING, why, (OPERATOR,))


def _absent(cluster_map: ClusterMap, osds: Sequence[OsdStatus]) -> Iterator[Worst]:
    """Those that need not answer by the map: why, and what makes all well again."""
    for osd, said, _ in osds:
        if said is None and not osd.is_up:
            name = osd_name(osd.osd)
            who = name if osd.store is not None and not osd.is_leaving else OPERATOR
            yield Worst(None, Reason.ABSENT, f"{name} {_why_absent(cluster_map, osd)}.", (who,))


def _why_absent(cluster_map: ClusterMap, osd: Osd) -> str:
    remove = f"`osdlog map apply --remove {osd.osd}`"
    if osd.store is None:
        why = why_no_disk(cluster_map, osd.osd).removeprefix("it ")
        start = f"`osdlog osd --id {osd.osd} --data DIR`"
        return f"{why}: {start} starts it on an empty one, {remove} takes it out of the map"
    if osd.is_leaving:
        retire = f"`osdlog map apply --retire {osd.osd}`"
        return f"is leaving, and down: once all RGs are clean, {retire} takes it out of the map"
    return f"is down by the map: start it, or let it leave with {remove}"


def _with_disk(osds: Sequence[OsdStatus], what: str, *, is_so: bool) -> tuple[str, ...]:
    """The OSDs that objects are placed on and that say this of their disks."""
    placed_on = [osd for osd in osds if osd.osd.is_candidate]
    return tuple(
        osd_name(osd.osd)
        for osd, said, _ in placed_on
        if said is not None and said["disk"][what] is is_so
    )


def _stalled(said: Sequence[Facts]) -> Iterator[Worst]:
    for one in said:
        if stall := one["log"]["stalled"]:
            since = datetime.fromtimestamp(stall["since"], UTC).isoformat(timespec="seconds")
            why = f"{one['name']} cannot use the log since {since}, at {stall['position']}"
            yield Worst(None, Reason.LOG_STALLED, f"{why}: {stall['why']}.", (OPERATOR,))


def _behind_map(said: Sequence[Facts], ends: Ends) -> Iterator[Worst]:
    for one in said:
        if lag := _map_lag(one, ends):
            records = "1 record" if lag == 1 else f"{lag:,} records"
            why = f"{one['name']} has not read the last {records} of the map."
            yield Worst(None, Reason.MAP_BEHIND, why, (one["name"],))


def _worst(said: Sequence[Facts]) -> Iterator[Worst]:
    """What the OSDs say of the RGs that they lead."""
    for node in said:
        for one in node["worst"]:
            who = tuple(one["who_acts"])
            yield Worst(RgId(one["rg"]), Reason(one["reason"]), one["explanation"], who)


def _leaderless(leaderless: Mapping[RgId, tuple[Store, ...]]) -> Iterator[Worst]:
    for rg, placed in islice(leaderless.items(), WORST):
        why = explain_unled(rg, placed)
        yield Worst(rg, why.reason, why.sentence, why.who)
