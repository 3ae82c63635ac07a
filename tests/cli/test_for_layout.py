"""A change whose layout nobody named is made for the newest, also while the map moves.

But for one whose words would mean another disk or process then.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.programs import osdlog
from eventlog.ids import Layout, OsdId, Partition, RgId, Topic, rg_key
from eventlog.log import Entry
from eventlog.map_events import MapChange, OsdReweighted, ReplicasSet
from folds.building import store
from folds.mapping import booted, down
from osd.cli.maps import change_by
from osd.cli.skipping import passing_over, skipped
from osd.cli.waiting import Changed, for_layout
from osd.cli.words import Words
from osd.client import AsyncClient
from osd.client.map_writer import change_map
from osd.errors import LayoutPassed
from projections.cluster_map import ClusterMap


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


class Overtaken(AsyncClient):
    """Before its first change comes to the log, osd.1 starts on another disk."""

    async def change_map(
        self,
        changes: Sequence[MapChange],
        *,
        layout: Layout | None,
        reason: str = "",
        author: str | None = None,
    ) -> ClusterMap:
        if store(1, 2) not in [osd.store for osd in (await self.map()).osds.values()]:
            change_map(self.log, [booted(1, 2)], None, "", "osd.1")
        return await super().change_map(changes, layout=layout, reason=reason, author=author)


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


@pytest.mark.parametrize("words", [Words(retire=["1"]), Words(down=["1"]), Words(up=["1"])])
async def test_what_means_the_disk_or_process_of_now_is_not_made_again(
    log: str, words: Words
) -> None:
    async with Overtaken(log) as client:
        change_map(client.log, [booted(1)], None, "", "osd.1")
        if words.up:
            change_map(client.log, [down(1)], None, "", "osd.1")
        with pytest.raises(LayoutPassed):
            await change_by(words, None, "", accept_loss=False, json=False)(client)
        now = await client.map()
    assert (now.osds[OsdId(1)].store, now.osds[OsdId(1)].is_up) == (store(1, 2), True)


async def test_what_means_the_same_on_any_disk_is(log: str) -> None:
    async with Overtaken(log) as client:
        change_map(client.log, [booted(1)], None, "", "osd.1")
        heavier = change_by(Words(weight=["1:3"]), None, "", accept_loss=False, json=False)
        after = (await heavier(client)).after
    assert (after.osds[OsdId(1)].store, after.osds[OsdId(1)].weight) == (store(1, 2), 3 * 65_536)


async def test_to_pass_over_a_record_does(log: str) -> None:
    async with Overtaken(log) as client:
        garbage = Entry(Topic.RG, Partition(0), rg_key(RgId(0)), b"no event")
        [at] = client.log.append([garbage])
        found = skipped(client.log, at, "ann", "a slip")
        after = (await passing_over(found)(client)).after
    assert after.osds[OsdId(1)].store == store(1, 2)
    assert after.skipped.keys() == {at}
