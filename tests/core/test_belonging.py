"""Whose an event is: of the RG that it names, in that RG's partition, for all who read the log."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from audit.two_truths import differences
from core.test_handover import busy_cluster
from core.test_refolding import folded, make_foreign
from eventlog.codec import Decoder, encode
from eventlog.ids import Micros, Offset, OsdId, Partition, Position, RgId, Topic, Version, rg_key
from eventlog.log import Entry, Log
from eventlog.memory import MemoryLog
from eventlog.rg_events import ObjectDeleted, RgClaimed, RgEvent
from osd.client.map_reader import MapReader
from osd.client.past import fold_present
from osd.client.replay import Replay
from osd.client.stories import read_story
from osd.core.inputs import Decoded, Read
from osd.refolding import refold_foreign
from projections.audit.sync import sync
from projections.rg_memory import RgProjection
from projections.story import Story
from simulation.cluster import Cluster

MINE, OTHER = RgId(0), RgId(1)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """Two RGs, each in a partition of its own."""
    return busy_cluster()


def misplaced(cluster: Cluster) -> list[Entry]:
    """In the other's partition: deletes of all that lives, and a claim under unknown rules."""
    last: dict[type, RgEvent] = {}
    for told in Replay(cluster.log, MapReader(cluster.log).refresh()).fold_all():
        if told.event.rg == MINE:
            last[type(told.event)] = told.event
    claim, delete = last[RgClaimed], last[ObjectDeleted]
    assert isinstance(claim, RgClaimed)
    assert isinstance(delete, ObjectDeleted)
    folded = cluster.reference.rgs[MINE]
    live = [name for name, entry in folded.names() if entry.body is not None]
    version = folded.state.version
    deletes = [
        replace(delete, fence=claim.fence, object=name, version=Version(version + number))
        for number, name in enumerate(live, 1)
    ]
    assert deletes
    events: list[RgEvent] = [*deletes, replace(claim, rules=99)]
    return [Entry(Topic.RG, Partition(OTHER), rg_key(MINE), encode(each)) for each in events]


def retold(log: Log) -> MemoryLog:
    """The same records, those of RGs under keys of another RG."""
    found = MemoryLog(log.identity)
    places = [(Topic.MAP, Partition(0)), *((Topic.RG, Partition(p)) for p in (MINE, OTHER))]
    for topic, partition in places:
        for record in log.read(topic, partition, Offset(0), 1_000_000):
            key = rg_key(RgId(7)) if topic is Topic.RG else record.key
            found.append([Entry(topic, partition, key, record.value)])
    return found


def read_by_all(log: Log) -> list[Mapping[RgId, str]]:
    """Every RG's digest, by each way of reading a log from its beginning."""
    replay = Replay(log, MapReader(log).refresh())
    assert all(int(told.position.partition) == told.event.rg for told in replay.fold_all())
    pasts = [fold_present(log), fold_present(log, [MINE, OTHER])]
    stories = {rg: Retelling(rg) for rg in (MINE, OTHER)}
    for rg, story in stories.items():
        read_story(log, rg, story)
    return [
        {rg: projection.digest() for rg, projection in sorted(replay.rgs.items())},
        *({rg: found.digest() for rg, found in sorted(past.items())} for past in pasts),
        {rg: story.folded.digest() for rg, story in stories.items()},
    ]


class Retelling(Story):
    """Folds what it is told."""

    def __init__(self, rg: RgId) -> None:
        super().__init__(rg)
        self.folded = RgProjection(rg)

    def happened(self, event: RgEvent, position: Position, time: Micros) -> None:
        self.folded.fold(event, position.offset)


def by_nodes(cluster: Cluster) -> dict[RgId, str]:
    """What the nodes have folded, who all have the same."""
    tables = [
        (rg, group.table.digest())
        for machine in cluster.alive()
        if machine.node is not None
        for rg, group in machine.node.groups.items()
    ]
    assert len(set(tables)) == 2
    return dict(sorted(tables))


def test_an_event_in_the_partition_of_another_rg_is_nobodys(
    cluster: Cluster, tmp_path: Path
) -> None:
    before = by_nodes(cluster)
    decode, read = Decoder(cluster.log).decode, []
    for at in cluster.log.append(misplaced(cluster)):
        [record] = cluster.log.read(at.topic, at.partition, at.offset, 1)
        read.append(Decoded(record, decode(record)))
    for machine in cluster.alive():
        cluster.feed(machine, Read(tuple(read)))
    assert by_nodes(cluster) == before
    assert all(digests == before for digests in read_by_all(cluster.log))
    sync(tmp_path / "audit", cluster.log)
    assert differences(cluster.log, tmp_path / "audit") == []


def test_an_event_is_of_the_rg_that_it_names_whatever_its_key_is(cluster: Cluster) -> None:
    log = retold(cluster.log)
    assert all(digests == by_nodes(cluster) for digests in read_by_all(log))
    rows = cluster.machines[OsdId(1)].rows
    cluster.kill(OsdId(1), None)
    before = folded(rows)
    make_foreign(rows)
    refold_foreign(rows, log)
    assert folded(rows) == before
