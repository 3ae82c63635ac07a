"""Changes of the map by a client: appended, read back, refused in words, never guessed."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from client.fake_osds import FakeOsd, boot, made_cluster
from eventlog.errors import AppendUnknown
from eventlog.ids import WEIGHT_ONE, Layout, OsdId, Position, RgId
from eventlog.log import Entry
from eventlog.map_events import MapChange, OsdIn, OsdOut, OsdReweighted, StoreWrittenOff
from eventlog.sqlite import SqliteLog
from osd.client import AsyncClient, Client, map_writer
from osd.client.map_reader import MapReader
from osd.client.map_writer import change_map
from osd.errors import OutcomeUnknown, Refused


class DoubtfulLog(SqliteLog):
    """Every append of a map event ends in doubt; whether it was done is given."""

    was_appended = True

    def append(self, entries: Sequence[Entry]) -> list[Position]:
        if not entries:
            return []
        if self.was_appended:
            super().append(entries)
        raise AppendUnknown("an append may or may not have happened: a test says so", "Read on.")


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:"))


async def test_an_accepted_change_gives_the_map_after_it(tmp_path: Path) -> None:
    async with AsyncClient(made_cluster(tmp_path, [0, 1])) as client:
        before = await client.map()
        heavier = OsdReweighted(osd=OsdId(1), weight=2 * WEIGHT_ONE)
        changes: list[MapChange] = [heavier, OsdOut(osd=OsdId(0))]
        after = await client.change_map(changes, layout=before.layout, reason="why not")
        assert after.epoch == before.epoch + 1
        assert not after.osds[OsdId(0)].is_in
        assert (await client.map()) == after


async def test_one_whose_disk_was_retired_says_so_of_an_rg_as_in_the_status(tmp_path: Path) -> None:
    url, osd = made_cluster(tmp_path, [0, 1]), FakeOsd(0)
    boot(url, osd)
    async with AsyncClient(url) as client:
        now = await client.map()
        store = now.osds[osd.osd].store
        assert store is not None
        burnt = StoreWrittenOff(store=store, by="ann", why="burnt")
        await client.change_map([burnt], layout=now.layout)
        why = f"it has no disk: {store} was retired (burnt)"
        assert await client.rg_at(osd.osd, RgId(0)) == why
        assert (await client.status())[0].why == why
        assert await client.rg_at(OsdId(1), RgId(0)) == "it has not started yet"


async def test_a_change_for_an_old_layout_is_refused(tmp_path: Path) -> None:
    async with AsyncClient(made_cluster(tmp_path, [0])) as client:
        with pytest.raises(Refused) as caught:
            await client.change_map([OsdOut(osd=OsdId(0))], layout=Layout(77))
        assert caught.value.what == "the change was made for layout 77, the map is at 1"
        assert "apply it to the new layout" in caught.value.hint
        with pytest.raises(Refused, match=r"osd\.9 is not in the map"):
            await client.change_map([OsdOut(osd=OsdId(9))], layout=Layout(1))


async def test_one_bad_change_voids_all(tmp_path: Path) -> None:
    async with AsyncClient(made_cluster(tmp_path, [0])) as client:
        changes: list[MapChange] = [OsdReweighted(osd=OsdId(0), weight=3), OsdIn(osd=OsdId(0))]
        with pytest.raises(Refused, match=r"osd\.0 is in already"):
            await client.change_map(changes, layout=Layout(1))
        assert (await client.map()).osds[OsdId(0)].weight == WEIGHT_ONE


def test_what_an_append_left_open_is_read(tmp_path: Path) -> None:
    url = made_cluster(tmp_path, [0])
    with DoubtfulLog(path_of(url)) as log:
        after = change_map(log, [OsdOut(osd=OsdId(0))], Layout(1), "doubt", "test")
    assert not after.osds[OsdId(0)].is_in


def test_what_never_appears_stays_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = made_cluster(tmp_path, [0])
    monkeypatch.setattr(map_writer, "PATIENCE_S", 0.0)
    with DoubtfulLog(path_of(url)) as log:
        log.was_appended = False
        with pytest.raises(OutcomeUnknown, match="may or may not be in the log"):
            change_map(log, [OsdOut(osd=OsdId(0))], Layout(1), "doubt", "test")
        assert MapReader(log).refresh().epoch == 1


def test_the_sync_client_does_the_same(tmp_path: Path) -> None:
    with Client(made_cluster(tmp_path, [0])) as client:
        with pytest.raises(Refused, match="layout 5"):
            client.change_map([OsdOut(osd=OsdId(0))], layout=Layout(5))
        assert client.map().rg_count == 8
        client.close()


def test_a_client_that_cannot_open_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(Exception, match="there is no log"):
        Client(f"sqlite:{tmp_path / 'none'}")
    assert threading.active_count() == before
