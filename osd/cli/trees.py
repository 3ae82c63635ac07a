"""Commands about many files: import and export.

Rule: one file that fails, or a folder that cannot be read, stops no other; what
failed is named at the end. Done again, they go on where they were.
"""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osd.cli import options
from osd.config import DEADLINE_S

if TYPE_CHECKING:
    from osd.client.trees import Source, Step

JOBS = 16
FAILED = 3
SHOWN_FAILURES = 20
SHOWN_LEFT_OUT = 3


def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder whose files go in.")],
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="What their names begin with.")],
    jobs: options.Jobs = JOBS,
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Store every file of a folder as PREFIX/its path.

    What is there already with the same bytes is skipped, anything else replaced. Modes, times,
    links and empty folders are not kept.
    """
    from osd.cli.running import with_client
    from osd.client.async_client import AsyncClient
    from osd.client.trees import import_tree, source_in

    source = source_in(folder, prefix)
    number = len(source.files) + len(source.unread)
    size = sum(file.size for file in source.files)

    async def work(client: AsyncClient) -> "_Tally":
        steps = import_tree(client, source, prefix, jobs)
        return await _watch("importing", number, size, steps)

    tally = with_client(log, work, deadline)
    _say_left_out(source)
    _report("imported", tally, json=json)


def export(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="What the names begin with.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write into.")],
    jobs: options.Jobs = JOBS,
    deadline: options.Deadline = DEADLINE_S,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Write every object PREFIX/path to a file of that path.

    What is there already with the same bytes is skipped, any other file of that path replaced.
    """
    from osd.cli.running import with_client
    from osd.client.async_client import AsyncClient
    from osd.client.trees import export_tree, within
    from osd.errors import Refused

    async def work(client: AsyncClient) -> "_Tally":
        rows = [row async for row in client.list(within(prefix))]
        if not rows:
            what = f"no object's name begins with {within(prefix)!r}"
            raise Refused(what, "`osdlog ls` lists the names.")
        steps = export_tree(client, rows, prefix, folder, jobs)
        return await _watch("exporting", len(rows), sum(row.size for row in rows), steps)

    _report("exported", with_client(log, work, deadline), json=json)


def _say_left_out(source: "Source") -> None:
    from osd.cli.output import count, note

    if paths := source.left_out:
        what = count(len(paths), "link or special file", "links and special files")
        note(f"left out: {what}, which no object can be: {_named(paths)}")
    if paths := source.drafts:
        what = count(len(paths), "draft")
        note(f"left out: {what} of commands that were killed, or still run: {_named(paths)}")


def _named(paths: list[Path]) -> str:
    more = ", ..." if len(paths) > SHOWN_LEFT_OUT else ""
    return ", ".join(map(str, paths[:SHOWN_LEFT_OUT])) + more


class _Tally:
    """What became of all files."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.size = 0
        self.failures: list[Step] = []

    def count(self, step: "Step") -> None:
        self.files[step.outcome] += 1
        if step.outcome in ("done", "replaced"):
            self.size += step.size
        elif step.error is not None:
            self.failures.append(step)


async def _watch(what: str, files: int, size: int, steps: AsyncIterator["Step"]) -> _Tally:
    from osd.cli.progress import bar

    tally = _Tally()
    with bar(what, files, size) as shown:
        async for step in steps:
            tally.count(step)
            shown.step(step.size)
    return tally


def _report(what: str, tally: _Tally, *, json: bool) -> None:
    from osd.cli.output import bytes_words, count, note, say_json

    replaced, skipped = tally.files["replaced"], tally.files["skipped"]
    done = tally.files["done"] + replaced
    if json:
        failed = {_text(step.name): step.error.what for step in tally.failures if step.error}
        numbers = {"done": done, "replaced": replaced, "skipped": skipped, "bytes": tally.size}
        say_json(numbers | {"failed": failed})
    else:
        over = f", {replaced:,} in place of other bytes" if replaced else ""
        there = f", {count(skipped, 'file')} there already" if skipped else ""
        note(f"{what} {count(done, 'file')}, {bytes_words(tally.size)}{over}{there}")
    for step in tally.failures[:SHOWN_FAILURES]:
        note(f"failed: {step.name}: {step.error.what if step.error else ''}")
    if tally.failures:
        more = len(tally.failures) - SHOWN_FAILURES
        note(f"error: {count(len(tally.failures), 'failure')}" + _more(more))
        note("hint: Mend what is said above and give the command again: the rest is skipped.")
        raise typer.Exit(FAILED)


def _text(name: str) -> str:
    """A file's name as JSON can say it; the bytes of some are no Unicode."""
    return name.encode(errors="backslashreplace").decode()


def _more(number: int) -> str:
    return f", {number:,} of them not named here" if number > 0 else ""


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command("import")(import_)
    app.command()(export)
