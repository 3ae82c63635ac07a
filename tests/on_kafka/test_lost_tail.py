"""A broker that lost what it had not flushed: whoever had read it stops and says so.

The log goes on from an older end, and what is appended then stands where other
records stood before; only the digest of the last applied record tells.
"""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from brokers.broker import Broker
from brokers.tail import lose_tail
from node.osds import Cluster, OsdProcess, until
from on_kafka.said import end_of, say_again

REFILLED = 3
"""More than was lost, so that the log's end says nothing."""

Make = Callable[[str], Cluster]


@pytest.fixture
def make(frail_broker: Broker, cluster_name: str, tmp_path: Path) -> Make:
    """Makes clusters of one OSD and one RG on the one broker."""

    def make(kind: str) -> Cluster:
        (tmp_path / kind).mkdir()
        made = Cluster(tmp_path / kind, 1, frail_broker.url(f"{cluster_name}-{kind}"))
        made.add(0)
        return made

    return make


def test_who_had_read_the_lost_tail_stops(frail_broker: Broker, make: Make) -> None:
    running, still, down = clusters = [make(kind) for kind in ("running", "still", "down")]
    with ExitStack() as opened:
        osds = [opened.enter_context(cluster.osd(0)) for cluster in clusters]
        last = [fill(cluster, osd) for cluster, osd in zip(clusters, osds, strict=True)]
        osds[1].send(signal.SIGSTOP)
        osds[2].kill()
        frail_broker.kill()
        for cluster in clusters:
            lose_tail(frail_broker, f"{cluster.url.rpartition('/')[2]}.rg")
        frail_broker.start()
        assert end_of(running) == last[0]
        for cluster in (still, down):
            say_again(cluster, REFILLED)
        osds[1].send(signal.SIGCONT)
        code, said = osds[0].ended()
        assert (code, said.partition(". ")[0]) == (
            3,
            f"the log ends at rg/0@{last[0]}, but @{last[0] + 1} was read before",
        )
        code, said = osds[1].ended()
        assert (code, said.partition(". ")[0]) == (
            3,
            f"the record at rg/0@{last[1]} is not the one that was read there",
        )
        assert down.osd(0).refusal().partition(". ")[0] == (
            f"the record at rg/0@{last[2]} is not the one that this store has read there"
        )


def fill(cluster: Cluster, osd: OsdProcess) -> int:
    """Some objects, all that is said of them read; the offset of the last record."""
    for number in range(3):
        assert osd.put(f"object-{number}", b"x").status == 201

    def is_read() -> bool:
        return bool(osd.report("/rgs/0/digest")["next_offset"] == end_of(cluster))

    until(is_read)
    return end_of(cluster) - 1
