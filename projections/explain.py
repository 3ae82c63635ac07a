"""Explanations: in one sentence, why an RG is as it is at one OSD, and who must act next.

Rule: an explanation is made from the same view as the state it explains, and
from the map for who is up; nothing is guessed. Who must act next is named, or
nobody must. The reasons are a closed set, for programs to tell apart.

What is not here: what only a node knows of itself (see `osd.core.obstacles`),
and what led here (see `projections.story`).
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from eventlog.ids import RgId, Store, osd_name, rg_name
from projections.cluster_map import ClusterMap
from projections.rg_state import Entry, RgState
from projections.states import State, View, flags, is_complete, sources

OPERATOR = "operator"
"""Who must act where no OSD can do so by itself."""
NO_PLACE = "no OSD is in, has booted and has a weight"
"""Why RGs are placed nowhere."""


class Reason(StrEnum):
    """Why an RG is as it is, the worst first."""

    STOPPED = "stopped"
    NO_GOOD_COPY = "no-good-copy"
    PLACED_NOWHERE = "placed-nowhere"
    ALL_DOWN = "all-placed-down"
    SILENT = "primary-silent"
    MARKED_DOWN = "marked-down"
    LOG_STALLED = "log-stalled"
    DISK_FULL = "disk-full"
    HOLDER_DOWN = "holder-down"
    MIN_REPLICAS = "min-replicas"
    MAP_BEHIND = "map-behind"
    READING = "reading"
    CLAIM_AWAITED = "claim-awaited"
    IMPORT_FAILS = "import-fails"
    PLACED_DOWN = "placed-down"
    TOO_FEW_OSDS = "too-few-osds"
    FLAPPING = "osd-flapping"
    ABSENT = "osd-absent"
    NEARLY_FULL = "disk-nearly-full"
    CALM = "calm"
    LIMITED = "limited"
    IMPORTING = "importing"
    REPLICA_BEHIND = "replica-behind"
    ERASER_DOWN = "eraser-down"
    RETIREMENT_AWAITED = "retirement-awaited"
    DOOMING = "dooming"
    ERASING = "erasing"
    EXPORTING = "exporting"
    CLEAN = "clean"
    COMPLETE = "complete"
    NOT_HERE = "not-here"

    @property
    def rank(self) -> int:
        """How far from the worst."""
        return _RANKS[self]


_RANKS = {reason: rank for rank, reason in enumerate(Reason)}


class Explanation(NamedTuple):
    """Why, and who must act next."""

    sentence: str
    reason: Reason
    who: tuple[str, ...] = ()
    """OSDs by name, or the operator; nobody where nothing is to be done."""


def explain(rg: RgId, view: View, cluster_map: ClusterMap) -> Explanation:
    """Why this RG is as it is at `view.me`."""
    if not view.acting:
        return explain_unled(rg, view.placed)
    name = rg_name(rg)
    state = flags(view)[0]
    if state is State.UNDEF:
        return _undef(name, view)
    if state in (State.REPLICA, State.RECOVERING):
        return _following(name, view)
    return _EXPLAINED[state](name, view, cluster_map)


def explain_unled(rg: RgId, placed: tuple[Store, ...]) -> Explanation:
    """Why there is nobody to lead this RG: none of the stores where it is placed is up."""
    name = rg_name(rg)
    if not placed:
        why = f"{name} is placed nowhere: {NO_PLACE}."
        return Explanation(why, Reason.PLACED_NOWHERE, (OPERATOR,))
    why = f"{name} is unavailable: {_names(placed)}, where it is placed, must come up."
    return Explanation(why, Reason.ALL_DOWN, _who(placed))


def explain_object(name: str, entry: Entry, cluster_map: ClusterMap) -> Explanation | None:
    """Why an object cannot be read; None where it can as far as its RG can, or is deleted."""
    holders = entry.holders()
    if entry.body is None or any(map(cluster_map.is_up, holders)):
        return None
    what = f"version {entry.version} of {name!r} cannot be read"
    if down := tuple(store for store in holders if store not in cluster_map.retired):
        why = f"{what}: only {_holding(down)} it, and must come up."
        return Explanation(why, Reason.HOLDER_DOWN, _who(down))
    why = f"{what}: {_where_it_was(entry, cluster_map)}; write it anew, or delete it."
    return Explanation(why, Reason.NO_GOOD_COPY, (OPERATOR,))


def marked_down(names: tuple[str, ...]) -> str:
    """Of OSDs that answer, though the map has them down: what is so, and what ends it."""
    answer, them = ("answers", "it") if len(names) == 1 else ("answer", "them")
    words = " ".join(f"--up {name.removeprefix('osd.')}" for name in names)
    return (
        f"{' and '.join(names)} {answer}, but the map has {them} down: "
        f"`osdlog map apply {words}` ends that"
    )


def _where_it_was(entry: Entry, cluster_map: ClusterMap) -> str:
    """What became of the copies of which none can be had any more."""
    known = tuple(fact.store for fact in entry.facts if fact.version == entry.version)
    if bad := tuple(store for store in known if store not in cluster_map.retired):
        return f"that of {_names(bad)} is damaged or missing"
    if known:
        return f"{_names(known)}, which had it, {'is' if len(known) == 1 else 'are'} retired"
    return "no copy is left"


def _undef(name: str, view: View) -> Explanation:
    me = osd_name(view.me.osd)
    if view.is_primary:
        why = f"{name} waits for {me} to read its claim back from the log."
        return Explanation(why, Reason.CLAIM_AWAITED, (me,))
    why = f"{me} has nothing of {name}; {_names(view.placed)} should have it."
    return Explanation(why, Reason.NOT_HERE)


def _following(name: str, view: View) -> Explanation:
    me, ledger = osd_name(view.me.osd), view.state.ledger(view.me)
    lacking = view.state.live - ledger.held
    if lacking > view.state.unheld:
        why = f"{me} must still import {_objects(lacking - view.state.unheld)} of {name}."
        return Explanation(why, Reason.IMPORTING, (me,))
    if lacking:
        return _unheld(name, view)
    if ledger.facts != ledger.held:
        why = f"{me} must still erase {_copies(ledger.facts - ledger.held)} of {name}."
        return Explanation(why, Reason.ERASING, (me,))
    why = f"{me} has every object of {name}; {_names(view.acting[:1])} leads it."
    return Explanation(why, Reason.COMPLETE)


def _clean(name: str, view: View, _map: ClusterMap) -> Explanation:
    why = f"{name} is clean: {_objects(view.state.live)} on {_names(view.placed)}."
    return Explanation(why, Reason.CLEAN)


def _homeless(name: str, view: View, _map: ClusterMap) -> Explanation:
    copies = _copies(view.state.ledger(view.me).facts)
    why = (
        f"{osd_name(view.me.osd)} has {copies} of {name}, which is now placed on "
        f"{_names(view.placed)}; {_names(view.acting[:1])} must claim it."
    )
    return Explanation(why, Reason.CLAIM_AWAITED, _who(view.acting[:1]))


def _exporting(name: str, view: View, _map: ClusterMap) -> Explanation:
    ledger = view.state.ledger(view.me)
    me, primary = osd_name(view.me.osd), _names(view.acting[:1])
    if ledger.doomed == ledger.facts:
        why = f"{me} must erase its {_copies(ledger.doomed)} of {name}, doomed in the log."
        return Explanation(why, Reason.ERASING, (me,))
    why = (
        f"{me} has {_copies(ledger.facts)} of {name}; {primary} imports them and says what may go."
    )
    return Explanation(why, Reason.EXPORTING, (primary,))


def _importing(name: str, view: View, cluster_map: ClusterMap) -> Explanation:
    state = view.state
    lacking = state.live - state.ledger(view.me).held
    if lacking > state.unheld:
        return _lacking(name, view, lacking - state.unheld, cluster_map)
    if lacking:
        return _unheld(name, view)
    holders = sources(state, view.placed)
    if gone := tuple(store for store in holders if store in cluster_map.retired):
        return _to_retire(name, view, gone)
    if not _is_whole(view):  # what placed stores lack comes before what others must erase
        return _unfinished(name, view, holders, cluster_map)
    return _cleaning_up(name, view, holders, cluster_map)


def _is_whole(view: View) -> bool:
    """Whether as many stores as there should be are placed, up, and have everything."""
    return len(view.acting) >= view.replicas and not _incomplete(view)


def _incomplete(view: View) -> tuple[Store, ...]:
    return tuple(store for store in view.placed if not is_complete(view.state, store))


def _cleaning_up(
    name: str, view: View, holders: tuple[Store, ...], cluster_map: ClusterMap
) -> Explanation:
    """Every placed store has everything: what is elsewhere goes."""
    state = view.state
    if down := _down(holders, cluster_map):
        copies = _copies(sum(state.ledger(store).facts for store in down))
        why = (
            f"all of {name} is imported, but {_names(down)} must come up to erase {copies}; "
            "if a disk is gone, `osdlog map apply --retire` says so."
        )
        return Explanation(why, Reason.ERASER_DOWN, _who(down))
    if undoomed := _with_undoomed(state, holders):
        copies = _copies(sum(_undoomed(state, store) for store in undoomed))
        me = osd_name(view.me.osd)
        why = f"{me} has imported all of {name} and must still doom {copies} on {_names(undoomed)}."
        return Explanation(why, Reason.DOOMING, (me,))
    doomed = sum(state.ledger(store).doomed for store in holders)
    why = f"{_names(holders)} must erase {_copies(doomed)} of {name}, doomed in the log."
    return Explanation(why, Reason.ERASING, _who(holders))


def _lacking(name: str, view: View, lacking: int, cluster_map: ClusterMap) -> Explanation:
    me, ledgers = osd_name(view.me.osd), view.state.ledgers
    holders = tuple(s for s in view.state.holders if s != view.me and ledgers[s].held)
    if gone := tuple(store for store in holders if store in cluster_map.retired):
        return _to_retire(name, view, gone)
    down = _down(holders, cluster_map)
    importable = view.state.live - view.state.unheld
    if down and not any(ledgers[s].held == importable for s in holders if s not in down):
        why = (
            f"{me} lacks {_objects(lacking)} of {name}; {_holding(holders)} copies, "
            f"of which {_names(down)} must come up."
        )
        return Explanation(why, Reason.HOLDER_DOWN, _who(down))
    why = f"{me} must still import {_objects(lacking)} of {name}; {_holding(holders)} copies."
    return Explanation(why, Reason.IMPORTING, (me,))


def _to_retire(name: str, view: View, gone: tuple[Store, ...]) -> Explanation:
    """The map says that these stores are gone; the RG's log not yet."""
    stores = " and ".join(map(str, gone))
    why = f"{_names((view.me,))} must still say in the log of {name} that {stores} is retired."
    return Explanation(why, Reason.RETIREMENT_AWAITED, _who((view.me,)))


