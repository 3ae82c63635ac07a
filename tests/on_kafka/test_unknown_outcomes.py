"""Appends of which nobody knows whether they happened: the read-back tells, and nothing is twice.

A broker that stands still has the request in its hands: it may carry it out
when it goes on, or die with it. Meanwhile nobody is left in the dark: status,
metrics and errors say since when the log is stalled, and how far it was read.
"""

import re
import time
from datetime import datetime
from pathlib import Path

import pytest

from brokers.broker import Broker
from cli.programs import osdlog
from node.osds import Cluster, OsdProcess, Reply, until
from on_kafka.said import puts_of

SINCE = r"the log is stalled since (\S+) at rg/0@(\d+), the log does not answer"


@pytest.fixture
def cluster(frail_broker: Broker, cluster_name: str, tmp_path: Path) -> Cluster:
    """Of one OSD, which is not started."""
    made = Cluster(tmp_path, 1, frail_broker.url(cluster_name))
    made.add(0)
    return made


def test_a_stalled_append_is_told_and_lands_later(frail_broker: Broker, cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        put_before(osd)
        assert metrics(osd)["osdlog_log_stalled"] == "0"
        at, paused = osd.report("/rgs/0")["next_offset"], int(time.time())
        frail_broker.pause()
        check_told(osd, put(osd, "later", deadline_ms=4_000), at, paused)
        check_told_by_commands(cluster, frail_broker)
        until_given_up(osd)
        trouble = until(lambda: osd.report("/alive")["trouble"])
        assert "do not answer" in trouble["why"] or "does not answer" in trouble["why"]
        frail_broker.unpause()
        until(lambda: osd.report("/alive")["trouble"] is None)
        until(lambda: puts_of(cluster, "later"))
        check_put_once(cluster, osd, "later")
        assert metrics(osd)["osdlog_log_stalled_since_seconds"] == "0"


def test_an_append_that_never_lands(frail_broker: Broker, cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        put_before(osd)
        frail_broker.pause()
        assert put(osd, "never", deadline_ms=1_000).status == 504
        until_given_up(osd)
        frail_broker.kill()
        frail_broker.start()
        until(lambda: osd.report("/status")["log"]["stalled"] is None)
        assert puts_of(cluster, "never") == []
        assert osd.get("object").body == b"before"
        check_put_once(cluster, osd, "never")


def put_before(osd: OsdProcess) -> None:
    assert osd.put("object", b"before").status == 201


def put(osd: OsdProcess, request: str, deadline_ms: int = 30_000) -> Reply:
    headers = {"Idempotency-Key": request, "Osdlog-Deadline-Ms": str(deadline_ms)}
    return osd.request("PUT", "/objects/object", request.encode(), headers)


def until_given_up(osd: OsdProcess) -> None:
    """Until the OSD waits no longer for that append's answer."""

    def is_given_up() -> bool:
        stalled = osd.report("/status")["log"]["stalled"]
        return stalled is not None and "may or may not have happened" in stalled["why"]

    until(is_given_up)


def check_told(osd: OsdProcess, reply: Reply, at: int, paused: int) -> None:
    """Everybody who asks the OSD hears since when its log is stalled, and where."""
    assert reply.status == 504
    said = re.fullmatch(f"the log has not shown version 2 yet: {SINCE}", reply.error)
    assert said is not None, reply.error
    assert datetime.fromisoformat(said[1]).timestamp() >= paused
    assert int(said[2]) == at
    reply = osd.get("object", Osdlog_Deadline_Ms="100")
    assert reply.status == 503
    assert re.search(SINCE, reply.error), reply.error
    assert osd.get("object", Osdlog_Consistency="local").body == b"before"
    status = osd.report("/status")["log"]
    assert paused <= status["stalled"]["since"] <= time.time()
    assert status["stalled"]["position"] == f"map/0@{status['map_next_offset']}"
    told = metrics(osd)
    assert told["osdlog_log_stalled"] == "1"
    assert float(told["osdlog_log_stalled_since_seconds"]) >= paused
    assert told['osdlog_log_next_offset{topic="rg",partition="0"}'] == str(at)


def check_told_by_commands(cluster: Cluster, broker: Broker) -> None:
    """A command cannot read the map, and says which broker does not answer."""
    done = osdlog("status", log=cluster.url)
    assert done.code == 3
    assert broker.address in done.err


def check_put_once(cluster: Cluster, osd: OsdProcess, request: str) -> None:
    """Asked again, the answer is certain; and however often, it was done once."""
    first = until(lambda: reply if (reply := put(osd, request)).status == 201 else None)
    again = put(osd, request)
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Osdlog-Repeated"] == "1"
    assert osd.get("object").body == request.encode()
    assert puts_of(cluster, request).count(True) == 1


def metrics(osd: OsdProcess) -> dict[str, str]:
    """Every sample, by its name and labels."""
    text = osd.request("GET", "/metrics").body.decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)
