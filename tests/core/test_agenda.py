"""The agenda: an RG acts when something concerns it, and only then."""

import pytest
from msgspec.structs import replace

from eventlog.codec import encode
from eventlog.ids import Boot, Micros, Offset, Partition, RgId, Store, Topic, rg_key
from eventlog.log import Record
from eventlog.rg_events import RgEvent
from folds.building import NOW, RG, A, B, C, claimed, fence, put
from folds.mapping import cluster
from osd.core.agenda import Agenda
from osd.core.context import Clock, Context, Settings
from osd.core.group import Group
from osd.core.inputs import Decoded
from osd.memory_rows import MemoryRows

CALM_MS = 1_000
R1, R2, R3 = RgId(1), RgId(2), RgId(3)


@pytest.fixture
def context() -> Context:
    context = Context(A, Boot(1), MemoryRows(), Settings(calm_ms=CALM_MS))
    context.map = cluster()
    context.clock = Clock(0, NOW)
    return context


@pytest.fixture
def agenda() -> Agenda:
    return Agenda()


def primary(context: Context, *events: RgEvent) -> Group:
    """The RG at its primary osd.1, which has folded these events."""
    group = Group(context, RG)
    group.place_on((A,), (A,))
    for at, event in enumerate(events):
        record = Record(Topic.RG, Partition(RG), Offset(at), Micros(0), rg_key(RG), encode(event))
        group.fold(Decoded(record, event))
    return group


WRITTEN_ELSEWHERE = (claimed(fence(1, by=B)), put(fence(1, by=B), 1, "a"))


def acting(agenda: Agenda) -> list[RgId]:
    return list(agenda.take())


class TestTouching:
    def test_the_touched_act_once_in_the_order_of_arrival(self, agenda: Agenda) -> None:
        for rg in (R3, R1, R2, R1):
            agenda.touch(rg)
        assert acting(agenda) == [R3, R1, R2]
        assert acting(agenda) == []

    def test_those_touched_meanwhile_act_in_the_next_step(self, agenda: Agenda) -> None:
        agenda.touch(R1)
        for rg in agenda.take():
            agenda.touch(rg)
            agenda.touch(R2)
        assert acting(agenda) == [R1, R2]

    def test_the_forgotten_do_not_act(self, agenda: Agenda) -> None:
        agenda.touch(R1)
        agenda.touch(R2)
        agenda.forget(R1)
        agenda.forget(R3)
        assert acting(agenda) == [R2]


class TestWaiting:
    def test_who_waits_for_nothing_is_on_no_list(self, agenda: Agenda, context: Context) -> None:
        agenda.note(primary(context))
        agenda.map_read()
        assert agenda.ring(10**9) == []
        assert (acting(agenda), agenda.scarcest()) == ([], None)

    def test_who_should_claim_waits_for_the_map(self, agenda: Agenda, context: Context) -> None:
        group = primary(context, *WRITTEN_ELSEWHERE)
        assert group.claims.is_wanted
        agenda.note(group)
        assert acting(agenda) == []
        agenda.map_read()
        assert acting(agenda) == [RG]

    def test_who_lacks_objects_is_importing_and_rings_when_it_is_calm(
        self, agenda: Agenda, context: Context
    ) -> None:
        group = primary(context, *WRITTEN_ELSEWHERE)
        agenda.note(group)
        assert agenda.scarcest() is None
        assert group.due == CALM_MS
        assert agenda.ring(CALM_MS - 1) == []
        assert acting(agenda) == []
        assert agenda.ring(CALM_MS) == [RG]
        assert acting(agenda) == [RG]

    def test_it_rings_until_it_is_noted_again(self, agenda: Agenda, context: Context) -> None:
        group = primary(context, *WRITTEN_ELSEWHERE)
        agenda.note(group)
        assert agenda.ring(CALM_MS) == agenda.ring(CALM_MS) == [RG]
        context.clock = Clock(CALM_MS, NOW)
        assert group.due is None
        agenda.note(group)
        assert agenda.ring(10**9) == []

    def test_who_is_placed_elsewhere_waits_no_more(self, agenda: Agenda, context: Context) -> None:
        group = primary(context, *WRITTEN_ELSEWHERE)
        agenda.note(group)
        group.place_on((B,), (B,))
        agenda.note(group)
        agenda.map_read()
        assert agenda.ring(10**9) == []
        assert (acting(agenda), agenda.scarcest()) == ([], None)

    @pytest.mark.parametrize(("rules", "due"), [(1, CALM_MS), (99, None)])
    def test_who_is_homeless_reminds_in_time_but_not_under_unknown_rules(
        self, agenda: Agenda, context: Context, rules: int, due: int | None
    ) -> None:
        first, later = fence(1), fence(2)
        again = replace(claimed(later), rules=rules)
        group = primary(context, claimed(first), put(first, 1, "a"), again)
        group.place_on((B,), (B,))
        assert group.ledger.facts
        assert group.due == due
        context.clock = Clock(CALM_MS, NOW)
        group.advance()
        agenda.note(group)
        assert agenda.ring(CALM_MS) == []

    def test_the_forgotten_wait_for_nothing(self, agenda: Agenda, context: Context) -> None:
        agenda.note(primary(context, *WRITTEN_ELSEWHERE))
        agenda.forget(RG)
        agenda.map_read()
        assert agenda.ring(10**9) == []
        assert (acting(agenda), agenda.scarcest()) == ([], None)


