"""The command explain: why an RG, or an object, is as it is, and who must act next.

Rule: one sentence comes first; where the RG is not clean, who must act next,
since when, the events that led here, and who has what. Exit 0 whatever the
sentence says; 1 where there is no such RG or object.
"""

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from osd.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventlog.ids import RgId
    from osd.client.async_client import AsyncClient
    from osd.client.explaining import Explained
    from projections.explain import Explanation
    from projections.story import Step, Story

_RG = re.compile(r"(?:rg ?)?([0-9a-f]{1,8})")


class _Object(NamedTuple):
    """What the log says of one object, and why it cannot be read."""

    facts: dict[str, Any]
    why: "Explanation | None"


def explain(
    what: Annotated[str, typer.Argument(metavar="RG|NAME", help="An RG, or an object.")],
    is_name: Annotated[
        bool, typer.Option("--name", help="It is an object's name, though it may look like an RG.")
    ] = False,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Say in one sentence why an RG is as it is, and what led here; of an object every fact."""
    from osd.cli.output import note
    from osd.cli.running import with_client

    async def work(client: "AsyncClient") -> "tuple[RgId, bool, Explained]":
        rg, is_object = subject(what, (await client.map()).rg_count, is_name=is_name)
        with reading() as step:
            return rg, is_object, await client.explain(rg, step)

    rg, is_object, explained = with_client(log, work)
    found = _object(what, explained.story) if is_object else None
    if json:
        _say_json(explained, found)
        return
    _say(explained)
    if found is not None:
        _say_object(what, found, is_apart=explained.story.since is not None)
    elif what == f"{rg:x}":
        note(f"(taken as an RG; `osdlog explain --name {what}` explains the object)")


def subject(what: str, rg_count: int, *, is_name: bool) -> "tuple[RgId, bool]":
    """The RG that is meant, and whether an object of it is."""
    from eventlog.ids import RgId, checked_name, rg_of

    found = _RG.fullmatch(what)
    if found and int(found[1], 16) < rg_count and not is_name:
        return RgId(int(found[1], 16)), False
    return rg_of(checked_name(what), rg_count), True


@contextmanager
def reading() -> "Iterator[Callable[[int], None]]":
    """A counter of records for as long as the log is read."""
    from osd.cli.progress import counter

    with counter("records") as tell:
        done = 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            if done % 1_000 == 0:
                tell(done, 0)

        yield step


def moment(micros: int) -> str:
    """A time of the log, in UTC."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC).isoformat(" ", "seconds")[:19] + "Z"


def _object(name: str, story: "Story") -> _Object:
    from osd.client.errors import NotThere
    from osd.rg_reports import object_facts
    from projections.explain import explain_object

    entry = story.projection.entry(name)
    if entry is None:
        raise NotThere(
            f"nothing is known of {name!r}",
            "`osdlog ls` lists the names there are, `osdlog history` knows those that were."
            + (f" RGs are 0 to {story.map.rg_count - 1:x}." if _RG.fullmatch(name) else ""),
        )
    facts = object_facts(name, story.rg, entry, story.projection.next_offset)
    return _Object(facts, explain_object(name, entry, story.map))


def _say(explained: "Explained") -> None:
    from osd.cli.output import say, table
    from projections.story import words

    why, story = explained.why, explained.story
    say(why.sentence)
    who = [f"{' and '.join(why.who)} must act next"] if why.who else []
    if story.since is not None:
        who = [f"not clean since {moment(story.since.time)}, {story.since.position}", *who]
    if who:
        say("; ".join(who))
    for other in explained.others:
        say(f"{other.osd} says: {other.sentence}")
    if story.since is None:
        return
    say("")
    table(
        ("position", "time", "what led here"),
        ((_places(step), moment(step.time), words(step)) for step in story.chain),
    )
    say("")
    heads = ("store", "part", "up", "held", "doomed", "lost")
    table(heads, (tuple(row.values()) for row in _stores(story)), numbers=heads[3:])


def _since(story: "Story") -> dict[str, Any] | None:
    since = story.since
    return since and {"position": str(since.position), "time": since.time}


def _places(step: "Step") -> str:
    return str(step.position) if step.events == 1 else f"{step.position}..{step.until.offset}"


def _stores(story: "Story") -> list[dict[str, Any]]:
    """Every store that is placed or has a copy."""
    state = story.projection.state
    others = tuple(store for store in state.holders if store not in story.placed)
    return [
        {
            "store": str(store),
            "part": "placed" if store in story.placed else "source",
            "up": "up" if story.map.is_up(store) else "down",
            "held": state.ledger(store).held,
            "doomed": state.ledger(store).doomed,
            "lost": state.ledger(store).lost,
        }
        for store in (*story.placed, *others)
    ]


def _say_object(name: str, found: _Object, *, is_apart: bool) -> None:
    from osd.cli.output import say, table

    if is_apart:
        say("")
    facts = found.facts
    life = f"lives, {facts['size']:,} bytes" if facts["is_live"] else "is deleted"
    say(f"{name} {life}, at version {facts['version']}.")
    if found.why is not None:
        say(found.why.sentence)
    rows = [(fact["store"], fact["version"], fact["status"]) for fact in facts["facts"]]
    table(("store", "version", "copy"), rows, numbers=("version",))


def _say_json(explained: "Explained", found: _Object | None) -> None:
    from osd.cli.output import say_json
    from osd.rg_reports import explained as as_report

    why, story = explained.why, explained.story
    said = {
        "rg": story.rg,
        "sentence": why.sentence,
        "reason": why.reason.value,
        "who_acts": list(why.who),
        "seen_by": explained.seen_by,
        "since": _since(story),
        "chain": [
            step._asdict() | {"position": str(step.position), "until": str(step.until)}
            for step in story.chain
        ],
        "stores": _stores(story),
        "others": list(explained.others),
        "state": explained.said["state"] if explained.said else None,
        "object": None,
    }
    if found is not None:
        said["object"] = found.facts | (as_report(found.why) if found.why else {})
    say_json(said)


def add_to(app: typer.Typer) -> None:
    """Give the program this command."""
    app.command()(explain)
