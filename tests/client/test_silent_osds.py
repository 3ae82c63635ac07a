"""How long a put of a large body waits for an OSD that says nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from client.fake_osds import FakeOsd, boot, made_cluster, stored
from osd.client import AsyncClient, objects
from osd.client.bodies import FileBody
from osd.errors import OutcomeUnknown

SYNC_S = 1_000.0
"""For the body of these tests, that is: far more than a test may take."""
SIZE = 1_200_000
SLOW_S = 2.0


class SilentOsd(FakeOsd):
    """Says nothing, or not yet."""

    def __init__(self) -> None:
        super().__init__(0)
        self.before_s = 0.0
        self.after_s = 0.0

    async def _read(self, request: web.BaseRequest) -> bytes:
        await asyncio.sleep(self.before_s)
        body = await super()._read(request)
        await asyncio.sleep(self.after_s)
        return body


@asynccontextmanager
async def silent_osd(path: Path) -> AsyncIterator[tuple[str, SilentOsd]]:
    url = made_cluster(path, [0])
    async with SilentOsd().listening() as osd:
        assert isinstance(osd, SilentOsd)
        osd.script["PUT"] = [stored()]
        boot(url, osd)
        yield url, osd


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "ATTEMPT_MS", 1_000)
    monkeypatch.setattr(objects, "GRACE_S", 0.0)
    monkeypatch.setattr(objects, "SLOW_DISK_BYTES_S", SIZE / SYNC_S)


async def test_who_does_not_take_the_body_is_not_waited_for_as_for_its_disk(tmp_path: Path) -> None:
    async with silent_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=0.5) as client:
        osd.before_s = SYNC_S
        async with asyncio.timeout(SYNC_S / 10):
            with pytest.raises(OutcomeUnknown, match="it takes too long"):
                await client.put("a", bytes(SIZE))


async def test_who_has_the_whole_body_is_given_the_time_that_its_disk_takes(tmp_path: Path) -> None:
    async with silent_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.after_s = SLOW_S
        await client.put("a", bytes(SIZE))
    assert osd.asked[-1].body == bytes(SIZE)


async def test_what_is_slow_to_read_here_is_not_the_osds_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FileBody._read

    def slowly(self: FileBody, size: int) -> bytes:
        time.sleep(SLOW_S)
        monkeypatch.setattr(FileBody, "_read", read)
        return read(self, size)

    monkeypatch.setattr(FileBody, "_read", slowly)
    async with silent_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        await client.put("a", bytes(SIZE))
    assert len(osd.asked) == 1
