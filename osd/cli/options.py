"""Options that several commands have.

Rule: an option means the same wherever it stands. Rates are megabytes a second.
"""

import math
from pathlib import Path
from typing import Annotated

import typer

MOST = 10**12
"""No epoch and no layout comes to more; a map that is there for good is not raised further."""
MOST_OSD = 10**9 - 1
"""No OSD has a number of more digits."""
MOST_MB_S = 100_000
"""Faster than any disk, and too few for a number that was meant in bytes."""


def bytes_a_second(text: str) -> int:
    """`20`, `0.5` megabytes a second, in bytes; what is not 0 stays more than 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= MOST_MB_S:
        raise typer.BadParameter(f"{text} is no rate: give MB a second, from 0 to {MOST_MB_S:,}")
    return math.ceil(number * 1e6)


Log = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="URL",
        help="The cluster's log; else OSDLOG_LOG, else osdlog.toml.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Database = Annotated[
    Path | None,
    typer.Option(
        "--db",
        metavar="FILE",
        help="The audit database; else beside the log in a file, or in this folder.",
        show_default=False,
    ),
]
Rate = Annotated[
    int | None,
    typer.Option(
        "--rate",
        metavar="MB/s",
        parser=bytes_a_second,
        help="So many MB a second at each OSD; 0: no limit.",
        show_default=False,
    ),
]
Sync = Annotated[bool, typer.Option("--sync/--no-sync", help="Read what is new in the log first.")]
Jobs = Annotated[
    int, typer.Option("--jobs", metavar="N", min=1, max=256, help="How many files at once.")
]
Deadline = Annotated[
    float,
    typer.Option("--deadline", metavar="SECONDS", min=0.1, help="How long to keep trying."),
]
Layout = Annotated[
    int | None,
    typer.Option(
        "--layout",
        metavar="N",
        min=0,
        max=MOST,
        help="The layout it is made for; else the newest.",
        show_default=False,
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the log.")]
WaitDeadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        metavar="SECONDS",
        min=0.1,
        help="How long to wait; else for ever.",
        show_default=False,
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until all RGs are clean again.")]
AcceptLoss = Annotated[
    bool,
    typer.Option("--accept-loss", help="Rebuild also if that disk had the last copies of objects."),
]
DISK_LOST = "its disk is lost"
WhyRebuilt = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Of a rebuild; kept in the log.")
]
