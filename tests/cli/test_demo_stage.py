"""The demo's stage where OSDs do not come up: it says so, and what they said."""

from pathlib import Path

import pytest

from cli.programs import wait_until_gone
from client.fake_osds import made_cluster
from eventlog.ids import Boot, OsdId
from osd.client import AsyncClient
from osd.demo import stage as stages
from osd.demo.history import History
from osd.demo.stage import Stage, stage
from osd.demo.telling import Telling
from osd.errors import Unavailable
from osd.supervisor import Supervisor


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "CLEAN_S", 0.0)


async def test_osds_that_do_not_serve(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(Unavailable, match="after 0 s not all OSDs serve"):
        async with stage(tmp_path / "data", 2, Telling()):
            pass
    wait_until_gone(tmp_path)


async def test_osds_that_do_not_come(tmp_path: Path) -> None:
    url, said = made_cluster(tmp_path, [0]), ["osd.0: it cannot start"]
    async with AsyncClient(url) as client:
        history = History(client.log, await client.map())
        set_up = Stage(client, Supervisor(url, tmp_path, said.append), history, Telling(), said)
        for waiting, why in (
            (set_up.until_up([OsdId(5)]), "not all new OSDs are up"),
            (set_up.until_booted(OsdId(0), Boot(0)), r"osd\.0 is not up again"),
        ):
            with pytest.raises(Unavailable, match=f"after 0 s {why}; .*: osd.0: it cannot start"):
                await waiting
