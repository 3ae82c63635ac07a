"""RG reports: an RG and its objects as plain data for JSON, from a fold and the map alone.

Rule: whoever folded the RG, a node or a reader of the log, reports it in the
same words. A report reads and changes nothing; what may be long is counted.

What is not here: what only a node knows of itself (see `osd.reports`).
"""

from collections.abc import Sequence
from typing import Any

from eventlog.ids import Fence, Offset, RgId, Store, Version, rg_name
from projections.explain import Explanation
from projections.plans import Source, import_plan
from projections.rg_state import Claim, Entry, Fact, Ledger, RgRows
from projections.states import View, flags, source_state, sources

Report = dict[str, Any]

LISTED_FACTS = 20_000
"""A source with more is reported by its ledger alone."""


def row(rg: RgId, view: View) -> Report:
    """One RG in numbers."""
    state, shown = view.state, flags(view)
    return {
        "rg": rg,
        "name": rg_name(rg),
        "state": "+".join(flag.value for flag in shown),
        "flags": [flag.value for flag in shown],
        "is_primary": view.is_primary,
        "placed": [store.osd for store in view.placed],
        "acting": [store.osd for store in view.acting],
        "version": state.version,
        "objects": state.live,
        "tombstones": state.tombstones,
        "bytes": state.size,
        "unheld": state.unheld,
        "held": {str(store): it.held for store, it in sorted(state.ledgers.items()) if it.held},
        "sources": len(sources(state, view.placed)),
    }


def replica(view: View, store: Store, missing_bytes: int | None) -> Report:
    """How far one placed store is; `missing_bytes` is None where nobody has counted them."""
    held = view.state.ledger(store).held
    missing = view.state.live - held
    return {
        "store": str(store),
        "osd": store.osd,
        "is_up": store in view.acting,
        "is_complete": missing == 0,
        "objects": held,
        "missing_objects": missing,
        "missing_bytes": missing_bytes,
    }


def detail(view: View, rows: RgRows, mine: Fence | None, next_offset: Offset) -> Report:
    """Its claim, its stores and its sources."""
    state = view.state
    return {
        "placed_stores": [str(store) for store in view.placed],
        "claim": state.claim and _claim(state.claim, mine),
        "stores": {str(s): _ledger(ledger) for s, ledger in sorted(state.ledgers.items())},
        "retired": [str(store) for store in state.retired],
        "import_plan": _sources(view, rows),
        "voids": state.voids,
        "next_offset": next_offset,
    }


def explained(why: Explanation) -> Report:
    """An explanation."""
    return {"explanation": why.sentence, "reason": why.reason.value, "who_acts": list(why.who)}


def object_facts(name: str, rg: RgId, entry: Entry, next_offset: Offset) -> Report:
    """Every fact about one object."""
    return {
        "name": name,
        "rg": rg,
        "version": entry.version,
        "is_live": entry.body is not None,
        "size": entry.body.size if entry.body else None,
        "sha256": entry.body.sha256.hex() if entry.body else None,
        "last": entry.last.kind.name.lower(),
        "request": entry.last.request,
        "actor": entry.actor,
        "time": entry.time,
        "next_offset": next_offset,
        "facts": [_fact(fact) for fact in sorted(entry.facts, key=lambda fact: fact.store)],
    }


def _claim(claim: Claim, mine: Fence | None) -> Report:
    return {
        "fence": str(claim.fence),
        "epoch": claim.fence.epoch,
        "round": claim.fence.round,
        "store": str(claim.fence.store),
        "boot": claim.fence.boot,
        "placed": [str(store) for store in claim.placed],
        "offset": claim.offset,
        "is_standing": not claim.has_ended,
        "is_mine": mine is not None,
    }


def _ledger(ledger: Ledger) -> Report:
    stated = ledger.stated
    return {
        "held": ledger.held,
        "doomed": ledger.doomed,
        "lost": ledger.lost,
        "boot": ledger.boot,
        "n": ledger.n,
        "named": ledger.named,
        "closed": ledger.closed,
        "stated": stated
        and {
            "offset": stated.offset,
            "version": stated.version,
            "answers": stated.answers and str(stated.answers),
            "staged_from": stated.staged_from,
            "attests": stated.attests,
            "agrees": stated.agrees,
        },
    }


def _sources(view: View, rows: RgRows) -> list[Report]:
    """The sources with their sets counted, or by their ledgers where those are long."""
    state = view.state
    found: Sequence[Store] = sources(state, view.placed)
    if sum(state.ledger(store).facts for store in found) <= LISTED_FACTS:
        return [_source(source) for source in import_plan(state, rows, view.placed)]
    return [_large_source(view, store) for store in found]


def _source(source: Source) -> Report:
    return {
        "store": str(source.store),
        "osd": source.store.osd,
        "state": source.state.value,
        "remaining": len(source.remaining),
        "strays": len(source.strays),
        "first_remaining": _first(source.remaining),
        "first_strays": _first(source.strays),
    }


def _large_source(view: View, store: Store) -> Report:
    ledger = view.state.ledger(store)
    shown = source_state(ledger, view.state.standing, ledger.held > 0)
    return {
        "store": str(store),
        "osd": store.osd,
        "state": shown.value,
        "remaining": None,
        "strays": None,
        "facts": ledger.facts,
    }


def _first(versions: frozenset[Version]) -> list[Version]:
    return sorted(versions)[:10]


def _fact(fact: Fact) -> Report:
    return {
        "store": str(fact.store),
        "osd": fact.store.osd,
        "version": fact.version,
        "status": fact.status.name.lower(),
    }
