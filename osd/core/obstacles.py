"""Obstacles: why an RG is as it is at this node, with what only the node itself knows.

Rule: what stops the node comes before what the log says of the RG; what keeps
it from going on (calm, a failing fetch, a limit) replaces "must still import".
Nothing here changes anything.

What is not here: the log's and the disk's troubles, which the core does not
see (see `osd.reports`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlog.ids import osd_name, rg_name
from projections.explain import OPERATOR, Explanation, Reason, explain

if TYPE_CHECKING:
    from osd.core.group import Group


def explain_here(group: Group) -> Explanation:
    """Why the RG is as it is here, and who must act next."""
    name, me = rg_name(group.rg), osd_name(group.context.me.osd)
    if group.stuck is not None:
        return Explanation(
            f"{name} is stopped at {me}: {group.stuck}.", Reason.STOPPED, (OPERATOR,)
        )
    if not group.is_caught_up:
        why = f"{name} is not read to the end of the log yet at {me}."
        return Explanation(why, Reason.READING, (me,))
    if group.claims.is_behind:
        return Explanation(f"{group.why_waiting()}.", Reason.MAP_BEHIND, (OPERATOR,))
    if group.is_primary and group.state.claim is not None and group.claims.fence is None:
        return _unclaimed(group)
    said = explain(group.rg, group.view, group.context.map)
    return _importing(group, said) if said.reason is Reason.IMPORTING else said


def _unclaimed(group: Group) -> Explanation:
    name, me = rg_name(group.rg), osd_name(group.context.me.osd)
    sentence = f"{name} waits for {me} to read its claim back from the log."
    if group.claims.is_doubtful:
        sentence = (
            f"{name} waits for {me} to read a new claim back from the log: "
            "what became of its last append is not known."
        )
    return Explanation(sentence, Reason.CLAIM_AWAITED, (me,))


def _importing(group: Group, said: Explanation) -> Explanation:
    """What keeps this node from importing, if anything does."""
    context, importer = group.context, group.importer
    if not importer.is_wanting():
        return said
    if importer.trouble:  # also while it is being tried again
        failed = f"the last try failed: {importer.trouble}"
        who = (OPERATOR,) if importer.is_own_trouble else _holders(group)
        return _but(said._replace(who=who), Reason.IMPORT_FAILS, failed)
    if not importer.is_idle:
        return said
    if context.now - group.placed_since < context.settings.calm_ms:
        calm_s = context.settings.calm_ms / 1_000
        return _but(said, Reason.CALM, f"it waits until the map has stood for {calm_s:g} s")
    if importer.waits:
        waits = said._replace(who=(OPERATOR,))
        return _but(waits, Reason.DISK_FULL, importer.waits)
    return _limited(group, said)


def _limited(group: Group, said: Explanation) -> Explanation:
    pulls, now = group.context.pulls, group.context.now
    if pulls.limits.pulls == 0:
        stopped = "`osdlog limits` lets it import nothing in the background"
        return _but(said._replace(who=(OPERATOR,)), Reason.LIMITED, stopped)
    if pulls.under_way >= pulls.limits.pulls:
        under_way = f"all {pulls.limits.pulls:,} places for imports are taken by other RGs"
        return _but(said, Reason.LIMITED, under_way)
    if pulls.may_start(now, is_urgent=group.importer.is_urgent):
        return said
    if pulls.is_giving_way(now):
        return _but(said, Reason.LIMITED, "imports give way to what clients ask here")
    held = f"it imports no more than {pulls.limits.rate:,} bytes a second"
    return _but(said, Reason.LIMITED, held)


def _holders(group: Group) -> tuple[str, ...]:
    """Who has copies to give: those that are up, if any is."""
    state, me, is_up = group.state, group.context.me, group.context.map.is_up
    held = [store for store in state.holders if store != me and state.ledger(store).held]
    return tuple(osd_name(store.osd) for store in list(filter(is_up, held)) or held)


def _but(said: Explanation, reason: Reason, obstacle: str) -> Explanation:
    sentence = f"{said.sentence.removesuffix('.')}, but {obstacle}."
    return Explanation(sentence, reason, said.who)