def _unheld(name: str, view: View) -> Explanation:
    why = (
        f"{osd_name(view.me.osd)} lacks {_objects(view.state.unheld)} of {name}, "
        "and no store holds a good copy: write anew or delete what is lost."
    )
    return Explanation(why, Reason.NO_GOOD_COPY, (OPERATOR,))


def _unfinished(
    name: str, view: View, holders: tuple[Store, ...], cluster_map: ClusterMap
) -> Explanation:
    """This store has everything; copies elsewhere may go once every placed store has."""
    state, undoomed = view.state, _with_undoomed(view.state, holders)
    behind = _incomplete(view)
    keeps_copies = undoomed and (behind or len(view.placed) < view.replicas)
    if not keeps_copies or len(view.acting) < cluster_map.min_replicas:
        return _degraded(name, view, cluster_map)
    copies = _copies(sum(_undoomed(state, store) for store in undoomed))
    if down := _down(behind, cluster_map):
        why = (
            f"{_names(down)}, where {name} is placed, must come up and import all of it "
            f"before {copies} on {_names(undoomed)} may go."
        )
        return Explanation(why, Reason.PLACED_DOWN, _who(down))
    if behind:
        why = (
            f"{_names(behind)} must import all of {name} before {copies} on "
            f"{_names(undoomed)} may go."
        )
        return Explanation(why, Reason.REPLICA_BEHIND, _who(behind))
    why = f"{copies} of {name} on {_names(undoomed)} stay while it is {_short(view)}"
    return Explanation(why, Reason.TOO_FEW_OSDS, (OPERATOR,))


