"""The search for an order: histories that have one, and histories that have none."""

import itertools
from random import Random

import pytest

from osd.core.inputs import Condition
from simulation.history import History
from simulation.linearizability import Call, judge
from simulation.object_model import ABSENT, Delete, Did, Look, Object, Put, steps

ABSENT_ONLY = Condition(must_not_exist=True)


def at_version(*versions: int) -> Condition:
    return Condition(match=frozenset(versions))  # type: ignore[arg-type]


GOOD: dict[str, list[Call[Did]]] = {
    "nothing": [],
    "one after another": [
        Call(0, 1, Look(None)),
        Call(2, 3, Put("a", 1)),
        Call(4, 5, Look(1, "a")),
        Call(6, 7, Delete(2)),
        Call(8, 9, Look(None)),
    ],
    "a read beside a put sees it": [Call(0, 9, Put("a", 1)), Call(1, 2, Look(1, "a"))],
    "a read beside a put does not see it": [Call(0, 9, Put("a", 1)), Call(1, 2, Look(None))],
    "two puts beside each other, read in the other order": [
        Call(0, 9, Put("a", 2)),
        Call(0, 9, Put("b", 1)),
        Call(10, 11, Look(2, "a")),
    ],
    "an open put is seen much later": [
        Call(0, None, Put("a", None)),
        Call(10, 11, Look(None)),
        Call(20, 21, Look(1, "a")),
    ],
    "an open put is never seen": [Call(0, None, Put("a", None)), Call(10, 11, Look(None))],
    "an open delete is seen": [
        Call(0, 1, Put("a", 1)),
        Call(2, None, Delete(None)),
        Call(10, 11, Look(None)),
    ],
    "a condition that held": [
        Call(0, 1, Put("a", 1, ABSENT_ONLY)),
        Call(2, 3, Put("b", 2, at_version(1))),
        Call(4, 5, Look(2)),
    ],
    "of two that must find nothing one comes after a delete": [
        Call(0, 9, Put("a", 1, ABSENT_ONLY)),
        Call(0, 9, Put("b", 3, ABSENT_ONLY)),
        Call(0, 9, Delete(2)),
    ],
    "a value without its version": [Call(0, 1, Put("a", 1)), Call(2, 3, Look(None, "a"))],
    "a delete that was not told its version": [
        Call(0, 1, Put("a", 1)),
        Call(2, 3, Delete(None)),
        Call(4, 5, Look(None)),
    ],
    "a read at the same millisecond": [Call(0, 5, Put("a", 1)), Call(5, 6, Look(None))],
}

BAD: dict[str, list[Call[Did]]] = {
    "an acknowledged put is lost": [Call(0, 1, Put("a", 1)), Call(2, 3, Look(None))],
    "a read gives what nobody put": [Call(0, 1, Look(1, "a"))],
    "a read before the put sees it": [Call(0, 1, Look(1, "a")), Call(2, 3, Put("a", 1))],
    "a deleted object comes back": [
        Call(0, 1, Put("a", 1)),
        Call(2, 3, Delete(2)),
        Call(4, 5, Look(1, "a")),
    ],
    "a stale read after a newer one": [
        Call(0, 1, Put("a", 1)),
        Call(2, 9, Put("b", 2)),
        Call(3, 4, Look(2, "b")),
        Call(5, 6, Look(1, "a")),
    ],
    "an older version is put later": [Call(0, 1, Put("a", 2)), Call(2, 3, Put("b", 1))],
    "two that must find nothing both do": [
        Call(0, 9, Put("a", 1, ABSENT_ONLY)),
        Call(0, 9, Put("b", 2, ABSENT_ONLY)),
    ],
    "two replace the same version": [
        Call(0, 1, Put("a", 1)),
        Call(2, 9, Put("b", 2, at_version(1))),
        Call(2, 9, Put("c", 3, at_version(1))),
    ],
    "another value, without its version": [
        Call(0, 1, Put("a", 1)),
        Call(2, 3, Put("b", 2)),
        Call(4, 5, Look(None, "a")),
    ],
    "nothing is deleted": [Call(0, 1, Delete(1))],
    "an open put is seen, not seen, and seen": [
        Call(0, None, Put("a", None)),
        Call(1, 2, Look(1, "a")),
        Call(3, 4, Look(None)),
        Call(5, 6, Look(1, "a")),
    ],
    "the same value under two versions": [
        Call(0, None, Put("a", None)),
        Call(1, 2, Look(1)),
        Call(3, 4, Look(2)),
    ],
}


