"""Commands that look before they leap: map plan, map undo.

Rule: a plan changes nothing. It is data on stdout; what it rests on, what
speaks against it, and the command that makes it so, are said beside it. Exit 1
where the change should not be made as it is.
"""

import shlex
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from osd.cli import options
from osd.cli.change_options import with_changes
from osd.cli.words import Words

if TYPE_CHECKING:
    from osd.cli.waiting import Changed
    from osd.client.async_client import AsyncClient
    from osd.client.planning import Planned
    from osd.client.undoing import Undoing

LISTED = 12
"""Changes that an undo lists; the rest are counted."""

AllRgs = Annotated[bool, typer.Option("--rgs", help="List also every RG that moves.")]
Replay = Annotated[
    str | None,
    typer.Option(
        "--replay",
        metavar="FILE|A..B",
        help="Plan maps in a row: a file with CHANGES a line, or epochs of the past.",
    ),
]
Seen = Annotated[
    int | None,
    typer.Option(
        "--seen",
        metavar="EPOCH",
        min=0,
        max=options.MOST,
        help="The epoch of the last change that you saw; refused if another came since.",
        show_default=False,
    ),
]


@with_changes
def plan(
    words: Words,
    layout: options.Layout = None,
    rgs: AllRgs = False,
    replay: Replay = None,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show what a change would move, and change nothing.

    Of OSDs and RGs each option may be given any number of times.
    """
    from eventlog.errors import BadName
    from osd.cli.running import with_client
    from osd.cli.sequences import plan_sequence

    if replay is not None:
        if words != Words() or layout is not None or rgs:
            raise BadName("--replay stands alone", "Write the change into the file, as a line.")
        plan_sequence(replay, json=json, log=log)
        return

    async def work(client: "AsyncClient") -> "Planned":
        return await _plan(client, words, layout)

    planned = with_client(log, work)
    _show(planned, _apply_command(words, planned, log), log, rgs=rgs, json=json)


async def _plan(client: "AsyncClient", words: Words, layout: int | None) -> "Planned":
    import asyncio

    from eventlog.ids import Layout
    from osd.cli.change_words import changes_of
    from osd.cli.pin_words import needs_homes
    from osd.cli.progress import rated_counter
    from osd.client.async_client import user
    from osd.client.planning import map_with, planned
    from projections.pinning import homes_of

    now = await client.map()
    made_for = now.layout if layout is None else Layout(layout)
    if not needs_homes(words.pin):
        changes = changes_of(words, now, user() or "unknown", "")
        map_with(now, changes, made_for)  # what is refused need not be measured
    with rated_counter("measuring", "events") as progress:
        surveyed = await client.survey(progress)
    made_for = surveyed.map.layout if layout is None else Layout(layout)
    homes = homes_of(surveyed.map, surveyed.survey.stats)
    changes = changes_of(words, surveyed.map, user() or "unknown", "", homes)
    return await asyncio.to_thread(planned, surveyed, changes, made_for)


def _apply_command(words: Words, planned: "Planned", log: str | None) -> str:
    loss = " --accept-loss" if planned.is_loss else ""
    return f"osdlog map apply {words}{loss} --layout {planned.layout}{_log_option(log)}"


def _log_option(log: str | None) -> str:
    return f" --log {shlex.quote(log)}" if log else ""


def _show(planned: "Planned", command: str, log: str | None, *, rgs: bool, json: bool) -> None:
    from osd.cli.app import NO
    from osd.cli.output import note, say, say_json, table
    from osd.cli.plan_words import (
        OSD_HEADS,
        OSD_NUMBERS,
        RG_HEADS,
        RG_NUMBERS,
        basis,
        headline,
        osd_rows,
        plan_data,
        rg_rows,
    )

    if json:
        say_json(plan_data(planned, command))
        if planned.objections:
            raise typer.Exit(NO)
        return
    say(headline(planned))
    table(OSD_HEADS, osd_rows(planned.plan), numbers=OSD_NUMBERS)
    if rgs:
        table(RG_HEADS, rg_rows(planned.plan), numbers=RG_NUMBERS)
    for line in basis(planned, _log_option(log)):
        note(line)
    for concern in planned.concerns:
        if not concern.is_grave:
            note(f"caution: {concern.what}")
    if planned.objections:
        _refuse(planned, command)
    note(f"next: {command}")


def _refuse(planned: "Planned", command: str) -> NoReturn:
    from osd.errors import Refused

    raise Refused(
        "; ".join(planned.objections),
        f"Change less at once, or something else. To do it all the same: {command}",
    )


def undo(  # noqa: PLR0913, PLR0917 - its options
    epoch: Annotated[
        int | None,
        typer.Argument(metavar="EPOCH", help="The epoch whose map is wanted back.", min=0),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, instead of showing it.")] = False,
    layout: options.Layout = None,
    seen: Seen = None,
    wait: options.Wait = False,
    deadline: options.WaitDeadline = None,
    reason: options.Reason = "",
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show the change that takes back the last one, or brings back an earlier map; or do it."""
    from eventlog.errors import BadName
    from osd.cli.progress import rated_counter
    from osd.cli.running import with_client
    from osd.cli.waiting import changed

    if (wait or deadline is not None or reason) and not yes:
        raise BadName(
            "--wait, --deadline and --reason are of an undo that is made; this one is only shown",
            "Add --yes, or leave them out.",
        )
    if yes:

        async def change(client: "AsyncClient") -> "Changed":
            return await _undo(client, epoch, layout, seen, reason, json=json)

        changed(change, log, wait=wait, json=json, deadline=deadline)
        return

    async def work(client: "AsyncClient") -> "tuple[Undoing, Planned]":
        from eventlog.ids import Layout

        found = await _undoing(client, epoch, seen)
        made_for = found.seen.layout if layout is None else Layout(layout)
        with rated_counter("measuring", "events") as progress:
            planned = await client.plan_map(found.changes, layout=made_for, progress=progress)
        return found, planned

    found, planned = with_client(log, work)
    if not json:
        _say_undoing(found)
    _show(planned, _undo_command(epoch, found, planned, log), log, rgs=False, json=json)


def _undo_command(epoch: int | None, found: "Undoing", planned: "Planned", log: str | None) -> str:
    """Whoever changes the map meanwhile, also without moving data, makes it refused."""
    back_to = f" {epoch}" if epoch is not None else ""
    seen = f" --seen {found.last}" if found.last is not None else ""
    return f"osdlog map undo{back_to} --yes{seen} --layout {planned.layout}{_log_option(log)}"


async def _undoing(client: "AsyncClient", epoch: int | None, seen: int | None) -> "Undoing":
    from eventlog.ids import Epoch
    from osd.errors import Refused

    found = await client.undo_map(None if epoch is None else Epoch(epoch))
    if seen is not None and found.last != seen:
        raise Refused(
            f"the last change of the map is not that of epoch {seen}, but of {found.last}",
            "Look again with `osdlog map undo`; `osdlog map log` says who changed what.",
        )
    return found


async def _undo(
    client: "AsyncClient",
    epoch: int | None,
    layout: int | None,
    seen: int | None,
    reason: str,
    *,
    json: bool,
) -> "Changed":
    from eventlog.ids import Layout
    from osd.cli.waiting import Changed

    found = await _undoing(client, epoch, seen)
    if not json:
        _say_undoing(found)
    made_for = found.seen.layout if layout is None else Layout(layout)
    why = reason or _undone(found)
    after = await client.change_map(found.changes, layout=made_for, reason=why)
    return Changed(found.seen, after)


def _undone(found: "Undoing") -> str:
    if found.undone is not None:
        return f"undo of epoch {found.undone}"
    return f"back to epoch {found.epoch}"


def _say_undoing(found: "Undoing") -> None:
    from eventlog.telling import tell_change
    from osd.cli.output import count, note

    note(f"{_undone(found)}:")
    for change in found.changes[:LISTED]:
        note(f"    {tell_change(change)}")
    if len(found.changes) > LISTED:
        note(f"    and {count(len(found.changes) - LISTED, 'change')} more")
    for line in found.impossible:
        note(f"caution: {line}")
