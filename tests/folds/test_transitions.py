"""The table of transitions is complete, and has nothing that does not happen.

Complete and minimal over histories made by chance, seen from many seats at
once; and compared with what clusters do in random runs and transcripts.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import pytest

import osd.core.group
from eventlog.ids import Boot, Fence, OsdId, RgId, Store
from eventlog.map_events import OsdDown, RgPinned
from eventlog.rg_events import (
    CopiesDoomed,
    ObjectDeclaredLost,
    ObjectDeleted,
    ObjectPut,
    ObjectsImported,
    RgClaimed,
    RgEvent,
    StoreRetired,
)
from folds.building import (
    RG,
    A,
    B,
    C,
    claimed,
    deleted,
    fence,
    imported,
    lost,
    put,
    retired,
)
from folds.generated import Seat, history, seat
from projections.plans import import_plan
from projections.rg_memory import RgProjection
from projections.states import (
    SOURCE_TRANSITIONS,
    TRANSITIONS,
    Cause,
    SourceState,
    State,
    flags,
    is_legal,
)
from simulation.asking import Asker
from simulation.cluster import Cluster
from simulation.seeds import Run
from transcripts.runner import read, rewrite

HISTORIES = 500
SEATS = 6
RUNS = 10

Change = tuple[Cause, State, State]

TABLE: frozenset[Change] = frozenset(
    (cause, before, after)
    for cause, pairs in TRANSITIONS.items()
    for before, after in pairs
    if cause is not Cause.MAP
)


class Onlooker:
    """One store's process that folds an RG under a map that stands still."""

    def __init__(self, seat: Seat, boot: int) -> None:
        self.seat = seat
        self._boot = Boot(boot)
        self._mine: Fence | None = None

    def hear(self, event: RgEvent, projection: RgProjection) -> None:
        """A claim of its own that was accepted is the one under which it acts."""
        if not isinstance(event, RgClaimed) or not projection.state.stands(event.fence):
            return
        if (event.fence.store, event.fence.boot) == (self.seat.me, self._boot):
            self._mine = event.fence

    def state(self, projection: RgProjection) -> State:
        """What the RG is to it."""
        return flags(self.seat.view(projection, self._mine))[0]

    def has_stopped(self, projection: RgProjection) -> bool:
        """A retired store's process claims nothing more: it reads the map first."""
        is_retired = self.seat.me in projection.state.retired
        return is_retired and self.seat.acting[:1] == (self.seat.me,)


def cause_of(event: RgEvent) -> Cause:
    match event:
        case RgClaimed():
            return Cause.CLAIM
        case ObjectPut() | ObjectDeleted() | ObjectDeclaredLost():
            return Cause.OPERATION
        case CopiesDoomed():
            return Cause.DOOMING
        case StoreRetired():
            return Cause.RETIREMENT
        case _:
            return Cause.STATEMENT


def changes(seed: int) -> Iterator[Change]:
    """What one history changes for those who look on."""
    random = Random(seed)
    events = history(random, 60)
    onlookers = [Onlooker(seat(random), random.choice([1, 2])) for _ in range(SEATS)]
    projection = RgProjection(RG)
    for event in events:
        if isinstance(event, StoreRetired) and event.store == event.fence.store:
            return  # nobody retires the store by which it speaks
        before = [onlooker.state(projection) for onlooker in onlookers]
        projection.fold(event, projection.next_offset)
        for onlooker, was in zip(onlookers, before, strict=True):
            onlooker.hear(event, projection)
            now = onlooker.state(projection)
            if now is not was and not onlooker.has_stopped(projection):
                yield cause_of(event), was, now


@cache
def possible() -> Counter[Change]:
    return Counter(change for seed in range(HISTORIES) for change in changes(seed))


def test_whatever_can_happen_is_in_the_table() -> None:
    assert possible().keys() <= TABLE


F1 = fence(1)
F2 = fence(2, by=B)
START = (claimed(F1), put(F1, 1, "a"), put(F1, 2, "b"))
MOVED = (*START, claimed(F2), imported(B, 1, 1, 2))
AT_B = Seat(B, (B,), (B,), 1)
SHORT = Seat(B, (B,), (B,), 2)

