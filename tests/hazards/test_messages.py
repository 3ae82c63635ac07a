"""Late, repeated and reordered messages between nodes change nothing in the end.

The same scenario over networks that lose, repeat and reorder ends, object by
object, as over a calm one; and a fetch that came to nothing gives back its place.
"""

from random import Random

import pytest

from eventlog.ids import OsdId, RgId
from eventlog.map_events import RgPinned
from osd.core.context import Settings
from osd.core.pulls import Limits
from simulation.asking import Asker
from simulation.checkers.clean_at_rest import faults_of
from simulation.cluster import Cluster
from simulation.network import CALM, Weather

STORMS = {
    "calm": CALM,
    "jitter": Weather(jitter_ms=30),
    "twice": Weather(jitter_ms=10, twice=500),
    "slow": Weather(jitter_ms=5, slow=300),
    "lossy": Weather(jitter_ms=5, loss=300),
    "all": Weather(jitter_ms=60, loss=150, twice=300, slow=100),
}
OBJECTS = 12
SETTINGS = Settings(calm_ms=50, limits=Limits(pulls=3), hint_ms=200, retry_ms=50, is_checked=True)

Final = list[tuple[str, int, tuple[str, ...]]]


def moved_about(weather: Weather, seed: int) -> Final:
    """Objects are put, then moved three times while the network is as it is."""
    cluster = Cluster(1, SETTINGS, Random(seed))
    asker, rg = Asker(cluster), RgId(0)
    for osd in (1, 2, 3):
        cluster.add(OsdId(osd))
        cluster.world.run(100)
    cluster.change_map(RgPinned(rg=rg, osds=(OsdId(1),)))
    cluster.world.run(100)
    for number in range(OBJECTS):
        asker.put(f"object-{number}", b"%d" % number)
        cluster.world.run(50)
    for number in range(0, OBJECTS, 3):
        asker.delete(f"object-{number}")
        cluster.world.run(50)
    cluster.network.weather = weather
    for osd in (2, 3, 2):
        cluster.change_map(RgPinned(rg=rg, osds=(OsdId(osd),)))
        cluster.world.run(120)
    assert cluster.settle(quiet_ms=20_000, limit_ms=600_000)
    assert faults_of(cluster) == []
    for machine in cluster.alive():
        assert machine.node is not None
        assert machine.node.context.pulls.under_way == 0
    names = cluster.reference.rgs[rg].names()
    return [(n, e.version, tuple(f"osd.{s.osd}" for s in e.holders())) for n, e in names]


@pytest.mark.parametrize("weather", STORMS.values(), ids=STORMS)
@pytest.mark.parametrize("seed", range(3))
def test_late_messages_of_earlier_attempts_have_no_effect(weather: Weather, seed: int) -> None:
    final = moved_about(weather, seed)
    assert final == moved_about(CALM, 0)
    assert len(final) == OBJECTS - OBJECTS // 3
    assert {holders for _, _, holders in final} == {("osd.2",)}
