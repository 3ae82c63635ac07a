"""States: what an RG is to one OSD, derived and never stored.

Rule: a state is a pure function of (placed and acting by my map, the fold of
the RG's log, who am I, which claim is mine). The changes that one folded
event can make stand in one table, `TRANSITIONS`; the diagram in
docs/states.md is printed from it.

What is not here: why a state lasts (see `projections.explain`).
"""

from enum import StrEnum
from typing import NamedTuple

from eventlog.ids import Fence, Store
from projections.rg_state import Claim, Ledger, RgState


class State(StrEnum):
    """The states of an RG at one OSD, in the order in which flags are displayed."""

    UNDEF = "undef"
    IMPORTING = "importing"
    DEGRADED = "degraded"
    CLEAN = "clean"
    HOMELESS = "homeless"
    EXPORTING = "exporting"
    RECOVERING = "recovering"
    REPLICA = "replica"


class SourceState(StrEnum):
    """How far the primary is with one store outside placed that has facts."""

    STARTING = "starting"
    IMPORTING = "importing"
    FINISHING = "finishing"


class Cause(StrEnum):
    """What was folded when a state changed."""

    MAP = "map change"
    CLAIM = "claim"
    OPERATION = "operation"
    DOOMING = "dooming"
    RETIREMENT = "retirement"
    STATEMENT = "statement"


class View(NamedTuple):
    """All that a state is derived from."""

    me: Store
    placed: tuple[Store, ...]
    acting: tuple[Store, ...]
    replicas: int
    state: RgState
    mine: Fence | None
    """The fence of the claim that this process made and read back, if it stands."""
    is_caught_up: bool = True
    """Whether the RG was folded to the log's end since it is followed: before, nothing is known."""

    @property
    def is_primary(self) -> bool:
        """Whether the map makes this store the primary."""
        return bool(self.acting) and self.acting[0] == self.me


def sources(state: RgState, placed: tuple[Store, ...]) -> tuple[Store, ...]:
    """The stores outside placed that have any fact, in order."""
    return tuple(store for store in state.holders if store not in placed)


def is_complete(state: RgState, store: Store) -> bool:
    """Whether the store's copy of every live object counts."""
    return state.ledger(store).held == state.live


def has_too_few_copies(state: RgState, replicas: int) -> bool:
    """Whether fewer copies count, wherever they are, than all live objects together need.

    Where no store outside placed has a fact, that is so as long as a placed store lacks one.
    """
    return sum(ledger.held for ledger in state.ledgers.values()) < state.live * replicas


def flags(view: View) -> tuple[State, ...]:
    """The RG's states at `view.me`, in display order; the first is the one to show."""
    if view.is_primary:
        return _primary_flags(view)
    if view.me in view.placed:
        ledger = view.state.ledger(view.me)
        whole = is_complete(view.state, view.me) and ledger.facts == ledger.held
        return (State.REPLICA if whole else State.RECOVERING,)
    if not view.state.ledger(view.me).facts:
        return (State.UNDEF,)
    return (State.EXPORTING if is_claimed_for(view.state, view.placed) else State.HOMELESS,)


def is_claimed_for(state: RgState, placed: tuple[Store, ...]) -> bool:
    """Whether the last claim was made for these placed stores."""
    return bool(placed) and state.claim is not None and state.claim.placed == placed


def _primary_flags(view: View) -> tuple[State, ...]:
    state = view.state
    if state.claim is None:  # without any event it is clean: the first operation claims it
        return (State.CLEAN if view.is_caught_up else State.UNDEF,)
    if view.mine is None or not state.stands(view.mine):
        return (State.UNDEF,)
    found = []
    if not is_complete(state, view.me) or sources(state, view.placed):
        found.append(State.IMPORTING)
    is_short = len(view.acting) < len(view.placed) or len(view.placed) < view.replicas
    if is_short or state.unheld or has_too_few_copies(state, view.replicas):
        found.append(State.DEGRADED)
    return tuple(found) or (State.CLEAN,)


