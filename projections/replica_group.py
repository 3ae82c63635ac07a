"""The fold of a replica group's events, rule set 1.

Rule: `fold` is pure and total. It reads the state and the rows as they stood
before the event and returns what changes; what is not accepted is void and
names its rule. The numbers in the comments are those of docs/protocol.md:

1. A claim is accepted iff (epoch, round) exceeds every accepted one; it
   stands until the next, or until it ends.
2. An operation is accepted iff its fence stands and its version is the next.
   Right fence, other version: void, and the claim has ended.
3. A statement is accepted iff (boot, n) exceeds the store's last accepted
   pair and the store is not retired.
4. Only a put makes an object live. One fact per (object, store).
5. A copy is doomed iff the fence stands, the copy is as named, its store is
   not placed by the claim, and every placed store's copy counts.

What is not here: the map, clocks, who acts next. A record's rg is checked by
whoever routes records to folds.
"""

from typing import NamedTuple, TypeGuard, assert_never

import msgspec
from msgspec.structs import replace

from eventlog.errors import BadRecord
from eventlog.ids import Offset, Position, Version
from eventlog.rg_events import (
    CopiesDoomed,
    CopiesErased,
    CopiesLost,
    ExportClosed,
    HoldingsStated,
    ObjectDeclaredLost,
    ObjectDeleted,
    ObjectPut,
    ObjectsImported,
    Operation,
    RgClaimed,
    RgEvent,
    Statement,
    StoreRetired,
)
from projections.holdings import Holdings
from projections.object_facts import Draft, without_store
from projections.rg_state import (
    Body,
    Claim,
    Entry,
    Fact,
    Ledger,
    Memo,
    OpKind,
    RgRows,
    RgState,
    Stated,
    Status,
)
from projections.voids import Void

RULE_SET = 1
"""The rule set written here; a claim that names another stops its RG."""


def has_unknown_rules(event: RgEvent) -> TypeGuard[RgClaimed]:
    """Whether it is a claim that names another rule set: nobody folds the RG from it on."""
    return isinstance(event, RgClaimed) and event.rules != RULE_SET


def unknown_rules(position: Position, rules: int) -> BadRecord:
    """Why nothing is folded from a claim on that names another rule set."""
    return BadRecord(
        f"{position} claims its RG under rule set {rules}, unknown to this program",
        "A newer program wrote it: ask with that version.",
    )


class VoidItem(NamedTuple):
    """One item of an accepted event that changed nothing, and why."""

    version: Version
    rule: Void


class Folded(msgspec.Struct, frozen=True):
    """What an event did: the next state, the rows that change, or the rule that voided it."""

    state: RgState
    draft: Draft
    void: Void | None = None
    items: tuple[VoidItem, ...] = ()


def fold(state: RgState, rows: RgRows, event: RgEvent, offset: Offset) -> Folded:
    """What the event at this offset does to the RG."""
    draft = Draft(event.rg, state, rows)
    match event:
        case ObjectPut() | ObjectDeleted() | ObjectDeclaredLost():
            return _operation(draft, event)
        case RgClaimed():
            return _claim(draft, event, offset)
        case CopiesDoomed():
            return _doom(draft, event)
        case StoreRetired():
            return _retire(draft, event)
        case HoldingsStated() | ObjectsImported() | CopiesErased() | CopiesLost() | ExportClosed():
            return _statement(draft, event, offset)
        case _:
            assert_never(event)


def _void(draft: Draft, rule: Void) -> Folded:
    state = draft.before
    return Folded(replace(state, voids=state.voids + 1), Draft(draft.rg, state, draft.rows), rule)


def _claim(draft: Draft, event: RgClaimed, offset: Offset) -> Folded:
    if not _outranks(event, draft.before.claim):
        return _void(draft, Void.CLAIM_NOT_NEWER)
    claim = Claim(
        fence=event.fence,
        placed=event.placed,
        replicas=event.replicas,
        min_replicas=event.min_replicas,
        rules=event.rules,
        offset=offset,
    )
    return Folded(replace(draft.before, claim=claim), draft)


def _outranks(event: RgClaimed, last: Claim | None) -> bool:
    """Rule 1: (epoch, round), as a pair, exceeds that of every claim accepted before."""
    return last is None or event.fence.rank > last.fence.rank