SHOWN: tuple[tuple[Seat, Change, tuple[RgEvent, ...]], ...] = (
    (
        AT_B,
        (Cause.RETIREMENT, State.IMPORTING, State.CLEAN),
        (*MOVED, retired(F2, A)),
    ),
    (
        SHORT,
        (Cause.RETIREMENT, State.IMPORTING, State.DEGRADED),
        (*MOVED, retired(F2, A)),
    ),
    (
        Seat(A, (B,), (B,), 1),
        (Cause.RETIREMENT, State.EXPORTING, State.UNDEF),
        (*MOVED, retired(F2, A)),
    ),
    (
        Seat(A, (B, A), (B, A), 2),
        (Cause.RETIREMENT, State.REPLICA, State.RECOVERING),
        (*MOVED, retired(F2, A)),
    ),
    (
        Seat(A, (B, A), (B, A), 2),
        (Cause.RETIREMENT, State.RECOVERING, State.REPLICA),
        (*MOVED, deleted(F2, 3, "a"), deleted(F2, 4, "b"), retired(F2, A)),
    ),
    (
        AT_B,
        (Cause.OPERATION, State.IMPORTING, State.CLEAN),
        (claimed(F2), put(F2, 1, "a"), lost(B, 1, 1), put(F2, 2, "a")),
    ),
    (
        SHORT,
        (Cause.OPERATION, State.DEGRADED, State.UNDEF),
        (claimed(F2), put(F2, 1, "a"), put(F2, 9, "a")),
    ),
    (
        AT_B,
        (Cause.OPERATION, State.CLEAN, State.UNDEF),
        (claimed(F2), put(F2, 1, "a"), put(F2, 9, "a")),
    ),
    (
        AT_B,
        (Cause.OPERATION, State.CLEAN, State.IMPORTING),
        (claimed(F2, B, C), put(F2, 1, "a", B, C)),
    ),
    (
        SHORT,
        (Cause.CLAIM, State.UNDEF, State.DEGRADED),
        (claimed(F1), claimed(F2)),
    ),
)
"""Arrows that are seldom met by chance, each by the last of these events."""


def _id(parameter: object) -> str:
    match parameter:
        case (Cause() as cause, before, after):
            return f"{cause}: {before} to {after}"
        case _:
            return ""


@pytest.mark.parametrize(("where", "arrow", "events"), SHOWN, ids=_id)
def test_an_arrow_that_is_seldom_met(
    where: Seat, arrow: Change, events: tuple[RgEvent, ...]
) -> None:
    onlooker, projection = Onlooker(where, 1), RgProjection(RG)
    states = []
    for event in events:
        projection.fold(event, projection.next_offset)
        onlooker.hear(event, projection)
        states.append(onlooker.state(projection))
    assert (cause_of(events[-1]), *states[-2:]) == arrow


def test_whatever_is_in_the_table_can_happen() -> None:
    assert possible().keys() | {arrow for _, arrow, _ in SHOWN} == TABLE


@cache
def source_changes() -> frozenset[tuple[SourceState | None, SourceState | None]]:
    """What one folded event makes of a source."""
    found = set()
    for seed in range(HISTORIES):
        random, projection = Random(seed), RgProjection(RG)
        placed, before = seat(random).placed, dict[Store, SourceState]()
        for event in history(random, 60):
            folded = projection.fold(event, projection.next_offset)
            plan = import_plan(projection.state, projection, placed)
            after = {source.store: source.state for source in plan}
            if isinstance(event, RgClaimed) and folded.void is None:
                assert set(after.values()) <= {SourceState.STARTING}
            found |= {(before.get(one), after.get(one)) for one in before | after}
            before = after
    return frozenset((was, now) for was, now in found if was is not now)


def test_the_table_of_sources_has_what_can_happen_and_no_more() -> None:
    table = {(was, now) for was, targets in SOURCE_TRANSITIONS.items() for now in targets}
    assert source_changes() == table


# Of the table, what these runs show seldom or never, and what that would take.

