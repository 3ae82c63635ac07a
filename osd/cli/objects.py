"""Commands about single objects: put, get, rm, ls, stat.

Rule: an object's bytes go to stdout only when all of them are right.
"""

import mimetypes
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from osd.cli import options
from osd.config import DEADLINE_S

STDIN = Path("-")
_READ_BYTES = 1 << 18

Name = Annotated[str, typer.Argument(metavar="NAME", help="The object's name.")]
IfMatch = Annotated[
    str | None,
    typer.Option(
        "--if-match", metavar="ETAG", help="Only at this ETag, which `osdlog stat` shows, or `*`."
    ),
]
Consistency = Annotated[
    str,
    typer.Option(
        "--consistency",
        metavar="WHAT",
        help="What the read waits for: log (as far as it says it goes), barrier (an event that is"
        " appended for it), or local (nothing: the answer may be late).",
    ),
]
Request = Annotated[
    str | None,
    typer.Option("--request-id", metavar="ID", help="The same id again gets the first answer."),
]


def put(  # noqa: PLR0913, PLR0917 - its options
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file, or - for stdin.")],
    media_type: Annotated[
        str | None,
        typer.Option(
            "--type", metavar="TYPE", help="Media type; else guessed from the file's name."
        ),
    ] = None,
    meta: Annotated[
        list[str] | None,
        typer.Option("--meta", metavar="KEY=VALUE", help="User metadata; any number of times."),
    ] = None,
    if_match: IfMatch = None,
    if_none_match: Annotated[
        str | None,
        typer.Option(
            "--if-none-match", metavar="ETAG", help="Not at this ETag; `*`: only a new object."
        ),
    ] = None,
    request_id: Request = None,
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Store a file under a name."""
    from eventlog.ids import rg_name
    from osd.cli.output import note, say_json
    from osd.cli.running import with_client
    from osd.client.answers import PutResult
    from osd.client.async_client import AsyncClient

    metadata = _metadata(meta or ())
    guessed = media_type or mimetypes.guess_type(name if file == STDIN else file.name)[0]

    async def work(client: AsyncClient) -> PutResult:
        return await client.put(
            name,
            _stdin() if file == STDIN else file,
            media_type=guessed,
            metadata=metadata,
            if_match=if_match,
            if_none_match=if_none_match,
            request_id=request_id,
        )

    result = with_client(log, work, deadline)
    if json:
        say_json(result)
    else:
        copies = "" if result.copies == 1 else f" in {result.copies} copies"
        again = " (the same request was done before)" if result.is_repeated else ""
        note(f"{name} is version {result.version} of {rg_name(result.rg)}{copies}{again}")


def _stdin() -> Iterator[bytes]:
    """Without Python's own stream, whose lock would be held for ever where nothing comes."""
    while chunk := os.read(sys.stdin.fileno(), _READ_BYTES):
        yield chunk


def _metadata(texts: Sequence[str]) -> dict[str, str]:
    pairs = dict(map(_pair, texts))
    if len({key.lower() for key in pairs}) < len(texts):
        raise typer.BadParameter(
            "a key stands twice; keys are read in lower case", param_hint="--meta"
        )
    return pairs


def _pair(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not key or not found:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--meta")
    return key, value


def get(
    name: Name,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where it goes; else to stdout."),
    ] = None,
    consistency: Consistency = "log",
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Read an object, to stdout or into a file."""
    from osd.cli.output import bytes_words, note, say_json
    from osd.cli.running import with_client
    from osd.client.answers import Stat
    from osd.client.async_client import AsyncClient

    if json and output is None:
        raise typer.BadParameter("the bytes go to stdout; name a file with -o", param_hint="--json")

    async def work(client: AsyncClient) -> Stat:
        target = output or sys.stdout.buffer
        return await client.stream_to(name, target, consistency=consistency)

    stat = with_client(log, work, deadline)
    if json:
        say_json(stat)
    elif output is not None:
        note(f"{output}: {bytes_words(stat.size)} of {name}, version {stat.version}")


def rm(
    name: Name,
    if_match: IfMatch = None,
    request_id: Request = None,
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Delete an object."""
    from osd.cli.output import note, say_json
    from osd.cli.running import with_client
    from osd.client.async_client import AsyncClient

    async def work(client: AsyncClient) -> None:
        await client.delete(name, if_match=if_match, request_id=request_id)

    with_client(log, work, deadline)
    if json:
        say_json({"name": name, "deleted": True})
    else:
        note(f"{name} is deleted")


def declare_lost(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the log.")],
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Also where its holders are only down.")
    ] = False,
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Give up an object of which no good copy is left: it is then as deleted."""
    from osd.cli.output import note, say_json
    from osd.cli.running import with_client
    from osd.client.async_client import AsyncClient

    async def work(client: AsyncClient) -> None:
        await client.declare_lost(name, reason, accept_loss=accept_loss)

    with_client(log, work, deadline)
    if json:
        say_json({"name": name, "declared_lost": True})
    else:
        note(f"{name} is declared lost")


def ls(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="What names begin with.")] = "",
    long: Annotated[bool, typer.Option("--long", "-l", help="With size, version and sum.")] = False,
    deadline: options.Deadline = DEADLINE_S,
    nul: Annotated[
        bool, typer.Option("-0", help="Names as they are, each ended by NUL: for scripts.")
    ] = False,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """List names, in the order of their UTF-8."""
    from osd.cli.output import say, say_json, say_raw
    from osd.cli.running import with_client
    from osd.client.async_client import AsyncClient

    if nul and (long or json):
        raise typer.BadParameter("it is for names alone", param_hint="-0")

    async def work(client: AsyncClient) -> None:
        async for row in client.list(prefix):
            if nul:
                say_raw(row.name.encode() + b"\0")
            elif json:
                say_json(row)
            elif long:
                where = f"{row.rg:x}.{row.version}"
                say(f"{row.size:>14,}  {where:>12}  {row.sha256[:16]}  {row.name}")
            else:
                say(row.name)

    with_client(log, work, deadline)


def _copies(held_by: tuple[str, ...]) -> str:
    return f"{len(held_by)}, on {' and '.join(held_by)}" if held_by else "none that counts"


def stat(
    name: Name,
    consistency: Consistency = "log",
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show what is known of an object but for its bytes."""
    from eventlog.ids import rg_name
    from osd.cli.output import pairs, say_json
    from osd.cli.running import with_client
    from osd.client.answers import Stat
    from osd.client.async_client import AsyncClient

    async def work(client: AsyncClient) -> Stat:
        return await client.stat(name, consistency=consistency)

    found = with_client(log, work, deadline)
    if json:
        say_json(found)
        return
    pairs(
        [
            ("name", found.name),
            ("size", f"{found.size:,} bytes"),
            ("sha256", found.sha256),
            ("version", f"{found.version} of {rg_name(found.rg)}"),
            ("etag", found.etag),
            ("type", found.media_type or ""),
            ("modified", found.modified or ""),
            ("copies", _copies(found.held_by)),
            *((f"meta {key}", value) for key, value in sorted(found.metadata.items())),
        ]
    )


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    for command in (put, get, rm, ls, stat, declare_lost):
        app.command()(command)
