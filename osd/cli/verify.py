"""The command verify: asks the live nodes for what they know, and compares it with the log.

Rule: the log's side is derived by SQL, the nodes' side is what they fold and
have on disk. Every difference is named, and so is every OSD that is silent and
every RG that could not be compared: that all agrees is said of all or not at
all. Exit 1 if there is a difference, 3 if something was not compared.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from osd.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventlog.ids import OsdId, RgId
    from osd.cli.auditing import Audit
    from osd.client.answers import Facts
    from osd.client.async_client import AsyncClient
    from projections.audit.nodes import Difference, Said, Suspect
    from projections.cluster_map import Osd

NO, NOT_ALL = 1, 3

LOOKS = 12
"""So often an OSD is asked about RGs of which it is just about to say something."""
LOOKS_S = 0.25
NAMED_RGS = 5

BUSY = "not compared on disk: at each look it was about to say something of them in the log"
BEHIND = "not compared: the audit database is behind what it has read"

Only = Annotated[
    str | None, typer.Option("--osd", metavar="N", help="Only this OSD.", show_default=False)
]


class Uncompared(NamedTuple):
    """RGs of which an OSD spoke, and the log was not asked."""

    osd: str
    rgs: "list[RgId]"
    why: str


class Found(NamedTuple):
    """What comparing found."""

    rgs: int
    copies: int
    """On disks that were compared."""
    differences: "list[Difference]"
    silent: list[tuple[str, str]]
    """OSDs that did not answer, and why."""
    uncompared: list[Uncompared]


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
        say_json(found._asdict())
    else:
        _print(found)
    if found.differences or found.silent or found.uncompared:
        raise typer.Exit(NO if found.differences else NOT_ALL)


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
        self._uncompared: list[Uncompared] = []

    async def verify(self, osds: "Sequence[Osd]") -> Found:
        from eventlog.ids import osd_name
        from osd.errors import Unavailable

        for osd in osds:
            try:
                await self._compare(osd)
            except Unavailable as error:
                self._silent.append((osd_name(osd.osd), error.what))
        return Found(
            len(self._rgs), self._copies, self._differences, self._silent, self._uncompared
        )

    async def _compare(self, osd: "Osd") -> None:
        """Numbers first; lists of those RGs where they differ."""
        from eventlog.ids import osd_name
        from osd.errors import Unavailable
        from projections.audit import nodes
        from projections.audit.database import reading

        name, store = osd_name(osd.osd), str(osd.store)
        if osd.address is None or not osd.is_up:
            raise Unavailable(f"{name} is down", "Start it, then verify again.")
        said = await self._digests(osd)
        self._sync()
        with reading(self._audit.path, self._audit.identity) as connection:
            left = nodes.unmentioned(connection, store, said)
        if left:
            said += [row for row in await self._digests(osd) if row["rg"] in left]
            self._sync()
        with reading(self._audit.path, self._audit.identity) as connection:
            compared = nodes.covered(connection, said)
            found = nodes.suspects(connection, store, compared)
            left = nodes.unmentioned(connection, store, said)
        self._note(name, said, compared)
        await self._list(osd, found, left)

    async def _digests(self, osd: "Osd") -> "list[Facts]":
        """What it says of every RG, at a moment when it had nothing to add if there was one."""
        import asyncio

        found: dict[RgId, Facts] = {}
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(LOOKS_S)
            said: dict[RgId, Facts] = {row["rg"]: row for row in await self._client.digests(osd)}
            settled = {rg: row for rg, row in found.items() if row["is_settled"]}
            found = said | settled
            if all(row["is_settled"] for row in found.values()):
                break
        return list(found.values())

    def _note(self, name: str, said: "Sequence[Said]", compared: "Sequence[Said]") -> None:
        """What was compared, and what was not."""
        settled = [row for row in compared if row["is_settled"]]
        self._rgs |= {row["rg"] for row in compared}
        self._copies += sum(row["disk"]["count"] for row in settled)
        for all_of, done, why in ((compared, settled, BUSY), (said, compared, BEHIND)):
            rgs = sorted({row["rg"] for row in all_of} - {row["rg"] for row in done})
            if rgs:
                self._uncompared.append(Uncompared(name, rgs, why))

    async def _list(self, osd: "Osd", found: "list[Suspect]", left: "list[RgId]") -> None:
        """The copies that differ; and those of RGs that the OSD does not follow."""
        from eventlog.ids import osd_name
        from projections.audit.database import reading
        from projections.audit.nodes import differences, forgotten

        if left:
            await self._require_running(osd)
        listed = [(suspect, await self._copies_of(osd, suspect.rg)) for suspect in found]
        if not (listed or left):
            return
        self._sync()
        name, store = osd_name(osd.osd), str(osd.store)
        with reading(self._audit.path, self._audit.identity) as connection:
            for suspect, copies in listed:
                self._differences += differences(connection, name, store, suspect, copies)
            for rg in left:
                self._differences += forgotten(connection, name, store, rg)
        self._rgs |= set(left)

    async def _require_running(self, osd: "Osd") -> None:
        """One that has not read the map yet follows nothing, and forgot nothing."""
        from osd.client.cluster_status import RUNNING
        from osd.errors import Unavailable

        [it] = [status for status in await self._client.status() if status.osd.osd == osd.osd]
        phase = it.why if it.said is None else it.said["phase"]
        if phase != RUNNING:
            raise Unavailable(f"it is not in the cluster now: {phase}", "Verify once it is up.")

    async def _copies_of(self, osd: "Osd", rg: "RgId") -> "Sequence[Facts]":
        from osd.client.errors import NotThere

        try:
            return await self._client.copies(osd, rg)
        except NotThere:
            return []

    def _sync(self) -> None:
        """What the node has folded must be in the database too; what is not is not compared."""
        from contextlib import suppress

        from projections.audit.errors import AuditBusy
        from projections.audit.sync import sync

        with suppress(AuditBusy):
            sync(self._audit.path, self._client.log)


def _print(found: Found) -> None:
    from osd.cli.output import count, note, numeric, say, table

    if found.differences:
        heads = type(found.differences[0])._fields
        table(heads, map(_cells, found.differences), numeric(heads, found.differences))
    elif found.rgs:
        rgs, copies = count(found.rgs, "RG"), count(found.copies, "copy", "copies")
        say(f"The OSDs and the log agree on {rgs} and {copies} on disk.")
    for osd, why in found.silent:
        note(f"{osd} was not asked: {why}")
    for left in found.uncompared:
        note(f"{', '.join(_named(left.rgs))} of {left.osd}: {left.why}; verify again")
    if not found.rgs:
        note("nothing was compared")


def _cells(difference: "Difference") -> "list[object]":
    return ["" if cell is None else cell for cell in difference]


def _named(rgs: "list[RgId]") -> Iterator[str]:
    from eventlog.ids import rg_name

    yield from map(rg_name, rgs[:NAMED_RGS])
    if rgs[NAMED_RGS:]:
        yield f"{len(rgs) - NAMED_RGS:,} more"


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(verify)
