"""Options of the commands that run an OSD: osd, rebuild, and up for all of them.

Rule: they are written down once, and so is the command that starts an OSD
again as it was started.
"""

import re
import shlex
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osd.cli import options

if TYPE_CHECKING:
    from eventlog.ids import OsdId
    from osd.core.scrubbing import Rhythm

HOST = "127.0.0.1"

_NAME = re.compile(r"[\w.-]{1,253}")


def host_said(text: str) -> str:
    """A name, or an address; an IPv6 one may stand in brackets."""
    try:
        if ":" in text:
            IPv6Address(text.removeprefix("[").removesuffix("]"))
        elif not _NAME.fullmatch(text) or not text.encode("idna"):
            raise ValueError(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no host: give a name or an address, without a port"
        ) from None
    return text


Number = Annotated[
    int,
    typer.Option("--id", metavar="N", min=0, max=options.MOST_OSD, help="Its number in the map."),
]
Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="Its own folder; made where there is none.")
]
Host = Annotated[
    str, typer.Option("--host", metavar="HOST", parser=host_said, help="Where it listens.")
]
Port = Annotated[
    int, typer.Option("--port", metavar="PORT", min=0, max=65_535, help="0: any that is free.")
]
Advertise = Annotated[
    str | None,
    typer.Option(
        "--advertise",
        metavar="HOST",
        parser=host_said,
        help="How others reach it; else as it listens.",
        show_default=False,
    ),
]
ScrubEvery = Annotated[
    float,
    typer.Option(
        "--scrub-every", metavar="HOURS", min=0, help="Compare sizes so often; 0: only on command."
    ),
]
DeepScrubEvery = Annotated[
    float,
    typer.Option(
        "--deep-scrub-every",
        metavar="HOURS",
        min=0,
        help="Read every byte so often; 0: only on command.",
    ),
]
ScrubRate = Annotated[
    float,
    typer.Option(
        "--scrub-rate",
        metavar="MB/s",
        min=0,
        max=options.MOST_MB_S,
        help="How fast these read; 0: no limit.",
    ),
]
Purge = Annotated[
    bool,
    typer.Option(
        "--purge", help="Once the log says that a body is erased, no file has it; slower."
    ),
]


def rhythm(light_hours: float, deep_hours: float, mb_s: float) -> "Rhythm":
    """What the options of scrubs come to: an OSD counts in bytes."""
    from osd.core.scrubbing import Rhythm

    return Rhythm(light_hours, deep_hours, mb_s * 1e6)


_KEPT = ("host", "port", "advertise", "scrub_every", "deep_every", "scrub_rate", "purge", "log")


def start_command(context: typer.Context, osd: "OsdId", data: Path) -> str:
    """The command that starts an OSD with those of these options that this one was given."""
    words = ["osdlog", "osd", "--id", str(osd), "--data", str(data)]
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in _KEPT and source is not None and source.name == "COMMANDLINE":
            value = context.params[parameter.name]
            words += [parameter.opts[0], *([] if value is True else [str(value)])]
    return shlex.join(words)
