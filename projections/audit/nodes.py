"""What live nodes say, beside what the log says: two truths about every copy.

Rule: a node is compared with the log as of where it had folded to, RG by RG;
numbers first, and lists only where they differ. Every difference names RG,
object, OSD and position. What the node was still about to say is no difference.

What is not here: asking the nodes (see `osd.cli.verify`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from eventlog.ids import RgId, rg_name
from projections.audit.database import Connection
from projections.audit.scripts import script

Said = Mapping[str, Any]
"""A row as `GET /digests` or `GET /rgs/RG/copies` gives it; see docs/http.md."""

DISK = "disk"
"""What a node calls its own disk, where it says what is on it."""


class Suspect(NamedTuple):
    """An RG of which a node says something else than the log."""

    rg: RgId
    next_offset: int
    what: str


class Difference(NamedTuple):
    """One copy of which a node says something else than the log."""

    rg: str
    object: str | None
    version: int | None
    osd: str
    store: str
    position: str
    node: str
    log: str


def suspects(connection: Connection, store: str, said: Sequence[Said]) -> list[Suspect]:
    """The RGs whose numbers differ; `store` is the node's own."""
    connection.execute(script("macros"))
    known = _numbers(connection, {RgId(row["rg"]): int(row["next_offset"]) for row in said})
    found = []
    for row in said:
        rg, ours = RgId(row["rg"]), known.get(row["rg"], {})
        theirs = {name: (one["count"], one["digest"]) for name, one in row["stores"].items()}
        if theirs != ours:
            found.append(Suspect(rg, row["next_offset"], "fold"))
        on_disk = (row[DISK]["count"], row[DISK]["digest"])
        if row["is_settled"] and on_disk != ours.get(store, (0, bytes(8).hex())):
            found.append(Suspect(rg, row["next_offset"], DISK))
    return found


def differences(
    connection: Connection, osd: str, store: str, suspect: Suspect, said: Sequence[Said]
) -> list[Difference]:
    """Copy by copy what differs, from the node's list of an RG, whose first line says how far."""
    head, *copies = said
    suspect = suspect._replace(next_offset=head["next_offset"])
    if suspect.what == DISK and not head["is_settled"]:
        return []
    rows = connection.execute(
        script("checks/copies_as_of"), {"rg": suspect.rg, "offset": suspect.next_offset}
    ).fetchall()
    ours = {(holder, version): status for holder, _, version, status in rows}
    if suspect.what == DISK:
        ours = {(DISK, version): "there" for holder, version in ours if holder == store}
    theirs = {
        (one["store"], one["version"]): one["status"]
        for one in copies
        if (one["store"] == DISK) == (suspect.what == DISK)
    }
    return [
        Difference(
            rg_name(suspect.rg),
            _name(connection, suspect.rg, version),
            version,
            osd,
            store if holder == DISK else holder,
            f"{suspect.what} up to {_position(connection, suspect)}",
            theirs.get((holder, version), "nothing"),
            ours.get((holder, version), "nothing"),
        )
        for holder, version in sorted(ours.keys() | theirs.keys())
        if ours.get((holder, version)) != theirs.get((holder, version))
    ]


def _numbers(
    connection: Connection, ends: Mapping[RgId, int]
) -> dict[int, dict[str, tuple[int, str]]]:
    columns = {
        "rg": pa.array(list(ends), pa.int32()),
        "next_offset": pa.array(list(ends.values()), pa.int64()),
    }
    connection.register("asked", pa.table(columns))
    found: dict[int, dict[str, tuple[int, str]]] = {}
    for rg, store, count, digest in connection.execute(script("checks/numbers_as_of")).fetchall():
        number = int(digest).to_bytes(8, "little").hex()
        found.setdefault(rg, {})[store] = (count, number)
    connection.unregister("asked")
    return found


def _name(connection: Connection, rg: RgId, version: int) -> str | None:
    row = connection.execute(
        "SELECT n.object FROM kept.operations o JOIN kept.objects n USING (rg, id)"
        " WHERE o.rg = ? AND o.version = ?",
        [rg, version],
    ).fetchone()
    return None if row is None else str(row[0])


def _position(connection: Connection, suspect: Suspect) -> str:
    row = connection.execute(
        "SELECT position_of(?::INTEGER, ?::BIGINT)", [suspect.rg, suspect.next_offset]
    ).fetchone()
    assert row is not None
    return str(row[0])
