"""Undoing: which change is the last, what of it can be taken back; none is passed over."""

from collections.abc import Collection
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from client.fake_osds import FakeOsd, Reply, boot, made_cluster
from eventlog.ids import WEIGHT_ONE, Epoch, OsdId, Store
from eventlog.map_events import (
    EpochBumped,
    MapChange,
    MapChanged,
    OsdDown,
    OsdUp,
    RulesRaised,
)
from eventlog.state_file import export
from folds.building import store
from folds.mapping import (
    CREATED,
    added,
    booted,
    changed,
    down,
    event,
    out,
    pinned,
    up,
    weighed,
    written_off,
)
from osd.client import AsyncClient
from osd.client.planning import AcceptedChange, map_with
from osd.client.undoing import WHY_DOWN, Undoing, undoing
from osd.errors import Refused
from projections.cluster_map import EMPTY, ClusterMap, Refusal
from projections.map_fold import fold


class Past:
    """Accepted events, one after the other."""

    def __init__(self) -> None:
        self.all: list[AcceptedChange] = []
        self.say(CREATED)
        self.say(added(1), added(2))
        self.happen(booted(1))
        self.happen(booted(2))

    @property
    def now(self) -> ClusterMap:
        return self.all[-1].after if self.all else EMPTY

    def say(self, *changes: MapChange, author: str = "ann") -> Epoch:
        """An operator's change."""
        return self._fold(event(*changes, layout=self.now.layout, author=author))

    def happen(self, *changes: MapChange, author: str = "osdlog monitor a") -> Epoch:
        """What an OSD or a monitor says."""
        return self._fold(event(*changes, layout=None, author=author))

    def _fold(self, said: MapChanged) -> Epoch:
        after = fold(self.now, said)
        assert not isinstance(after, Refusal), after
        self.all.append(AcceptedChange(said, self.now, after))
        return after.epoch

    def undoing(self, epoch: Epoch | None = None, silent: Collection[OsdId] = ()) -> Undoing:
        found = undoing(self.all, epoch, "ann", silent)
        map_with(self.now, found.changes, self.now.layout)  # it would be accepted
        return found


def test_a_mark_of_an_operator_is_taken_back() -> None:
    past = Past()
    past.say(weighed(1, 7))
    slip = past.say(down(1), out(2))
    found = past.undoing()
    assert (found.undone, found.last) == (slip, slip)
    assert changed(past.now, *found.changes).osds == past.all[-2].after.osds
    past.say(*found.changes)
    again = past.undoing()
    assert replace(down(1), why=WHY_DOWN) in again.changes


def test_also_where_an_earlier_map_is_brought_back() -> None:
    past = Past()
    good = past.now.epoch
    past.say(weighed(1, 7))
    past.say(down(1))
    assert past.undoing(good).changes[-1] == up(1)


@pytest.mark.parametrize("since", ["started anew", "marked by a monitor"])
def test_a_mark_that_something_else_has_replaced_stays(since: str) -> None:
    past = Past()
    slip = past.say(down(1))
    if since == "started anew":
        past.happen(booted(1, boot=2), author="osd.1")
    else:
        past.happen(up(1))
        past.happen(down(1))
    with pytest.raises(Refused) as refused:
        past.undoing()
    assert refused.value.what == (
        f"nothing of epoch {slip} can be undone: all that it changed is otherwise by now"
    )


def test_one_that_stopped_meanwhile_is_not_marked_up() -> None:
    """Its own word that it stops is void: it is down already."""
    past = Past()
    slip = past.say(down(1), weighed(2, 7))
    found = past.undoing(silent=[OsdId(1)])
    assert found.changes == (weighed(2, WEIGHT_ONE),)
    assert found.impossible == ("osd.1 stays down: it does not answer",)
    past.say(down(2))
    with pytest.raises(Refused) as refused:
        past.undoing(silent=[OsdId(2)])
    assert refused.value.what == (
        f"nothing of epoch {slip + 1} can be undone: osd.2 stays down: it does not answer"
    )


