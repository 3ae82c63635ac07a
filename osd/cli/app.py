"""The program `osdlog`: its commands, and how it ends.

Rule: exit 0 is done, 1 the answer is no, 2 wrong usage, 3 the world failed,
130 Ctrl-C. Every error of ours is said in two lines, what happened and what
to do next; a traceback is a bug.

What is not here: what the commands do; each family has its module, which
loads what it needs only when it runs.
"""

import errno
import sys

import typer

from eventlog.errors import BadName, LogReadOnly, OsdlogError
from osd.cli import (
    audit,
    demo,
    explaining,
    exporting,
    health,
    limits,
    lives,
    maps,
    nodes,
    objects,
    rebuilding,
    records,
    replay,
    scrub,
    sql,
    trees,
    verify,
)
from osd.errors import Refused
from projections.audit.errors import QueryRefused

NO, WRONG_USAGE, WORLD_FAILED, INTERRUPTED = 1, 2, 3, 130

app = typer.Typer(
    name="osdlog",
    help="An object store in which nothing is true unless the log says so.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_FAMILIES = (
    demo,
    nodes,
    objects,
    trees,
    maps,
    health,
    explaining,
    limits,
    lives,
    exporting,
    scrub,
    rebuilding,
    records,
    replay,
    sql,
    audit,
    verify,
)
for family in _FAMILIES:
    family.add_to(app)


def main() -> None:
    """Run the command that the arguments name; ends the process."""
    try:
        app(prog_name="osdlog")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OsdlogError as error:
        from osd.cli.output import complain

        complain(error)
        sys.exit(exit_code(error))
    except OSError as error:
        from osd.cli.output import note

        if error.errno != errno.EPIPE:
            named = f"{error.filename}: " if error.filename else ""
            note(f"error: {named}{error.strerror or error}")
            note("hint: Check that file or folder, its rights and its disk.")
        sys.exit(WORLD_FAILED)


def exit_code(error: OsdlogError) -> int:
    """What the process ends with when this stopped it."""
    if isinstance(error, Refused | LogReadOnly):
        return NO
    return WRONG_USAGE if isinstance(error, BadName | QueryRefused) else WORLD_FAILED
