"""Stores that the map retired, as the RG's log has it."""

from eventlog.ids import OsdId, Partition, RgId, Store, Topic
from eventlog.map_events import ReplicasSet, RgPinned, StoreWrittenOff
from eventlog.rg_events import StoreRetired
from simulation.asking import Asker
from simulation.cluster import Cluster

RG = RgId(0)
ONE, TWO, THREE = OsdId(1), OsdId(2), OsdId(3)


def test_they_are_retired_in_the_order_of_the_map() -> None:
    """Or the store with the lower number would seem to have had what the other had longer."""
    cluster = Cluster(rgs=1)
    for osd in (ONE, TWO, THREE):
        cluster.add(osd)
    cluster.world.run(500)
    cluster.change_map(ReplicasSet(replicas=2, min_replicas=2), RgPinned(rg=RG, osds=(ONE, TWO)))
    cluster.world.run(500)
    Asker(cluster).put("a", b"one")
    cluster.world.run(500)
    stores = {osd: cluster.machines[osd].store for osd in (ONE, TWO)}
    for osd in (ONE, TWO, THREE):
        cluster.kill(osd, None)
    for osd in (TWO, ONE):
        assert cluster.change_map(StoreWrittenOff(store=stores[osd], by="ann", why="burnt")) is None
    cluster.start(THREE)
    cluster.world.run(3_000)
    assert retired(cluster) == [stores[TWO], stores[ONE]]


def retired(cluster: Cluster) -> list[Store]:
    events = [decoded.event for decoded in cluster.records((Topic.RG, Partition(0)))]
    return [event.store for event in events if isinstance(event, StoreRetired)]
