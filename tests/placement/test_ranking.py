"""Ranking many RGs at once gives what the definition gives one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.draws import Item, draw, seed
from projections.ranking import CHUNK, best, rivalled, seeds

# Few keys, so that items often have the same one, and with it always the same hash.
items = st.builds(
    Item,
    st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1)),
    # The last two so heavy that their draws are small numbers, and often equal.
    st.sampled_from([1, 2, 65_536, 65_537, 3 * 65_536, 2**56, 2**56 + 1]),
)


def _best_of_one(rg: int, candidates: list[Item], count: int) -> list[int]:
    numbered = [(*draw(seed(rg), item), number) for number, item in enumerate(candidates)]
    return [number for _, _, number in sorted(numbered)[:count]]


@given(st.lists(items, min_size=1, max_size=40), st.integers(1, 4), st.integers(1, 60))
def test_best_is_the_sorted_draws(candidates: list[Item], count: int, rg_count: int) -> None:
    count = min(count, len(candidates))
    order = best(seeds(rg_count), candidates, count)
    assert order.T.tolist() == [_best_of_one(rg, candidates, count) for rg in range(rg_count)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("spread", [0, 7_777])
def test_chunks_do_not_show(count: int, spread: int) -> None:
    candidates = [Item(key * 2**40, 65_536 + spread * key) for key in range(1, 31)]
    order = best(seeds(2 * CHUNK + 5), candidates, count)
    for rg in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 4]:
        assert order[:, rg].tolist() == _best_of_one(rg, candidates, count)


@given(st.lists(items, min_size=1, max_size=5), st.dictionaries(st.integers(0, 8), items))
def test_rivalled_compares_draws(held: list[Item], rivals: dict[int, Item]) -> None:
    holders = np.arange(50, dtype=np.int32) % len(held)
    found = rivalled(seeds(50), holders, held, rivals)
    for rg, holder in enumerate(holders.tolist()):
        mark = draw(seed(rg), held[holder])[0]
        others = [rival for number, rival in rivals.items() if number != holder]
        assert found[rg] == any(draw(seed(rg), rival)[0] <= mark for rival in others)
