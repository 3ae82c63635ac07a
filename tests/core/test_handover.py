"""Snapshots: believed only whole, taken over only where nothing is, and then as good as the log."""

from random import Random

import pytest

from eventlog.digest import record_digest
from eventlog.ids import Offset, OsdId, Partition, RgId, Serial, Topic, rg_of
from eventlog.map_events import ReplicasSet, RgPinned
from osd.core.context import MAP_PARTITION, Settings
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay
from osd.rg_table import RgTable, fold_stamp
from osd.snapshots import believed, snapshot_of
from projections.snapshots import MAGIC, Doubt, Snapshot, read_snapshot
from simulation.asking import Asker
from simulation.cluster import SETTINGS, Cluster

RG = RgId(0)
WITH_SNAPSHOTS = SETTINGS._replace(snapshot_ms=500)


def busy_cluster(settings: Settings = WITH_SNAPSHOTS, rgs: int = 2) -> Cluster:
    """Two OSDs that have said much."""
    cluster, random = Cluster(rgs, settings), Random(5)
    asker = Asker(cluster)
    for osd in (1, 2):
        cluster.add(OsdId(osd))
    cluster.world.run(500)
    for step in range(60):
        name = f"object-{random.randrange(12)}"
        if random.random() < 0.7:
            asker.put(name, b"%d" % step, request=f"request-{step}")
        else:
            asker.delete(name)
        cluster.world.run(40)
    assert cluster.settle()
    return cluster


def table_of(cluster: Cluster, rg: RgId = RG) -> RgTable:
    osd = cluster.primary(rg)
    assert osd is not None
    node = cluster.machines[osd].node
    assert node is not None
    return node.groups[rg].table


def test_an_rg_that_moves_is_handed_over() -> None:
    cluster = busy_cluster()
    cluster.add(OsdId(3))
    assert cluster.settle()
    for rg, osd in ((0, 3), (1, 3), (0, 1)):
        pinned = RgPinned(rg=RgId(rg), osds=(OsdId(osd),))
        assert cluster.change_map(pinned) is None
        assert cluster.settle()
    assert sum(m.node.context.taken_over for m in cluster.alive() if m.node) >= 3
    for machine in cluster.alive():
        assert machine.node is not None
        for rg, group in machine.node.groups.items():
            assert group.table.digest() == cluster.reference.rgs[rg].digest()


def test_a_read_waits_for_the_snapshot_where_another_rg_shares_the_partition() -> None:
    cluster = Cluster(2, WITH_SNAPSHOTS, partitions=1)
    asker = Asker(cluster)
    for osd in (1, 2):
        cluster.add(OsdId(osd))
    assert cluster.settle()
    first = RgPinned(rg=RG, osds=(OsdId(1),)), RgPinned(rg=RgId(1), osds=(OsdId(2),))
    assert cluster.change_map(*first) is None
    assert cluster.settle()
    name = next(name for name in map(str, range(9)) if rg_of(name, 2) == RG)
    asker.put(name, b"there")
    assert cluster.settle()
    given, taken = (cluster.machines[OsdId(osd)].address for osd in (1, 2))
    cluster.network.cut(given, taken)
    cluster.network.cut(taken, given)
    assert cluster.change_map(RgPinned(rg=RG, osds=(OsdId(2),))) is None
    cluster.world.run(20)
    asked = [asker.get(name, at=OsdId(2))]
    cluster.world.run(200)
    assert not asker.answers.keys() & set(asked)
    cluster.network.heal()
    cluster.world.run(5_000)
    assert [asker.bytes[ticket] for ticket in asked] == [b"there"]


@pytest.mark.parametrize("primary", [1, 3], ids=["had it before", "gains it too"])
def test_under_a_claim_that_places_it_a_store_takes_the_primary_s_own_snapshot(
    primary: int,
) -> None:
    """A body may be on its way to it of a put that is folded; who put it knows up to which."""
    cluster = busy_cluster(rgs=1)
    cluster.add(OsdId(3))
    copies = ReplicasSet(replicas=2, min_replicas=1)
    assert cluster.change_map(copies, RgPinned(rg=RG, osds=(OsdId(1),))) is None
    assert cluster.settle()
    machine = cluster.machines[OsdId(2)]
    cluster.lag(machine, MAP_PARTITION, 300)  # meanwhile the primary claims
    assert machine.node is not None
    before = machine.node.context.taken_over
    placed = (OsdId(primary), OsdId(2))
    assert cluster.change_map(RgPinned(rg=RG, osds=placed)) is None
    assert cluster.settle()
    group = machine.node.groups[RG]
    assert machine.node.context.taken_over - before == (primary == 1)
    assert group.table.digest() == cluster.reference.rgs[RG].digest()
    claim = group.state.claim
    assert claim is not None
    late = group.stagings.admit(machine.boot, claim.fence, Serial(1))
    assert (late is not None) == (primary == 1)


def test_what_it_takes_over_is_what_the_log_says() -> None:
    cluster = busy_cluster()
    table = table_of(cluster)
    data = snapshot_of(table)
    assert data is not None
    snapshot = believed(data, RG, cluster.log)
    assert isinstance(snapshot, Snapshot)
    overlay = Overlay(MemoryRows())
    copy = RgTable(overlay, RG)
    copy.take_over(snapshot)
    copy.keep_header()
    assert (copy.place, copy.state, copy.digest()) == (table.place, table.state, table.digest())
    assert snapshot_of(copy) == data
    assert copy.memo("request-59") == table.memo("request-59")


@pytest.mark.parametrize("place", range(0, 4_000, 97))
def test_one_wrong_byte_is_enough_for_doubt(place: int) -> None:
    data = snapshot_of(table_of(SHARED))
    assert data is not None
    at = place % len(data)
    wrong = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert isinstance(read_snapshot(wrong, fold_stamp(), RG), Doubt)
    assert isinstance(read_snapshot(data[:at], fold_stamp(), RG), Doubt)


SHARED = busy_cluster()


def test_each_doubt_says_why() -> None:
    data = snapshot_of(table_of(SHARED))
    assert data is not None
    doubts = [
        (read_snapshot(b"", fold_stamp(), RG), "it is not in this program's form"),
        (read_snapshot(MAGIC + bytes(40), fold_stamp(), RG), "its bytes do not match their sum"),
        (
            read_snapshot(data, "format 9", RG),
            f"the fold that made it is {fold_stamp()}, this one is format 9",
        ),
        (read_snapshot(data, fold_stamp(), RgId(1)), "it is of another RG"),
    ]
    for found, why in doubts:
        assert isinstance(found, Doubt)
        assert found.why == why


def test_a_snapshot_of_another_log_is_thrown_away() -> None:
    data = snapshot_of(table_of(SHARED))
    assert data is not None
    other = busy_cluster(rgs=3)
    assert believed(data, RG, other.log) == Doubt("the log does not have its last record")
    assert believed(data, RG, Cluster().log) == Doubt("the log does not have its last record")


def test_reach_is_where_the_log_has_the_record() -> None:
    data = snapshot_of(table_of(SHARED))
    assert data is not None
    snapshot = believed(data, RG, SHARED.log)
    assert isinstance(snapshot, Snapshot)
    [record] = SHARED.log.read(Topic.RG, Partition(0), snapshot.reach.last_offset, 1)
    assert record_digest(record.value) == snapshot.reach.digest
    assert snapshot.reach.next_offset == Offset(snapshot.reach.last_offset + 1)
