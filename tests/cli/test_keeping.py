"""Keepers and their supervisor: whatever happens, an OSD is started again, and that is said."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from eventlog.ids import Boot, OsdId, Store
from eventlog.open import open_log
from osd import supervisor
from osd.client.map_reader import MapReader
from osd.data_dir import DataDir
from osd.errors import OutcomeUnknown
from osd.folder import Asked, cluster_in
from osd.keeper import Home, Keeper, Started, Supervision
from osd.supervisor import Supervisor

OSD = OsdId(0)


@pytest.fixture
def pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return cluster_in(tmp_path, None, Asked(osds=1, rgs=1), "t")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.02)


def store_of(url: str) -> Store | None:
    with open_log(url) as log:
        return MapReader(log).refresh().osds[OSD].store


def test_a_keeper_that_meets_a_mistake_says_so_and_goes_on(tmp_path: Path, pipe: int) -> None:
    said: list[str] = []
    asked: list[str] = []

    async def words(_: OsdId) -> tuple[str, ...]:
        asked.append("words")
        if len(asked) == 1:
            raise RuntimeError("the first time")
        return ()

    async def ended(osd: OsdId, started: Started | None) -> bool:
        assert (osd, started) == (OSD, None)
        asked.append("ended")
        if len(asked) == 3:
            raise RuntimeError("the second time")
        return False

    async def keep() -> None:
        home = Home(OSD, tmp_path / "osd.0", f"sqlite:{tmp_path}/none", pipe)
        keeper = Keeper(home, Supervision(said.append, words, ended))
        ready = asyncio.create_task(keeper.ready())
        while not ready.done():
            keeper.hurry()
            await asyncio.sleep(0.02)

    asyncio.run(keep())
    assert asked == ["words", "words", "ended", "words", "ended"]
    assert "osd.0 was not looked after: RuntimeError: the first time" in said
    assert "osd.0 was not looked after: RuntimeError: the second time" in said
    assert said[-1] == "osd.0 is not in the map any more"


class Talker(Home):
    """The home of a program that says very much in one line, serves, and ends by itself."""

    @property
    def command(self) -> tuple[str, ...]:
        serves = msgspec.json.encode(Started(self.osd, "here:1", "a store", Boot(1))).decode()
        script = (
            "import sys\n"
            "print('o' * 200_000)\n"
            "print('e' * 200_000, file=sys.stderr)\n"
            f"print({serves!r})\n"
        )
        return (sys.executable, "-c", script)


def test_a_long_line_is_passed_on_and_ends_nothing(tmp_path: Path, pipe: int) -> None:
    said: list[str] = []
    ends: list[Started | None] = []

    async def words(_: OsdId) -> tuple[str, ...]:
        return ()

    async def ended(_: OsdId, started: Started | None) -> bool:
        ends.append(started)
        return False

    async def keep() -> None:
        home = Talker(OSD, tmp_path, f"sqlite:{tmp_path}/none", pipe)
        keeper = Keeper(home, Supervision(said.append, words, ended))
        await until(lambda: bool(ends))
        await keeper.stop()

    asyncio.run(keep())
    assert ends == [Started(OSD, "here:1", "a store", Boot(1))]
    assert "osd.0 ended with exit code 0" in said
    passed = [line.removeprefix("osd.0: ") for line in said if line.startswith("osd.0: ")]
    assert sorted("".join(passed)) == sorted("e" * 200_000 + "o" * 200_000)


def test_an_osd_whose_mark_is_of_unknown_fate_is_started_again(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def unknown(*_: object) -> None:
        raise OutcomeUnknown("the map change may or may not be in the log", "Look at the map.")

    async def run() -> None:
        async with Supervisor(url, tmp_path, said.append) as up:
            await up.ready()
            monkeypatch.setattr(supervisor, "change_map", unknown)
            said.clear()
            up.kill(OSD)
            await until(lambda: any("serves at" in line for line in said))

    asyncio.run(run())
    unsure = "osd.0 may not be marked down: the map change may or may not be in the log"
    assert unsure in said


def test_the_word_that_a_disk_is_lost_stands_until_the_map_has_another(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The OSD dies after its folder was emptied and before its new store is in the map."""
    said: list[str] = []
    stores: list[Store | None] = []

    async def run() -> None:
        async with Supervisor(url, tmp_path, said.append) as up:
            await up.ready()
            stores.append(store_of(url))
            up.kill(OSD)
            await until(lambda: any("started again" in line for line in said))
            with open_log(url) as log:  # as far as a process comes that dies before its boot
                DataDir.rebuild(up.folder_of(OSD), log.identity.cluster, OSD).close()
            up.rebuild(OSD, "its disk is lost")
            await until(lambda: store_of(url) != stores[0])
            stores.append(store_of(url))
            await until(lambda: sum("serves at" in line for line in said) == 2)
            up.kill(OSD)
            await until(lambda: sum("serves at" in line for line in said) == 3)
            stores.append(store_of(url))

    asyncio.run(run())
    assert stores[1] == stores[2] != stores[0]
