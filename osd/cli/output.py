"""What commands print: data on stdout, everything else on stderr.

Rule: nothing is said by colour alone. A table is aligned text, and is cut to
no width where it is not a terminal's. What a name has in it forges no line and
moves no cursor: it is escaped, on a terminal or not; JSON has it as it is. JSON
is one document, or one a line where there may be many.
"""

import errno
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from eventlog.errors import OsdlogError
from osd.errors import DiskFailed
from projections.audit.errors import QueryRefused

UNLIMITED = 1 << 40
"""Columns where nobody has to fit them on a screen."""
LEAST_WORDS = 12
"""So many columns are left of words that are cut, where that is enough."""
LEAST_LETTERS = 6
"""And so many where it is not: fewer tell nothing."""
GAP = 2
"""Between two columns of a table."""
LEFT_OUT = "…"
"""At the head's end: there are more columns than have room."""

_CONTROLS = (*range(32), *range(127, 160))
_SEPARATORS = (0x2028, 0x2029)
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SURROGATES = range(0xD800, 0xE000)
_ESCAPES = {
    code: chr(code).encode("unicode_escape").decode()
    for code in (*_CONTROLS, *_SEPARATORS, *_BIDI, *_SURROGATES)
}


class _Console(Console):
    """The program says itself how it ends where nobody reads on."""

    def on_broken_pipe(self) -> NoReturn:
        """As of any other stream."""
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def console(*, is_stderr: bool = False) -> Console:
    """Where to print; without a terminal nothing is cut or wrapped."""
    stream = sys.stderr if is_stderr else sys.stdout
    width = None if stream.isatty() else UNLIMITED
    return _Console(stderr=is_stderr, width=width, highlight=False, markup=False, emoji=False)


def shown(text: str) -> str:
    """What may stand on a line: no control characters, and nothing that turns its direction."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def say(line: str) -> None:
    """One line of data."""
    with _printing():
        sys.stdout.write(f"{shown(line)}\n")


def flush() -> None:
    """What was said is there for whoever reads it."""
    with _printing():
        sys.stdout.flush()


def say_raw(data: bytes) -> None:
    """Data for programs, as it is."""
    with _printing():
        sys.stdout.buffer.write(data)


def note(line: str) -> None:
    """One line for people, beside the data; where their terminal is gone, nobody is told."""
    try:
        sys.stderr.write(f"{shown(line)}\n")
        sys.stderr.flush()
    except OSError as error:
        if error.errno != errno.EIO:
            raise


def complain(error: OsdlogError) -> None:
    """What happened, and what to do next; what is wrong in a query is shown below it."""
    first, *more = error.what.split("\n") if isinstance(error, QueryRefused) else [error.what]
    for line in (f"error: {first}", *more, f"hint: {error.hint}"):
        note(line)


def say_json(content: Any) -> None:
    """One JSON document on a line."""
    encoded = msgspec.json.encode(as_data(content))
    with _printing():
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


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = ()) -> None:
    """Aligned columns; those in `numbers` to the right."""
    draw(drawn(heads, rows, numbers))


def numeric(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Of the columns of these rows, which are not put into words yet, those that have numbers."""
    return [
        head
        for place, head in enumerate(heads)
        if any(isinstance(row[place], int | float) for row in rows)
    ]


def draw(what: RenderableType) -> None:
    """Something that is drawn already; a line ends with its last word where it need not be blank.

    On a terminal it may stand on a line that had more.
    """
    out = console()
    with _printing():
        if out.is_terminal:
            out.print(what)
            return
        with out.capture() as captured:
            out.print(what)
        lines = captured.get().removesuffix("\n").split("\n")
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in lines)


def drawn(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    numbers: Sequence[str],
    room: int | None = None,
) -> Table:
    """A table that is not printed yet; `room` is the terminal's width, unless it is said.

    Where that is too narrow no number is cut, lest it be taken for another; the first column's
    is where it alone has no room.
    """
    found = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[shown(head) for head in heads], *([shown(str(cell)) for cell in row] for row in rows)]
    is_number = [head in numbers for head in heads]
    widths = _widths(cells, is_number, room or console().width)
    for index, width in widths.items():
        is_cut = is_number[index] or index < len(heads) - 1
        found.add_column(
            cells[0][index],
            justify="right" if is_number[index] else "left",
            width=width,
            no_wrap=is_cut,
            overflow="ellipsis" if is_cut else "fold",
        )
    if len(widths) < len(heads):
        found.add_column(LEFT_OUT, width=len(LEFT_OUT))
    for row in cells[1:]:
        found.add_row(*(Text(row[index]) for index in widths))
    return found


def _widths(
    cells: Sequence[Sequence[str]], is_number: Sequence[bool], room: int
) -> Mapping[int, int]:
    """Of the columns that have room: words give way first, the longest before others.

    Then columns are left out from the right, never the first, which says what the row is about
    and so gives way less; `LEFT_OUT` tells of that, and words get back what is free.
    """
    wanted = {n: max(map(cell_len, column)) for n, column in enumerate(zip(*cells, strict=True))}
    widths = dict(wanted)

    def excess() -> int:
        others = len(widths) - 1
        told = GAP + len(LEFT_OUT) if len(widths) < len(wanted) else 0
        return sum(widths.values()) + GAP * others + told - room

    words = [index for index in widths if not is_number[index]]
    for least, some in ((LEAST_WORDS, words), (LEAST_LETTERS, [n for n in words if n > 0])):
        for index in sorted(some, key=lambda n: (widths[n], n), reverse=True):
            widths[index] -= max(0, min(excess(), widths[index] - least))
    while excess() > 0 and len(widths) > 1:
        widths.popitem()
    if widths:
        widths[0] = max(1, widths[0] - max(0, excess()))
    for index in words:
        if index in widths:
            widths[index] += max(0, min(-excess(), wanted[index] - widths[index]))
    return widths


def pairs(content: Iterable[tuple[str, Any]]) -> None:
    """A value a line, each after its name."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for key, value in content:
        drawn.add_row(Text(shown(key)), Text(shown(str(value))))
    draw(drawn)


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


@contextmanager
def _printing() -> Iterator[None]:
    """Raises `DiskFailed`; `BrokenPipeError` where nobody reads on."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unprintable(error) from error


def unprintable(error: OSError) -> DiskFailed:
    """Standard output is full, or closed."""
    return DiskFailed(
        f"cannot write standard output: {error.strerror or error}",
        "Check where it goes, and whether there is room.",
    )


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key)
