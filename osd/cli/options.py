"""Options that several commands have.

Rule: an option means the same wherever it stands.
"""

from typing import Annotated

import typer

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
Jobs = Annotated[int, typer.Option("--jobs", min=1, max=256, help="How many files at once.")]
Deadline = Annotated[
    float,
    typer.Option("--deadline", metavar="SECONDS", min=0.1, help="How long to keep trying."),
]
