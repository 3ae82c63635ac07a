"""Words: CHANGES as people type them, and as they are printed to be typed again.

Rule: nothing is judged here but the form; it says nothing of any map. Every
command is one event, whatever the order of its words.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from eventlog.errors import BadName


class Words(NamedTuple):
    """What was said, option by option."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    out: Sequence[str] = ()
    into: Sequence[str] = ()
    up: Sequence[str] = ()
    down: Sequence[str] = ()
    weight: Sequence[str] = ()
    move: Sequence[str] = ()
    pin: Sequence[str] = ()
    unpin: Sequence[str] = ()
    retire: Sequence[str] = ()
    replicas: int | None = None
    min_replicas: int | None = None
    rules: int | None = None

    @property
    def is_of_now(self) -> bool:
        """Whether it means the disk or the process that an OSD has now, whichever that is."""
        return bool(self.retire or self.up or self.down)

    def __str__(self) -> str:
        """As it is typed."""
        return shlex.join(self._said())

    def _said(self) -> Iterator[str]:
        for field, value in self._asdict().items():
            for one in value if isinstance(value, tuple | list) else (value,):
                if one is not None:
                    yield from (option_of(field), str(one))


def parse_words(line: str) -> Words:
    """CHANGES as they are typed, on one line; `BadName` for anything else."""
    try:
        said = shlex.split(line)
    except ValueError as error:
        raise BadName(f"{line!r} cannot be read: {error}", "Close every quote.") from error
    fields = {option_of(field): field for field in Words._fields}
    found: dict[str, Any] = {}
    while said:
        option, has_value, value = said.pop(0).partition("=")
        if option not in fields:
            raise BadName(f"{option!r} is no change", f"There are {', '.join(fields)}.")
        if not has_value:
            if not said:
                raise BadName(f"{option} names nothing", f"Write {option} VALUE.")
            value = said.pop(0)
        field = fields[option]
        if field in ("replicas", "min_replicas", "rules"):
            found[field] = _number(value)
        else:
            found[field] = (*found.get(field, ()), value)
    return Words(**found)


def option_of(field: str) -> str:
    """The option that says this."""
    return "--in" if field == "into" else f"--{field.replace('_', '-')}"


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise BadName(f"{text!r} is no such number", "Write a number from 1 on.")
    return int(text)
