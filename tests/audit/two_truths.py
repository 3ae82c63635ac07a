"""The two truths side by side: what the folds say of a log, and what SQL says of it.

Rule: nothing here decides what is right; `differences` names every place where they are not one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from eventlog.ids import RgId, Topic
from eventlog.log import Log
from osd.client.replay import Replay
from projections.audit.map_tables import read_map
from projections.rg_memory import RgProjection

Copy = tuple[str | None, int, int, int, str]
"""Object (None if nobody remembers it), osd, incarnation, version, status."""


class Truth(NamedTuple):
    """What one of them says."""

    facts: dict[tuple[int, int], set[Copy]]
    """By RG and position: the copies after all records before that."""
    voids: dict[tuple[int, int], str]
    """By RG and offset: the rule that voided the event."""
    item_voids: set[tuple[int, int, int, str]]
    """RG, offset, version, rule."""
    objects: set[tuple[int, str, int, bool]]
    """RG, name, version of its last operation, whether it lives; those not forgotten."""
    claims: set[tuple[int, int, bool]]
    """RG, offset of the last accepted claim, whether it has ended."""
    stated: set[tuple[int, int, bool, bool]]
    """RG, offset of a store's last holdings, whether they attest, whether they agree."""
    closed: set[tuple[int, int, int, int]]
    """RG, osd, incarnation, where it closed, of stores that got no copy since."""


def differences(log: Log, path: Path) -> list[str]:
    """Every difference between the folds of the log and the audit database at `path`."""
    ours, theirs = by_folds(log), by_sql(path)
    found = []
    for name, one, other in zip(Truth._fields, map(_items, ours), map(_items, theirs), strict=True):
        found += [f"{name}: only the folds say {item}" for item in sorted(one - other)]
        found += [f"{name}: only SQL says {item}" for item in sorted(other - one)]
    return found


def _items(said: Any) -> set[str]:
    """Whatever it is, one text for each thing said."""
    if isinstance(said, dict):
        return {
            f"at {key}: {value if isinstance(value, str) else sorted(value, key=repr)}"
            for key, value in said.items()
        }
    return set(map(str, said))


def by_folds(log: Log) -> Truth:
    """What the Python folds say."""
    truth = Truth({}, {}, set(), set(), set(), set(), set())
    replay = Replay(log, read_map(log).map)
    for told in replay.fold_all():
        rg, offset = told.event.rg, told.position.offset
        truth.facts[rg, offset + 1] = set(_copies(replay.rgs[rg]))
        if told.folded.void is not None:
            truth.voids[rg, offset] = told.folded.void.name
        for item in told.folded.items:
            truth.item_voids.add((rg, offset, item.version, item.rule.name))
    for rg, projection in replay.rgs.items():
        for name, entry in projection.names():
            truth.objects.add((rg, name, entry.version, entry.body is not None))
        claim = projection.state.claim
        if claim is not None:
            truth.claims.add((rg, claim.offset, claim.has_ended))
        _add_words(truth, projection)
    return truth


def _add_words(truth: Truth, projection: RgProjection) -> None:
    """What each store stated last, and where it closed."""
    rg = projection.rg
    for store, ledger in projection.state.ledgers.items():
        if ledger.closed is not None:
            truth.closed.add((rg, store.osd, store.incarnation, ledger.closed))
        if ledger.stated is not None:
            said = ledger.stated
            truth.stated.add((rg, said.offset, said.attests, said.agrees))


def _copies(projection: RgProjection) -> Iterator[Copy]:
    for name, entry in projection.names():
        for fact in entry.facts:
            store = fact.store
            yield name, store.osd, store.incarnation, fact.version, fact.status.name.lower()
    for store in projection.state.holders:
        for version, of in projection.facts_of(store):
            if of is None:
                yield None, store.osd, store.incarnation, version, "doomed"


def by_sql(path: Path) -> Truth:
    """What the audit database says, in its own tables."""
    with duckdb.connect(path, read_only=True) as database:
        rows = database.execute(
            'SELECT rg, "offset" FROM events WHERE topic = ? AND void IS DISTINCT FROM ?',
            [Topic.RG.value, "MISPLACED"],
        ).fetchall()
        history = database.execute(
            "SELECT f.rg, if(f.bare, NULL, o.object), s.osd, s.incarnation, f.version, f.status,"
            " f.from_offset, f.until_offset FROM kept.facts f"
            " JOIN kept.stores s USING (store) JOIN kept.objects o USING (rg, id)"
        ).fetchall()
        by_rg: dict[int, list[Any]] = {}
        for rg, *rest in history:
            by_rg.setdefault(rg, []).append(rest)
        facts = {
            (rg, offset + 1): {
                tuple(copy)
                for *copy, start, end in by_rg.get(rg, [])
                if start <= offset and (end is None or end > offset)
            }
            for rg, offset in rows
        }
        voids = database.execute(
            'SELECT rg, "offset", void FROM void_events'
            " WHERE item IS NULL AND void NOT IN ('REFUSED', 'MISPLACED')"
        ).fetchall()
        items = database.execute(
            'SELECT rg, "offset", version, void FROM void_events WHERE item IS NOT NULL'
        ).fetchall()
        objects = database.execute(
            "SELECT rg, object, version, is_live FROM objects WHERE is_live OR copies > 0"
        ).fetchall()
        claims = database.execute(
            'SELECT rg, "offset", ended_at IS NOT NULL FROM claims WHERE void IS NULL'
            ' QUALIFY row_number() OVER (PARTITION BY rg ORDER BY "offset" DESC) = 1'
        ).fetchall()
        stated = database.execute(
            'SELECT rg, "offset", attests, agrees FROM holdings WHERE is_last'
        ).fetchall()
        closed = database.execute(
            'SELECT rg, osd, incarnation, max(c."offset") FROM kept.statements c'
            " JOIN kept.stores USING (store) JOIN kept.ledgers l USING (rg, store)"
            " ANTI JOIN (FROM kept.retirements WHERE void IS NULL) USING (rg, store)"
            " WHERE c.kind = 'ExportClosed' AND c.void IS NULL"
            ' GROUP BY ALL HAVING max(c."offset") > coalesce(any_value(l.gained), -1)'
        ).fetchall()
    return Truth(
        facts,
        {(rg, offset): rule for rg, offset, rule in voids},
        set(items),
        set(objects),
        set(claims),
        set(stated),
        set(closed),
    )


def rgs(log: Log) -> set[RgId]:
    """The RGs that the log has events of."""
    return set(Replay(log, read_map(log).map).rgs)