def source_state(ledger: Ledger, claim: Claim | None, has_remaining: bool) -> SourceState:
    """The state of a source under the standing claim."""
    answers = ledger.stated.answers if ledger.stated else None
    if claim is None or answers != claim.fence:
        return SourceState.STARTING
    return SourceState.IMPORTING if has_remaining else SourceState.FINISHING


_UNDEF = frozenset({State.UNDEF})
_IMPORTING = frozenset({State.IMPORTING})
_WHOLE = frozenset({State.DEGRADED, State.CLEAN})
_LEADING = _IMPORTING | _WHOLE
_OUTSIDE = frozenset({State.HOMELESS, State.EXPORTING})
_FOLLOWING = frozenset({State.RECOVERING, State.REPLICA})
_ALL = frozenset(State)


def _each(origins: frozenset[State], targets: frozenset[State]) -> frozenset[tuple[State, State]]:
    return frozenset((a, b) for a in origins for b in targets if a is not b)


TRANSITIONS: dict[Cause, frozenset[tuple[State, State]]] = {
    # A map can give this OSD any part at once, also one it had before.
    Cause.MAP: _each(_ALL, _ALL),
    # My claim ends undef, another's begins it; a source learns that it is heard. The first
    # claim of an RG, clean until then, may find too few stores up.
    Cause.CLAIM: (
        _each(_UNDEF, _LEADING)
        | _each(_LEADING, _UNDEF)
        | _each(_OUTSIDE, _OUTSIDE)
        | {(State.CLEAN, State.DEGRADED)}
    ),
    # Out of sequence ends the claim; a put or delete mends, or makes a member behind; a put
    # that not every placed store was in time for leaves too few copies. A put
    # may also be read after the map that took the RG away from a store it names: that store
    # has a fact of it then, and the primary a source.
    Cause.OPERATION: (
        _each(_LEADING, _UNDEF)
        | _each(_IMPORTING, _WHOLE)
        | _each(_WHOLE, _IMPORTING)
        | _each(_WHOLE, _WHOLE)
        | _each(_FOLLOWING, _FOLLOWING)
        | _each(_UNDEF, _OUTSIDE)
    ),
    # A store may be placed again by the map when the dooming of its copies is read.
    Cause.DOOMING: frozenset({(State.REPLICA, State.RECOVERING), (State.CLEAN, State.DEGRADED)}),
    # A source less; or my own retirement, read before the map that says it.
    Cause.RETIREMENT: (
        _each(_IMPORTING, _WHOLE) | _each(_FOLLOWING, _FOLLOWING) | _each(_OUTSIDE, _UNDEF)
    ),
    # Copies come, go and get lost; an import that lands late makes a stray.
    Cause.STATEMENT: (
        _each(_IMPORTING, _WHOLE)
        | _each(_WHOLE, _IMPORTING)
        | _each(_WHOLE, _WHOLE)
        | _each(_FOLLOWING, _FOLLOWING)
        | _each(_OUTSIDE, _UNDEF)
        | _each(_UNDEF, _OUTSIDE)
    ),
}


def is_legal(cause: Cause, before: State, after: State) -> bool:
    """Whether one folded event of this kind may change the displayed state so."""
    return before is after or (before, after) in TRANSITIONS[cause]


SOURCE_TRANSITIONS: dict[SourceState | None, frozenset[SourceState | None]] = {
    None: frozenset(SourceState),
    SourceState.STARTING: frozenset({SourceState.IMPORTING, SourceState.FINISHING, None}),
    SourceState.IMPORTING: frozenset({SourceState.STARTING, SourceState.FINISHING, None}),
    SourceState.FINISHING: frozenset({SourceState.STARTING, SourceState.IMPORTING, None}),
}
"""None: the store is no source; one that answered the claim and then had nothing left may
become one again by a late import. A new claim starts every source anew."""
