"""What cannot be imported now, or never, holds up nothing else of its RG."""

from eventlog.ids import OsdId, RgId
from eventlog.map_events import RgPinned
from osd.core.room import Room
from simulation.asking import Asker
from simulation.cluster import SETTINGS, Cluster

RG = RgId(0)
ONE, TWO, THREE = OsdId(1), OsdId(2), OsdId(3)


def started(*osds: OsdId) -> Cluster:
    """One RG, which the first of these leads."""
    cluster = Cluster(rgs=1)
    for osd in osds:
        cluster.add(osd)
    cluster.world.run(500)
    pin(cluster, osds[0])
    assert cluster.settle()
    return cluster


def pin(cluster: Cluster, osd: OsdId) -> None:
    assert cluster.change_map(RgPinned(rg=RG, osds=(osd,))) is None
    cluster.world.run(100)


def counted_at(cluster: Cluster, osd: OsdId) -> set[str]:
    """The objects of which this OSD's copy counts, by the log."""
    store = cluster.machines[osd].store
    return {name for name, entry in cluster.reference.rgs[RG].names() if entry.counts_at(store)}


def test_what_has_no_room_lets_smaller_objects_pass() -> None:
    cluster = started(ONE, TWO)
    asker = Asker(cluster)
    asker.put("a", bytes(200))
    asker.put("b", b"small")
    cluster.world.run(100)
    cluster.machines[TWO].room = Room(free=250_040, total=1_000_000)
    pin(cluster, TWO)
    cluster.world.run(10_000)
    assert counted_at(cluster, TWO) == {"b"}
    node = cluster.machines[TWO].node
    assert node is not None
    assert node.groups[RG].importer.waits.startswith("it imports 200 bytes more once there is room")
    cluster.machines[TWO].room = Room(free=900_000, total=1_000_000)
    assert cluster.settle()
    assert counted_at(cluster, TWO) == {"a", "b"}


def test_what_fails_again_and_again_lets_others_pass() -> None:
    """More objects than there are places for imports are where the importer cannot get to."""
    out_of_reach = {f"a{number}" for number in range(SETTINGS.limits.pulls + 2)}
    cluster = started(ONE, TWO, THREE)
    asker = Asker(cluster)
    for name in out_of_reach:
        asker.put(name, b"there")
    cluster.world.run(200)
    first = cluster.machines[ONE].address
    for osd in (TWO, THREE):
        cluster.network.cut(cluster.machines[osd].address, first)
    pin(cluster, TWO)
    asker.put("z", b"here")
    cluster.world.run(200)
    pin(cluster, THREE)
    cluster.world.run(60_000)
    assert counted_at(cluster, THREE) == {"z"}
    cluster.network.heal()
    assert cluster.settle()
    assert counted_at(cluster, THREE) == {*out_of_reach, "z"}
