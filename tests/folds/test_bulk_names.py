"""Names in bulk: a row for every (RG, name), asked for one by one or many at once."""

from random import Random

import numpy as np
import pyarrow as pa
import pytest

from projections.bulk.names import NEARBY, Names, sum_of, texts_of

Pair = tuple[int, str]


def rows_of(names: Names, pairs: list[Pair]) -> list[int]:
    rgs = np.array([rg for rg, _ in pairs], np.int64)
    found: list[int] = names.rows(rgs, pa.array([name for _, name in pairs], pa.string())).tolist()
    return found


def check(names: Names, batches: list[list[Pair]]) -> None:
    """Each pair has one row, a name its text, and rows have no gap."""
    known: dict[Pair, int] = {}
    for batch in batches:
        for pair, row in zip(batch, rows_of(names, batch), strict=True):
            assert known.setdefault(pair, row) == row
    assert sorted(known.values()) == list(range(names.count))
    for (rg, name), row in known.items():
        assert names.row(rg, name) == row
        assert names.name(row) == name


@pytest.mark.parametrize("seed", range(3))
def test_names_of_all_lengths_in_several_rgs(seed: int) -> None:
    random = Random(seed)

    def pair() -> Pair:
        name = "é" * random.randint(0, 12) + str(random.randint(0, 999))
        return random.randint(0, 2), name * random.choice([1, 1, 1, 40])

    check(Names(), [[pair() for _ in range(random.randint(1, 200))] for _ in range(20)])


def test_who_was_never_asked_for_has_no_row() -> None:
    names = Names()
    rows_of(names, [(1, "a")])
    assert names.row(1, "b") is None
    assert names.row(2, "a") is None


def test_names_that_all_want_one_place_are_told_apart_still() -> None:
    """More of them than places that are looked at, before and after there is more room."""
    many = [f"{number:x}" for number in range(400_000)]
    sums = texts_of(np.zeros(len(many), np.int64), pa.array(many)).sums()
    chosen = [(0, many[number]) for number in np.flatnonzero(sums % 4_096 == 7).tolist()]
    assert len(chosen) > 2 * NEARBY
    others = [(1, str(number)) for number in range(10_000)]
    check(Names(), [chosen[: NEARBY + 9], chosen, others, chosen])


def test_one_sum_is_the_sum_of_many() -> None:
    pairs = [(number, "name é" * number) for number in range(1, 30)]
    rgs = np.array([rg for rg, _ in pairs], np.int64)
    sums = texts_of(rgs, pa.array([name for _, name in pairs])).sums()
    assert sums.tolist() == [sum_of(rg, name.encode()) for rg, name in pairs]


def test_some_of_an_array_of_texts() -> None:
    array = pa.array(["one", "two", "three", "four"]).slice(1, 2)
    texts = texts_of(np.zeros(2, np.int64), array)
    assert [texts.one(number) for number in range(2)] == [b"two", b"three"]
