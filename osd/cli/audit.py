"""The command audit: reports about the log, each with a verdict.

Rule: exit 0 if the verdict is yes, 1 if it is no. A report says what it rests
on: how far the log was read, and what could not be.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import options

if TYPE_CHECKING:
    from projections.audit.database import Connection
    from projections.audit.reports import Report

NO = 1
OVERVIEW = ("deletions", "integrity", "lost", "strays", "versions", "void")
SHOWN_ROWS = 200
"""Rows of a table that are printed as text; JSON and pages have all."""


Name = Annotated[
    str,
    typer.Argument(
        metavar="REPORT",
        help="deletions, integrity, lost, maps, retire, strays, versions, void or who.",
        show_default=False,
    ),
]
Subject = Annotated[
    str | None,
    typer.Argument(
        metavar="SUBJECT",
        help="An object for deletions, an OSD for retire, an actor for who.",
        show_default=False,
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        metavar="TEXT",
        help="deletions: of all names that begin so.",
        show_default=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="deletions: from then on; UTC.", show_default=False
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="TIME", help="deletions: before then; UTC.", show_default=False
    ),
]
Page = Annotated[
    Path | None,
    typer.Option("--page", metavar="FILE", help="Write it as an HTML page.", show_default=False),
]
Export = Annotated[
    Path | None,
    typer.Option(
        "--export", metavar="DIR", help="Write the log as Parquet, by day.", show_default=False
    ),
]
Ask = Annotated[
    bool,
    typer.Option(
        "--ask/--no-ask",
        help="deletions, retire: let stores that are silent say what they have, and wait for it.",
    ),
]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Make the audit database anew.")]


def audit(  # noqa: PLR0913, PLR0917 - its options
    name: Name = "",
    subject: Subject = None,
    prefix: Prefix = None,
    since: Since = None,
    until: Until = None,
    page: Page = None,
    export: Export = None,
    ask: Ask = True,
    rebuild: Rebuild = False,
    json: options.Json = False,
    db: options.Database = None,
    sync: options.Sync = True,
    log: options.Log = None,
) -> None:
    """Report on the log, with a verdict; without REPORT, all verdicts in brief."""
    from osd.cli.asking import ask_the_silent
    from osd.cli.auditing import followed
    from projections.audit.database import reading

    chosen = {"prefix": prefix, "since": since, "until": until}
    values = _values(name, subject) | chosen
    _require_used(name, {**chosen, "page": page})
    _require_whole(name, export)
    is_whole = export is not None
    only = _only(values)
    with followed(
        log, db, sync=sync, rebuild=rebuild, object_name=only, is_whole=is_whole
    ) as found:
        if ask and sync and name:
            ask_the_silent(found, log, name, values)
        with reading(found.path, found.identity) as connection:
            if export is not None:
                _export(connection, export)
            elif name:
                _one(connection, name, values, found.identity.cluster, page=page, json=json)
            else:
                _overview(connection, json=json)


def _require_used(name: str, said: Mapping[str, object]) -> None:
    """Every option that is said means something for that report."""
    from eventlog.errors import BadName
    from projections.audit.reports import KINDS

    used = {*KINDS[name].parameters, "page"} if name in KINDS else set()
    for option, value in said.items():
        if value is not None and option not in used:
            whose = f"the report {name}" if name else "the overview of all reports"
            raise BadName(f"{whose} has no --{option}", "Name a report that has: see --help.")


def _require_whole(name: str, export: Path | None) -> None:
    from eventlog.errors import BadName

    if name and export is not None:
        raise BadName(
            "--export writes the whole log, and no report", f"Leave out {name!r}, or --export."
        )


def _values(name: str, subject: str | None) -> dict[str, object]:
    """What a report's subject is the value of."""
    from eventlog.errors import BadName
    from eventlog.ids import parse_osd
    from projections.audit.reports import KINDS

    if name and name not in KINDS:
        raise BadName(f"there is no report {name!r}", f"There are {', '.join(KINDS)}.")
    meant = {"deletions": "object", "retire": "osd", "who": "actor"}
    if subject is None:
        if name == "retire":
            raise BadName("no OSD is named", "Write `osdlog audit retire osd.3`.")
        return {}
    if name not in meant:
        raise BadName(f"the report {name} has no subject", f"Write `osdlog audit {name}`.")
    return {meant[name]: parse_osd(subject) if name == "retire" else subject}


def _only(values: dict[str, object]) -> str | None:
    """The one object that the report is about, if it is about one."""
    name = values.get("object")
    return name if isinstance(name, str) else None


def _one(
    connection: "Connection",
    name: str,
    values: dict[str, object],
    cluster: str,
    *,
    page: Path | None,
    json: bool,
) -> None:
    from eventlog.drafts import drafted
    from osd.cli.output import note, say_json
    from projections.audit import pages
    from projections.audit.reports import report

    found = report(connection, name, values)
    if page is not None:
        with drafted(page, pages.BEGINS) as draft:
            draft.write_text(pages.page(found, cluster), "utf-8")
        note(f"{found.sentence}; written to {page}")
    if json:
        say_json(_as_json(found))
    elif page is None:
        _print(found)
    if not found.verdict:
        raise typer.Exit(NO)


def _overview(connection: "Connection", *, json: bool) -> None:
    from osd.cli.output import say_json, table
    from projections.audit.reports import report

    found = [report(connection, name) for name in OVERVIEW]
    if json:
        say_json([{**_as_json(each), "tables": []} for each in found])
    else:
        rows = [(each.name, "yes" if each.verdict else "no", each.sentence) for each in found]
        table(("report", "verdict", "what"), rows)
    if not all(each.verdict for each in found):
        raise typer.Exit(NO)


def _as_json(report: "Report") -> dict[str, Any]:
    from osd.cli.sql import plain

    return {
        "report": report.name,
        "question": report.question,
        "verdict": report.verdict,
        "sentence": report.sentence,
        "asked": {name: plain(value) for name, value in report.asked.items()},
        "tables": [
            {
                "title": table.title,
                "is_fault": table.is_fault,
                "rows": [
                    {name: plain(value) for name, value in zip(table.columns, row, strict=True)}
                    for row in table.rows
                ],
            }
            for table in report.tables
        ],
    }


def _print(report: "Report") -> None:
    from osd.cli.output import count, numeric, say, table
    from projections.audit.pages import text

    say(report.question)
    say(f"{'Yes' if report.verdict else 'No'}: {report.sentence}.")
    for found in report.tables:
        if not found.rows:
            continue
        say("")
        say(f"{found.title}:")
        rows = found.rows[:SHOWN_ROWS]
        cells = ([text(value) for value in row] for row in rows)
        table(found.columns, cells, numeric(found.columns, rows))
        left = len(found.rows) - len(rows)
        if left:
            say(f"and {count(left, 'row')} more; --json and --page have all")


def _export(connection: "Connection", folder: Path) -> None:
    """Exit 1 where it is not all of the log, as some of it cannot be read."""
    from osd.cli.output import note, say
    from projections.audit.export import export, stops

    for path in export(connection, folder):
        say(str(path))
    note(f"the log is in {folder}, as Parquet files")
    found = stops(connection)
    for position, why in found:
        note(f"nothing from {position} on is there, for it cannot be read: {why}")
    if found:
        raise typer.Exit(NO)


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(audit)
