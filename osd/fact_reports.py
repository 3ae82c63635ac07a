"""Fact reports: what a node's folds and its disk say of copies, for comparing with the log.

Rule: a report reads and changes nothing; each RG is of one moment, and says
how far it was folded then. Digests come first: lists are for where they differ.

What is not here: HTTP, and what the log says (see `projections.audit.nodes`).
"""

from collections.abc import Iterator
from typing import Any

from eventlog.ids import rg_name
from osd.core.group import Group

Report = dict[str, Any]


def digests(group: Group) -> Report:
    """What each store has of the RG by this node's fold, and what its own disk has, in numbers.

    Copies on the disk are counted one by one: who asks wants to know what is there.
    """
    disk = group.disk.counted()
    return {
        "rg": group.rg,
        "name": rg_name(group.rg),
        "next_offset": group.place.next_offset,
        "version": group.state.version,
        "live": group.state.live,
        "stores": {
            str(store): {
                "count": ledger.facts,
                "held": ledger.held,
                "digest": ledger.holdings.digest_bytes().hex(),
            }
            for store, ledger in sorted(group.state.ledgers.items())
            if ledger.facts
        },
        "disk": {"count": disk.count, "digest": disk.digest_bytes().hex()},
        "is_settled": group.speaker.is_silent,
    }


def copies(group: Group) -> Iterator[Report]:
    """How far the RG is folded; every fact by this fold; then every copy on the disk."""
    yield {"next_offset": group.place.next_offset, "is_settled": group.speaker.is_silent}
    for name, entry in group.table.names():
        for fact in entry.facts:
            status = fact.status.name.lower()
            yield _copy(name, str(fact.store), fact.version, status)
    for store in group.state.holders:
        for version, of in group.table.facts_of(store):
            if of is None:
                yield _copy(None, str(store), version, "doomed")
    for version, _ in group.disk.copies():
        yield _copy(None, "disk", version, "there")


def _copy(name: str | None, store: str, version: int, status: str) -> Report:
    return {"object": name, "store": store, "version": version, "status": status}
