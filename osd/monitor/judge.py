"""Judging who is down, up, out or in again, from who answered.

Rule: a verdict names the boot it means, so of several monitors' verdicts the
later one is void, and nobody needs to elect anybody. An OSD is down after it
has not answered for its grace, which doubles with every verdict of down that
it lately had; out after it has been down for longer; up, and in, again when it
answers, if a monitor said otherwise: an operator's word stands until he takes
it back. Never are more than a share of all OSDs down or out by verdicts: a
monitor that hears too few of them is itself cut off, and says nothing.

What is not here: asking and appending (see `osd.monitor.loop`). Times are
seconds of a clock that never goes back.
"""

from collections.abc import Collection
from typing import NamedTuple

from eventlog.ids import Boot, OsdId, Store, osd_name
from eventlog.map_events import MapChange, MapChanged, OsdDown, OsdIn, OsdOut, OsdUp
from osd.core.membership import MONITOR
from projections.cluster_map import ClusterMap, Osd

LATELY_S = 600.0
"""Verdicts of down are remembered for so long."""
MAX_DOUBLINGS = 5

Process = tuple[Store, Boot]


class Patience(NamedTuple):
    """How long a monitor waits, and how far it goes."""

    probe_s: float = 1.0
    """Every OSD is asked so often, and has so long to answer."""
    grace_s: float = 10.0
    out_s: float = 600.0
    share: float = 0.5
    """Of all OSDs; at least one may always be marked."""


class Verdict(NamedTuple):
    """A change that the map should have, and why."""

    change: MapChange
    reason: str


class Judge:
    """One monitor's memory of who answered when."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._heard: dict[Process, float] = {}
        """When each process answered last, or was first seen in the map."""
        self._down_since: dict[OsdId, float] = {}
        self._downs: dict[OsdId, list[float]] = {}
        """Recent verdicts of down."""
        self._by_monitor: dict[OsdId, set[type[MapChange]]] = {}
        """Which of down and out a monitor said last."""
        self._before: frozenset[Process] = frozenset()
        """Who answered in the round before: one that does so again has not protested itself."""
        self.doubt: str | None = None
        """Why nothing is said though some OSDs do not answer."""

    def read(self, event: MapChanged, now: float) -> None:
        """Take note of an accepted event of the map."""
        is_verdict = event.author.startswith(MONITOR)
        for change in event.changes:
            match change:
                case OsdDown(store=store):
                    self._mark(store.osd, OsdDown, is_verdict)
                    if is_verdict:
                        self._downs.setdefault(store.osd, []).append(now)
                case OsdOut(osd=osd):
                    self._mark(osd, OsdOut, is_verdict)
                case _:
                    continue

    def judge(
        self, cluster_map: ClusterMap, answered: Collection[Process], now: float
    ) -> list[Verdict]:
        """What the map should say, now that these processes answered in this round."""
        osds = [osd for _, osd in sorted(cluster_map.osds.items()) if osd.store is not None]
        for osd in osds:
            self._look_at(osd, answered, now)
        self.doubt = None
        again, self._before = self._before.intersection(answered), frozenset(answered)
        return [
            *self._ups(osds, again),
            *self._ins(osds),
            *self._down_verdicts(osds, now),
            *self._outs(osds, now),
        ]

    def grace(self, osd: OsdId, now: float) -> float:
        """How long this OSD may be silent: longer the more often it flapped, in seconds."""
        recent = [at for at in self._downs.get(osd, ()) if now - at < LATELY_S]
        self._downs[osd] = recent
        return self._patience.grace_s * float(2 ** min(len(recent), MAX_DOUBLINGS))

    def _mark(self, osd: OsdId, kind: type[MapChange], is_verdict: bool) -> None:
        said = self._by_monitor.setdefault(osd, set())
        said.add(kind) if is_verdict else said.discard(kind)

    def _look_at(self, osd: Osd, answered: Collection[Process], now: float) -> None:
        process = _process(osd)
        if process in answered or process not in self._heard:
            self._heard = {p: at for p, at in self._heard.items() if p[0].osd != osd.osd}
            self._heard[process] = now
        if osd.is_up:
            self._down_since.pop(osd.osd, None)
        else:
            self._down_since.setdefault(osd.osd, now)

    def _ups(self, osds: list[Osd], answered: Collection[Process]) -> list[Verdict]:
        return [
            Verdict(OsdUp(store=_store(osd), boot=osd.boot), "it answers again")
            for osd in osds
            if not osd.is_up and self._said(osd, OsdDown) and _process(osd) in answered
        ]

    def _ins(self, osds: list[Osd]) -> list[Verdict]:
        return [
            Verdict(OsdIn(osd=osd.osd), "it is up again")
            for osd in osds
            if osd.is_up and not osd.is_in and self._said(osd, OsdOut)
        ]

    def _down_verdicts(self, osds: list[Osd], now: float) -> list[Verdict]:
        silent = [osd for osd in osds if osd.is_up and self._is_silent(osd, now)]
        away = sum(not osd.is_up for osd in osds)
        if silent and away + len(silent) > self._allowed(osds):
            names = ", ".join(osd_name(osd.osd) for osd in silent)
            self.doubt = (
                f"{names} of {len(osds)} OSDs do not answer, and {away} are down: no more than"
                f" {self._allowed(osds)} may be, so this monitor may itself be cut off"
            )
            return []
        return [
            Verdict(
                OsdDown(store=_store(osd), boot=osd.boot, why="does not answer"),
                f"no answer for {self._silence(osd, now):.0f} s",
            )
            for osd in silent
        ]

    def _outs(self, osds: list[Osd], now: float) -> list[Verdict]:
        room = self._allowed(osds) - sum(not osd.is_in for osd in osds)
        late = [
            osd
            for osd in osds
            if osd.is_in and not osd.is_leaving and self._downtime(osd, now) >= self._patience.out_s
        ]
        return [
            Verdict(OsdOut(osd=osd.osd), f"down for {self._downtime(osd, now):.0f} s")
            for osd in late[: max(room, 0)]
        ]

    def _allowed(self, osds: list[Osd]) -> int:
        return max(1, int(len(osds) * self._patience.share))

    def _is_silent(self, osd: Osd, now: float) -> bool:
        return self._silence(osd, now) >= self.grace(osd.osd, now)

    def _silence(self, osd: Osd, now: float) -> float:
        return now - self._heard[_process(osd)]

    def _downtime(self, osd: Osd, now: float) -> float:
        return now - self._down_since.get(osd.osd, now)

    def _said(self, osd: Osd, kind: type[MapChange]) -> bool:
        return kind in self._by_monitor.get(osd.osd, ())


def _store(osd: Osd) -> Store:
    assert osd.store is not None
    return osd.store


def _process(osd: Osd) -> Process:
    return (_store(osd), osd.boot)