class TestPlaces:
    """Who gets the next place for a fetch."""

    @pytest.fixture
    def context(self, context: Context) -> Context:
        context.clock = Clock(CALM_MS, NOW)
        return context

    def test_who_lacks_what_is_scarcest(self, agenda: Agenda, context: Context) -> None:
        common = lacking(context, R1, holders=(B, C))
        scarce = lacking(context, R2, holders=(B,))
        for group in (common, scarce):
            agenda.note(group)
        assert (common.importer.scarcity, scarce.importer.scarcity) == (2, 1)
        assert agenda.scarcest() == R2
        agenda.forget(R2)
        assert agenda.scarcest() == R1

    def test_among_equals_the_first_until_it_has_no_more(
        self, agenda: Agenda, context: Context
    ) -> None:
        first, second = lacking(context, R2), lacking(context, R1)
        for group in (first, second, first):
            agenda.note(group)
        assert agenda.scarcest() == R2
        first.importer.fetch_next()
        agenda.note(first)
        assert agenda.scarcest() == R2
        first.importer.fetch_next()  # which finds nothing more
        agenda.note(first)
        assert agenda.scarcest() == R1

    def test_nobody_before_it_is_calm(self, agenda: Agenda, context: Context) -> None:
        context.clock = Clock(CALM_MS - 1, NOW)
        agenda.note(lacking(context, R1))
        assert agenda.scarcest() is None


def lacking(context: Context, rg: RgId, holders: tuple[Store, ...] = (B,)) -> Group:
    """An RG that this store, the last of its placed, has nothing of."""
    group = Group(context, rg)
    context.frontier.follow(group.partition, Offset(0))
    placed = (*holders, A)
    group.placed_since = 0
    group.placed = group.acting = placed
    mine = fence(1, by=B)
    events: tuple[RgEvent, ...] = (
        replace(claimed(mine, *placed), rg=rg),
        replace(put(mine, 1, "a", *holders), rg=rg),
    )
    for at, event in enumerate(events):
        record = Record(Topic.RG, Partition(rg), Offset(at), Micros(0), rg_key(rg), encode(event))
        group.fold(Decoded(record, event))
        context.frontier.delivered(group.partition, Offset(at))
    group.is_caught_up  # noqa: B018 - it asks where the log ends
    ask = context.frontier.take_ask()
    assert ask is not None
    list(context.frontier.answered(ask.number, {group.partition: Offset(len(events))}))
    return group


@pytest.mark.parametrize(("replicas", "is_urgent"), [(1, False), (2, True)])
def test_one_copy_left_is_urgent_where_several_are_kept(
    context: Context, replicas: int, is_urgent: bool
) -> None:
    context.map = replace(cluster(), replicas=replicas)
    context.clock = Clock(CALM_MS, NOW)
    claim = fence(1, by=B)
    group = primary(context, claimed(claim, B, A), put(claim, 1, "a"))
    group.place_on((B, A), (B, A))
    group.placed_since = 0
    context.frontier.follow(group.partition, Offset(2))
    assert not group.is_caught_up
    ask = context.frontier.take_ask()
    assert ask is not None
    assert list(context.frontier.answered(ask.number, {group.partition: Offset(2)}))
    assert (group.importer.scarcity, group.importer.is_urgent) == (1, is_urgent)