def _operation(draft: Draft, event: Operation) -> Folded:
    state = draft.before
    claim = state.claim
    if claim is None or not claim.gives(event.fence):
        return _void(draft, Void.FENCED)
    if claim.has_ended:
        return _void(draft, Void.CLAIM_ENDED)
    if not _is_next(event, state):
        voided = _void(draft, Void.OUT_OF_SEQUENCE)
        return replace(voided, state=replace(voided.state, claim=_ended(claim)))
    _apply_operation(draft, event)
    return Folded(draft.finish(event.version), draft)


def _is_next(event: Operation, state: RgState) -> bool:
    return event.version == state.version + 1


def _ended(claim: Claim) -> Claim:
    """Rule 2: what comes later under its fence is void: accepted is a prefix of what was sent."""
    return replace(claim, has_ended=True)


def _apply_operation(draft: Draft, event: Operation) -> None:
    """Rule 4: a put makes held facts for its stores and dooms the rest; a delete dooms all."""
    before = draft.entry(event.object)
    facts = _doom_all(before.facts) if before else ()
    body: Body | None = None
    match event:
        case ObjectPut():
            kind, request = OpKind.PUT, event.request
            body = Body(event.size, event.sha256, event.media_type, event.metadata)
            stores = [store for store in event.stores if store not in draft.before.retired]
            held = tuple([Fact(store, event.version, Status.HELD) for store in stores])
            others = tuple(fact for fact in facts if fact.store not in stores) if facts else ()
            facts = others + held
            draft.name_stores(stores, event.version)
        case ObjectDeleted():
            kind, request = OpKind.DELETE, event.request
        case ObjectDeclaredLost():
            kind, request = OpKind.DECLARED_LOST, None
    memo = Memo(kind, event.object, event.version, request)
    after = Entry(event.version, body, facts, memo, event.time, event.actor)
    draft.put(event.object, before, after)
    draft.memo = memo


