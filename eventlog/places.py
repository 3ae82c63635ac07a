"""Places in a log: what every log says alike about a place that it does not have.

Rule: all logs refuse the same things in the same words. Only logs, and what reads any of them
whole, import this.
"""

from eventlog.errors import BadName, LogReplaced
from eventlog.ids import Offset, Partition, Topic
from eventlog.log import LogIdentity, TopicPartition


def all_places(identity: LogIdentity) -> list[TopicPartition]:
    """Every partition of such a log."""
    single = [(Topic.MAP, Partition(0)), (Topic.SCHEMAS, Partition(0))]
    return single + [(Topic.RG, Partition(number)) for number in range(identity.partitions)]


def no_such_place(place: TopicPartition, identity: LogIdentity) -> BadName:
    """The error for a partition that the log does not have."""
    topic, partition = place
    return BadName(
        f"the log has no partition {topic}/{partition}",
        f"Of {Topic.RG} it has 0 to {identity.partitions - 1}, of the other topics only 0.",
    )


def ends_before(place: TopicPartition, end: Offset, wanted: Offset) -> LogReplaced:
    """The error for a log that is shorter than it was when it was read before."""
    topic, partition = place
    return LogReplaced(
        f"the log ends at {topic}/{partition}@{end}, but @{wanted} was read before",
        "It was truncated or replaced: check its address; if it is right, rebuild from the log.",
    )
