"""What the log says, for tests that must know how often something was said."""

from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Entry
from eventlog.open import open_log
from eventlog.rg_events import ObjectPut
from node.osds import Cluster
from osd.client.replay import Replay


def puts_of(cluster: Cluster, request: str) -> list[bool]:
    """For each put of that request id in the log, whether it was accepted."""
    now = cluster.map()
    with open_log(cluster.url) as log:
        return [
            told.folded.void is None
            for told in Replay(log, now).fold_all()
            if isinstance(told.event, ObjectPut) and told.event.request == request
        ]


def end_of(cluster: Cluster, partition: int = 0) -> Offset:
    """Where a partition of the RGs' topic ends."""
    place = (Topic.RG, Partition(partition))
    with open_log(cluster.url) as log:
        return log.end_offsets([place])[place]


def say_again(cluster: Cluster, times: int, partition: int = 0) -> None:
    """Append the first record of a partition again, as somebody who knows no better."""
    with open_log(cluster.url) as log:
        [first] = log.read(Topic.RG, Partition(partition), Offset(0), 1)
        log.append([Entry(Topic.RG, first.partition, first.key, first.value)] * times)
