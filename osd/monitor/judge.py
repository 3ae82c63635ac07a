"""Judging who is down, up, out or in again, from who answered.

Rule: a verdict names the boot it means, so of several monitors' verdicts the
later one is void, and nobody needs to elect anybody. An OSD is down after it
left probes unanswered for its grace, which doubles with every verdict of down
that it lately had; time in which nobody was asked is no silence. It is up
again when it answers, if a monitor said otherwise: an operator's word stands
until he takes it back.

One that dies and starts again and again is never silent for long, nor down.
So the silence of its former processes counts too, until one is steady: it
answers, and has run for a grace, doubled by each other start that it lately
had. Silence in doubt, which may be the monitor's own, is not carried on. An OSD
is out after it was down, or none of its processes steady, for longer; it is
in again when one is steady.

Never is more than a share down, or out, by verdicts: a monitor that hears too
few is itself cut off, and says nothing. Nor is the last one ever marked, which
nobody could succeed. The share is of those who could be up
or in but for verdicts. Whom others took down or out, as who stopped or was
emptied and left, is in neither number: the rest is watched over as before.

What is not here: asking and appending (see `osd.monitor.loop`). Times are
seconds of a clock that never goes back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from eventlog.ids import Boot, OsdId, Store, osd_name
from eventlog.map_events import MapChange, MapChanged, OsdBooted, OsdDown, OsdIn, OsdOut, OsdUp
from osd.core.membership import MONITOR
from osd.lately import LATELY_S, MANY, Lately
from projections.cluster_map import ClusterMap, Osd
from projections.map_departures import has_started

MAX_DOUBLINGS = 5
NEVER_SERVED = 2
"""Graces: one that was dead for less than a grace, and starts slowly, has its own."""
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


@dataclass(slots=True)
class _Watch:
    """What was seen of one OSD's process, and of those before it."""

    process: Process
    former_s: float = 0.0
    """For how long former ones left probes unanswered, since one was steady, or was down."""
    unsteady_since: float | None = None
    silence_s: float = 0.0
    """For how long this one did, since its last answer."""
    is_asked: bool = False
    has_answered: bool = False
    was_down: bool = False
    """In the last round: one that is up again by a word has not started anew."""


