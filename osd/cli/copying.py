"""The command that copies a log.

Rule: it makes the new log if there is none; done again, it goes on where it was.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from osd.cli import options

if TYPE_CHECKING:
    from eventlog.log import Log

From = Annotated[str, typer.Argument(metavar="FROM", help="The log to copy.")]
To = Annotated[str, typer.Argument(metavar="TO", help="The new log, or one begun before.")]


def copy(source: From, target: To, json: options.Json = False) -> None:
    """Copy a whole log, between any two kinds: the same events at the same places."""
    from eventlog.copying import copy_log, plan_copy
    from eventlog.open import open_log
    from osd.cli.endings import heeding_signals
    from osd.cli.output import bytes_words, count, note, say_json
    from osd.cli.progress import bar
    from osd.client.cluster_status import followed_places
    from osd.client.history_cut import naming_cuts
    from osd.config import log_url

    with heeding_signals(), ExitStack() as opened:
        old = opened.enter_context(open_log(log_url(source)))
        new = opened.enter_context(_opened_or_made(log_url(target), old))
        plan = plan_copy(old, new)
        cuts = naming_cuts(old, followed_places(old))
        with bar("copying", plan.records, 0) as shown, cuts:
            done = copy_log(old, new, plan, lambda records: shown.step(0, records))
        if json:
            say_json({"from": old.url, "to": new.url} | done._asdict())
            return
        there = f", {count(done.there, 'record')} there already" if done.there else ""
        note(f"copied {count(done.records, 'record')}, {bytes_words(done.size)}{there}")
        note(f"the copy is at {new.url}")


def _opened_or_made(url: str, like: "Log") -> "Log":
    from eventlog.errors import LogMissing
    from eventlog.open import create_log, open_log

    try:
        return open_log(url)
    except LogMissing:
        return create_log(url, like.identity)
