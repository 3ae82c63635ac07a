"""Reports: what a node knows of itself, as plain data for JSON.

Rule: a report reads and changes nothing, and is made within one turn of the
loop, so that it is of one moment. What may be long is counted, not listed.

What is not here: HTTP, and how people are shown this.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from eventlog.ids import Partition, Position, RgId, Topic, osd_name, partition_of, rg_name
from osd import rg_reports
from osd.core.group import Group
from osd.core.obstacles import explain_here
from osd.core.progress import Left, Walk
from osd.core.room import Room
from osd.glance import glance
from osd.rg_table import RgTable
from osd.shell import Shell
from projections.explain import OPERATOR, Explanation, Reason
from projections.rg_state import Entry

Report = dict[str, Any]

GAUGES = ("epoch", "layout", "rgs", "objects", "bytes", "copies", "lost", "strays", "fetching")


def alive(shell: Shell) -> Report:
    """Which process this is, and what it cannot go on without, if anything."""
    context, trouble = shell.node.context, shell.pump.standstill
    said = None if trouble is None else {"since": trouble.since, "why": trouble.why}
    return {"store": str(context.me), "boot": context.boot, "trouble": said}


def status(shell: Shell) -> Report:
    """This node at a glance."""
    node, counters = shell.node, shell.counters
    context, groups = node.context, node.groups.values()
    primary = [group for group in groups if group.is_primary]
    room = shell.gauge.room
    return {
        "osd": context.me.osd,
        "name": osd_name(context.me.osd),
        "store": str(context.me),
        "boot": context.boot,
        "phase": node.membership.phase.value,
        "cluster": context.map.cluster,
        "epoch": context.map.epoch,
        "layout": context.map.layout,
        "rgs": len(node.groups),
        "states": _states(groups),
        "objects": sum(group.state.live for group in primary),
        "bytes": sum(group.state.size for group in primary),
        "copies": sum(group.disk.holdings.count for group in groups),
        "behind": sum(not group.is_caught_up for group in groups),
        "importable": sum(_importable(group) for group in groups),
        "lost": sum(group.ledger.lost for group in groups),
        "strays": sum(group.disk.holdings.count for group in groups if not group.is_placed),
        "disk": disk(room),
        "missing": missing(shell),
        "log": _log(shell),
        "copied": {
            "objects": counters.copied_objects,
            "bytes": counters.copied_bytes,
            "busy_ms": counters.copying.ms,
        },
        "fetching": context.pulls.under_way,
        "limits": limits(shell),
        **glance(groups, lambda group: explanation(shell, group)),
        "plan_ms": round(counters.plan_ms, 3),
        "uptime_s": round(time.time() - shell.started, 3),
    }


def disk(room: Room) -> Report:
    """How full the disk is, and what is kept of it for whom."""
    return {
        "free": room.free,
        "total": room.total,
        "reserve": room.reserve,
        "import_reserve": room.import_reserve,
        "is_nearly_full": room.is_nearly_full,
        "takes_imports": room.takes_import(0),
        "takes_puts": room.takes(0),
    }


def limits(shell: Shell) -> Report:
    """What background imports may use, and what they use."""
    pulls = shell.node.context.pulls
    return msgspec.structs.asdict(pulls.limits) | {
        "under_way": {"pulls": pulls.under_way, "bytes": pulls.bytes_under_way}
    }


def missing(shell: Shell) -> Report:
    """What this store must still import, of all RGs that are placed here."""
    walk = Walk()
    left = [group.progress.left(group.context.me, walk) for group in _lacking(shell)]
    return {"rgs": len(left), "objects": sum(x.objects for x in left), "bytes": _sum(left)}


def _lacking(shell: Shell) -> list[Group]:
    return [group for group in shell.node.groups.values() if group.importer.is_wanting()]


def _sum(left: list[Left]) -> int | None:
    """None where the bytes of any are not known."""
    sizes = [x.size for x in left if x.size is not None]
    return sum(sizes) if len(sizes) == len(left) else None


def rgs(shell: Shell) -> list[Report]:
    """Every RG followed here, in numbers."""
    walk = Walk()
    return [rg_row(group, walk) for _, group in sorted(shell.node.groups.items())]


def rg_row(group: Group, walk: Walk) -> Report:
    """One RG in numbers."""
    view, left = group.view, group.progress.left
    return rg_reports.row(group.rg, view) | {
        "copies": group.disk.holdings.count,
        "replicas": [
            rg_reports.replica(view, store, left(store, walk).size) for store in group.placed
        ],
    }


def rg(shell: Shell, group: Group) -> Report:
    """One RG with its claim, its stores and sources, and why it is as it is."""
    detail = rg_reports.detail(group.view, group.table, group.claims.fence, group.place.next_offset)
    own = {
        "copied": {"objects": group.importer.objects_copied, "bytes": group.importer.copied},
        "stuck": group.stuck,
    }
    row = rg_row(group, Walk())
    return row | detail | own | rg_reports.explained(explanation(shell, group))


def explanation(shell: Shell, group: Group) -> Explanation:
    """Why the RG is as it is here; the log's troubles come first."""
    said, me = explain_here(group), osd_name(shell.node.context.me.osd)
    stall, room = shell.pump.stall, shell.gauge.room
    if stall is not None and said.reason is not Reason.STOPPED:
        sentence = (
            f"{rg_name(group.rg)} waits for the log, which is stalled at {me} "
            f"since {_clock(stall.since)}: {stall.why}."
        )
        return Explanation(sentence, Reason.LOG_STALLED, (OPERATOR,))
    if room.is_nearly_full:
        warning = (
            f"The disk of {me} is nearly full: {room.free:,} of {room.total:,} bytes are left."
        )
        return said._replace(sentence=f"{said.sentence} {warning}")
    return said


