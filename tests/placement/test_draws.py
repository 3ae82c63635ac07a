"""The numbers of a draw, against other ways to come by them."""

from decimal import ROUND_FLOOR, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.draws import MAX_WEIGHT, Item, cost_table, draw, key, mix, seed

words = st.integers(0, 2**64 - 1)


def test_seeds_are_the_published_outputs_of_splitmix64() -> None:
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [seed(rg) for rg in range(3)] == expected


def test_a_key_is_the_beginning_of_md5() -> None:
    assert key("") == int.from_bytes(bytes.fromhex("d41d8cd98f00b204"), "little")


@pytest.mark.parametrize("cell", [0, 1, 2, 500, 511, 512, 513, 1000, 1022, 1023])
def test_costs_are_logarithms_rounded_down(cell: int) -> None:
    with localcontext() as context:
        context.prec = 60
        scaled = Decimal(1024 - cell).ln() / Decimal(2).ln() * 2**60
        is_power_of_two = (1024 - cell).bit_count() == 1
        rounding = None if is_power_of_two else ROUND_FLOOR
        expected = 10 * 2**60 - int(scaled.to_integral_value(rounding))
    assert cost_table()[0][cell] == expected


def test_steps_are_large_enough_for_the_short_cut_and_small_enough_for_64_bits() -> None:
    costs, steps = cost_table()
    assert len(costs) == len(steps) == 1024
    assert min(steps) >= 2**22
    assert max(steps) * 0xFFFFFFFF < 2**64
    assert costs[-1] + (steps[-1] * 0xFFFFFFFF >> 4) < 2**64
    assert list(costs) == sorted(costs)


def _cost(word: int) -> int:
    """The cost of a hash, by way of an item whose hash it is."""
    pre_image = _unmix(word)
    cost, hashed = draw(0, Item(pre_image, 1))
    assert hashed == word
    return cost


def _unmix(word: int) -> int:
    word = _unshift(word, 31)
    word = _unshift(word * pow(0x94D049BB133111EB, -1, 2**64) % 2**64, 27)
    return _unshift(word * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64, 30)


def _unshift(word: int, shift: int) -> int:
    found = word
    for _ in range(64 // shift):
        found = word ^ found >> shift
    return found


@given(words)
def test_mix_loses_nothing(word: int) -> None:
    assert _unmix(mix(word)) == word


@given(words, words)
def test_cost_never_falls(one: int, other: int) -> None:
    assert _cost(min(one, other)) <= _cost(max(one, other))


@given(words)
def test_cost_is_at_least_the_bound_of_the_short_cut(word: int) -> None:
    assert _cost(word) >= word >> 22 << 18


@given(words, words, st.integers(1, MAX_WEIGHT))
def test_a_draw_is_the_cost_by_weight(rg_seed: int, item_key: int, weight: int) -> None:
    cost, hashed = draw(rg_seed, Item(item_key, 1))
    assert draw(rg_seed, Item(item_key, weight)) == (cost // weight, hashed)
