"""Appends of which nobody knows whether they happened: the read-back tells, and nothing is twice.

A broker that stands still has the request in its hands: it may carry it out
when it goes on, or die with it.
"""

from pathlib import Path

import pytest

from brokers.broker import Broker
from node.osds import Cluster, OsdProcess, Reply, until
from on_kafka.said import puts_of


@pytest.fixture
def cluster(frail_broker: Broker, cluster_name: str, tmp_path: Path) -> Cluster:
    """Of one OSD, which is not started."""
    made = Cluster(tmp_path, 1, frail_broker.url(cluster_name))
    made.add(0)
    return made


def test_an_append_that_lands_later(frail_broker: Broker, cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        put_without_an_answer(osd, frail_broker, "later")
        frail_broker.unpause()
        until(lambda: puts_of(cluster, "later"))
        check_put_once(cluster, osd, "later")


def test_an_append_that_never_lands(frail_broker: Broker, cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        put_without_an_answer(osd, frail_broker, "never")
        frail_broker.kill()
        frail_broker.start()
        until(lambda: osd.report("/status")["log"]["stalled"] is None)
        assert puts_of(cluster, "never") == []
        assert osd.get("object").body == b"before"
        check_put_once(cluster, osd, "never")


def put_without_an_answer(osd: OsdProcess, broker: Broker, request: str) -> None:
    """Put while the broker stands still, until the OSD has given up on that append."""
    before = osd.put("object", b"before")
    assert before.status == 201
    broker.pause()
    reply = put(osd, request, deadline_ms=1_000)
    assert reply.status == 504
    assert reply.error.startswith("the log has not shown version 2 yet")
    until(lambda: "may or may not have happened" in stall(osd))


def check_put_once(cluster: Cluster, osd: OsdProcess, request: str) -> None:
    """Asked again, the answer is certain; and however often, it was done once."""
    first = until(lambda: reply if (reply := put(osd, request)).status == 201 else None)
    again = put(osd, request)
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Osdlog-Repeated"] == "1"
    assert osd.get("object").body == request.encode()
    assert puts_of(cluster, request).count(True) == 1


def put(osd: OsdProcess, request: str, deadline_ms: int = 30_000) -> Reply:
    headers = {"Idempotency-Key": request, "Osdlog-Deadline-Ms": str(deadline_ms)}
    return osd.request("PUT", "/objects/object", request.encode(), headers)


def stall(osd: OsdProcess) -> str:
    stalled = osd.report("/status")["log"]["stalled"]
    return str(stalled["why"]) if stalled else ""
