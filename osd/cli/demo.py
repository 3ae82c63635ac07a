"""The command `demo`.

Rule: what the demo does stands in `osd.demo`; here is only how it is called.
"""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="The folder that goes in; else Python's library."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave the cluster there.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", metavar="DIR", help="The same as PATH.")
    ] = None,
    osds: Annotated[
        int, typer.Option("--osds", metavar="N", min=2, help="OSDs to begin with.")
    ] = 3,
    log: Annotated[
        str | None, typer.Option("--log", metavar="URL", help="A new log; else a file.")
    ] = None,
) -> None:
    """Show the whole story on this machine, on real files."""
    from eventlog.errors import BadName
    from osd.cli.running import run, until_stopped
    from osd.demo.story import tell

    if path and source:
        raise BadName("two folders are to go in", "Name one: --source DIR is the same as PATH.")
    if not run(until_stopped(tell(path or source, keep, osds, log))):
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Give the program this command."""
    app.command()(demo)