def _doom_all(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    return tuple(Fact(fact.store, fact.version, Status.DOOMED) for fact in facts)


def _doom(draft: Draft, event: CopiesDoomed) -> Folded:
    if not draft.before.stands(event.fence):
        return _void(draft, Void.FENCED)
    claim = draft.before.claim
    assert claim is not None
    rules = [(version, _doom_item(draft, claim, event, version)) for version in event.versions]
    items = tuple(VoidItem(version, rule) for version, rule in rules if rule)
    return Folded(draft.finish(), draft, items=items)


def _doom_item(draft: Draft, claim: Claim, event: CopiesDoomed, version: Version) -> Void | None:
    """Rule 5, judged on placed (who should hold it), never on acting (who is up)."""
    name = draft.name_of(version)
    entry = draft.entry(name) if name is not None else None
    fact = entry.fact_of(event.store) if entry else None
    if name is None or entry is None or fact is None or fact.version != version:
        return Void.NO_SUCH_COPY
    if fact.status is Status.DOOMED:
        return Void.NO_SUCH_COPY
    if event.store in claim.placed:
        return Void.STORE_IS_PLACED
    if len(claim.placed) != claim.replicas or not all(map(entry.counts_at, claim.placed)):
        return Void.NOT_ALL_COUNT
    draft.set_fact(name, entry, Fact(event.store, version, Status.DOOMED))
    return None


def _retire(draft: Draft, event: StoreRetired) -> Folded:
    """From here on the store's facts count nowhere, and nothing waits for them."""
    state = draft.before
    if not state.stands(event.fence):
        return _void(draft, Void.FENCED)
    if event.store in state.retired:
        return _void(draft, Void.STORE_RETIRED)
    for version, name in list(draft.rows.facts_of(event.store)):
        if name is None:
            draft.drop_bare(event.store, version)
        else:
            entry = draft.entry(name)
            assert entry is not None
            draft.put(name, entry, without_store(entry, event.store))
    after = draft.finish()
    ledgers = {store: ledger for store, ledger in after.ledgers.items() if store != event.store}
    retired = tuple(sorted((*state.retired, event.store)))
    return Folded(replace(after, ledgers=ledgers, retired=retired), draft)


def _statement(draft: Draft, event: Statement, offset: Offset) -> Folded:
    state = draft.before
    if event.store in state.retired:
        return _void(draft, Void.STORE_RETIRED)
    ledger = state.ledger(event.store)
    if not _is_newer(event, ledger):
        return _void(draft, Void.STATEMENT_NOT_NEWER)
    if isinstance(event, ExportClosed) and ledger.facts:
        return _void(draft, Void.FACTS_ARE_LEFT)
    draft.ledgers[event.store] = replace(ledger, boot=event.boot, n=event.n)
    items = _apply_statement(draft, event, offset)
    return Folded(draft.finish(), draft, items=tuple(items))


def _is_newer(event: Statement, ledger: Ledger) -> bool:
    """Rule 3: a statement that comes late, or twice, is about a disk that is another by now."""
    return (event.boot, event.n) > (ledger.boot, ledger.n)


def _apply_statement(draft: Draft, event: Statement, offset: Offset) -> list[VoidItem]:
    match event:
        case HoldingsStated():
            ledger = draft.ledgers[event.store]
            stated = _stated(event, ledger.named, ledger.holdings, offset)
            draft.ledgers[event.store] = replace(ledger, stated=stated)
            return []
        case ExportClosed():
            ledger = draft.ledgers[event.store]
            draft.ledgers[event.store] = replace(ledger, closed=offset)
            return []
        case ObjectsImported():
            rules = [(v, _import_item(draft, event, v)) for v in event.versions]
        case CopiesErased():
            rules = [(v, _erase_item(draft, event, v)) for v in event.versions]
        case CopiesLost():
            rules = [(v, _lose_item(draft, event, v)) for v in event.versions]
    return [VoidItem(version, rule) for version, rule in rules if rule]


def _stated(event: HoldingsStated, named: Version, holdings: Holdings, offset: Offset) -> Stated:
    claimed = (event.count, event.digest)
    return Stated(
        offset=offset,
        version=event.version,
        answers=event.answers,
        staged_from=event.staged_from,
        attests=named <= event.version,
        agrees=claimed == (holdings.count, holdings.digest_bytes()),
    )


def _import_item(draft: Draft, event: ObjectsImported, version: Version) -> Void | None:
    if version > draft.before.version:
        return Void.ABOVE_RG_VERSION
    name = draft.name_of(version)
    if name is None:
        return None if draft.add_bare(event.store, version) else Void.NO_CHANGE
    entry = draft.entry(name)
    assert entry is not None
    fact = entry.fact_of(event.store)
    if fact is not None and not _rises(fact, version):
        return Void.BELOW_FACT
    is_current = entry.body is not None and version == entry.version
    draft.set_fact(
        name, entry, Fact(event.store, version, Status.HELD if is_current else Status.DOOMED)
    )
    return None


def _rises(fact: Fact, version: Version) -> bool:
    """Rule 4: a store that is known to have a version has none below it."""
    return version >= fact.version


def _erase_item(draft: Draft, event: CopiesErased, version: Version) -> Void | None:
    name = draft.name_of(version)
    if name is None:
        return None if draft.drop_bare(event.store, version) else Void.NO_SUCH_COPY
    entry = draft.entry(name)
    fact = entry.fact_of(event.store) if entry else None
    if entry is None or fact is None or fact.version > version:
        return Void.NO_SUCH_COPY
    draft.put(name, entry, without_store(entry, event.store))
    return None


def _lose_item(draft: Draft, event: CopiesLost, version: Version) -> Void | None:
    name = draft.name_of(version)
    if name is None:
        is_dropped = event.gone and draft.drop_bare(event.store, version)
        return None if is_dropped else Void.NO_SUCH_COPY
    entry = draft.entry(name)
    fact = entry.fact_of(event.store) if entry else None
    if entry is None or fact is None or fact.version != version:
        return Void.NO_SUCH_COPY
    if event.gone:
        draft.put(name, entry, without_store(entry, event.store))
    elif fact.status is Status.HELD:  # a doomed copy stays doomed: nobody would doom it again
        draft.set_fact(name, entry, Fact(event.store, version, Status.LOST))
    return None
