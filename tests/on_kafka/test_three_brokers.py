"""Three brokers, of which one may be away: nothing is lost, and the cluster goes on."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from brokers.kraft import Kraft
from cli.programs import program, wait_until_gone
from eventlog.errors import AppendUnknown
from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Entry
from eventlog.open import open_log
from faults.load import DEADLINE_S, OnDisks, on_disks, until_clean, working
from node.osds import Cluster, OsdProcess, Reply, until
from on_kafka.leaders import follower_of, leader_of
from on_kafka.said import puts_of
from osd.client import AsyncClient

REQUESTS = 60
REQUEST = "of-which-few-know"
RG_0 = (Topic.RG, Partition(0))


async def test_one_is_killed_and_another_stopped_under_load(
    three_brokers: Kraft, cluster_name: str, tmp_path: Path
) -> None:
    folder, url = tmp_path / "data", three_brokers.url(cluster_name)
    with program("up", "--osds", 3, "--rgs", 6, "--data", folder, "--log", url) as up:
        up.wait_for("the cluster is up")
        async with working(url) as load:
            await load.until_done(REQUESTS)
            killed = leader_of(three_brokers, f"{cluster_name}.map")
            killed.kill()
            await load.until_done(REQUESTS)
            killed.start()
            stopped = leader_of(three_brokers, f"{cluster_name}.map")
            assert stopped is not killed
            stopped.stop()
            await load.until_done(REQUESTS)
        async with AsyncClient(url, deadline_s=DEADLINE_S) as client:
            await until_clean(client)
            there = await load.check(client)
        up.send(signal.SIGINT)
        assert up.end() == 130
    wait_until_gone(folder)
    assert on_disks(folder) == OnDisks(copies=there, unlogged=0, bodies=there)


def test_an_append_that_too_few_replicas_have(
    three_brokers: Kraft, cluster_name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The leader wrote it and a follower did not: it is not acknowledged, and lands all the same.

    Brokers before 3.7 say NOT_ENOUGH_REPLICAS_AFTER_APPEND here. Later ones wait for the
    follower until the client gives up, and what it hears when it tries again is
    NOT_ENOUGH_REPLICAS, which by itself would mean that nothing was written.
    """
    cluster = Cluster(tmp_path, 1, f"{three_brokers.url(cluster_name)}?min_insync_replicas=3")
    cluster.add(0)
    follower = follower_of(three_brokers, f"{cluster_name}.rg")
    with cluster.osd(0) as osd, open_log(cluster.url) as log, ThreadPoolExecutor(1) as aside:
        assert osd.put("object", b"before").status == 201
        [first] = log.read(*RG_0, Offset(0), 1)
        entry = Entry(Topic.RG, first.partition, first.key, first.value)
        log.append([entry])
        follower.pause()
        reply = aside.submit(put, osd, deadline_ms=1_000)
        with pytest.raises(AppendUnknown):
            log.append([entry])
        assert "NotEnoughReplicasError" in caplog.text
        assert reply.result().status == 504
        follower.unpause()
        until(lambda: puts_of(cluster, REQUEST))
        values = [record.value for record in log.read(*RG_0, Offset(0))]
        assert values.count(first.value) == 3
        until(lambda: put(osd).status == 201)
        assert osd.get("object").body == b"after"
        assert puts_of(cluster, REQUEST).count(True) == 1


def put(osd: OsdProcess, deadline_ms: int = 30_000) -> Reply:
    headers = {"Idempotency-Key": REQUEST, "Osdlog-Deadline-Ms": str(deadline_ms)}
    return osd.request("PUT", "/objects/object", b"after", headers)