def digest(group: Group) -> Report:
    """The digest of the folded state, and how far it is folded."""
    return {
        "rg": group.rg,
        "digest": group.table.digest(),
        "next_offset": group.place.next_offset,
        "last_offset": group.place.last_offset,
        "version": group.state.version,
    }


def facts(table: RgTable, name: str) -> Report | None:
    """Every fact about one object; None where nothing is known of it."""
    entry = table.entry(name)
    if entry is None:
        return None
    return rg_reports.object_facts(name, table.rg, entry, table.place.next_offset)


class Listing:
    """The first names of many RGs, merged in the order of their UTF-8.

    Each RG is read at once; memory is that of the names asked for, however many there are.
    """

    def __init__(self, prefix: str, after: str, limit: int) -> None:
        self._prefix = prefix
        self._after = after
        self._limit = limit
        self._keys: list[bytes] = []
        self._rows: list[Report] = []

    def add(self, table: RgTable) -> None:
        """Take the names of one RG that are among the first so far."""
        for name, entry in table.names(self._after, self._prefix):
            if entry.body is None:
                continue
            key = name.encode()
            if len(self._keys) == self._limit and key > self._keys[-1]:
                return
            at = bisect_left(self._keys, key)
            self._keys.insert(at, key)
            self._rows.insert(at, _listed(table, name, entry))
            del self._keys[self._limit :], self._rows[self._limit :]

    def rows(self) -> list[Report]:
        """The first names, in order."""
        return self._rows


def metrics(shell: Shell, scrub: Report) -> str:
    """Counters in Prometheus' text format; `scrub` is what the scrubber reports."""
    return "".join(
        f"# TYPE osdlog_{name} {kind}\n" + "".join(f"osdlog_{name}{s}\n" for s in samples)
        for name, kind, samples in [*_families(shell), *_scrub_families(scrub)]
    )


