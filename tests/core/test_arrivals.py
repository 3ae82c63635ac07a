"""Bodies that arrive while holdings are stated, or an RG closes."""

from collections.abc import Iterable
from functools import partial

import pytest
from msgspec.structs import replace

from eventlog.ids import Epoch, Offset, OsdId, Partition, RgId, Serial, Topic
from eventlog.map_events import ReplicasSet, RgPinned
from eventlog.rg_events import ExportClosed, HoldingsStated, ObjectPut
from osd.core.answers import NotNow
from osd.core.inputs import Arrived, Arriving, HoldingsWanted, Settled
from osd.core.stagings import PUTS, Stagings
from simulation.asking import Asker
from simulation.cluster import Cluster
from simulation.stores import Machine

RG = RgId(0)
BODY = 2


@pytest.fixture
def cluster() -> Cluster:
    """An RG on osd.1; osd.2 is there, and has nothing of it."""
    cluster = Cluster(rgs=1)
    for osd in (OsdId(1), OsdId(2)):
        cluster.add(osd)
    cluster.world.run(500)
    cluster.change_map(ReplicasSet(replicas=2, min_replicas=1), RgPinned(rg=RG, osds=(OsdId(1),)))
    assert cluster.settle()
    return cluster


def said_by(cluster: Cluster, machine: Machine) -> list[HoldingsStated]:
    events = [decoded.event for decoded in cluster.records((Topic.RG, Partition(0)))]
    said = [event for event in events if isinstance(event, HoldingsStated)]
    return [event for event in said if event.store == machine.store]


def operate(cluster: Cluster, name: str) -> None:
    asker = Asker(cluster)
    asker.put(name, b"one")
    cluster.world.run(500)
    asker.delete(name)
    cluster.world.run(500)


def last_stated(cluster: Cluster, machine: Machine) -> HoldingsStated:
    cluster.feed(machine, HoldingsWanted((RG,)))
    cluster.world.run(500)
    return said_by(cluster, machine)[-1]


@pytest.mark.parametrize("osd", [1, 2], ids=["primary", "replica"])
def test_a_body_of_what_was_deleted_meanwhile_is_said_until_it_is_gone(
    cluster: Cluster, osd: int
) -> None:
    machine = cluster.machines[OsdId(osd)]
    cluster.feed(machine, Arriving(RG, BODY, "a"))
    operate(cluster, "a")
    assert last_stated(cluster, machine).staged_from == 0
    cluster.feed(machine, Arrived(RG, BODY))
    cluster.world.run(500)
    assert said_by(cluster, machine)[-1].staged_from is None


def test_a_body_of_another_object_or_a_later_one_is_none_of_the_past(cluster: Cluster) -> None:
    machine = cluster.machines[OsdId(1)]
    cluster.feed(machine, Arriving(RG, BODY, "b"))
    operate(cluster, "a")
    cluster.feed(machine, Arriving(RG, BODY + 2, "a"))
    assert last_stated(cluster, machine).staged_from is None


def test_who_is_asked_of_an_rg_that_it_did_not_follow_knows_what_comes_for_it(
    cluster: Cluster,
) -> None:
    machine = cluster.machines[OsdId(2)]
    cluster.change_map(ReplicasSet(replicas=1, min_replicas=1))
    assert cluster.settle()
    assert machine.node is not None
    assert RG not in machine.node.groups
    cluster.feed(machine, Arriving(RG, BODY, "a"))
    operate(cluster, "a")
    assert last_stated(cluster, machine).staged_from == 0


def test_nothing_is_left_is_not_said_while_something_comes(cluster: Cluster) -> None:
    machine = cluster.machines[OsdId(2)]
    operate(cluster, "a")
    cluster.feed(machine, Arriving(RG, BODY, "b"))
    cluster.change_map(ReplicasSet(replicas=1, min_replicas=1))
    cluster.world.run(3_000)
    assert not has_closed(cluster)
    cluster.feed(machine, Arrived(RG, BODY))
    assert cluster.settle()
    assert has_closed(cluster)


@pytest.fixture
def replica(cluster: Cluster) -> Machine:
    """osd.2, by now a replica of the RG."""
    machine = cluster.machines[OsdId(2)]
    cluster.change_map(RgPinned(rg=RG, osds=(OsdId(1), OsdId(2))))
    operate(cluster, "b")
    return machine


def last_put(cluster: Cluster) -> ObjectPut:
    events = (decoded.event for decoded in cluster.records((Topic.RG, Partition(0))))
    return [event for event in events if isinstance(event, ObjectPut)][-1]


def stagings_of(machine: Machine) -> Stagings:
    assert machine.node is not None
    return machine.node.groups[RG].stagings


def fold(machine: Machine, put: ObjectPut, serials: Iterable[int]) -> None:
    for serial in serials:
        stagings_of(machine).folded(replace(put, serial=Serial(serial)))


def test_a_body_whose_put_is_folded_is_refused_be_it_long_ago(
    cluster: Cluster, replica: Machine
) -> None:
    """However many there were: of very old ones only that they were is remembered."""
    put = last_put(cluster)
    fold(replica, put, range(1, 3 * PUTS, 2))
    admit = partial(stagings_of(replica).admit, replica.boot, put.fence)
    assert admit(Serial(5)) == NotNow("the put of serial 5 is in the log already, or may be")
    assert admit(Serial(3 * PUTS - 1)) is not None
    assert admit(Serial(3 * PUTS - 2)) is None
    assert admit(Serial(3 * PUTS)) is None


def test_a_body_may_take_longer_than_any_number_of_puts(cluster: Cluster, replica: Machine) -> None:
    put = last_put(cluster)
    for serial in (1_001, 1_002):
        cluster.feed(replica, Arriving(RG, serial, "a", (put.fence, Serial(serial))))
    fold(replica, put, [1_001, *range(2_000, 2_002 + PUTS)])
    admit = partial(stagings_of(replica).admit, replica.boot, put.fence)
    assert admit(Serial(1_001)) == NotNow("the put of serial 1001 is in the log already, or may be")
    assert admit(Serial(1_002)) is None
    cluster.feed(replica, Arrived(RG, 1_002))
    assert admit(Serial(1_002)) is not None  # one that begins only now is too late


def test_of_puts_that_are_settled_nothing_is_remembered(cluster: Cluster, replica: Machine) -> None:
    """Or they and those after them would be too many, so that some are only known as old."""
    put, settled = last_put(cluster), Serial(PUTS // 2)
    fold(replica, put, range(1_001, settled, 2))
    cluster.feed(replica, Settled(7, RG, put.fence, settled, Offset(0)))
    fold(replica, put, range(settled + 1, settled + 2 * PUTS - 1, 2))
    admit = partial(stagings_of(replica).admit, replica.boot, put.fence)
    assert admit(Serial(1_002)) == NotNow("serial 1002 is settled")
    assert admit(Serial(settled + 2)) is None


def test_what_is_folded_refuses_a_body_also_where_its_sender_has_a_newer_map(
    cluster: Cluster, replica: Machine
) -> None:
    put = last_put(cluster)
    assert replica.node is not None
    admit = partial(replica.node.reception.admit_stage, RG, boot=replica.boot, fence=put.fence)
    later = Epoch(replica.node.context.map.epoch + 1)
    assert admit(epoch=later, serial=put.serial) is not None
    assert admit(epoch=later, serial=Serial(put.serial + 1)) is None


def has_closed(cluster: Cluster) -> bool:
    events = (decoded.event for decoded in cluster.records((Topic.RG, Partition(0))))
    return any(isinstance(event, ExportClosed) for event in events)
