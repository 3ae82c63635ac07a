"""Wrong usage, and help on what there is to use.

Rule: wrong usage is said as every other error is, in two lines, and ends with
2. Of a group without a command its help is shown, which is wrong usage too.
A list of commands has each one's whole first sentence, on any terminal.

What is not here: what is wrong in the values that commands look at themselves
(`eventlog.errors.BadName`).
"""

from typing import Any

import typer
from typer.core import TyperGroup

HELP = {"help_option_names": ["-h", "--help"]}
_WHOLE = 1_000
"""Characters of a sentence; none has so many."""


class Group(TyperGroup):
    """Commands that stand under one word, or under none."""

    def make_context(self, info_name: Any, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments as far as the command's name."""
        try:
            return super().make_context(info_name, *args, **kwargs)
        except typer.TyperException as fault:
            raise SystemExit(_tell(fault, info_name)) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command, which reads the others."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as fault:
            path = f"{ctx.command_path} {ctx.invoked_subcommand or ''}".strip()
            raise SystemExit(_tell(fault, path)) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Typer cuts what does not fit on one line."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, it.get_short_help_str(_WHOLE)) for name, it in commands if it is not None]
            )


def _tell(fault: typer.TyperException, path: str) -> int:
    """The exit code; `path` is what was read of the command where the fault does not say."""
    from osd.cli.output import note

    context: Any = getattr(fault, "ctx", None)
    what = fault.format_message()
    if context is not None and what == context.get_help():
        typer.echo(what, err=True)
        return fault.exit_code
    if context is not None:
        path = context.command_path
        form = " ".join([path, *context.command.collect_usage_pieces(context)])
    note(f"error: {what[0].lower()}{what[1:].rstrip('.')}")
    note(f"hint: Write {form}; `{path} --help` explains it." if context else _SEE.format(path))
    return fault.exit_code


_SEE = "hint: `{} --help` explains it."
