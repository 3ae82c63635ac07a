"""A glance: what one node's RGs are like, in a few numbers, and the worst of them.

Rule: made in one pass over the RGs, from numbers that the folds keep anyway,
so that ten thousand RGs cost milliseconds. How bad an RG is, its reason tells
and not its number: of those that are not well a thousand are explained, the
worst states first, and those with the worst reasons are shown.

What is not here: the rest of a node's status (see `osd.reports`).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import Any

from eventlog.ids import rg_name
from osd import rg_reports
from osd.core.group import Group
from projections.explain import Explanation
from projections.states import State

Report = dict[str, Any]

WORST = 3
"""So many RGs are shown."""
EXPLAINED = 1_000
"""Of so many at most it is asked why they are as they are."""

_RANKS = {State.UNDEF: 1, State.IMPORTING: 2, State.DEGRADED: 3}
_WELL = len(_RANKS) + 1


def glance(groups: Iterable[Group], explain: Callable[[Group], Explanation]) -> Report:
    """States of the RGs led here, what is left to erase, and the worst RGs."""
    leading: Counter[str] = Counter()
    to_erase = 0
    unwell: list[tuple[int, int, Group]] = []
    for group in groups:
        to_erase += group.ledger.doomed
        if not group.is_primary:
            continue
        flags = group.flags
        leading["+".join(flag.value for flag in flags)] += 1
        rank = 0 if group.stuck or group.state.unheld else _RANKS.get(flags[0], _WELL)
        if rank < _WELL:
            unwell.append((rank, group.rg, group))
    asked = nsmallest(EXPLAINED, unwell, key=lambda found: found[:2])
    why = [(explain(group), group) for _, _, group in asked]
    worst = nsmallest(WORST, why, key=lambda found: (found[0].reason.rank, found[1].rg))
    return {
        "leading": dict(sorted(leading.items())),
        "to_erase": to_erase,
        "worst": [_explained(group, why) for why, group in worst],
    }


def _explained(group: Group, why: Explanation) -> Report:
    return {"rg": group.rg, "name": rg_name(group.rg)} | rg_reports.explained(why)