@pytest.mark.parametrize("by", ["osdlog monitor a", "osd.1"])
def test_one_whom_no_operator_had_marked_down_stays_up(by: str) -> None:
    """An operator's mark would stand, and nobody speaks against it."""
    past = Past()
    past.happen(down(1), author=by)
    silent = past.now.epoch
    past.say(up(1), weighed(2, 7))
    for epoch in (None, silent):
        found = past.undoing(epoch)
        assert found.changes == (weighed(2, WEIGHT_ONE),)
        assert found.impossible == ("osd.1 stays up: no operator had marked it down",)


def test_one_whom_an_operator_had_marked_down_is_so_again() -> None:
    past = Past()
    past.happen(down(1))
    past.happen(up(1))
    past.say(down(1))
    past.say(up(1))
    assert past.undoing().changes == (replace(down(1), why=WHY_DOWN),)


async def test_who_is_marked_up_is_asked_first(tmp_path: Path) -> None:
    url, saved = made_cluster(tmp_path, [1]), tmp_path / "saved"
    async with FakeOsd(1).listening() as osd, AsyncClient(url) as client:
        boot(url, osd)
        now = await client.map()
        process = now.osds[osd.osd]
        assert process.store is not None
        mark = OsdDown(store=process.store, boot=process.boot, why="a slip")
        await client.change_map([mark], layout=now.layout)
        osd.script["GET"] = [_alive(process.store, 1)]
        assert (await client.undo_map()).changes == (OsdUp(store=mark.store, boot=mark.boot),)
        osd.script["GET"] = [_alive(process.store, 2)]
        with pytest.raises(Refused, match=r"osd\.1 stays down: it does not answer"):
            await client.undo_map()
        osd.script["GET"] = [_alive(process.store, 1)]
        export(saved, client.log, {})
        async with AsyncClient(f"state:{saved}") as past:
            with pytest.raises(Refused, match=r"osd\.1 stays down: it does not answer"):
                await past.undo_map()


def _alive(store: Store, boot: int) -> Reply:
    said = {"store": str(store), "boot": boot, "trouble": None}
    return Reply(200, {"Content-Type": "application/json"}, msgspec.json.encode(said))


def test_what_a_monitor_or_an_osd_said_is_not_taken_back() -> None:
    past = Past()
    wanted = past.say(weighed(1, 7))
    past.happen(down(1))
    past.say(out(2), author="osdlog monitor a")
    assert past.undoing().undone == wanted
    assert up(1) not in past.undoing(Epoch(wanted - 1)).changes


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (written_off(store(1)), "osd.1/0000000000000001 is retired for good (burnt)"),
        (EpochBumped(to=99), "the epoch stays at 99 or above: it only grows"),
        (RulesRaised(rules=2), "rule set 2 stays: rule sets are only raised"),
    ],
)
def test_the_change_before_is_not_undone_instead_of_one_that_cannot_be(
    change: MapChange, why: str
) -> None:
    past = Past()
    past.say(weighed(2, 7))
    last = past.say(change)
    with pytest.raises(Refused) as refused:
        past.undoing()
    assert refused.value.what.startswith(f"nothing of epoch {last} can be undone: {why}")
    assert refused.value.hint == (
        "Name the epoch whose map you want back: `osdlog map log` lists them."
    )


def test_what_of_a_change_cannot_be_undone_is_said() -> None:
    past = Past()
    past.say(weighed(2, 7), RulesRaised(rules=2))
    found = past.undoing()
    assert len(found.changes) == 1
    assert found.impossible == ("rule set 2 stays: rule sets are only raised",)


@pytest.mark.parametrize("change", [EpochBumped(to=99), written_off(store(1))])
def test_a_pin_of_which_nobody_spoke_is_no_part_of_it(change: MapChange) -> None:
    past = Past()
    past.say(pinned(3, 1))
    past.say(out(1))
    past.say(weighed(2, 7))
    assert [*past.undoing().changes] == [weighed(2, WEIGHT_ONE)]
    past.say(change)
    with pytest.raises(Refused, match="can be undone"):
        past.undoing()


def test_a_disk_that_was_retired_since_is_no_reason_against_a_change_of_another() -> None:
    past = Past()
    bump = past.say(EpochBumped(to=99))
    past.happen(booted(1, 2))
    with pytest.raises(Refused) as refused:
        past.undoing()
    assert refused.value.what == (
        f"nothing of epoch {bump} can be undone: the epoch stays at 99 or above: it only grows"
    )
