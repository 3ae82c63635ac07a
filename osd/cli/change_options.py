"""The options of CHANGES, for every command that takes them.

Rule: they are written down once. A command that is decorated has them all,
and is given what was said as `words`.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from osd.cli.words import Words

Texts = list[str] | None
Copies = int | None


def _option(name: str, what: str, metavar: str = "ID") -> Any:
    return typer.Option(name, metavar=metavar, help=what, show_default=False)


def _copies(name: str, what: str) -> Any:
    return typer.Option(name, metavar="N", min=1, help=what, show_default=False)


def _words(  # noqa: PLR0913, PLR0917 - one for each word
    add: Annotated[Texts, _option("--add", "Add an OSD.", "ID[:WEIGHT][@HOST[/RACK]]")] = None,
    remove: Annotated[Texts, _option("--remove", "Let an OSD leave: its data moves away.")] = None,
    out: Annotated[Texts, _option("--out", "Place nothing on it; it stays a source.")] = None,
    into: Annotated[Texts, _option("--in", "Place data on it again.")] = None,
    up: Annotated[Texts, _option("--up", "Say that it answers.")] = None,
    down: Annotated[Texts, _option("--down", "Say that it does not answer.")] = None,
    weight: Annotated[
        Texts, _option("--weight", "Give it another weight: its share of the data.", "ID:WEIGHT")
    ] = None,
    move: Annotated[Texts, _option("--move", "It stands elsewhere.", "ID@HOST/RACK")] = None,
    pin: Annotated[
        Texts,
        _option(
            "--pin",
            "Place an RG on these OSDs; or hold RGs where they are.",
            "RG:ID,ID|RG|all|first:N",
        ),
    ] = None,
    unpin: Annotated[
        Texts, _option("--unpin", "Place RGs as all others.", "RG|all|N%|first:N")
    ] = None,
    retire: Annotated[Texts, _option("--retire", "Its disk is gone and may not return.")] = None,
    replicas: Annotated[Copies, _copies("--replicas", "Copies of each object, up to 8.")] = None,
    min_replicas: Annotated[
        Copies, _copies("--min-replicas", "How many of them a put waits for.")
    ] = None,
    rules: Annotated[Copies, _copies("--rules", "Claims from now on name this rule set.")] = None,
) -> Words:
    return Words(
        add=add or (),
        remove=remove or (),
        out=out or (),
        into=into or (),
        up=up or (),
        down=down or (),
        weight=weight or (),
        move=move or (),
        pin=pin or (),
        unpin=unpin or (),
        retire=retire or (),
        replicas=replicas,
        min_replicas=min_replicas,
        rules=rules,
    )


def with_changes(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with these options before its own and its parameter `words` made of them."""
    shared = inspect.signature(_words).parameters
    own = [it for it in inspect.signature(command).parameters.values() if it.name != "words"]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        said = {name: given.pop(name) for name in shared}
        command(words=_words(**said), **given)

    signature = inspect.Signature([*shared.values(), *own])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {it.name: it.annotation for it in signature.parameters.values()}
    del run.__wrapped__
    return run
