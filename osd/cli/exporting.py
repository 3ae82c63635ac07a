"""The command export-state: the cluster as it is now, in one file to look at offline.

Rule: the file is made whole or not at all, and overwrites nothing. What no OSD
says is not in it, and that is said; the log is in it from its first record on.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osd.cli import options

if TYPE_CHECKING:
    from osd.client.async_client import AsyncClient
    from osd.client.exporting import Exported


def export_state(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")],
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Write the log, the map and what every OSD says into one file, for `--log state:FILE`."""
    from osd.cli.explaining import reading
    from osd.cli.output import bytes_words, note, say_json
    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> "tuple[Exported, int]":
        with reading() as step:
            found = await client.export(file, step)
        return found, len((await client.map()).osds)

    found, osds = with_client(log, work)
    if json:
        say_json({"file": str(found.path), "size": found.size, "osds": found.osds, "of": osds})
        return
    note(f"{bytes_words(found.size)} in {found.path}, with what {found.osds} of {osds} OSDs say")
    note(f"look at it with --log state:{found.path}, or export OSDLOG_LOG=state:{found.path}")


def add_to(app: typer.Typer) -> None:
    """Give the program this command."""
    app.command("export-state")(export_state)