@pytest.mark.parametrize("calls", GOOD.values(), ids=GOOD)
def test_an_order_is_found(calls: list[Call[Did]]) -> None:
    assert judge(calls, ABSENT, steps).is_linearizable


@pytest.mark.parametrize("calls", BAD.values(), ids=BAD)
def test_no_order_is_found(calls: list[Call[Did]]) -> None:
    verdict = judge(calls, ABSENT, steps)
    assert not verdict.is_linearizable
    assert len(verdict.order) < len(calls)


@pytest.mark.parametrize("seed", range(300))
def test_it_is_as_trying_every_order(seed: int) -> None:
    """Small histories, most of them wrong, against the definition itself."""
    calls = _random_history(Random(seed))
    assert judge(calls, ABSENT, steps).is_linearizable is _has_order(calls)


def test_the_random_histories_are_of_both_kinds() -> None:
    verdicts = [judge(_random_history(Random(seed)), ABSENT, steps) for seed in range(300)]
    good = sum(verdict.is_linearizable for verdict in verdicts)
    assert 30 < good < 270


def test_a_long_history_takes_few_steps() -> None:
    """Many open calls beside each other: without memory this would never end."""
    calls: list[Call[Did]] = [Call(0, None, Put(f"open {n}", None)) for n in range(12)]
    for turn in range(200):
        at = 10 * turn
        calls.append(Call(at, at + 15, Put(str(turn), turn + 1)))
        calls.append(Call(at + 5, at + 20, Look(turn + 1, str(turn))))
    assert judge(calls, ABSENT, steps).is_linearizable


def test_a_history_tells_which_object_and_what_it_leaves() -> None:
    history = History()
    history.note("good", 0, 1, Put("a", 1))
    history.note("bad", 0, 1, Put("a", 1))
    history.note("bad", 2, 3, Look(None))
    [fault] = history.faults()
    assert "seen of bad" in fault
    assert "2-3 Look(version=None, value=None)" in fault.split("and what it leaves")[1]


def _random_history(random: Random) -> list[Call[Did]]:
    calls: list[Call[Did]] = []
    for number in range(random.randint(1, 5)):
        invoked = random.randrange(8)
        returned = None if random.randrange(5) == 0 else invoked + random.randint(1, 6)
        version = None if returned is None else random.randint(1, 3)
        value = str(random.randrange(number + 1))
        did: list[Did] = [Put(str(number), version), Put(str(number), version, ABSENT_ONLY)]
        if returned is not None:
            did += [Look(None), Look(version, value), Look(version)]
        did.append(Delete(version))
        calls.append(Call(invoked, returned, random.choice(did)))
    return calls


def _has_order(calls: list[Call[Did]]) -> bool:
    """Whether any subset with all that returned, in any order, explains all."""
    must = [call for call in calls if call.returned is not None]
    may = [call for call in calls if call.returned is None]
    for count in range(len(may) + 1):
        for extra in itertools.combinations(may, count):
            if any(_explains(order) for order in itertools.permutations([*must, *extra])):
                return True
    return False


def _explains(order: tuple[Call[Did], ...]) -> bool:
    for at, call in enumerate(order):
        for later in order[at + 1 :]:
            if later.returned is not None and later.returned < call.invoked:
                return False
    states: set[Object] = {ABSENT}
    for call in order:
        states = {after for state in states for after in steps(state, call.what)}
    return bool(states)
