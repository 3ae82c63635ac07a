"""Pulls: places and bytes, counted by the step's clock and by nothing else."""

from random import Random

import pytest

from eventlog.ids import Boot
from folds.building import A
from osd.core.context import Context, Settings
from osd.core.pulls import BURST_MS, GIVE_WAY_MS, REST_MS, Limits, Pulls
from osd.core.room import Room
from osd.memory_rows import MemoryRows

MB = 1_000_000


def started(pulls: Pulls, now: int, size: int) -> bool:
    """Whether a pull of that size started; it ends at once."""
    if not pulls.may_start(now, is_urgent=False):
        return False
    pulls.start(size, now)
    pulls.finish(size, now)
    return True


class TestPlaces:
    def test_so_many_and_no_more(self) -> None:
        pulls = Pulls(Limits(pulls=2))
        for _ in range(2):
            assert pulls.may_start(0, is_urgent=False)
            pulls.start(10, 0)
        assert not pulls.may_start(10**9, is_urgent=False)
        assert (pulls.under_way, pulls.bytes_under_way) == (2, 20)
        pulls.finish(10, 0)
        assert pulls.may_start(10**9, is_urgent=False)

    def test_none_starts_none(self) -> None:
        assert not Pulls(Limits(pulls=0)).may_start(10**9, is_urgent=False)

    def test_fewer_let_those_under_way_go_on(self) -> None:
        pulls = Pulls(Limits(pulls=2))
        pulls.start(1, 0)
        pulls.start(1, 0)
        pulls.limit(Limits(pulls=1), 0)
        pulls.finish(1, 0)
        assert not pulls.may_start(0, is_urgent=False)
        pulls.finish(1, 0)
        assert pulls.may_start(0, is_urgent=False)


class TestGivingWay:
    def test_one_at_once_while_clients_ask(self) -> None:
        pulls = Pulls(Limits(pulls=4))
        pulls.asked(1_000)
        assert started_and_left(pulls, 1_000)
        assert not pulls.may_start(1_000, is_urgent=False)
        assert not pulls.may_start(1_000 + GIVE_WAY_MS - 1, is_urgent=False)
        assert pulls.may_start(1_000 + GIVE_WAY_MS, is_urgent=False)

    def test_a_pull_rests_as_long_as_it_took(self) -> None:
        pulls = Pulls(Limits(pulls=4))
        pulls.asked(1_000)
        pulls.start(10, 1_000)
        pulls.asked(1_020)
        pulls.finish(10, 1_020)
        assert not pulls.may_start(1_039, is_urgent=False)
        assert pulls.may_start(1_040, is_urgent=False)

    def test_a_long_pull_is_not_rested_from_for_long(self) -> None:
        pulls = Pulls(Limits(pulls=4))
        pulls.start(10, 1_000)
        pulls.asked(9_000)
        pulls.finish(10, 9_000)
        assert not pulls.may_start(9_000 + REST_MS - 1, is_urgent=False)
        assert pulls.may_start(9_000 + REST_MS, is_urgent=False)

    def test_what_is_urgent_takes_half_of_the_places_and_does_not_rest(self) -> None:
        pulls = Pulls(Limits(pulls=4))
        pulls.start(10, 1_000)
        pulls.asked(1_050)
        pulls.finish(10, 1_050)
        assert not pulls.may_start(1_050, is_urgent=False)
        for _ in range(2):
            assert pulls.may_start(1_050, is_urgent=True)
            pulls.start(10, 1_050)
        assert not pulls.may_start(1_050, is_urgent=True)

    def test_what_is_urgent_has_no_more_places_than_there_are(self) -> None:
        for most in (0, 1):
            pulls = Pulls(Limits(pulls=most))
            pulls.asked(1_000)
            assert pulls.may_start(1_000, is_urgent=True) == bool(most)

    def test_nobody_rests_when_nobody_asks(self) -> None:
        pulls = Pulls(Limits(pulls=1))
        pulls.start(10, 1_000)
        pulls.finish(10, 1_050)
        assert pulls.may_start(1_050, is_urgent=False)

    def test_fewer_go_together(self) -> None:
        pulls = Pulls(Limits())
        assert pulls.together(64, 1_000) == 64
        pulls.asked(1_000)
        assert [pulls.together(most, 1_001) for most in (64, 3)] == [16, 1]

    def test_none_are_none(self) -> None:
        pulls = Pulls(Limits(pulls=0))
        pulls.asked(1_000)
        assert not pulls.may_start(1_001, is_urgent=False)


