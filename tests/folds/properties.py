"""What one folded event keeps true of an RG, whatever its log says.

Rule: a property looks at one `Step`, an event with the RG before and after
it, and asserts. Its name is the sentence that is proved; `PROPERTIES` has all.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from eventlog.ids import Boot, Offset, StatementNumber, Store, Version
from eventlog.rg_events import (
    CopiesDoomed,
    CopiesErased,
    CopiesLost,
    ExportClosed,
    HoldingsStated,
    ObjectDeclaredLost,
    ObjectDeleted,
    ObjectPut,
    Operation,
    RgClaimed,
    RgEvent,
    Statement,
    StoreRetired,
)
from folds.building import RG, holdings_of
from folds.generated import STORES
from projections.replica_group import Folded
from projections.rg_memory import RgProjection
from projections.rg_state import Entry, Fact, Ledger, RgState, Status
from projections.voids import Void

Entries = dict[str, Entry]
Copy = tuple[Store, Version]


class Step(NamedTuple):
    """One event, and the RG before and after it."""

    event: RgEvent
    folded: Folded
    before: RgState
    after: RgState
    had: Entries
    has: Entries
    had_bare: frozenset[Copy]
    has_bare: frozenset[Copy]

    @property
    def is_accepted(self) -> bool:
        return self.folded.void is None


def steps(events: Iterable[RgEvent]) -> Iterator[Step]:
    """Each event folded after those before it."""
    projection = RgProjection(RG)
    had, had_bare = dict(projection.names()), bare_copies(projection)
    for at, event in enumerate(events):
        before = projection.state
        folded = projection.fold(event, Offset(at))
        has, has_bare = dict(projection.names()), bare_copies(projection)
        yield Step(event, folded, before, projection.state, had, has, had_bare, has_bare)
        had, had_bare = has, has_bare


def bare_copies(projection: RgProjection) -> frozenset[Copy]:
    """Copies of forgotten versions."""
    facts = ((one, *fact) for one in STORES for fact in projection.facts_of(one))
    return frozenset((one, version) for one, version, name in facts if name is None)


def facts_of(entries: Entries) -> dict[tuple[str, Store], Fact]:
    """Every fact by object and store."""
    return {(name, fact.store): fact for name, entry in entries.items() for fact in entry.facts}


def versions_at(step: Step, where: Store) -> list[Version]:
    """What the store has after the event."""
    named = [fact.version for (_, one), fact in facts_of(step.has).items() if one == where]
    return named + [version for one, version in step.has_bare if one == where]


# Claims and operations.


def accepted_versions_are_dense(step: Step) -> None:
    is_made = isinstance(step.event, Operation) and step.is_accepted
    assert step.after.version == step.before.version + is_made
    if isinstance(step.event, Operation) and step.is_accepted:
        assert step.event.version == step.after.version


def an_accepted_claim_outranks_every_one_before(step: Step) -> None:
    before, after = step.before.claim, step.after.claim
    if not isinstance(step.event, RgClaimed):
        assert (after and after.fence) == (before and before.fence)
        return
    is_newer = before is None or step.event.fence.rank > before.fence.rank
    assert step.is_accepted == is_newer
    if is_newer:
        assert after is not None
        assert (after.fence, after.has_ended) == (step.event.fence, False)


def an_operation_is_accepted_only_under_its_standing_fence(step: Step) -> None:
    if isinstance(step.event, Operation | CopiesDoomed | StoreRetired) and step.is_accepted:
        assert step.before.standing is not None
        assert step.before.standing.fence == step.event.fence


def a_claim_ends_only_by_its_own_operation_out_of_sequence(step: Step) -> None:
    claim = step.before.standing
    if claim is not None and step.after.standing is None:
        assert isinstance(step.event, Operation)
        assert step.event.fence == claim.fence
        assert step.event.version != step.before.version + 1


def only_a_put_makes_live_and_only_its_own_object(step: Step) -> None:
    for name, entry in step.has.items():
        was = step.had.get(name)
        if entry.body is not None and (was is None or was.body != entry.body):
            assert isinstance(step.event, ObjectPut)
            assert step.is_accepted
            assert step.event.object == name


def only_an_operation_changes_what_its_object_is(step: Step) -> None:
    for name in step.had.keys() & step.has.keys():
        if replace(step.had[name], facts=()) != replace(step.has[name], facts=()):
            assert isinstance(step.event, Operation)
            assert step.event.object == name


def what_is_deleted_lives_no_more(step: Step) -> None:
    if isinstance(step.event, ObjectDeleted | ObjectDeclaredLost) and step.is_accepted:
        left = step.has.get(step.event.object)
        assert left is None or left.body is None


def a_tombstone_is_there_until_no_fact_is_left(step: Step) -> None:
    for entry in step.has.values():
        assert entry.body is not None or entry.facts
    for name in step.had.keys() - step.has.keys():
        assert step.had[name].body is None or _is_operation_on(step.event, name)


def _is_operation_on(event: RgEvent, name: str) -> bool:
    return isinstance(event, Operation) and event.object == name


# Facts.


def a_copy_that_is_not_doomed_is_of_the_current_version(step: Step) -> None:
    for entry in step.has.values():
        for fact in entry.facts:
            assert fact.version <= entry.version
            if fact.status is not Status.DOOMED:
                assert entry.body is not None
                assert fact.version == entry.version


def there_is_one_fact_for_each_object_and_store(step: Step) -> None:
    for entry in step.has.values():
        holders = [fact.store for fact in entry.facts]
        assert len(holders) == len(set(holders))


def facts_only_rise(step: Step) -> None:
    had, has = facts_of(step.had), facts_of(step.has)
    for key in had.keys() & has.keys():
        assert has[key].version >= had[key].version


def facts_go_only_by_their_holders_word_or_its_retirement(step: Step) -> None:
    gone = {where for _, where in facts_of(step.had).keys() - facts_of(step.has).keys()}
    gone |= {where for where, _ in step.had_bare - step.has_bare}
    if gone:
        assert isinstance(step.event, CopiesErased | CopiesLost | StoreRetired)
        assert gone == {step.event.store}
        assert not isinstance(step.event, CopiesLost) or step.event.gone


def an_erasure_takes_no_newer_copy_than_it_names(step: Step) -> None:
    if isinstance(step.event, CopiesErased):
        has = facts_of(step.has)
        for key, fact in facts_of(step.had).items():
            assert key in has or fact.version <= step.event.versions[-1]
        assert {v for _, v in step.had_bare - step.has_bare} <= set(step.event.versions)


def a_copy_stops_counting_only_by_what_may_stop_it(step: Step) -> None:
    has = facts_of(step.has)
    for (name, where), fact in facts_of(step.had).items():
        after = has.get((name, where))
        if fact.status is Status.HELD and (after is None or after.status is not Status.HELD):
            assert _is_operation_on(step.event, name) or (
                isinstance(step.event, CopiesDoomed | CopiesLost | CopiesErased | StoreRetired)
                and step.event.store == where
            )


def a_doomed_copy_stands_again_only_by_a_put_or_its_own_import(step: Step) -> None:
    had, has = facts_of(step.had), facts_of(step.has)
    for name, where in had.keys() & has.keys():
        before, after = had[name, where].status, has[name, where].status
        if before is Status.DOOMED and after is not Status.DOOMED:
            assert after is Status.HELD
            is_put = isinstance(step.event, ObjectPut) and step.event.object == name
            assert is_put or getattr(step.event, "store", None) == where


def dooming_leaves_every_placed_store_its_copy(step: Step) -> None:
    if isinstance(step.event, CopiesDoomed):
        for name in _changed(step):
            claim = step.before.standing
            assert claim is not None
            assert step.event.store not in claim.placed
            assert len(claim.placed) == claim.replicas
            assert all(map(step.has[name].counts_at, claim.placed))


def a_bare_copy_is_of_a_version_that_nobody_remembers(step: Step) -> None:
    remembered = {entry.version for entry in step.has.values()}
    remembered |= {fact.version for fact in facts_of(step.has).values()}
    assert not {version for _, version in step.has_bare} & remembered


def _changed(step: Step) -> set[str]:
    names = step.had.keys() | step.has.keys()
    return {name for name in names if step.had.get(name) != step.has.get(name)}


# Statements and retirements.


def what_is_accepted_of_a_store_grows(step: Step) -> None:
    for where, ledger in step.before.ledgers.items():
        after = step.after.ledgers.get(where)
        assert after is None or (after.boot, after.n) >= (ledger.boot, ledger.n)
    if isinstance(step.event, Statement) and step.event.store not in step.before.retired:
        before, after = (state.ledger(step.event.store) for state in (step.before, step.after))
        is_newer = (step.event.boot, step.event.n) > (before.boot, before.n)
        assert is_newer == (step.folded.void is not Void.STATEMENT_NOT_NEWER)
        if step.is_accepted:
            assert (after.boot, after.n) == (step.event.boot, step.event.n)


def a_statement_changes_only_what_is_of_its_own_store(step: Step) -> None:
    if isinstance(step.event, Statement):
        had, has = facts_of(step.had), facts_of(step.has)
        changed = {key[1] for key in had.keys() | has.keys() if had.get(key) != has.get(key)}
        changed |= {where for where, _ in step.had_bare ^ step.has_bare}
        assert changed <= {step.event.store}


def a_store_is_closed_only_while_it_has_nothing(step: Step) -> None:
    for ledger in step.after.ledgers.values():
        assert ledger.closed is None or not ledger.facts
    if isinstance(step.event, ExportClosed) and step.is_accepted:
        assert not step.before.ledger(step.event.store).facts


def holdings_agree_iff_they_are_those_of_the_fold(step: Step) -> None:
    if isinstance(step.event, HoldingsStated) and step.is_accepted:
        ledger = step.after.ledger(step.event.store)
        has = holdings_of(*versions_at(step, step.event.store))
        is_alike = (step.event.count, step.event.digest) == (has.count, has.digest_bytes())
        assert ledger.stated is not None
        assert ledger.stated.agrees == is_alike
        assert ledger.stated.attests == (ledger.named <= step.event.version)


def nothing_of_a_retired_store_counts(step: Step) -> None:
    for where in step.after.retired:
        assert where not in step.after.ledgers
        assert not any(one == where for _, one in facts_of(step.has))
        assert not any(one == where for one, _ in step.has_bare)
        assert not any(where in entry.holders() for entry in step.has.values())


def a_store_is_retired_for_ever(step: Step) -> None:
    assert set(step.before.retired) <= set(step.after.retired)
    assert list(step.after.retired) == sorted(set(step.after.retired))
    if isinstance(step.event, Statement) and step.event.store in step.before.retired:
        assert step.folded.void is Void.STORE_RETIRED


# Voids.


def a_void_event_changes_nothing_but_the_count(step: Step) -> None:
    if step.is_accepted:
        assert step.after.voids == step.before.voids
        return
    expected = replace(step.before, voids=step.before.voids + 1)
    if step.folded.void is Void.OUT_OF_SEQUENCE:
        assert step.before.claim is not None
        expected = replace(expected, claim=replace(step.before.claim, has_ended=True))
    assert step.after == expected
    assert (step.has, step.has_bare) == (step.had, step.had_bare)
    draft = step.folded.draft
    assert (draft.entries, draft.bare, draft.memo) == ({}, {}, None)


def void_items_change_nothing_but_that_the_store_spoke(step: Step) -> None:
    versions = getattr(step.event, "versions", ())
    voided = {item.version for item in step.folded.items}
    assert voided <= set(versions)
    if versions and voided == set(versions):
        assert (step.has, step.has_bare) == (step.had, step.had_bare)
        assert _unspoken(step.after) == _unspoken(step.before)


def _unspoken(state: RgState) -> RgState:
    """Without the numbers of the stores' last statements."""
    silent = {
        one: replace(ledger, boot=Boot(0), n=StatementNumber(0))
        for one, ledger in state.ledgers.items()
    }
    return replace(state, ledgers={o: ledger for o, ledger in silent.items() if ledger != Ledger()})


