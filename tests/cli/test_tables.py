"""Tables on narrow terminals: names and numbers stay what they are."""

import io

import pytest
from rich.console import Console

from osd.cli.output import drawn

HEADS = ("osd", "state", "objects", "bytes", "note")
ROWS = [("osd.0", "up", "27", "540,000", "disk nearly full: 5 bytes left"), ("osd.1", *["-"] * 4)]


def lines(room: int) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=room)
    console.print(drawn(HEADS, ROWS, HEADS[2:4], room))
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
                "osd    state  objects  note            …",
                "osd.0  up          27  disk nearly",
                "                       full: 5 bytes",
                "                       left",
                "osd.1  -            -  -",
            ],
        ),
    ],
)
def test_words_go_on_below_and_numbers_are_whole_or_not_there(room: int, shown: list[str]) -> None:
    assert lines(room) == shown
