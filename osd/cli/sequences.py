"""Maps in a row: what each would have moved, and what all of them move together.

Rule: a row of maps is a file with the CHANGES of a step on each line (empty
lines and those that begin with # are passed over), from the map as it is; or
epochs A..B of the past. Sizes are those of now. Nothing is changed.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from osd.client.async_client import AsyncClient
    from osd.client.surveying import Surveyed
    from projections.cluster_map import ClusterMap
    from projections.map_sequence import MapSequence, Step

HEADS = ("step", "rgs", "objects", "bytes", "minimum", "what")
NUMBERS = HEADS[1:5]
_EPOCHS = re.compile(r"(\d{1,16})\.\.(\d{1,16})")


class Row(NamedTuple):
    """The maps, and what leads to each but the first."""

    maps: Sequence["ClusterMap"]
    names: Sequence[str]
    whats: Sequence[str]
    known: "ClusterMap | None"


def plan_sequence(which: str, *, json: bool, log: str | None) -> None:
    """Show the sequence."""
    from osd.cli.output import note, say_json, table
    from osd.cli.progress import rated_counter
    from osd.cli.running import with_client
    from projections.map_sequence import steps_of

    async def work(client: "AsyncClient") -> "tuple[Row, Surveyed]":
        row = await _row(client, which)
        with rated_counter("measuring", "events") as progress:
            return row, await client.survey(progress)

    row, surveyed = with_client(log, work)
    found = steps_of(row.maps, surveyed.survey.stats, row.known)
    if json:
        say_json(_data(row, found))
        return
    table(HEADS, _rows(row, found), numbers=NUMBERS)
    note("with the sizes of now; each step as if the map before it had stood until all was moved")


async def _row(client: "AsyncClient", which: str) -> Row:
    if epochs := _EPOCHS.fullmatch(which):
        return _of_past(await client.map_history(), int(epochs[1]), int(epochs[2]))
    return _of_file(await client.map(), Path(which))


def _of_past(past: Sequence[Any], first: int, last: int) -> Row:
    from osd.client.planning import map_at
    from osd.errors import Refused

    start, end = map_at(past, first), map_at(past, last)
    if first >= last:
        raise Refused(f"epochs {first}..{last} are no row", "Write the earlier epoch first.")
    steps = [
        one
        for one in past
        if start.epoch < one.after.epoch <= end.epoch and one.after.layout > one.before.layout
    ]
    names = [f"epoch {one.after.epoch}" for one in steps]
    whats = [f"{one.event.author}: {one.event.reason}" for one in steps]
    return Row((start, *(one.after for one in steps)), names, whats, None)


def _of_file(now: "ClusterMap", path: Path) -> Row:
    from eventlog.errors import BadName

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadName(
            f"{path} cannot be read: {what}",
            "Name a file with the CHANGES of a step on each line, or epochs as in 4..9.",
        ) from error
    maps, names, whats = [now], [], []
    for number, line in enumerate(lines, 1):
        said = line.strip()
        if said and not said.startswith("#"):
            maps.append(_step(maps[-1], said, f"line {number} of {path}"))
            names.append(f"line {number}")
            whats.append(said)
    if not names:
        raise BadName(f"{path} has no step", "Write the CHANGES of a step on each line.")
    return Row(maps, names, whats, now)


def _step(seen: "ClusterMap", said: str, where: str) -> "ClusterMap":
    from eventlog.errors import BadName
    from osd.cli.change_words import changes_of
    from osd.cli.words import parse_words
    from osd.client.async_client import user
    from osd.client.planning import map_with
    from osd.errors import Refused
    from projections.pinning import placed_homes

    author = user() or "unknown"
    try:
        changes = changes_of(parse_words(said), seen, author, "", placed_homes(seen))
        return map_with(seen, changes, seen.layout, author)
    except Refused as error:
        raise Refused(f"{where}: {error.what}", error.hint) from error
    except BadName as error:
        raise BadName(f"{where}: {error.what}", error.hint) from error


def _rows(row: Row, found: "MapSequence") -> list[Sequence[Any]]:
    from osd.cli.output import bytes_words

    rows: list[Sequence[Any]] = [
        _cells(name, step, what)
        for name, step, what in zip(row.names, found.steps, row.whats, strict=True)
    ]
    total = found.total
    steps = ("all steps", "", f"{total.objects:,}", bytes_words(total.size), "", "one by one")
    return [*rows, steps, _cells("the whole", found.whole, "from the first map to the last")]


def _cells(name: str, step: "Step", what: str) -> Sequence[Any]:
    from osd.cli.output import bytes_words

    moved = step.moved
    numbers = (step.rgs, f"{moved.objects:,}", bytes_words(moved.size), bytes_words(step.minimum))
    return (name, *numbers, what)


def _data(row: Row, found: "MapSequence") -> dict[str, Any]:
    steps = zip(row.names, row.whats, found.steps, strict=True)
    return {
        "steps": [{"step": name, "what": what, **_step_data(step)} for name, what, step in steps],
        "total": {"objects": found.total.objects, "bytes": found.total.size},
        "whole": _step_data(found.whole),
    }


def _step_data(step: "Step") -> dict[str, Any]:
    moved = {"objects": step.moved.objects, "bytes": step.moved.size}
    return {"rgs": step.rgs, "moved": moved, "minimum_bytes": step.minimum}