def _families(shell: Shell) -> Iterator[tuple[str, str, list[str]]]:
    said, counters = status(shell), shell.counters
    for name in GAUGES:
        yield name, "gauge", [f" {said[name]}"]
    missing = said["missing"]
    yield "missing_objects", "gauge", [f" {missing['objects']}"]
    if missing["bytes"] is not None:
        yield "missing_bytes", "gauge", [f" {missing['bytes']}"]
    yield "states", "gauge", [f'{{state="{s}"}} {n}' for s, n in said["states"].items()]
    yield "disk_free_bytes", "gauge", [f" {said['disk']['free']}"]
    yield "disk_total_bytes", "gauge", [f" {said['disk']['total']}"]
    for name in ("is_nearly_full", "takes_imports", "takes_puts"):
        yield f"disk_{name.removeprefix('is_')}", "gauge", [f" {int(said['disk'][name])}"]
    yield "limit_pulls", "gauge", [f" {said['limits']['pulls']}"]
    yield "limit_bytes_per_second", "gauge", [f" {said['limits']['rate']}"]
    stalled = said["log"]["stalled"]
    yield "log_stalled", "gauge", [f" {int(stalled is not None)}"]
    yield "log_stalled_since_seconds", "gauge", [f" {stalled['since'] if stalled else 0}"]
    yield (
        "log_next_offset",
        "gauge",
        [f'{{topic="{t}",partition="{p}"}} {n}' for (t, p), n in sorted(shell.places.items())],
    )
    yield "log_records_total", "counter", [f" {counters.records}"]
    yield "log_appends_total", "counter", [f" {counters.appends}"]
    yield "parcels_total", "counter", [f" {counters.parcels}"]
    yield "snapshots_taken_over_total", "counter", [f" {shell.node.context.taken_over}"]
    yield "snapshots_doubted_total", "counter", [f" {counters.doubts}"]
    yield "copied_objects_total", "counter", [f" {counters.copied_objects}"]
    yield "copied_bytes_total", "counter", [f" {counters.copied_bytes}"]
    yield "plan_milliseconds", "gauge", [f" {said['plan_ms']}"]
    requests = sorted(counters.requests.items())
    yield (
        "requests_total",
        "counter",
        [f'{{method="{method}",status="{status}"}} {n}' for (method, status), n in requests],
    )


def _importable(group: Group) -> int:
    """Objects that are to be here, are not, and of which another store has a good copy."""
    if not group.is_placed:
        return 0
    return group.state.live - group.state.unheld - group.ledger.held


def _scrub_families(scrub: Report) -> Iterator[tuple[str, str, list[str]]]:
    """Of the last scrubs, and whether one runs."""
    yield "scrub_running", "gauge", [f" {int(scrub['running'] is not None)}"]
    ended = [f'{{depth="{depth}"}} {last["ended"]}' for depth, last in scrub["last"].items()]
    yield "scrub_last_ended_seconds", "gauge", ended
    for name in ("copies", "bytes", "bad", "missing", "repaired", "left"):
        samples = [f'{{depth="{depth}"}} {last[name]}' for depth, last in scrub["last"].items()]
        yield f"scrub_last_{name}", "gauge", samples


def with_stall(shell: Shell, why: str, rg: RgId) -> str:
    """Why a request about an RG was not served, and if the log is stalled, since when and where."""
    stall, group = shell.pump.stall, shell.node.groups.get(rg)
    if stall is None:
        return why
    position = _map_position(shell)
    if group is not None:
        partition = partition_of(rg, shell.node.context.map.partitions)
        position = Position(Topic.RG, partition, group.place.next_offset)
    return f"{why}: the log is stalled since {_clock(stall.since)} at {position}, {stall.why}"


def _map_position(shell: Shell) -> Position:
    return Position(Topic.MAP, Partition(0), shell.node.membership.place.next_offset)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _states(groups: Any) -> dict[str, int]:
    counted = Counter(group.flags[0].value for group in groups)
    return dict(sorted(counted.items()))


def _next_offsets(shell: Shell) -> dict[str, int]:
    """How far each partition of RGs is read here."""
    return {str(p): n for (topic, p), n in sorted(shell.places.items()) if topic is Topic.RG}


def _log(shell: Shell) -> Report:
    stall, place = shell.pump.stall, shell.node.membership.place
    stalled = stall and {
        "since": round(stall.since, 3),
        "why": stall.why,
        "position": str(_map_position(shell)),
    }
    return {
        "url": shell.url,
        "map_next_offset": place.next_offset,
        "next_offsets": _next_offsets(shell),
        "records": shell.counters.records,
        "appends": shell.counters.appends,
        "stalled": stalled,
    }


def _listed(table: RgTable, name: str, entry: Entry) -> Report:
    body = entry.body
    assert body is not None
    return {
        "name": name,
        "rg": table.rg,
        "version": entry.version,
        "etag": f'"{table.rg}.{entry.version}"',
        "size": body.size,
        "sha256": body.sha256.hex(),
        "copies": len(entry.holders()),
        "media_type": body.media_type,
        "time": entry.time,
    }
