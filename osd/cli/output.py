"""What commands print: data on stdout, everything else on stderr.

Rule: nothing is said by colour alone. A table is aligned text, and is cut to
no width where it is not a terminal's. JSON is one document, or one a line
where there may be many.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventlog.errors import OsdlogError

UNLIMITED = 100_000
"""Columns where nobody has to fit them on a screen."""

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "�")


def console(*, is_stderr: bool = False) -> Console:
    """Where to print; without a terminal nothing is cut or wrapped."""
    stream = sys.stderr if is_stderr else sys.stdout
    width = None if stream.isatty() else UNLIMITED
    return Console(stderr=is_stderr, width=width, highlight=False, markup=False, emoji=False)


def say(line: str) -> None:
    """One line of data."""
    sys.stdout.write(f"{line}\n")


def note(line: str) -> None:
    """One line for people, beside the data."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def complain(error: OsdlogError) -> None:
    """What happened, and what to do next."""
    note(f"error: {error.what}")
    note(f"hint: {error.hint}")


def say_json(content: Any) -> None:
    """One JSON document on a line."""
    encoded = msgspec.json.encode(as_data(content))
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.buffer.flush()


def as_data(content: Any) -> Any:
    """Named tuples as objects, bytes in hexadecimal: how JSON shows our values."""
    match content:
        case tuple() if hasattr(content, "_asdict"):
            return {key: as_data(value) for key, value in content._asdict().items()}
        case list() | tuple():
            return [as_data(value) for value in content]
        case dict():
            return {_key(key): as_data(value) for key, value in content.items()}
        case msgspec.Struct():
            tag = content.__struct_config__.tag
            said = {"change": str(tag).rpartition(".")[2]} if tag else {}
            fields = content.__struct_fields__
            return said | {name: as_data(getattr(content, name)) for name in fields}
        case bytes():
            return content.hex()
        case _:
            return content


def shown(name: str) -> str:
    """A name as it may stand on a terminal."""
    return name.translate(_CONTROL) if sys.stdout.isatty() else name


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = ()) -> None:
    """Aligned columns; those in `numbers` to the right."""
    console().print(drawn(heads, rows, numbers))


def drawn(heads: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str]) -> Table:
    """A table that is not printed yet."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        found.add_column(head, justify="right" if head in numbers else "left", no_wrap=True)
    for row in rows:
        found.add_row(*(Text(str(cell).translate(_CONTROL)) for cell in row))
    return found


def pairs(content: Iterable[tuple[str, Any]]) -> None:
    """A value a line, each after its name."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for key, value in content:
        drawn.add_row(Text(key), Text(str(value).translate(_CONTROL)))
    console().print(drawn)


def bytes_words(size: int) -> str:
    """`1.2 MB`, in powers of ten."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5 or unit == "GB":
            return (
                f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
            )
        number /= 1_000
    raise AssertionError("the last unit takes all")


def duration_words(seconds: float) -> str:
    """`under 1 s`, `12 s`, `5 min`, `2.5 h`, `3 days`."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 5_970:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3_600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def count(number: int, noun: str, nouns: str = "") -> str:
    """`1 object`, `2 objects`."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key)