# Sums.


def the_sums_of_the_rg_are_those_of_its_entries(step: Step) -> None:
    bodies = [entry.body for entry in step.has.values() if entry.body is not None]
    assert step.after.live == len(bodies)
    assert step.after.tombstones == len(step.has) - len(bodies)
    assert step.after.size == sum(body.size for body in bodies)
    assert step.after.unheld == sum(
        1 for entry in step.has.values() if entry.body is not None and not entry.holders()
    )


def the_sums_of_a_ledger_are_those_of_its_facts(step: Step) -> None:
    holders = {one for _, one in facts_of(step.has)} | {one for one, _ in step.has_bare}
    assert set(step.after.holders) == holders
    for where, ledger in step.after.ledgers.items():
        found = [fact.status for (_, one), fact in facts_of(step.has).items() if one == where]
        bare = sum(1 for one, _ in step.has_bare if one == where)
        assert ledger.held == found.count(Status.HELD)
        assert ledger.lost == found.count(Status.LOST)
        assert ledger.doomed == found.count(Status.DOOMED) + bare
        assert ledger.holdings == holdings_of(*versions_at(step, where))


def named_is_the_last_put_that_lists_the_store(step: Step) -> None:
    is_put = isinstance(step.event, ObjectPut) and step.is_accepted
    listed = step.event.stores if isinstance(step.event, ObjectPut) and is_put else ()
    for where, ledger in step.after.ledgers.items():
        before = step.before.ledger(where).named
        assert ledger.named == (step.after.version if where in listed else before)


