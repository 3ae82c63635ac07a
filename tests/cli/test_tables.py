"""Tables on narrow terminals: names and numbers stay what they are."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from osd.cli import audit, verify
from osd.cli.output import drawn, table
from projections.audit.nodes import Difference
from projections.audit.reports import Report, Table

HEADS = ("osd", "state", "objects", "bytes", "note")
ROWS = [("osd.0", "up", "27", "540,000", "disk nearly full: 5 bytes left"), ("osd.1", *["-"] * 4)]


def lines(
    room: int,
    heads: Sequence[str] = HEADS,
    rows: Sequence[Sequence[str]] = ROWS,
    numbers: Sequence[str] = HEADS[2:4],
) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=room, highlight=False, markup=False, emoji=False)
    console.print(drawn(heads, rows, numbers, room))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (
            64,
            [
                "osd    state  objects    bytes  note",
                "osd.0  up          27  540,000  disk nearly full: 5 bytes left",
                "osd.1  -            -        -  -",
            ],
        ),
        (
            50,
            [
                "osd    state  objects    bytes  note",
                "osd.0  up          27  540,000  disk nearly full:",
                "                                5 bytes left",
                "osd.1  -            -        -  -",
            ],
        ),
        (
            40,
            [
                "osd    state  objects    bytes  note",
                "osd.0  up          27  540,000  disk",
                "                                nearly",
                "                                full: 5",
                "                                bytes",
                "                                left",
                "osd.1  -            -        -  -",
            ],
        ),
        (
            36,
            [
                "osd    state  objects    bytes  …",
                "osd.0  up          27  540,000",
                "osd.1  -            -        -",
            ],
        ),
        (9, ["osd    …", "osd.0", "osd.1"]),
    ],
)
def test_words_go_on_below_and_numbers_are_whole_or_not_there(room: int, shown: list[str]) -> None:
    assert lines(room) == shown


def test_a_history_on_a_usual_terminal_has_its_versions_and_sizes() -> None:
    heads = ("version", "time", "what", "by", "size", "sha256", "claim", "position", "state")
    claim = "epoch 12 round 1 of osd.0/0123456789abcdef boot 1"
    where = ("rg/3@12", "current")
    row = ("1", "2026-11-28 12:00:01Z", "put", "root", "540,000", "0123456789ab", claim, *where)
    assert lines(80, heads, [row], ("version", "size")) == [
        "version  time          what  by       size  sha256     claim   position  state",
        "      1  2026-11-28 …  put   root  540,000  01234567…  epoch…  rg/3@12   current",
    ]


def test_what_a_row_is_about_gives_way_less() -> None:
    heads = ("store", "condition", "rgs", "held", "lost")
    rows = [(f"osd.{number}/0123456789abcdef", "up", "1", "2", "0") for number in (1, 11)]
    assert lines(30, heads, rows, heads[2:]) == [
        "store           condi…  rgs  …",
        "osd.1/0123456…  up        1",
        "osd.11/012345…  up        1",
    ]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 30)), min_size=1, max_size=9),
    st.integers(9, 120),
)
def test_the_first_column_stays_and_shown_numbers_are_whole(
    columns: list[tuple[bool, int]], room: int
) -> None:
    """Each column is numbers or words, and so wide."""
    heads = ["osd.0", *(str(n) for n in range(len(columns)))]
    row = ["osd.0", *(("7" if is_number else "w") * wide for is_number, wide in columns)]
    numbers = [head for head, (is_number, _) in zip(heads[1:], columns, strict=True) if is_number]
    head, *shown = lines(room, heads, [row], numbers)
    assert shown[0].startswith("osd.0")
    assert all(cell_len(line) <= room for line in (head, *shown))
    assert {cell for line in shown for cell in line.split() if cell[0] == "7"} <= set(row)
    assert head.endswith("…") == (len(head.removesuffix("…").split()) < len(heads))


def test_what_is_piped_is_folded_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name", "body"), [("a", "x" * 250_000)])
    assert [len(line) for line in capsys.readouterr().out.splitlines()] == [10, 250_006]


def test_numbers_of_reports_are_numbers_also_where_no_column_is_known_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So they stand to the right, and are cut on no terminal."""
    found = Table("copies", ("name", "version"), [("a", 7), ("b", None), ("c", 1_234_567)], True)
    audit._print(Report("lost", "Is any lost?", False, "one is", {}, (found,)))
    assert capsys.readouterr().out.splitlines()[-3:] == ["a           7", "b", "c     1234567"]
    one = Difference("1f", "a", 7, "osd.0", "osd.0/1", "rg/3@12", "held", "erased")
    two = one._replace(object=None, version=None)
    verify._print(verify.Found(1, 1, [one, two, one._replace(version=1_234_567)], [], []))
    shown = [line[:20] for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        "rg  object  version ",
        "1f  a             7 ",
        "1f                  ",
        "1f  a       1234567 ",
    ]
