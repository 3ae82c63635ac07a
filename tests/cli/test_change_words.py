"""CHANGES as they are typed, and what they mean for a map: no process runs here."""

import re

import pytest
from msgspec.structs import replace

from eventlog.errors import BadName
from eventlog.ids import OsdId, RgId
from eventlog.map_events import (
    OsdBooted,
    OsdLeaving,
    OsdMoved,
    ReplicasSet,
    RgPinned,
    RgUnpinned,
    RulesRaised,
    StoreWrittenOff,
)
from folds.mapping import added, changed, cluster, leaving, pinned
from osd.cli.change_words import changes_of
from osd.cli.words import Words, parse_words
from osd.errors import Refused
from projections.pinning import MAX_PINS, placed_homes

CLUSTER = cluster()
PINNED = changed(CLUSTER, pinned(3, 1), pinned(4, 2, 1), pinned(7, 3))


def changes(line: str, seen: object = CLUSTER) -> tuple[object, ...]:
    """What the words mean."""
    assert isinstance(seen, type(CLUSTER))
    return changes_of(parse_words(line), seen, "ann", "", placed_homes(seen))


def test_words_are_printed_as_they_are_typed() -> None:
    line = "--add '3:0.5@a host/r1' --add 4 --in 1 --move 2@h/r --pin all --min-replicas 2"
    assert str(parse_words(line)) == line
    assert parse_words("--out=1 --in 2 --out 3") == Words(out=("1", "3"), into=("2",))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--fly 1", "'--fly' is no change"),
        ("1", "'1' is no change"),
        ("--out", "--out names nothing"),
        ("--out '1", "cannot be read: No closing quotation"),
        ("--replicas 0", "'0' is no such number"),
        ("--pin 3: --out 1", "'3:' has not the form of that option"),
        ("--pin 3:1 --unpin 3", "rg 3 is named twice"),
        ("--move 1", "'1' does not say where an OSD is"),
        ("--out 0 --in osd.0", "osd.0 is named by --out and by --in"),
        ("--down 1 --up 1", "osd.1 is named by --up and by --down"),
        ("--add 5:2@h/r --remove 5", "osd.5 is named by --add and by --remove"),
        ("--weight 1:2 --weight osd.1:3", "--weight names one OSD twice"),
    ],
)
def test_words_that_are_none(line: str, what: str) -> None:
    with pytest.raises(BadName, match=re.escape(what)):
        changes(line, PINNED)


def test_a_rule_set_that_this_program_does_not_know_is_not_raised_to() -> None:
    assert changes("--rules 1") == (RulesRaised(rules=1),)
    with pytest.raises(Refused, match="this program knows rule sets up to 1, and would stop under"):
        changes("--rules 2")


def test_an_osd_in_another_place() -> None:
    assert changes("--move osd.2@h7/r7") == (OsdMoved(osd=OsdId(2), host="h7", rack="r7"),)


def test_replicas_come_before_pins_where_they_grow_and_after_where_they_shrink() -> None:
    more, fewer = changes("--replicas 3 --pin 3:1,2,3"), changes("--replicas 1 --pin 3:1")
    assert [type(change) for change in more] == [ReplicasSet, RgPinned]
    assert [type(change) for change in fewer] == [RgPinned, ReplicasSet]


def test_who_leaves_leaves_its_pins() -> None:
    assert changes("--remove 1 --unpin 7", PINNED) == (
        RgUnpinned(rg=RgId(7)),
        RgUnpinned(rg=RgId(3)),
        RgPinned(rg=RgId(4), osds=(OsdId(2),)),
        OsdLeaving(osd=OsdId(1)),
    )
    left = changed(PINNED, leaving(1))
    assert changes("--retire 1", left)[:2] == changes("--remove 1", PINNED)[:2]
    assert [type(change) for change in changes("--retire 1", PINNED)] == [StoreWrittenOff]


def test_who_never_started_leaves_at_once() -> None:
    new = changed(CLUSTER, added(4))
    said = changes("--remove 4", new)
    assert [type(change) for change in said] == [OsdLeaving, OsdBooted, StoreWrittenOff]
    assert changed(new, *said).osds == CLUSTER.osds  # type: ignore[arg-type]
    with pytest.raises(Refused) as error:
        changes("--retire 4", new)
    assert error.value.hint.endswith("take it out of the map with `osdlog map apply --remove 4`.")


class TestManyPins:
    def test_all_are_held_where_they_are(self) -> None:
        said = changes("--pin all")
        assert said == tuple(
            RgPinned(rg=rg, osds=osds) for rg, osds in placed_homes(CLUSTER).items()
        )
        assert changes("--pin 5") == said[5:6]

    def test_so_many_that_are_not_held_yet(self) -> None:
        said = changes("--pin all")
        assert changes("--pin first:3") == said[:3]
        frozen = changed(CLUSTER, *said[:3])  # type: ignore[arg-type]
        assert changes("--pin first:3", frozen) == said[3:6]
        assert changes("--pin 7 --pin first:2", frozen) == (said[7], said[3], said[4])
        assert changes("--pin first:99", frozen) == said[3:]
        all_frozen = changed(CLUSTER, *said)  # type: ignore[arg-type]
        with pytest.raises(Refused, match="pinned where they are already"):
            changes("--pin first:3", all_frozen)

    def test_but_not_where_they_must_go(self) -> None:
        said = changes("--pin all --remove 1 --out 2")
        pins = [change for change in said if isinstance(change, RgPinned)]
        assert pins
        assert {osd for pin in pins for osd in pin.osds} == {OsdId(3)}

    def test_what_is_held_already(self) -> None:
        frozen = changed(CLUSTER, *changes("--pin all"))  # type: ignore[arg-type]
        with pytest.raises(Refused, match="pinned where they are already"):
            changes("--pin all", frozen)

    @pytest.mark.parametrize(
        ("line", "released"),
        [
            ("--unpin all", [3, 4, 7]),
            ("--unpin 100%", [3, 4, 7]),
            ("--unpin 12%", [3, 4]),
            ("--unpin 1%", [3]),
            ("--unpin first:2", [3, 4]),
            ("--unpin 7", [7]),
        ],
    )
    def test_a_part_is_of_all_rgs_and_the_lowest_come_first(
        self, line: str, released: list[int]
    ) -> None:
        assert changes(line, PINNED) == tuple(RgUnpinned(rg=RgId(rg)) for rg in released)

    def test_more_than_an_event_takes(self) -> None:
        large = replace(CLUSTER, rg_count=MAX_PINS + 1)
        with pytest.raises(Refused, match="10,001 pins are more than one map event takes") as no:
            changes("--pin all", large)
        assert "part after part" in no.value.hint
        assert len(changes(f"--pin first:{MAX_PINS}", large)) == MAX_PINS
