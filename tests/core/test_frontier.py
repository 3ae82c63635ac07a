"""How far each partition is read: questions are numbered, and answers wait to be reached."""

from eventlog.ids import Offset, Partition, Topic
from eventlog.log import TopicPartition
from osd.core.effects import Ask
from osd.core.frontier import Frontier

P0: TopicPartition = (Topic.RG, Partition(0))
P1: TopicPartition = (Topic.RG, Partition(1))


def following(*places: TopicPartition, at: int = 0) -> Frontier:
    frontier = Frontier()
    for place in places:
        frontier.follow(place, Offset(at))
    return frontier


def ends(**offsets: int) -> dict[TopicPartition, Offset]:
    return {{"p0": P0, "p1": P1}[name]: Offset(end) for name, end in offsets.items()}


def deliver(frontier: Frontier, place: TopicPartition, *offsets: int) -> list[bool]:
    return [frontier.delivered(place, Offset(offset)) for offset in offsets]


class TestQuestions:
    def test_nothing_wanted_nothing_asked(self) -> None:
        assert following(P0).take_ask() is None

    def test_all_that_is_wanted_goes_into_one_question(self) -> None:
        frontier = following(P0, P1)
        assert (frontier.want(P0), frontier.want(P1), frontier.want(P0)) == (1, 1, 1)
        assert frontier.take_ask() == Ask(1, frozenset({P0, P1}))
        assert frontier.take_ask() is None

    def test_what_is_wanted_while_one_is_under_way_goes_into_the_next(self) -> None:
        """Or the answer might be of a moment before the question."""
        frontier = following(P0, P1)
        frontier.want(P0)
        frontier.take_ask()
        assert (frontier.want(P0), frontier.want(P1)) == (2, 2)
        assert frontier.take_ask() is None
        list(frontier.answered(1, ends(p0=0)))
        assert (frontier.reached(P0, 1), frontier.reached(P0, 2)) == (True, False)
        assert frontier.take_ask() == Ask(2, frozenset({P0, P1}))

    def test_an_answer_to_another_question_is_no_answer(self) -> None:
        frontier = following(P0)
        frontier.want(P0)
        frontier.take_ask()
        assert list(frontier.answered(2, ends(p0=0))) == []
        assert list(frontier.answered(0, ends(p0=0))) == []
        assert not frontier.reached(P0, 1)
        assert list(frontier.answered(1, ends(p0=0))) == [P0]
        assert list(frontier.answered(1, ends(p0=0))) == []


def asked(frontier: Frontier, **offsets: int) -> list[TopicPartition]:
    """Ask about these partitions, and have them end there."""
    told = ends(**offsets)
    for place in told:
        frontier.want(place)
    ask = frontier.take_ask()
    assert ask is not None
    return list(frontier.answered(ask.number, told))


class TestReaching:
    def test_what_is_read_already_is_reached_by_the_answer(self) -> None:
        frontier = following(P0, P1, at=5)
        assert asked(frontier, p0=5, p1=6) == [P0]
        assert (frontier.reached(P0, 1), frontier.reached(P1, 1)) == (True, False)

    def test_an_end_before_what_is_read_is_reached_too(self) -> None:
        assert asked(following(P0, at=5), p0=3) == [P0]

    def test_else_by_the_last_record_before_that_end(self) -> None:
        frontier = following(P0, at=5)
        assert asked(frontier, p0=8) == []
        assert deliver(frontier, P0, 5, 6) == [False, False]
        assert not frontier.reached(P0, 1)
        assert deliver(frontier, P0, 7, 8) == [True, False]
        assert frontier.reached(P0, 1)

    def test_each_answer_waits_for_its_own_end(self) -> None:
        frontier = following(P0)
        asked(frontier, p0=2)
        asked(frontier, p0=4)
        assert deliver(frontier, P0, 0, 1, 2, 3) == [False, True, False, True]
        assert frontier.reached(P0, 2)

    def test_several_answers_are_reached_at_once(self) -> None:
        frontier = following(P0)
        asked(frontier, p0=2)
        asked(frontier, p0=2)
        assert deliver(frontier, P0, 0, 1) == [False, True]
        assert frontier.reached(P0, 2)

    def test_records_that_are_skipped_over_are_read(self) -> None:
        frontier = following(P0)
        asked(frontier, p0=3)
        assert deliver(frontier, P0, 7) == [True]
        assert frontier.next_offset(P0) == 8

    def test_reaching_a_question_reaches_those_before_it(self) -> None:
        frontier = following(P0)
        asked(frontier, p0=0)
        asked(frontier, p0=0)
        assert [frontier.reached(P0, number) for number in (1, 2, 3)] == [True, True, False]

    def test_partitions_are_read_each_for_itself(self) -> None:
        frontier = following(P0, P1)
        asked(frontier, p0=1, p1=1)
        deliver(frontier, P1, 0)
        assert (frontier.reached(P0, 1), frontier.reached(P1, 1)) == (False, True)


class TestFollowing:
    def test_it_goes_on_where_it_is(self) -> None:
        frontier = following(P0, at=5)
        assert (frontier.next_offset(P0), frontier.next_offset(P1)) == (5, None)
        deliver(frontier, P0, 5)
        assert frontier.next_offset(P0) == 6

    def test_read_again_from_before_what_is_asked_now_is_reached_later(self) -> None:
        frontier = following(P0, at=5)
        frontier.follow(P0, Offset(0))
        assert frontier.next_offset(P0) == 0
        assert asked(frontier, p0=5) == []
        assert deliver(frontier, P0, 0, 1, 2, 3, 4) == [False, False, False, False, True]

    def test_answers_that_wait_still_wait(self) -> None:
        frontier = following(P0, at=5)
        asked(frontier, p0=6)
        frontier.follow(P0, Offset(3))
        assert deliver(frontier, P0, 3, 4, 5) == [False, False, True]
        assert frontier.reached(P0, 1)

    def test_what_was_reached_stays_so(self) -> None:
        frontier = following(P0, at=5)
        asked(frontier, p0=5)
        frontier.follow(P0, Offset(0))
        assert frontier.reached(P0, 1)

    def test_what_is_not_followed_is_never_reached(self) -> None:
        frontier = following(P0)
        assert asked(frontier, p1=0) == []
        assert deliver(frontier, P1, 0) == [False]
        assert not frontier.reached(P1, 1)

    def test_after_it_was_dropped_everything_is_asked_anew(self) -> None:
        frontier = following(P0)
        asked(frontier, p0=0)
        frontier.unfollow(P0)
        frontier.unfollow(P0)
        assert not frontier.reached(P0, 1)
        frontier.follow(P0, Offset(0))
        assert not frontier.reached(P0, 1)
        assert asked(frontier, p0=0) == [P0]
        assert frontier.reached(P0, 2)
