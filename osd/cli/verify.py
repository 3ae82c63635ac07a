"""The command verify: asks the live nodes for what they know, and compares it with the log.

Rule: the log's side is derived by SQL, the nodes' side is what they fold and
have on disk. Every difference is named, and so is every OSD that is silent.
Exit 1 if there is a difference, 3 if an OSD did not answer.
"""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from osd.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventlog.ids import OsdId, RgId
    from osd.cli.auditing import Audit
    from osd.client.async_client import AsyncClient
    from projections.audit.nodes import Difference
    from projections.cluster_map import Osd

NO, SILENT = 1, 3

Only = Annotated[
    str | None, typer.Option("--osd", metavar="N", help="Only this OSD.", show_default=False)
]


class Found(NamedTuple):
    """What comparing found."""

    rgs: int
    copies: int
    differences: "list[Difference]"
    silent: list[tuple[str, str]]
    """OSDs that did not answer, and why."""


def verify(
    osd: Only = None,
    json: options.Json = False,
    db: options.Database = None,
    log: options.Log = None,
) -> None:
    """Compare what the OSDs know, and have on disk, with what the log says."""
    from eventlog.ids import parse_osd
    from osd.cli.auditing import followed
    from osd.cli.output import say_json
    from osd.cli.running import with_client

    wanted = None if osd is None else parse_osd(osd)

    async def work(client: "AsyncClient") -> Found:
        return await _Verifier(client, audit).verify(await _osds(client, wanted))

    with followed(log, db) as audit:
        found = with_client(log, work)
    if json:
        said = found._asdict() | {"differences": [one._asdict() for one in found.differences]}
        say_json(said)
    else:
        _print(found)
    if found.differences or found.silent:
        raise typer.Exit(NO if found.differences else SILENT)


async def _osds(client: "AsyncClient", wanted: "OsdId | None") -> "list[Osd]":
    from osd.client.known import known_osds

    return known_osds(await client.map(), wanted)


class _Verifier:
    """Asks OSDs one after the other."""

    def __init__(self, client: "AsyncClient", audit: "Audit") -> None:
        self._client = client
        self._audit = audit
        self._rgs: set[RgId] = set()
        self._copies = 0
        self._differences: list[Difference] = []
        self._silent: list[tuple[str, str]] = []

    async def verify(self, osds: "Sequence[Osd]") -> Found:
        from eventlog.ids import osd_name
        from osd.errors import Unavailable

        for osd in osds:
            try:
                await self._compare(osd)
            except Unavailable as error:
                self._silent.append((osd_name(osd.osd), error.what))
        return Found(len(self._rgs), self._copies, self._differences, self._silent)

    async def _compare(self, osd: "Osd") -> None:
        """Numbers first; lists of those RGs where they differ."""
        from eventlog.ids import osd_name
        from osd.errors import Unavailable
        from projections.audit.database import reading
        from projections.audit.nodes import differences, suspects

        name, store = osd_name(osd.osd), str(osd.store)
        if osd.address is None or not osd.is_up:
            raise Unavailable(f"{name} is down", "Start it, then verify again.")
        said = await self._client.digests(osd)
        self._rgs |= {row["rg"] for row in said}
        self._copies += sum(row["disk"]["count"] for row in said)
        self._sync()
        with reading(self._audit.path, self._audit.identity) as connection:
            found = suspects(connection, store, said)
        listed = [(suspect, await self._client.copies(osd, suspect.rg)) for suspect in found]
        if not listed:
            return
        self._sync()
        with reading(self._audit.path, self._audit.identity) as connection:
            for suspect, copies in listed:
                self._differences += differences(connection, name, store, suspect, copies)

    def _sync(self) -> None:
        """What the node has folded must be in the database too."""
        from projections.audit.sync import sync

        sync(self._audit.path, self._client.log)


def _print(found: Found) -> None:
    from osd.cli.output import count, note, say, table

    if found.differences:
        table(type(found.differences[0])._fields, found.differences)
    elif found.rgs:
        rgs, copies = count(found.rgs, "RG"), count(found.copies, "copy", "copies")
        say(f"The OSDs and the log agree on {rgs} and {copies} on disk.")
    for osd, why in found.silent:
        note(f"{osd} was not asked: {why}")
    if not found.rgs:
        note("nothing was compared")


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(verify)
