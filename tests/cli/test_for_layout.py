"""A change whose layout nobody named is made for the newest, also while the map moves."""

from pathlib import Path

import pytest

from cli.programs import osdlog
from eventlog.ids import Layout, OsdId
from eventlog.map_events import OsdReweighted, ReplicasSet
from osd.cli.waiting import Changed, for_layout
from osd.client import AsyncClient
from osd.client.map_writer import change_map
from osd.errors import LayoutPassed


class Late:
    """A change of one who looked at the map, after which another's moved it."""

    def __init__(self, log: str) -> None:
        self._log = log
        self.made_for: list[Layout] = []

    async def __call__(self, client: AsyncClient) -> Changed:
        before = await client.map()
        if not self.made_for:
            two = ReplicasSet(replicas=2, min_replicas=1)
            change_map(client.log, [two], before.layout, "", "another")
        self.made_for.append(before.layout)
        mine = [OsdReweighted(osd=OsdId(0), weight=5)]
        return Changed(before, await client.change_map(mine, layout=before.layout))


@pytest.fixture
def log(tmp_path: Path) -> str:
    url = f"sqlite:{tmp_path}/log"
    assert osdlog("init", log=url).code == 0
    assert osdlog("map", "apply", "--add", 0, "--add", 1, log=url).code == 0
    return url


async def test_it_is_made_again_for_the_newest(log: str) -> None:
    late = Late(log)
    async with AsyncClient(log) as client:
        before, after, _ = await for_layout(None, late)(client)
    first, second = late.made_for
    assert first < second == before.layout
    assert (after.replicas, after.osds[OsdId(0)].weight) == (2, 5)


async def test_for_a_named_layout_it_is_refused_as_such(log: str) -> None:
    async with AsyncClient(log) as client:
        with pytest.raises(LayoutPassed, match="made for layout 1, the map is at 2") as refused:
            await for_layout(1, Late(log))(client)
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("Look at the map again")
