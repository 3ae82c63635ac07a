"""What live nodes say, beside what the log says: two truths about every copy.

Rule: a node is compared with the log as of where it had folded to, RG by RG;
numbers first, and lists only where they differ. Every difference names RG,
object, OSD and position, and one that was seen in numbers is never dropped. An
RG of which the log has copies at the node is compared though the node is
silent about it. What the node was still about to say is no difference.

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

Numbers = dict[str, int | str]
"""What is compared before anything is listed, by what it is a number of."""

Copies = dict[tuple[str, int], str]
"""Status by store and version."""

DISK = "disk"
"""What a node calls its own disk, where it says what is on it."""
FOLD = "fold"


class Suspect(NamedTuple):
    """An RG of which a node says something else than the log."""

    rg: RgId
    next_offset: int
    what: str
    node: str
    """The numbers in which they differ, as the node has them."""
    log: str


class Difference(NamedTuple):
    """One copy of which a node says something else than the log, or an RG's numbers."""

    rg: str
    object: str | None
    version: int | None
    osd: str
    store: str
    position: str
    node: str
    log: str


def covered(connection: Connection, said: Sequence[Said]) -> list[Said]:
    """Those whose RG is derived as far as the node has folded it."""
    ends = _ends(connection)
    return [row for row in said if row["next_offset"] <= ends[row["rg"] % len(ends)]]


def suspects(connection: Connection, store: str, said: Sequence[Said]) -> list[Suspect]:
    """The RGs whose numbers differ; `store` is the node's own."""
    connection.execute(script("macros"))
    known = _folds(connection, {RgId(row["rg"]): int(row["next_offset"]) for row in said})
    found = []
    for row in said:
        rg, ours = RgId(row["rg"]), known[row["rg"]]
        compared = [(FOLD, _fold_said(row), ours)]
        if row["is_settled"]:
            compared.append((DISK, _numbers(**row[DISK]), _disk_of(ours, store)))
        for what, node, log in compared:
            if node != log:
                words = _differing(node, log), _differing(log, node)
                found.append(Suspect(rg, row["next_offset"], what, *words))
    return found


def unmentioned(connection: Connection, store: str, said: Sequence[Said]) -> list[RgId]:
    """The RGs of which the log has copies at the store, and the node said nothing."""
    rows = connection.execute(script("checks/rgs_of_store"), {"store": store}).fetchall()
    return sorted({RgId(rg) for (rg,) in rows} - {RgId(row["rg"]) for row in said})


def differences(
    connection: Connection, osd: str, store: str, suspect: Suspect, said: Sequence[Said]
) -> list[Difference]:
    """Copy by copy what differs, from the node's list of an RG, whose first line says how far.

    Where no list can say it, or the lists agree by now: the numbers that differed.
    """
    return _listed_differences(connection, osd, store, suspect, said) or [
        Difference(
            rg_name(suspect.rg),
            None,
            None,
            osd,
            store,
            _position(connection, suspect),
            suspect.node,
            suspect.log,
        )
    ]


def _listed_differences(
    connection: Connection, osd: str, store: str, suspect: Suspect, said: Sequence[Said]
) -> list[Difference]:
    if not said:
        return []
    head, *copies = said
    at, is_disk = suspect._replace(next_offset=head["next_offset"]), suspect.what == DISK
    if at.next_offset > _end(connection, at.rg) or (is_disk and not head["is_settled"]):
        return []
    theirs = {
        (one["store"], one["version"]): one["status"]
        for one in copies
        if (one["store"] == DISK) == is_disk
    }
    ours = _copies(connection, at)
    if is_disk:
        ours = {(DISK, version): "there" for holder, version in ours if holder == store}
    return _compared(connection, osd, store, at, theirs, ours)


def forgotten(connection: Connection, osd: str, store: str, rg: RgId) -> list[Difference]:
    """The copies that the log has at a store whose node does not follow the RG."""
    suspect = Suspect(rg, _end(connection, rg), FOLD, "", "")
    known = _copies(connection, suspect).items()
    ours = {(holder, version): status for (holder, version), status in known if holder == store}
    found = _compared(connection, osd, store, suspect, {}, ours)
    return [one._replace(node="nothing: it does not follow the RG") for one in found]


def _ends(connection: Connection) -> dict[int, int]:
    """How far the facts are derived, by partition; an RG is in that of its number's remainder."""
    rows = connection.execute("SELECT partition, next_offset FROM kept.derived").fetchall()
    return dict(rows)


def _end(connection: Connection, rg: RgId) -> int:
    ends = _ends(connection)
    return ends[rg % len(ends)]


def _copies(connection: Connection, suspect: Suspect) -> Copies:
    """Status by store and version, as the log has them there."""
    rows = connection.execute(
        script("checks/copies_as_of"), {"rg": suspect.rg, "offset": suspect.next_offset}
    ).fetchall()
    return {(holder, version): status for holder, _, version, status in rows}


def _compared(
    connection: Connection, osd: str, store: str, suspect: Suspect, theirs: Copies, ours: Copies
) -> list[Difference]:
    return [
        Difference(
            rg_name(suspect.rg),
            _name(connection, suspect.rg, version),
            version,
            osd,
            store if holder == DISK else holder,
            _position(connection, suspect),
            theirs.get((holder, version), "nothing"),
            ours.get((holder, version), "nothing"),
        )
        for holder, version in sorted(ours.keys() | theirs.keys())
        if ours.get((holder, version)) != theirs.get((holder, version))
    ]


def _fold_said(row: Said) -> Numbers:
    found: Numbers = {"version": row["version"], "live objects": row["live"]}
    for store, one in row["stores"].items():
        found |= _numbers(f" of {store}", **one)
    return found


def _folds(connection: Connection, ends: Mapping[RgId, int]) -> dict[int, Numbers]:
    """The numbers of each of these RGs as of that offset."""
    columns = {
        "rg": pa.array(list(ends), pa.int32()),
        "next_offset": pa.array(list(ends.values()), pa.int64()),
    }
    connection.register("asked", pa.table(columns))
    found: dict[int, Numbers] = {
        rg: {"version": version, "live objects": live}
        for rg, version, live in connection.execute(script("checks/versions_as_of")).fetchall()
    }
    rows = connection.execute(script("checks/numbers_as_of")).fetchall()
    for rg, store, count, held, digest in rows:
        number = int(digest).to_bytes(8, "little").hex()
        found[rg] |= _numbers(f" of {store}", count=count, held=held, digest=number)
    connection.unregister("asked")
    return found


def _numbers(of: str = "", *, count: int, digest: str, held: int | None = None) -> Numbers:
    found: Numbers = {f"copies{of}": count, f"digest{of}": digest}
    return found if held is None else found | {f"held copies{of}": held}


def _disk_of(fold: Numbers, store: str) -> Numbers:
    """What is to be on the store's disk: every copy that is known there, whatever its status."""
    count, digest = fold.get(f"copies of {store}", 0), fold.get(f"digest of {store}")
    return _numbers(count=int(count), digest=str(digest or bytes(8).hex()))


def _differing(these: Numbers, those: Numbers) -> str:
    """In words, the numbers of these that the others do not have so."""
    names = [name for name in these | those if these.get(name) != those.get(name)]
    return ", ".join(f"{name}: {these.get(name, 'none')}" for name in names)


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
    return f"{suspect.what} up to {row[0]}"
