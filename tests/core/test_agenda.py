"""The agenda: an RG acts when something concerns it, and only then."""

import pytest

from eventlog.codec import encode
from eventlog.ids import Boot, Micros, Offset, Partition, RgId, Topic, rg_key
from eventlog.log import Record
from eventlog.rg_events import RgEvent
from folds.building import NOW, RG, A, B, claimed, fence, put
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
        assert (acting(agenda), agenda.importing()) == ([], [])

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
        assert agenda.importing() == [RG]
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
        assert (acting(agenda), agenda.importing()) == ([], [])

    def test_the_forgotten_wait_for_nothing(self, agenda: Agenda, context: Context) -> None:
        agenda.note(primary(context, *WRITTEN_ELSEWHERE))
        agenda.forget(RG)
        agenda.map_read()
        assert agenda.ring(10**9) == []
        assert (acting(agenda), agenda.importing()) == ([], [])

    def test_the_list_of_importers_may_be_walked_while_it_changes(
        self, agenda: Agenda, context: Context
    ) -> None:
        group = primary(context, *WRITTEN_ELSEWHERE)
        agenda.note(group)
        for rg in agenda.importing():
            agenda.forget(rg)
            agenda.note(group)
        assert agenda.importing() == [RG]
