"""Reports: what the log shows, with a verdict.

Rule: a report is a list of checks, each one question in `sql/checks/`. What a
check of faults finds is a fault, and the verdict is yes iff there is none.
What a report cannot see it says: where the log could not be read further, and
which records everybody passes over. It is given only where the facts it rests
on are derived up to the end of what is loaded.

What is not here: how a report looks (`audit.pages`, `osd.cli`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from eventlog.ids import RgId, Store, parse_store
from projections.audit.database import Connection
from projections.audit.deriving import require_facts
from projections.audit.errors import QueryRefused
from projections.audit.scripts import script

SHOWN_STORES = 3
"""So many are named in a sentence; tables have all."""

Values = Mapping[str, object]
Rows = list[tuple[Any, ...]]


class Table(NamedTuple):
    """What one check found."""

    title: str
    columns: tuple[str, ...]
    rows: Rows
    is_fault: bool
    """Whether there should be no rows."""


class Report(NamedTuple):
    """One report."""

    name: str
    question: str
    verdict: bool
    sentence: str
    """The verdict in words, with what was asked about."""
    asked: Mapping[str, object]
    """What was asked about; without what was not named."""
    tables: tuple[Table, ...]


class Check(NamedTuple):
    """One question of a report."""

    title: str
    script: str
    is_fault: bool = True
    is_wrong: Callable[[dict[str, Any]], bool] | None = None
    """Which rows are faults, where not all are."""
    retired: str | None = None
    """The column of the stores that the verdict does not wait for, since they are retired."""


class Kind(NamedTuple):
    """One kind of report. `{about}` in its sentences is what was asked about."""

    question: str
    yes: str
    no: str
    checks: tuple[Check, ...]
    parameters: tuple[str, ...] = ()
    nothing: str | None = None
    """The yes where the first check finds nothing at all."""


_SKIPPED = Check("records that everybody passes over", "skips", is_fault=False)
_STOPPED = Check("where the log cannot be read further: nothing after it is proven", "stops")
_SEQUENCE = Check(
    "versions out of sequence",
    "versions_out_of_sequence",
    is_wrong=lambda row: row["first_said"] is None,
)
"""An append that went twice into the log left no gap in the history, and nothing in it twice."""
_STRANGERS = "statements by processes that the map never had"
_UNFOUNDED = "stores retired in RGs, and not by the map"
_RESTS = Check("what this rests on", "reach", is_fault=False)

KINDS: Mapping[str, Kind] = {
    "deletions": Kind(
        "Is what was deleted{about} really gone?",
        "every deletion{about} is proven",
        "it is not proven that all that was deleted{about} is gone",
        (
            Check("deletions", "deletions", True, lambda row: row["state"] != "proven", "retired"),
            Check("asked about, and not deleted, at most 1,000", "not_deleted"),
            Check(_STRANGERS, "deletion_speakers"),
            Check(_UNFOUNDED, "deletion_unfounded"),
            Check("what each store confirmed", "deletion_stores", is_fault=False),
            Check("every copy there ever was", "deletion_copies", is_fault=False),
        ),
        ("object", "prefix", "since", "until"),
        "nothing was deleted{about}",
    ),
    "integrity": Kind(
        "Does the log keep its own rules?",
        "the log shows no fault",
        "the log shows faults",
        (
            Check("accepted versions are not 1 to n", "versions_not_dense"),
            _SEQUENCE,
            Check("events in another RG's partition", "misplaced"),
            Check("objects in an RG they do not belong to", "wrong_rg"),
            Check("said under a claim that nobody made", "impostors"),
            Check("claims by processes that had no right to them", "unknown_claimants"),
            Check(_STRANGERS, "unknown_speakers"),
            Check(_UNFOUNDED, "unfounded"),
            Check("holdings stated ahead of the log", "holdings_ahead"),
            Check("deleted, and not as it was", "groundless_deletes"),
            Check("put on fewer stores than its claim asks for", "few_copies"),
            Check("copies that came back after the delete", "resurrections"),
            Check("copies that left while they counted", "counted_copies_left"),
            Check("stores that hold something else than the log says", "disagreements"),
            Check(
                "without a copy that counts, which breaks no rule: see `lost`",
                "lost",
                is_fault=False,
            ),
        ),
    ),
    "lost": Kind(
        "Has every live object a good copy?",
        "every live object has a copy that counts",
        "some live objects have no copy that counts",
        (Check("live objects without a copy that counts", "lost"),),
    ),
    "maps": Kind(
        "Who changed the map, why, and what did each change move?",
        "these are all changes of the map",
        "these are all changes of the map",
        (Check("changes of the map", "maps", is_fault=False),),
    ),
    "retire": Kind(
        "May{about} be destroyed?",
        "{about} is safe to destroy",
        "{about} is not safe to destroy",
        (
            Check("asked about, and unknown", "retire_unknown"),
            Check("copies that are there still", "retire_copies"),
            Check("RGs that the map places there still", "retire_map"),
            Check("RGs it has not said to be empty", "retire_silent"),
            Check(_STRANGERS, "retire_speakers"),
            Check(_UNFOUNDED, "retire_unfounded"),
            Check("where each RG ended", "retire_proof", is_fault=False),
        ),
        ("osd",),
    ),
    "strays": Kind(
        "Is anything where it should not be?",
        "there is no stray",
        "there are strays",
        (Check("strays", "strays"),),
    ),
    "versions": Kind(
        "Is the history of every RG without gap and repeat?",
        "every RG has versions 1 to n, each once",
        "there are gaps, repeats or regressions",
        (
            Check("accepted versions are not 1 to n", "versions_not_dense"),
            _SEQUENCE,
        ),
    ),
    "void": Kind(
        "What changed nothing, and why?",
        "all that is void was said by processes that had once claimed",
        "something was said under a claim that nobody made, or in a wrong place",
        (
            Check("void by rule", "void_by_rule", is_fault=False),
            Check("void operations, at most 1,000", "void_operations", is_fault=False),
            Check(
                "erasures confirmed by who is not known to have had it, at most 1,000",
                "empty_confirmations",
                is_fault=False,
            ),
            Check("said under a claim that nobody made", "impostors"),
            Check("events in another RG's partition", "misplaced"),
        ),
    ),
    "who": Kind(
        "Who did what?",
        "these are all acts{about}",
        "these are all acts{about}",
        (Check("acts", "who", is_fault=False),),
        ("actor",),
    ),
}
"""Every report, by name."""

_ABOUT = {
    "osd": " osd.{}",
    "object": " of {}",
    "actor": " by {}",
    "prefix": " of names that begin with {}",
    "since": " since {} UTC",
    "until": " before {} UTC",
}
"""What was asked about, in words."""

SILENT = ("deletions", "retire")
"""Those that may wait for stores that have something still to say."""


def report(connection: Connection, name: str, values: Values | None = None) -> Report:
    """One report; `values` for the kind's parameters, None where they are absent.

    Raises `QueryRefused` for what cannot be a value, such as a time, and
    `AuditError` where facts are behind.
    """
    kind = KINDS[name]
    given = _given(kind, values)
    require_facts(connection, given.get("object"))
    checks = (*kind.checks, _STOPPED, _SKIPPED, _RESTS)
    tables = tuple(_table(connection, check, given) for check in checks)
    own = zip(kind.checks, tables, strict=False)
    faults = sum(_faults(check, table) for check, table in own)
    stops = [str(row[0]) for row in tables[checks.index(_STOPPED)].rows]
    asked = {parameter: value for parameter, value in given.items() if value is not None}
    kind = _worded(kind, asked)
    sentence = _sentence(kind, tables, faults, stops)
    return Report(name, kind.question, not (faults or stops), sentence, asked, tables)


def _sentence(kind: Kind, tables: tuple[Table, ...], faults: int, stops: list[str]) -> str:
    """What cannot be read is no fault of what was asked about, but nothing is sure without it."""
    if faults:
        return f"{kind.no}: {faults:,} found"
    if stops:
        more = f" and in {len(stops) - 1:,} more" if stops[1:] else ""
        return f"it is not known, as the log cannot be read further than {stops[0]}{more}"
    if kind.nothing is not None and not tables[0].rows:
        return kind.nothing
    return kind.yes + _retired(kind, tables)


def _retired(kind: Kind, tables: tuple[Table, ...]) -> str:
    """Which stores the yes does not wait for."""
    names: set[str] = set()
    for check, table in zip(kind.checks, tables, strict=False):
        if check.retired is not None:
            column = table.columns.index(check.retired)
            names.update(name for row in table.rows for name in row[column])
    if not names:
        return ""
    shown = ", ".join(sorted(names)[:SHOWN_STORES])
    more = f" and {len(names) - SHOWN_STORES:,} more" if len(names) > SHOWN_STORES else ""
    return f"; retired, and waited for no more: {shown}{more}"


def _worded(kind: Kind, asked: Values) -> Kind:
    """The kind with its sentences about what was asked about."""
    about = "".join(_ABOUT[name].format(asked[name]) for name in _ABOUT if name in asked)
    texts = {name: getattr(kind, name) for name in ("question", "yes", "no", "nothing")}
    return kind._replace(**{n: t and t.format(about=about).strip() for n, t in texts.items()})


def silent(connection: Connection, name: str, values: Values) -> dict[Store, list[RgId]]:
    """The stores that this report waits for, each with the RGs of which it has still to speak."""
    if name not in SILENT:
        return {}
    found: dict[Store, list[RgId]] = {}
    given = _given(KINDS[name], values)
    for store, rg in connection.execute(script(f"silent_{name}"), given).fetchall():
        found.setdefault(parse_store(store), []).append(RgId(rg))
    return found


def _given(kind: Kind, values: Values | None) -> dict[str, object]:
    given = {parameter: (values or {}).get(parameter) for parameter in kind.parameters}
    for parameter in ("since", "until"):
        if given.get(parameter) is not None:
            given[parameter] = _time(str(given[parameter]))
    _require_time_between(given.get("since"), given.get("until"))
    return given


def _require_time_between(since: object, until: object) -> None:
    """A yes about no time at all would be taken for one about some."""
    if isinstance(since, datetime) and isinstance(until, datetime) and since >= until:
        raise QueryRefused(
            f"nothing is since {since} and before {until}", "Give the earlier time with --since."
        )


def _table(connection: Connection, check: Check, given: Mapping[str, object]) -> Table:
    query = script(f"checks/{check.script}")
    used = {name: value for name, value in given.items() if f"${name}" in query}
    found = connection.execute(query, used or None)
    columns = tuple(column[0] for column in found.description or ())
    return Table(check.title, columns, found.fetchall(), check.is_fault)


def _faults(check: Check, table: Table) -> int:
    if not check.is_fault:
        return 0
    if check.is_wrong is None:
        return len(table.rows)
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    return sum(map(check.is_wrong, rows))


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise QueryRefused(
            f"{text!r} is no time", "Write it as 2026-11-22 or 2026-11-22T13:00, in UTC."
        ) from None
    return found.replace(tzinfo=None) if found.tzinfo is None else _in_utc(found)


def _in_utc(time: datetime) -> datetime:
    offset = time.utcoffset()
    assert offset is not None
    return (time - offset).replace(tzinfo=None)