class Judge:
    """One monitor's memory of who answered when."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._watches: dict[OsdId, _Watch] = {}
        self._judged_at: float | None = None
        self._starts = Lately()
        self._downs = Lately()
        """By verdicts."""
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
                case OsdBooted(store=store) if has_started(change):
                    self._starts.note(store.osd, at)
                case OsdDown(store=store):
                    self._begin_anew(store.osd)
                    self._mark(store.osd, OsdDown, is_verdict)
                    if is_verdict:
                        self._downs.note(store.osd, at)
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
            self._look_at(osd, answered, now, asked_s)  # the doubt is that of the round before
        self.doubt = None
        again, self._before = self._before.intersection(answered), frozenset(answered)
        dead = self._dead(osds, now)
        return [
            *self._ups(osds, again),
            *self._ins(osds, answered, now),
            *(self._down_verdict(osd, now) for osd in dead),
            *self._outs([osd for osd in osds if not osd.is_up or osd in dead], osds, now),
        ]

    def grace(self, osd: OsdId, now: float) -> float:
        """How long this OSD may be silent: longer the more often it flapped, in seconds."""
        return self._grace_after(self._downs.times(osd, now))

    def _grace_after(self, downs: int) -> float:
        return self._patience.grace_s * float(2 ** min(downs, MAX_DOUBLINGS))

    def _begin_anew(self, osd: OsdId) -> None:
        """One that is down is silent no more; by the next round it may have started again."""
        if (watch := self._watches.get(osd)) is not None:
            watch.silence_s, watch.former_s, watch.was_down = 0.0, 0.0, True

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
        watch = self._watch(osd, now, 0.0 if _process(osd) in answered else asked_s)
        if not osd.is_up:
            watch.silence_s = watch.former_s = 0.0
            watch.unsteady_since = now if watch.unsteady_since is None else watch.unsteady_since
        elif watch.was_down or self._is_steady(osd, answered, now):
            watch.former_s, watch.unsteady_since = 0.0, None
        if watch.process in answered:
            watch.silence_s, watch.has_answered = 0.0, True
        elif osd.is_up and watch.is_asked:
            watch.silence_s += asked_s
        watch.is_asked, watch.was_down = True, not osd.is_up

    def _watch(self, osd: Osd, now: float, unheard_s: float) -> _Watch:
        """That of its present process; of one that takes another's place nothing is forgotten.

        But for silence in doubt: it may have been this monitor's.
        """
        watch = self._watches.get(osd.osd)
        if watch is None or watch.process[0] != osd.store:
            watch = self._watches[osd.osd] = _Watch(_process(osd))
        elif watch.process != _process(osd):
            former_s = watch.former_s
            if self.doubt is None:
                former_s += watch.silence_s + (unheard_s if self._was_unheard(watch) else 0.0)
            since = now if watch.unsteady_since is None else watch.unsteady_since
            watch = self._watches[osd.osd] = _Watch(_process(osd), former_s, since)
        return watch

    def _was_unheard(self, watch: _Watch) -> bool:
        """In the last round, though it should have answered."""
        return not watch.was_down and watch.process not in self._before

    def _is_steady(self, osd: Osd, answered: Collection[Process], now: float) -> bool:
        """It answers, and has run for long enough: longer the more often it lately started."""
        if not osd.is_up or _process(osd) not in answered:
            return False
        starts = self._starts.times(osd.osd, now)
        return not starts or now - self._starts.last(osd.osd) >= self._grace_after(starts - 1)

    def _ups(self, osds: list[Osd], answered: Collection[Process]) -> list[Verdict]:
        return [
            Verdict(OsdUp(store=_store(osd), boot=osd.boot), "it answers again")
            for osd in osds
            if not osd.is_up and self._said(osd, OsdDown) and _process(osd) in answered
        ]

    def _ins(self, osds: list[Osd], answered: Collection[Process], now: float) -> list[Verdict]:
        return [
            Verdict(OsdIn(osd=osd.osd), "it is up again")
            for osd in osds
            if not osd.is_in and self._said(osd, OsdOut) and self._is_steady(osd, answered, now)
        ]

    def _dead(self, osds: list[Osd], now: float) -> list[Osd]:
        """Those to be marked down: none if they are too many."""
        silent = [osd for osd in osds if osd.is_up and self._is_silent(osd, now)]
        away = sum(not osd.is_up and self._said(osd, OsdDown) for osd in osds)
        could_be = away + sum(osd.is_up for osd in osds)
        allowed = self._allowed(could_be)
        if silent and away + len(silent) > allowed:
            self.doubt = _doubt(silent, could_be, away, allowed)
            return []
        return silent

    def _down_verdict(self, osd: Osd, now: float) -> Verdict:
        down = OsdDown(store=_store(osd), boot=osd.boot, why="does not answer")
        return Verdict(down, self._why_down(osd, now))

    def _why_down(self, osd: Osd, now: float) -> str:
        """How long it was silent; of one that flaps also how long it may be from now on."""
        watch = self._watches[osd.osd]
        why = f"no answer for {watch.silence_s:.0f} s"
        if former_s := self._former_s(watch, self.grace(osd.osd, now)):
            why += f", and {former_s:.0f} s before it started"
        before = self._downs.times(osd.osd, now)
        if not before:
            return why
        times = f"down {before + 1} times in {LATELY_S / 60:.0f} min"
        return f"{why}; {times}, so its grace is now {self._grace_after(before + 1):g} s"

    def _outs(self, dead: list[Osd], osds: list[Osd], now: float) -> list[Verdict]:
        """Of these that are down, or will be by this round's verdicts."""
        osds = [osd for osd in osds if not osd.is_leaving]
        gone = sum(not osd.is_in and self._said(osd, OsdOut) for osd in osds)
        could_be = gone + sum(osd.is_in for osd in osds)
        late = [
            osd
            for osd in dead
            if osd.is_in
            and not osd.is_leaving
            and self._unsteady_s(osd, now) >= self._patience.out_s
        ]
        return [
            Verdict(OsdOut(osd=osd.osd), self._why_out(osd, now))
            for osd in late[: max(self._allowed(could_be) - gone, 0)]
        ]

    def _why_out(self, osd: Osd, now: float) -> str:
        seconds, starts = self._unsteady_s(osd, now), self._starts.times(osd.osd, now)
        if starts < MANY:
            return f"down for {seconds:.0f} s"
        times = f"it started {starts} times in {LATELY_S / 60:.0f} min"
        return f"not steady for {seconds:.0f} s: {times}"

    def _allowed(self, could_be: int) -> int:
        return min(max(1, int(could_be * self._patience.share)), could_be - 1)

    def _is_silent(self, osd: Osd, now: float) -> bool:
        watch, grace = self._watches[osd.osd], self.grace(osd.osd, now)
        return watch.silence_s + self._former_s(watch, grace) >= grace

    def _former_s(self, watch: _Watch, grace: float) -> float:
        """The silence of former ones, as far as it is held against this one: it fails as they did.

        It has served, and does so no longer; or none of them ever serves.
        """
        if watch.has_answered:
            is_one_of_them = watch.silence_s >= ROUNDS * self._patience.probe_s
        else:
            is_one_of_them = watch.former_s > NEVER_SERVED * grace
        return watch.former_s if is_one_of_them else 0.0

    def _unsteady_s(self, osd: Osd, now: float) -> float:
        since = self._watches[osd.osd].unsteady_since
        return 0.0 if since is None else now - since

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