PROPERTIES: tuple[Callable[[Step], None], ...] = (
    accepted_versions_are_dense,
    an_accepted_claim_outranks_every_one_before,
    an_operation_is_accepted_only_under_its_standing_fence,
    a_claim_ends_only_by_its_own_operation_out_of_sequence,
    only_a_put_makes_live_and_only_its_own_object,
    only_an_operation_changes_what_its_object_is,
    what_is_deleted_lives_no_more,
    a_tombstone_is_there_until_no_fact_is_left,
    a_copy_that_is_not_doomed_is_of_the_current_version,
    there_is_one_fact_for_each_object_and_store,
    facts_only_rise,
    facts_go_only_by_their_holders_word_or_its_retirement,
    an_erasure_takes_no_newer_copy_than_it_names,
    a_copy_stops_counting_only_by_what_may_stop_it,
    a_doomed_copy_stands_again_only_by_a_put_or_its_own_import,
    dooming_leaves_every_placed_store_its_copy,
    a_bare_copy_is_of_a_version_that_nobody_remembers,
    what_is_accepted_of_a_store_grows,
    a_statement_changes_only_what_is_of_its_own_store,
    a_store_is_closed_only_while_it_has_nothing,
    holdings_agree_iff_they_are_those_of_the_fold,
    nothing_of_a_retired_store_counts,
    a_store_is_retired_for_ever,
    a_void_event_changes_nothing_but_the_count,
    void_items_change_nothing_but_that_the_store_spoke,
    the_sums_of_the_rg_are_those_of_its_entries,
    the_sums_of_a_ledger_are_those_of_its_facts,
    named_is_the_last_put_that_lists_the_store,
)