SELDOM = "a record that lands late, at a moment that chance seldom hits"
TWO_COPIES = "an RG of which more than one store is placed, or one that is marked down"
RETIRED = "a store that is retired while it is a source or is placed"

NOT_IN_RUNS: dict[Change, str] = {
    **{change: TWO_COPIES for change in TABLE if {*change[1:]} & {State.DEGRADED}},
    **{change: TWO_COPIES for change in TABLE if {*change[1:]} & {State.REPLICA}},
    **{change: RETIRED for change in TABLE if change[0] is Cause.RETIREMENT},
    (Cause.OPERATION, State.CLEAN, State.IMPORTING): TWO_COPIES,
    (Cause.OPERATION, State.IMPORTING, State.CLEAN): SELDOM,
    (Cause.OPERATION, State.IMPORTING, State.UNDEF): SELDOM,
    (Cause.OPERATION, State.CLEAN, State.UNDEF): SELDOM,
    (Cause.OPERATION, State.UNDEF, State.EXPORTING): SELDOM,
    (Cause.OPERATION, State.UNDEF, State.HOMELESS): SELDOM,
    (Cause.CLAIM, State.EXPORTING, State.HOMELESS): SELDOM,
    (Cause.CLAIM, State.CLEAN, State.UNDEF): SELDOM,
    (Cause.STATEMENT, State.CLEAN, State.IMPORTING): SELDOM,
    (Cause.STATEMENT, State.UNDEF, State.EXPORTING): SELDOM,
    (Cause.STATEMENT, State.UNDEF, State.HOMELESS): SELDOM,
    (Cause.STATEMENT, State.HOMELESS, State.UNDEF): SELDOM,
}


@pytest.fixture(scope="module")
def in_runs() -> Counter[Change]:
    """What the checked nodes of random runs and transcripts do."""
    seen: Counter[Change] = Counter()

    def noted(cause: Cause, before: State, after: State) -> bool:
        if before is not after:
            seen[cause, before, after] += 1
        return is_legal(cause, before, after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(osd.core.group, "is_legal", noted)
        for path in sorted((Path(__file__).parent.parent / "transcripts").glob("*.txt")):
            rewrite(read(path))
        for seed in range(RUNS):
            assert Run(seed).go() is None
    return seen


def test_every_arrow_is_drawn_by_the_runs_or_has_its_reason(in_runs: Counter[Change]) -> None:
    assert in_runs.keys() <= TABLE
    assert NOT_IN_RUNS.keys() <= TABLE
    assert TABLE - in_runs.keys() <= NOT_IN_RUNS.keys()
    usual = TABLE - NOT_IN_RUNS.keys()
    assert len(usual) == 6
    assert all(in_runs[change] > 5 for change in usual)


def test_a_store_is_placed_again_and_down_when_the_dooming_of_its_copy_is_read() -> None:
    """Once a checked node stopped here: its table had no such arrow."""
    cluster, rg = Cluster(), RgId(0)
    for number in (OsdId(1), OsdId(2)):
        cluster.add(number)
        cluster.world.run(100)
    cluster.change_map(RgPinned(rg=rg, osds=(OsdId(1),)))
    cluster.world.run(50)
    Asker(cluster).put("a", b"1")
    cluster.world.run(50)
    cluster.change_map(RgPinned(rg=rg, osds=(OsdId(2),)))
    holder, heir = cluster.machines[OsdId(1)], cluster.machines[OsdId(2)]
    assert cluster.world.run_until(
        lambda: any(isinstance(it.event, ObjectsImported) for it in cluster.told)
    )
    assert heir.node is not None
    group = heir.node.groups[rg]
    fence = group.claims.fence
    assert fence is not None
    assert cluster.world.run_until(lambda: group.state.ledger(heir.store).held == 1)
    cluster.change_map(
        RgPinned(rg=rg, osds=(OsdId(1),)), OsdDown(store=holder.store, boot=holder.boot, why="x")
    )
    cluster.world.run(100)
    assert [it.event.fence for it in cluster.told if isinstance(it.event, CopiesDoomed)] == [fence]
    assert holder.node is not None
    assert holder.node.groups[rg].flags == (State.RECOVERING,)
    assert cluster.stopped == {}
