"""Explanations: in one sentence, why an RG is as it is at one OSD, and who must act next.

Rule: a sentence is made from the same view as the state it explains, and from
the map for who is up; nothing is guessed. Who must act next is named, or
nobody must.
"""

from collections.abc import Callable

from eventlog.ids import RgId, Store, osd_name, rg_name
from projections.cluster_map import ClusterMap
from projections.rg_state import RgState
from projections.states import State, View, flags, is_complete, sources


def explain(rg: RgId, view: View, cluster_map: ClusterMap) -> str:
    """The sentence for this RG at `view.me`."""
    state = flags(view)[0]
    name = rg_name(rg)
    if not view.placed:
        return f"{name} is placed nowhere: no OSD is in, has booted and has a weight."
    if not view.acting:
        return f"{name} is unavailable: {_names(view.placed)}, where it is placed, must come up."
    if state is State.UNDEF:
        return _undef(name, view)
    if state in (State.REPLICA, State.RECOVERING):
        return _following(name, view)
    return _SENTENCES[state](name, view, cluster_map)


def _undef(name: str, view: View) -> str:
    me = osd_name(view.me.osd)
    if view.is_primary:
        return f"{name} waits for {me} to read its claim back from the log."
    return f"{me} has nothing of {name}; {_names(view.placed)} should have it."


def _following(name: str, view: View) -> str:
    me, ledger = osd_name(view.me.osd), view.state.ledger(view.me)
    lacking = view.state.live - ledger.held
    if lacking > view.state.unheld:
        return f"{me} must still import {_objects(lacking - view.state.unheld)} of {name}."
    if lacking:
        return _unheld(name, view)
    if ledger.facts != ledger.held:
        return f"{me} must still erase {_copies(ledger.facts - ledger.held)} of {name}."
    return f"{me} has every object of {name}; {_names(view.acting[:1])} leads it."


def _clean(name: str, view: View, _map: ClusterMap) -> str:
    return f"{name} is clean: {_objects(view.state.live)} on {_names(view.placed)}."


def _homeless(name: str, view: View, _map: ClusterMap) -> str:
    copies = _copies(view.state.ledger(view.me).facts)
    return (
        f"{osd_name(view.me.osd)} has {copies} of {name}, which is now placed on "
        f"{_names(view.placed)}; {_names(view.acting[:1])} must claim it."
    )


def _exporting(name: str, view: View, _map: ClusterMap) -> str:
    ledger = view.state.ledger(view.me)
    me, primary = osd_name(view.me.osd), _names(view.acting[:1])
    if ledger.doomed == ledger.facts:
        return f"{me} must erase its {_copies(ledger.doomed)} of {name}, doomed in the log."
    return (
        f"{me} has {_copies(ledger.facts)} of {name}; {primary} imports them and says what may go."
    )


def _importing(name: str, view: View, cluster_map: ClusterMap) -> str:
    state = view.state
    lacking = state.live - state.ledger(view.me).held
    if lacking > state.unheld:
        return _lacking(name, view, lacking - state.unheld, cluster_map)
    if lacking:
        return _unheld(name, view)
    holders = sources(state, view.placed)
    down = _down(holders, cluster_map)
    if down:
        copies = _copies(sum(state.ledger(store).facts for store in down))
        return f"all of {name} is imported, but {_names(down)} must come up to erase {copies}."
    undoomed = tuple(store for store in holders if _undoomed(state, store))
    if undoomed:
        return _not_doomed(name, view, undoomed)
    doomed = sum(state.ledger(store).doomed for store in holders)
    return f"{_names(holders)} must erase {_copies(doomed)} of {name}, doomed in the log."


def _lacking(name: str, view: View, lacking: int, cluster_map: ClusterMap) -> str:
    me, ledgers = osd_name(view.me.osd), view.state.ledgers
    holders = tuple(s for s in view.state.holders if s != view.me and ledgers[s].held)
    down = _down(holders, cluster_map)
    who = f"{_names(holders)} hold{'s' if len(holders) == 1 else ''} copies"
    if down:
        return (
            f"{me} lacks {_objects(lacking)} of {name}; {who}, "
            f"of which {_names(down)} must come up."
        )
    return f"{me} must still import {_objects(lacking)} of {name}; {who}."


def _unheld(name: str, view: View) -> str:
    return (
        f"{osd_name(view.me.osd)} lacks {_objects(view.state.unheld)} of {name}, "
        "and no store holds a good copy: write anew or delete what is lost."
    )


def _not_doomed(name: str, view: View, undoomed: tuple[Store, ...]) -> str:
    """This store has everything; copies elsewhere may go once every placed store has."""
    state, me = view.state, osd_name(view.me.osd)
    copies = _copies(sum(_undoomed(state, store) for store in undoomed))
    behind = tuple(store for store in view.placed if not is_complete(state, store))
    if behind:
        return (
            f"{_names(behind)} must import all of {name} before {copies} on "
            f"{_names(undoomed)} may go."
        )
    if len(view.placed) < view.replicas:
        return f"{copies} of {name} on {_names(undoomed)} stay while it is {_short(view)}"
    return f"{me} has imported all of {name} and must still doom {copies} on {_names(undoomed)}."


def _degraded(name: str, view: View, cluster_map: ClusterMap) -> str:
    down = _down(view.placed, cluster_map)
    if down:
        return f"{name} is served, but {_names(down)}, where it is placed, must come up."
    return f"{name} is {_short(view)}"


def _short(view: View) -> str:
    return f"placed on {len(view.placed)} of {view.replicas} stores: more OSDs must be added."


def _down(stores: tuple[Store, ...], cluster_map: ClusterMap) -> tuple[Store, ...]:
    return tuple(store for store in stores if not cluster_map.is_up(store))


def _undoomed(state: RgState, store: Store) -> int:
    ledger = state.ledger(store)
    return ledger.facts - ledger.doomed


def _names(stores: tuple[Store, ...]) -> str:
    return " and ".join(osd_name(store.osd) for store in stores)


def _objects(count: int) -> str:
    return f"{count:,} object" + ("" if count == 1 else "s")


def _copies(count: int) -> str:
    return f"{count:,} " + ("copy" if count == 1 else "copies")


_SENTENCES: dict[State, Callable[[str, View, ClusterMap], str]] = {
    State.CLEAN: _clean,
    State.HOMELESS: _homeless,
    State.EXPORTING: _exporting,
    State.IMPORTING: _importing,
    State.DEGRADED: _degraded,
}
