"""What the fold of an RG keeps true, over histories made by chance.

Every property is proved by itself over the same histories of fixed seeds, and
all of them together over histories that hypothesis makes and shrinks.
"""

from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eventlog.ids import Offset, Store, Version
from eventlog.rg_events import RgEvent
from folds.building import RG
from folds.generated import fold_all, histories, history
from folds.properties import PROPERTIES, Step, steps
from projections.encoding import encode_entry, encode_state
from projections.replica_group import Folded, fold
from projections.rg_memory import RgProjection
from projections.rg_state import Entry, Memo, RgState
from projections.voids import Void

SEEDS = 150


@cache
def all_steps() -> tuple[tuple[str, Step], ...]:
    """The steps of every seed's history, and where each stands."""
    return tuple(
        (f"event {at} of seed {seed}", step)
        for seed in range(SEEDS)
        for at, step in enumerate(steps(history(Random(seed))))
    )


def test_the_histories_have_every_event_and_every_rule() -> None:
    """Or the properties would say less than they seem to."""
    seen: set[object] = set()
    for _, step in all_steps():
        seen |= {type(step.event)} if step.is_accepted else {step.folded.void}
        seen |= {item.rule for item in step.folded.items}
        seen.add(("bare", len(step.has_bare) - len(step.had_bare)))
    assert seen >= {*get_args(RgEvent), *Void, ("bare", 1), ("bare", -1)}


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda holds: holds.__name__)
def test_property(holds: Callable[[Step], None]) -> None:
    for where, step in all_steps():
        try:
            holds(step)
        except AssertionError as broken:
            broken.add_note(f"{where}: {step.event}")
            raise


@settings(max_examples=150)
@given(histories())
def test_all_properties(events: list[RgEvent]) -> None:
    for step in steps(events):
        for holds in PROPERTIES:
            holds(step)


class Backwards:
    """`RgRows` that give everything in the opposite order, where order is not promised."""

    def __init__(self, projection: RgProjection) -> None:
        self._projection = projection
        self.name_of = projection.name_of
        self.is_bare = projection.is_bare

    def entry(self, name: str) -> Entry | None:
        entry = self._projection.entry(name)
        return replace(entry, facts=entry.facts[::-1]) if entry else None

    def memo(self, request: str) -> Memo | None:
        return self._projection.memo(request)

    def facts_of(
        self, store: Store, after: Version = Version(0)
    ) -> Iterator[tuple[Version, str | None]]:
        return reversed(list(self._projection.facts_of(store, after)))

    def names(self, after: str = "", prefix: str = "") -> Iterator[tuple[str, Entry]]:
        return reversed(list(self._projection.names(after, prefix)))


def outcome(folded: Folded) -> tuple[object, ...]:
    """What a fold did, in the one form in which it is stored."""
    entries = {
        name: (_bytes(before), _bytes(after))
        for name, (before, after) in folded.draft.entries.items()
    }
    return encode_state(folded.state), entries, folded.draft.bare, folded.void, folded.items


def _bytes(entry: Entry | None) -> bytes | None:
    return encode_entry(entry) if entry is not None else None


class TestOrders:
    @settings(max_examples=60)
    @given(histories())
    def test_a_fold_does_not_depend_on_the_order_in_which_it_reads(
        self, events: list[RgEvent]
    ) -> None:
        projection = RgProjection(RG)
        for at, event in enumerate(events):
            state = projection.state
            turned = replace(state, ledgers=dict(reversed(list(state.ledgers.items()))))
            backwards = fold(turned, Backwards(projection), event, Offset(at))
            assert outcome(backwards) == outcome(projection.fold(event, Offset(at)))

    @settings(max_examples=60)
    @given(histories(), st.randoms(use_true_random=False))
    def test_a_digest_does_not_depend_on_what_came_first_into_memory(
        self, events: list[RgEvent], random: Random
    ) -> None:
        cut = random.randint(0, len(events))
        projection = fold_all(events[:cut])
        shuffled = RgProjection(RG)
        shuffled.__dict__ |= {key: _shuffled(v, random) for key, v in vars(projection).items()}
        for at in range(cut, len(events)):
            projection.fold(events[at], Offset(at))
            shuffled.fold(events[at], Offset(at))
        assert shuffled.digest() == projection.digest()


def _shuffled(value: object, random: Random) -> object:
    """The same value; a dictionary or set is filled in another order."""
    if isinstance(value, RgState):
        return replace(value, ledgers=_shuffled(value.ledgers, random))
    if not isinstance(value, dict | set):
        return value
    items = sorted(value.items() if isinstance(value, dict) else value)
    random.shuffle(items)
    return type(value)(items)
