"""What is asked of a node by a newer map than its own."""

from eventlog.ids import Epoch, OsdId, RgId
from osd.core.answers import Answer, NotNow
from osd.core.inputs import Get, Put
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
