"""A node's glance: of many RGs that are not well it shows those with the worst reasons."""

from itertools import count

from eventlog.ids import OsdId, RgId, rg_of
from eventlog.map_events import MapChange, OsdDown, RgPinned
from osd.core.obstacles import explain_here
from osd.glance import Report, glance
from simulation.asking import Asker
from simulation.cluster import Cluster, Copies

RGS = 8
LAST = RgId(RGS - 1)


def name_in(rg: RgId) -> str:
    return next(name for n in count() if rg_of(name := f"object-{n}", RGS) == rg)


def pinned(rg: RgId, *osds: int) -> MapChange:
    return RgPinned(rg=rg, osds=tuple(map(OsdId, osds)))


def change(cluster: Cluster, *changes: MapChange) -> None:
    assert cluster.change_map(*changes) is None
    cluster.world.run(100)


def lose(cluster: Cluster, osd: int) -> None:
    """Its process dies, and the map has it."""
    machine = cluster.machines[OsdId(osd)]
    cluster.kill(OsdId(osd))
    change(cluster, OsdDown(store=machine.store, boot=machine.boot, why="does not answer"))


def filled(copies: Copies, first: tuple[int, ...], last: tuple[int, ...]) -> Cluster:
    """An object in every RG: of the last one elsewhere."""
    cluster = Cluster(rgs=RGS, copies=copies)
    for osd in (1, 2, 3):
        cluster.add(OsdId(osd))
        cluster.world.run(100)
    rgs = [RgId(rg) for rg in range(RGS)]
    change(cluster, *(pinned(rg, *(last if rg == LAST else first)) for rg in rgs))
    for rg in rgs:
        Asker(cluster).put(name_in(rg), b"some bytes")
        cluster.world.run(50)
    assert cluster.settle()
    return cluster


def glanced(cluster: Cluster, osd: int) -> Report:
    node = cluster.machines[OsdId(osd)].node
    assert node is not None
    return glance(node.groups.values(), explain_here)


def worst(cluster: Cluster, osd: int) -> list[tuple[int, str]]:
    return [(one["rg"], one["reason"]) for one in glanced(cluster, osd)["worst"]]


def test_what_cannot_be_read_comes_before_what_is_on_its_way() -> None:
    cluster = filled(Copies(1, 1), (1,), (3,))
    lose(cluster, 3)
    change(cluster, *(pinned(RgId(rg), 2) for rg in range(RGS)))
    cluster.world.run(500)
    assert worst(cluster, 2) == [(7, "holder-down"), (0, "calm"), (1, "calm")]
    assert glanced(cluster, 2)["leading"] == {"importing": RGS}
    assert cluster.settle()
    assert worst(cluster, 2) == [(7, "holder-down")]


def test_what_takes_no_puts_comes_before_what_is_on_its_way() -> None:
    cluster = filled(Copies(2, 2), (1, 2), (3, 2))
    lose(cluster, 2)
    change(cluster, *(pinned(RgId(rg), 3, 1) for rg in range(RGS - 1)))
    cluster.world.run(500)
    assert worst(cluster, 3) == [(7, "min-replicas"), (0, "calm"), (1, "calm")]
