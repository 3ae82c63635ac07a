"""The program `osdlog`: its commands, and how it ends.

Rule: exit 0 is done, 1 the answer is no, 2 wrong usage, 3 the world failed,
130 Ctrl-C, 141 nobody reads what is printed. Every error of ours is said in
two lines, what happened and what to do next; a traceback is a bug.

What is not here: what the commands do; each family has its module, which
loads what it needs only when it runs.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

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
    streams,
    trees,
    usage,
    verify,
)
from osd.errors import Refused
from projections.audit.errors import QueryRefused

NO, WRONG_USAGE, WORLD_FAILED, INTERRUPTED = 1, 2, 3, 130


class _Program(usage.Group):
    """Left alone, Typer ends with 1 where nobody reads on: "the answer is no"."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments; help is printed here."""
        with _unread():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _unread():
            return super().invoke(ctx)


@contextmanager
def _unread() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise SystemExit(streams.UNREAD) from None


app = typer.Typer(
    name="osdlog",
    cls=_Program,
    context_settings=usage.HELP,
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


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from osd.cli.output import say

        say(f"osdlog {version('osdlog')}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_say_version, help="Say which this is."),
    ] = False,
) -> None:
    """An object store in which nothing is true unless the log says so."""


def main() -> None:
    """Run the command that the arguments name; ends the process."""
    streams.ensure_open()
    sys.exit(streams.handed_out(_run()))


def _run() -> int:
    """The exit code, but for what is not printed yet."""
    try:
        app(prog_name="osdlog")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except OsdlogError as error:
        from osd.cli.output import complain

        complain(error)
        return exit_code(error)
    except OSError as error:
        from osd.cli.output import note

        named = f"{error.filename}: " if error.filename else ""
        note(f"error: {named}{error.strerror or error}")
        note("hint: Check that file or folder, its rights and its disk.")
        return WORLD_FAILED
    raise AssertionError("a command ends by SystemExit")


def exit_code(error: OsdlogError) -> int:
    """What the process ends with when this stopped it."""
    if isinstance(error, Refused | LogReadOnly):
        return NO
    return WRONG_USAGE if isinstance(error, BadName | QueryRefused) else WORLD_FAILED