def _degraded(name: str, view: View, cluster_map: ClusterMap) -> Explanation:
    down = _down(view.placed, cluster_map)
    if down and len(view.acting) < cluster_map.min_replicas:
        why = (
            f"{name} takes no puts: min_replicas is {cluster_map.min_replicas}, and only "
            f"{_names(view.acting)} is up; {_names(down)}, where it is placed, must come up."
        )
        return Explanation(why, Reason.MIN_REPLICAS, _who(down))
    if down:
        why = f"{name} is served, but {_names(down)}, where it is placed, must come up."
        return Explanation(why, Reason.PLACED_DOWN, _who(down))
    if len(view.placed) < view.replicas:
        return Explanation(f"{name} is {_short(view)}", Reason.TOO_FEW_OSDS, (OPERATOR,))
    return _behind(name, view)


def _behind(name: str, view: View) -> Explanation:
    """This store has everything, and others that are up do not."""
    state = view.state
    behind = _incomplete(view)
    lacking = sum(state.live - state.ledger(store).held for store in behind)
    why = f"{name} is served, but {_names(behind)} must still import {_objects(lacking)} of it."
    return Explanation(why, Reason.REPLICA_BEHIND, _who(behind))


def _short(view: View) -> str:
    return f"placed on {len(view.placed)} of {view.replicas} stores: more OSDs must be added."


def _down(stores: tuple[Store, ...], cluster_map: ClusterMap) -> tuple[Store, ...]:
    return tuple(store for store in stores if not cluster_map.is_up(store))


def _with_undoomed(state: RgState, stores: tuple[Store, ...]) -> tuple[Store, ...]:
    return tuple(store for store in stores if _undoomed(state, store))


def _undoomed(state: RgState, store: Store) -> int:
    ledger = state.ledger(store)
    return ledger.facts - ledger.doomed


def _names(stores: tuple[Store, ...]) -> str:
    return " and ".join(_who(stores))


def _who(stores: tuple[Store, ...]) -> tuple[str, ...]:
    return tuple(osd_name(store.osd) for store in stores)


def _holding(stores: tuple[Store, ...]) -> str:
    return f"{_names(stores)} hold{'s' if len(stores) == 1 else ''}"


def _objects(count: int) -> str:
    return f"{count:,} object" + ("" if count == 1 else "s")


def _copies(count: int) -> str:
    return f"{count:,} " + ("copy" if count == 1 else "copies")


_EXPLAINED: dict[State, Callable[[str, View, ClusterMap], Explanation]] = {
    State.CLEAN: _clean,
    State.HOMELESS: _homeless,
    State.EXPORTING: _exporting,
    State.IMPORTING: _importing,
    State.DEGRADED: _degraded,
}
