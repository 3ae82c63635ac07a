"""Judging who is down, up, out or in again, from who answered.

Rule: a verdict names the boot it means, so of several monitors' verdicts the
later one is void, and nobody needs to elect anybody. An OSD is down after it
left probes unanswered for its grace, which doubles with every verdict of down
that it lately had; time in which nobody was asked is no silence. It is out
after it has been down for longer; up, and in, again when it answers, if a
monitor said otherwise: an operator's word stands until he takes it back.

Never is more than a share down, or out, by verdicts: a monitor that hears too
few is itself cut off, and says nothing. Nor is the last one ever marked, which
nobody could succeed. The share is of those who could be up
or in but for verdicts. Whom others took down or out, as who stopped or was
emptied and left, is in neither number: the rest is watched over as before.

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
ROUNDS = 2
"""Of `probe_s`: one probe says no more than that of the time since the one before."""

Process = tuple[Store, Boot]


class Patience(NamedTuple):
    """How long a monitor waits, and how far it goes."""

    probe_s: float = 1.0
    """Every OSD is asked so often, and has so long to answer."""
    grace_s: float = 10.0
    out_s: float = 600.0
    share: float = 0.5
    """Of those who could be up, or in; one may always be marked, and never all."""


class Verdict(NamedTuple):
    """A change that the map should have, and why."""

    change: MapChange
    reason: str


class Judge:
    """One monitor's memory of who answered when."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._silence: dict[Process, float] = {}
        """For how long each process has left probes unanswered, since its last answer."""
        self._judged_at: float | None = None
        self._down_since: dict[OsdId, float] = {}
        self._downs: dict[OsdId, list[float]] = {}
        """Recent verdicts of down."""
        self._by_monitor: dict[OsdId, set[type[MapChange]]] = {}
        """Which of down and out a monitor said last."""
        self._before: frozenset[Process] = frozenset()
        """Who answered in the round before: one that does so again has not protested itself."""
        self.doubt: str | None = None
        """Why nothing is said though some OSDs do not answer."""

    def read(self, event: MapChanged, at: float) -> None:
        """Take note of an accepted event of the map, which happened then by this clock."""
        is_verdict = event.author.startswith(MONITOR)
        for change in event.changes:
            match change:
                case OsdDown(store=store):
                    self._mark(store.osd, OsdDown, is_verdict)
                    if is_verdict:
                        self._downs.setdefault(store.osd, []).append(at)
                case OsdOut(osd=osd):
                    self._mark(osd, OsdOut, is_verdict)
                case _:
                    continue

    def judge(
        self, cluster_map: ClusterMap, answered: Collection[Process], now: float
    ) -> list[Verdict]:
        """What the map should say, now that these processes answered in this round."""
        osds = [osd for _, osd in sorted(cluster_map.osds.items()) if osd.store is not None]
        asked_s = self._asked_for(now)
        for osd in osds:
            self._look_at(osd, answered, now, asked_s)
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
        return self._grace_after(self._lately(osd, now))

    def _grace_after(self, downs: int) -> float:
        return self._patience.grace_s * float(2 ** min(downs, MAX_DOUBLINGS))

    def _lately(self, osd: OsdId, now: float) -> int:
        """How many verdicts of down it had."""
        recent = [at for at in self._downs.get(osd, ()) if now - at < LATELY_S]
        self._downs[osd] = recent
        return len(recent)

    def _mark(self, osd: OsdId, kind: type[MapChange], is_verdict: bool) -> None:
        said = self._by_monitor.setdefault(osd, set())
        said.add(kind) if is_verdict else said.discard(kind)

    def _asked_for(self, now: float) -> float:
        """The silence that a probe of this round shows: what is between two rounds without a pause.

        A round takes the time to ask, and the rest of `probe_s` or the time to wait in vain.
        """
        before, self._judged_at = self._judged_at, now
        return 0.0 if before is None else min(now - before, ROUNDS * self._patience.probe_s)

    def _look_at(self, osd: Osd, answered: Collection[Process], now: float, asked_s: float) -> None:
        process = _process(osd)
        if process in answered or process not in self._silence:
            self._silence = {p: s for p, s in self._silence.items() if p[0].osd != osd.osd}
            self._silence[process] = 0.0
        else:
            self._silence[process] += asked_s
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
        away = sum(not osd.is_up and self._said(osd, OsdDown) for osd in osds)
        could_be = away + sum(osd.is_up for osd in osds)
        allowed = self._allowed(could_be)
        if silent and away + len(silent) > allowed:
            self.doubt = _doubt(silent, could_be, away, allowed)
            return []
        return [
            Verdict(
                OsdDown(store=_store(osd), boot=osd.boot, why="does not answer"),
                self._why_down(osd, now),
            )
            for osd in silent
        ]

    def _why_down(self, osd: Osd, now: float) -> str:
        """How long it was silent; of one that flaps also how long it may be from now on."""
        why = f"no answer for {self._silence[_process(osd)]:.0f} s"
        before = self._lately(osd.osd, now)
        if not before:
            return why
        times = f"down {before + 1} times in {LATELY_S / 60:.0f} min"
        return f"{why}; {times}, so its grace is now {self._grace_after(before + 1):g} s"

    def _outs(self, osds: list[Osd], now: float) -> list[Verdict]:
        osds = [osd for osd in osds if not osd.is_leaving]
        gone = sum(not osd.is_in and self._said(osd, OsdOut) for osd in osds)
        could_be = gone + sum(osd.is_in for osd in osds)
        late = [
            osd for osd in osds if osd.is_in and self._downtime(osd, now) >= self._patience.out_s
        ]
        return [
            Verdict(OsdOut(osd=osd.osd), f"down for {self._downtime(osd, now):.0f} s")
            for osd in late[: max(self._allowed(could_be) - gone, 0)]
        ]

    def _allowed(self, could_be: int) -> int:
        return min(max(1, int(could_be * self._patience.share)), could_be - 1)

    def _is_silent(self, osd: Osd, now: float) -> bool:
        return self._silence[_process(osd)] >= self.grace(osd.osd, now)

    def _downtime(self, osd: Osd, now: float) -> float:
        return now - self._down_since.get(osd.osd, now)

    def _said(self, osd: Osd, kind: type[MapChange]) -> bool:
        return kind in self._by_monitor.get(osd.osd, ())


def _doubt(silent: list[Osd], could_be: int, away: int, allowed: int) -> str:
    names = ", ".join(osd_name(osd.osd) for osd in silent)
    if could_be == 1:
        return f"{names} does not answer, and no other OSD is up that could take its place"
    do, are = "does" if len(silent) == 1 else "do", "is" if away == 1 else "are"
    return (
        f"{names} of {could_be} OSDs {do} not answer, and {away} {are} down by verdicts: no"
        f" more than {allowed} may be, so this monitor may itself be cut off"
    )


def _store(osd: Osd) -> Store:
    assert osd.store is not None
    return osd.store


def _process(osd: Osd) -> Process:
    return (_store(osd), osd.boot)
