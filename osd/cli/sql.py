"""The command sql: questions about the log, one or many.

Rule: a question is asked of the audit database, which follows the log and is
brought up to its end first; where another process holds the database, what it
has is asked, and that is said. Without a question there is a shell, with history.
A table shows the first rows and says that there are more; it is drawn in memory.
A question that cannot be stopped when its time is over ends the program.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import options

if TYPE_CHECKING:
    from projections.audit.queries import Answer, Asker

HISTORY = ".osdlog_sql_history"
HISTORY_LINES = 1_000
SHOWN_ROWS = 1_000
"""Rows of an answer that are printed as a table; the other forms have all."""
EXPLAINED = ["explain_key", "explain_value"]
"""The columns of an EXPLAIN, whose plan is a drawing and no cell of a table."""

Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, with a line of names.")]
Parquet = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="FILE", help="Write a Parquet file.", show_default=False),
]
Seconds = Annotated[
    float, typer.Option("--seconds", metavar="SECONDS", min=0.1, help="How long a query may take.")
]
Memory = Annotated[
    str, typer.Option("--memory", metavar="SIZE", help="Memory that it may use, as in 512MB.")
]


def sql(  # noqa: PLR0913, PLR0917 - its options
    query: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="One statement; else a shell.", show_default=False),
    ] = None,
    json: options.Json = False,
    csv: Csv = False,
    parquet: Parquet = None,
    seconds: Seconds = 60.0,
    memory: Memory = "1GiB",
    db: options.Database = None,
    sync: options.Sync = True,
    log: options.Log = None,
) -> None:
    """Ask the log in SQL: `osdlog sql "FROM deletions"`, or a shell without QUERY."""
    from osd.cli.auditing import followed
    from projections.audit.queries import Limits, asking

    with followed(log, db, sync=sync) as audit:
        limits = Limits(seconds, memory)
        with asking(audit.path, audit.identity, limits, _give_up) as asker:
            show = _Output(json=json, csv=csv, parquet=parquet)
            if query is not None:
                show.answer(asker, query)
            else:
                _shell(asker, show)


def _give_up() -> None:
    """End the process: its question hears of nothing, and neither does whoever waits for it."""
    from os import _exit

    from osd.cli.app import exit_code
    from osd.cli.output import complain
    from projections.audit.queries import too_long

    error = too_long()
    complain(error)
    _exit(exit_code(error))


class _Output:
    """Where and how answers are shown."""

    def __init__(self, *, json: bool, csv: bool, parquet: Path | None) -> None:
        from eventlog.errors import BadName

        if json + csv + (parquet is not None) > 1:
            raise BadName("an answer has one form", "Give one of --json, --csv, --parquet FILE.")
        self._json = json
        self._csv = csv
        self._parquet = parquet

    def answer(self, asker: "Asker", query: str) -> None:
        if self._parquet is not None:
            _write(asker, query, self._parquet)
            return
        with asker.ask(query) as answer:
            if self._json:
                _print_json(answer)
            elif self._csv:
                _print_csv(answer)
            else:
                _print_table(answer)


def _write(asker: "Asker", query: str, path: Path) -> None:
    from osd.cli.output import count, note

    note(f"{count(asker.write_parquet(query, path), 'row')} in {path}")


def _print_json(answer: "Answer") -> None:
    from osd.cli.output import say_json
    from projections.audit.queries import names_apart

    names = names_apart(answer.columns)
    for row in answer.rows():
        say_json({name: plain(value) for name, value in zip(names, row, strict=True)})


def _print_csv(answer: "Answer") -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_text(value) for value in row] for row in answer.rows())


def _print_table(answer: "Answer") -> None:
    from itertools import islice

    from osd.cli.output import note, numeric, say, table

    found = answer.rows()
    rows = list(islice(found, SHOWN_ROWS))
    if list(answer.columns) == EXPLAINED:
        for _, plan in rows:
            for line in plan.splitlines():
                say(line)
        return
    cells = ([_text(value) for value in row] for row in rows)
    table(answer.columns, cells, numeric(answer.columns, rows))
    if next(found, None) is not None:
        note(f"these are the first {SHOWN_ROWS:,} rows; --csv, --json and --parquet FILE have all")


def plain(value: Any) -> Any:
    """The value in what JSON has words for."""
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from uuid import UUID

    match value:
        case datetime():
            return f"{value.isoformat()}Z" if value.tzinfo is None else value.isoformat()
        case date() | time() | timedelta() | Decimal() | UUID():
            return str(value)
        case bytes():
            return value.hex()
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return value


def _text(value: Any) -> str:
    match plain(value):
        case None:
            return ""
        case list() as items:
            return ", ".join(map(_text, items))
        case dict() as pairs:
            return ", ".join(f"{key}={_text(each)}" for key, each in pairs.items())
        case found:
            return str(found)


def _shell(asker: "Asker", show: _Output) -> None:
    """Questions up to a semicolon, until the end of the input; what is refused is said.

    Ctrl-C ends a question, and not the shell.
    """
    from eventlog.errors import OsdlogError
    from osd.cli.output import complain, note

    for question in _questions():
        try:
            show.answer(asker, question)
        except OsdlogError as error:
            complain(error)
        except KeyboardInterrupt:
            note("interrupted")


def _questions() -> Iterator[str]:
    with _history() as history:
        lines: list[str] = []
        while True:
            try:
                line = input(_prompt("...> " if lines else "sql> "))
            except EOFError:
                break
            except KeyboardInterrupt:
                lines = []
                continue
            if not lines and line.strip() in ("exit", "quit", ""):
                if line.strip():
                    break
                continue
            lines.append(line)
            if line.rstrip().endswith(";"):
                history.keep()
                yield "\n".join(lines)
                lines = []
        if lines:
            yield "\n".join(lines)


def _prompt(text: str) -> str:
    return text if sys.stdin.isatty() else ""


class _history:  # noqa: N801 - a context manager reads as a word
    """Lines of earlier shells, on a terminal only; kept also where a question ends the program."""

    def __enter__(self) -> "_history":
        self._path = Path.home() / HISTORY
        if sys.stdin.isatty():
            import readline
            from contextlib import suppress

            readline.set_history_length(HISTORY_LINES)
            with suppress(OSError):
                readline.read_history_file(self._path)
        return self

    def keep(self) -> None:
        """Write them down."""
        if sys.stdin.isatty():
            import readline
            from contextlib import suppress

            with suppress(OSError):
                readline.write_history_file(self._path)

    def __exit__(self, *_: object) -> None:
        self.keep()


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(sql)
