"""One line of plain words for each kind of event and of map change: the text is kept.

`pytest --rewrite` writes it anew, to be reviewed as a change.
"""

from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from eventlog.codec import EVENT_TYPES
from eventlog.ids import WEIGHT_ONE, Version
from eventlog.map_events import MapChange, MapChanged
from eventlog.rg_events import CopiesErased, CopiesLost, ObjectPut, RgClaimed
from eventlog.telling import tell, tell_change, weight_words
from golden.sample_events import SAMPLES
from osd.cli.change_words import parse_weight

GOLDEN = Path(__file__).with_name("telling.txt")


def told() -> str:
    """Every sample in a line; map events moreover change by change."""
    lines = []
    for name, event in SAMPLES.items():
        lines.append(f"{name}: {tell(event)}")
        if isinstance(event, MapChanged):
            lines += [f"    {type(it).__name__}: {tell_change(it)}" for it in event.changes]
    return "\n".join(lines) + "\n"


def test_every_event_is_told_as_it_is_kept(rewrite: bool) -> None:
    if rewrite:
        GOLDEN.write_text(told(), encoding="utf-8")
    assert told() == GOLDEN.read_text(encoding="utf-8")


def test_every_kind_is_there() -> None:
    text = GOLDEN.read_text(encoding="utf-8")
    assert all(f"\n{name}.v1: " in f"\n{text}" for name in EVENT_TYPES)
    assert all(f"    {kind.__name__}: " in text for kind in get_args(MapChange))


def test_everything_is_on_one_line_and_no_name_can_hide() -> None:
    put = SAMPLES["ObjectPut.v1"]
    assert isinstance(put, ObjectPut)
    strange = replace(put, object="a' v9\n\x1b[2J", actor="x\ny")
    line = tell(strange)
    assert line.isprintable()
    assert """ put "a' v9\\n\\x1b[2J" v""" in line
    assert line.endswith("for 'x\\ny'")


def test_long_lists_are_cut_short() -> None:
    erased = SAMPLES["CopiesErased.v1"]
    assert isinstance(erased, CopiesErased)
    for count, end in ((8, "v1 v2 v3 v4 v5 v6 v7 v8"), (1_000, "v7 v8 ... (1,000 copies)")):
        versions = tuple(Version(version) for version in range(1, count + 1))
        assert tell(replace(erased, versions=versions)).endswith(end)


def test_what_is_not_said_is_left_out() -> None:
    lost, claimed = SAMPLES["CopiesLost.v1"], SAMPLES["RgClaimed.v1"]
    assert isinstance(lost, CopiesLost)
    assert isinstance(claimed, RgClaimed)
    assert " lost v" in tell(replace(lost, gone=False))
    assert " has no more v" in tell(replace(lost, gone=True))
    assert tell(replace(claimed, placed=())).endswith(", placed nowhere")


@pytest.mark.parametrize(
    ("weight", "text"),
    [(WEIGHT_ONE, "1"), (WEIGHT_ONE // 4, "0.25"), (10 * WEIGHT_ONE, "10"), (0, "0")],
)
def test_weights(weight: int, text: str) -> None:
    assert weight_words(weight) == text


@pytest.mark.parametrize("weight", [1, 2, 5, 65_535, 65_537, 123_457, WEIGHT_ONE**2])
def test_a_weight_can_be_typed_as_it_is_shown(weight: int) -> None:
    assert parse_weight(weight_words(weight)) == weight
