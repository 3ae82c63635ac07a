"""What is asked of a node that cannot answer yet."""

from eventlog.ids import Boot, Epoch, Fence, Offset, OsdId, RgId, Round, Serial
from eventlog.map_events import ReplicasSet, RgPinned
from osd.core.answers import Answer, Found, NotNow
from osd.core.inputs import Barrier, Consistency, Get, Put, Settled
from simulation.asking import Asker
from simulation.cluster import Cluster
from simulation.network import LOG
from simulation.stores import Machine

DIGEST = bytes(32)


def test_who_waits_for_the_map_is_answered_in_time() -> None:
    cluster = Cluster()
    cluster.add(OsdId(0))
    cluster.world.run(100)
    machine = cluster.machines[OsdId(0)]
    for way in ((LOG, machine.address), (machine.address, LOG)):
        cluster.network.cut(*way)
    heard: list[Answer] = []

    def answered(_machine: Machine, answer: Answer, _data: bytes | None) -> None:
        heard.append(answer)

    cluster.asked |= {2: answered, 4: answered}
    deadline = machine.now(cluster.world.now) + 500
    file = machine.upload(b"large")
    cluster.feed(machine, Get(2, RgId(0), "a", Epoch(99), deadline))
    cluster.feed(machine, Put(4, RgId(0), "a", Epoch(99), deadline, file, 5, DIGEST))
    cluster.world.run(400)
    assert not heard
    cluster.world.run(300)
    assert heard == [NotNow("the map is not read to epoch 99 yet")] * 2
    assert not machine.files


def test_before_it_is_in_the_map_a_node_leads_nothing_that_it_knows_of() -> None:
    cluster = Cluster()
    cluster.add(OsdId(0))
    cluster.world.run(100)
    cluster.kill(OsdId(0), None)
    machine = cluster.machines[OsdId(0)]
    cluster.network.cut(machine.address, LOG)  # so its boot does not get there
    cluster.start(OsdId(0))
    cluster.world.run(100)
    heard: list[Answer] = []
    cluster.asked[2] = lambda _machine, answer, _data: heard.append(answer)
    cluster.feed(machine, Barrier(2, machine.now(cluster.world.now) + 500))
    assert heard == [NotNow("osd.0 is reading the map")]


def test_before_it_follows_what_it_has_staged_a_node_drops_nothing() -> None:
    """Found by the search (seed 13035): it said yes, and the body stayed."""
    cluster = Cluster(rgs=1)
    for osd in (OsdId(1), OsdId(2)):
        cluster.add(osd)
    cluster.world.run(500)
    both = RgPinned(rg=RgId(0), osds=(OsdId(1), OsdId(2)))
    cluster.change_map(ReplicasSet(replicas=2, min_replicas=1), both)
    assert cluster.settle()
    machine = cluster.machines[OsdId(2)]
    cluster.kill(OsdId(2), None)
    cluster.network.cut(machine.address, LOG)  # so it is not in the map again
    cluster.start(OsdId(2))
    cluster.world.run(100)
    heard: list[Answer] = []
    cluster.asked[2] = lambda _machine, answer, _data: heard.append(answer)
    fence = Fence(Epoch(9), Round(1), cluster.machines[OsdId(1)].store, Boot(1))
    cluster.feed(machine, Settled(2, RgId(0), fence, Serial(5), Offset(0)))
    assert heard == [NotNow("osd.2 is reading the map")]


def test_a_local_read_waits_where_nothing_is_folded_yet() -> None:
    cluster = Cluster(rgs=1)
    for osd in (OsdId(1), OsdId(2)):
        cluster.add(osd)
    cluster.change_map(RgPinned(rg=RgId(0), osds=(OsdId(1),)))
    cluster.world.run(100)
    asker = Asker(cluster)
    asker.put("a", b"one")
    cluster.world.run(100)
    machine, heard = cluster.machines[OsdId(2)], []
    cluster.change_map(RgPinned(rg=RgId(0), osds=(OsdId(2),)))
    cluster.world.run_until(lambda: machine.node is not None and RgId(0) in machine.node.groups)

    def answered(_machine: Machine, answer: Answer, _data: bytes | None) -> None:
        heard.append(type(answer))

    cluster.asked[-2] = answered
    deadline = machine.now(cluster.world.now) + 1_000
    cluster.feed(
        machine, Get(-2, RgId(0), "a", cluster.map.epoch, deadline, consistency=Consistency.LOCAL)
    )
    assert not heard
    cluster.world.run(1_000)
    assert heard == [Found]
