"""The command limits: what the OSDs' background imports may use, shown and set while they run.

Rule: what is not named stays as it is, and each OSD that was not reached is
named. Exit 3 if one was not.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import options

if TYPE_CHECKING:
    from osd.client.async_client import AsyncClient
    from projections.cluster_map import Osd

SILENT = 3

Only = Annotated[
    str | None, typer.Argument(metavar="OSD", help="Only this one; else all.", show_default=False)
]
PullsAtOnce = Annotated[
    int | None,
    typer.Option(
        "--pulls",
        metavar="N",
        min=0,
        help="So many pulls at once at each OSD, up to 1,000; 0 stops them.",
    ),
]


def limits(
    osd: Only = None,
    pulls: PullsAtOnce = None,
    rate: options.Rate = None,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show or set what an OSD may import in the background; kept across restarts."""
    from osd.cli.output import note, say_json
    from osd.cli.running import with_client
    from osd.core.pulls import MAX_PULLS

    _require_at_most("--pulls", pulls, MAX_PULLS)
    named = {"pulls": pulls, "rate": rate}
    wanted = {name: number for name, number in named.items() if number is not None}

    async def work(client: "AsyncClient") -> "list[tuple[Osd, dict[str, Any] | str]]":
        return [(each, await _said(client, each, wanted)) for each in await _osds(client, osd)]

    found = with_client(log, work)
    answers = [(f"osd.{each.osd}", said) for each, said in found if isinstance(said, dict)]
    silent = [(f"osd.{each.osd}", said) for each, said in found if isinstance(said, str)]
    if json:
        say_json(dict(answers))
    else:
        _show(answers)
    for name, why in silent:
        note(f"{name} was not {'reached' if wanted else 'asked'}: {why}")
    if silent:
        raise typer.Exit(SILENT)


def _require_at_most(option: str, number: int | None, most: int) -> None:
    if number is not None and number > most:
        raise typer.BadParameter(f"{number} is more than {most:,}", param_hint=option)


async def _osds(client: "AsyncClient", only: str | None) -> "list[Osd]":
    from eventlog.ids import parse_osd
    from osd.client.known import known_osds

    return known_osds(await client.map(), None if only is None else parse_osd(only))


async def _said(
    client: "AsyncClient", osd: "Osd", wanted: dict[str, int]
) -> "dict[str, Any] | str":
    """Its limits, or why it did not say them."""
    from osd.errors import Unavailable

    if osd.address is None or not osd.is_up:
        return "it is down"
    try:
        return await (client.set_limits(osd, **wanted) if wanted else client.limits(osd))
    except Unavailable as error:
        return error.what


def _show(answers: list[tuple[str, dict[str, Any]]]) -> None:
    from osd.cli.output import bytes_words, table

    rows = [
        (
            name,
            said["pulls"],
            f"{bytes_words(said['rate'])}/s" if said["rate"] else "no limit",
            f"{said['under_way']['pulls']}, {bytes_words(said['under_way']['bytes'])}",
        )
        for name, said in answers
    ]
    table(("osd", "pulls", "rate", "under way"), rows, numbers=("pulls", "rate"))


def add_to(app: typer.Typer) -> None:
    """Give the program this command."""
    app.command()(limits)
