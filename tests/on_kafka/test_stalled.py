"""A broker that stands still is never silent: who asks is told since when, and where."""

import re
import time
from datetime import datetime
from pathlib import Path

from brokers.broker import Broker
from cli.programs import osdlog
from node.osds import Cluster, OsdProcess, until

SINCE = r"the log is stalled since (\S+) at rg/0@(\d+), the log does not answer"


def test_a_stalled_log_is_in_status_metrics_and_errors(
    frail_broker: Broker, cluster_name: str, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path, 1, frail_broker.url(cluster_name))
    cluster.add(0)
    with cluster.osd(0) as osd:
        assert osd.put("a", b"x").status == 201
        assert metrics(osd)["osdlog_log_stalled"] == "0"
        at = osd.report("/rgs/0")["next_offset"]
        before = int(time.time())
        frail_broker.pause()

        reply = osd.put("a", b"y", Osdlog_Deadline_Ms="2000", Idempotency_Key="again")
        assert reply.status == 504
        said = re.fullmatch(f"the log has not shown version 2 yet: {SINCE}", reply.error)
        assert said is not None, reply.error
        assert datetime.fromisoformat(said[1]).timestamp() >= before
        assert int(said[2]) == at
        reply = osd.get("a", Osdlog_Deadline_Ms="100")
        assert reply.status == 503
        assert re.search(SINCE, reply.error)

        status = osd.report("/status")["log"]
        assert before <= status["stalled"]["since"] <= time.time()
        assert status["stalled"]["position"] == f"map/0@{status['map_next_offset']}"
        told = metrics(osd)
        assert told["osdlog_log_stalled"] == "1"
        assert float(told["osdlog_log_stalled_since_seconds"]) >= before
        assert told['osdlog_log_next_offset{topic="rg",partition="0"}'] == str(at)

        done = osdlog("status", log=cluster.url)
        assert done.code == 3
        assert frail_broker.address in done.err

        frail_broker.unpause()
        until(lambda: osd.report("/status")["log"]["stalled"] is None)
        assert osd.put("a", b"y", Idempotency_Key="again").status == 201
        assert metrics(osd)["osdlog_log_stalled_since_seconds"] == "0"


def metrics(osd: OsdProcess) -> dict[str, str]:
    """Every sample, by its name and labels."""
    text = osd.request("GET", "/metrics").body.decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)