def started_and_left(pulls: Pulls, now: int) -> bool:
    """Whether a pull started; it goes on."""
    may = pulls.may_start(now, is_urgent=False)
    pulls.start(10, now)
    return may


class TestRate:
    def test_a_burst_then_as_time_passes(self) -> None:
        pulls = Pulls(Limits(rate=MB))
        sizes = MB * BURST_MS // 1_000 // 10
        assert [started(pulls, 0, sizes) for _ in range(11)] == [True] * 10 + [False]
        assert not started(pulls, 0, 1)
        assert started(pulls, 1, sizes)  # a thousandth of a second gives a thousand bytes
        assert not started(pulls, sizes // 1_000, 1)
        assert started(pulls, sizes // 1_000 + 1, 1)

    def test_a_large_one_is_paid_for_afterwards(self) -> None:
        pulls = Pulls(Limits(rate=MB))
        assert started(pulls, 0, 10 * MB)
        owed_ms = 10_000 - BURST_MS
        assert not started(pulls, owed_ms, 1)
        assert started(pulls, owed_ms + 1, 1)

    @pytest.mark.parametrize("seed", range(20))
    def test_never_more_than_the_rate_a_burst_and_one_pull(self, seed: int) -> None:
        random, rate, now = Random(seed), 300_000, 0
        pulls = Pulls(Limits(rate=rate))
        starts: list[tuple[int, int]] = []
        while now < 20_000:
            now += random.choice([0, 1, 7, 100, 900])
            size = random.choice([10, 4_000, 60_000, 500_000])
            if started(pulls, now, size):
                starts.append((now, size))
        for at, (since, _) in enumerate(starts):
            for until, _ in starts[at:]:
                inside = [size for when, size in starts if since <= when <= until]
                allowed = 1_000 * sum(inside) - rate * (until - since + BURST_MS)
                assert allowed <= 1_000 * inside[-1]

    def test_what_it_allows_is_used_from_tick_to_tick(self) -> None:
        pulls, size, used = Pulls(Limits(rate=MB)), 60_000, 0
        for now in range(0, 10_001, 100):
            while started(pulls, now, size):
                used += size
        allowed = 10 * MB + MB * BURST_MS // 1_000
        assert allowed <= used <= allowed + size

    def test_no_rate_holds_nothing(self) -> None:
        pulls = Pulls(Limits(rate=0))
        assert all(started(pulls, 0, 10**12) for _ in range(100))

    def test_a_rate_that_is_set_later_holds_at_once(self) -> None:
        pulls = Pulls(Limits(rate=0))
        assert started(pulls, 0, MB)
        pulls.limit(Limits(rate=1_000), 0)
        assert not started(pulls, 0, 1)
        assert started(pulls, 1, 1)

    def test_the_bucket_holds_no_more_than_a_burst(self) -> None:
        pulls = Pulls(Limits(rate=MB))
        assert started(pulls, 0, 1)
        burst = MB * BURST_MS // 1_000
        assert started(pulls, 10**9, burst)
        assert not started(pulls, 10**9, 1)


class TestRoom:
    def test_what_is_under_way_takes_room_already(self) -> None:
        pulls = Pulls(Limits())
        pulls.room = Room(free=400 * MB, total=800 * MB)
        assert pulls.fits(200 * MB)
        assert not pulls.fits(200 * MB + 1)
        pulls.start(100 * MB, 0)
        assert not pulls.fits(100 * MB + 1)

    def test_imports_stop_before_puts(self) -> None:
        room = Room(free=150 * MB, total=800 * MB)
        assert (room.takes(0), room.takes_import(0), room.is_nearly_full) == (True, False, True)

    def test_the_marks_come_one_after_the_other_on_every_disk(self) -> None:
        for total in (0, 10 * MB, 10**9, 10**11, 10**13):
            room = Room(0, total)
            assert room.reserve <= room.import_reserve <= room.warning_mark


def test_limits_are_kept_in_the_store() -> None:
    rows, settings = MemoryRows(), Settings(limits=Limits(pulls=3))
    context = Context(A, Boot(1), rows, settings)
    assert context.pulls.limits == Limits(pulls=3)
    context.limit(Limits(pulls=1, rate=5))
    rows.apply(context.overlay.take())
    assert Context(A, Boot(2), rows, settings).pulls.limits == Limits(pulls=1, rate=5)
