"""A body that stores with full disks refuse: said to be so only where it waits for their room."""

from hashlib import sha256

import pytest

from eventlog.ids import Epoch, OsdId, RgId, Store
from eventlog.map_events import ReplicasSet
from osd.core.answers import Answer, NotNow, Reserved
from osd.core.inputs import Put, Reserve, Staging
from simulation.cluster import Cluster
from simulation.stores import Machine
from transcripts.runner import Runner

RG = RgId(0)
BODY = b"a body"


def cluster_of_three(at_least: int) -> Cluster:
    """An RG on osd.1, its primary, osd.2 and osd.3."""
    runner = Runner()
    for command in ("osds 1 2 3", "copies 3", "pin 1,2,3", "put first one", "settle"):
        runner.run_block(command)
    cluster = runner.cluster
    cluster.change_map(ReplicasSet(replicas=3, min_replicas=at_least))
    assert cluster.settle()
    return cluster


def asked(cluster: Cluster, given: Reserve | Put) -> Answer:
    """What the primary answers."""
    answers: list[Answer] = []

    def answered(_machine: Machine, answer: Answer, _data: bytes | None) -> None:
        answers.append(answer)

    cluster.asked[given.ticket] = answered
    cluster.feed(cluster.machines[OsdId(1)], given)
    assert cluster.world.run_until(lambda: bool(answers))
    return answers[0]


def store(cluster: Cluster, osd: int) -> Store:
    return cluster.machines[OsdId(osd)].store


@pytest.mark.parametrize(
    ("at_least", "have_it", "full", "no_room"),
    [
        (3, [2], [3], "on osd.3, or delete objects"),
        (2, [], [2, 3], "on osd.2 and osd.3, or delete objects"),
        (2, [], [3], ""),
        (3, [2], [], ""),
    ],
)
def test_whether_it_waits_for_room(
    at_least: int, have_it: list[int], full: list[int], no_room: str
) -> None:
    cluster = cluster_of_three(at_least)
    deadline = cluster.machines[OsdId(1)].now(cluster.world.now) + 10_000
    reserved = asked(cluster, Reserve(cluster.ticket(), RG, Epoch(0), deadline))
    assert isinstance(reserved, Reserved)
    staging = Staging(
        reserved.fence,
        reserved.serial,
        tuple(store(cluster, osd) for osd in have_it),
        "a reason",
        tuple(store(cluster, osd) for osd in full),
    )
    digest = sha256(BODY).digest()
    put = Put(cluster.ticket(), RG, "a", Epoch(0), deadline, BODY, len(BODY), digest)
    answer = asked(cluster, put._replace(staging=staging))
    assert isinstance(answer, NotNow)
    assert answer.why.endswith(" got the body: a reason")
    assert answer.no_room == no_room
