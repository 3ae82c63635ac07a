"""Which of three brokers leads a partition, by their own word."""

from contextlib import closing

from kafka import KafkaAdminClient

from brokers.broker import Broker
from brokers.kraft import Kraft


def leader_of(three: Kraft, topic: str) -> Broker:
    """The broker that leads the topic's partition 0."""
    return three.brokers[_leader(three, topic)]


def follower_of(three: Kraft, topic: str) -> Broker:
    """A broker that only follows, the topic's partition 0 and the quorum of controllers too."""
    with closing(KafkaAdminClient(bootstrap_servers=three.address)) as admin:
        [quorum] = admin.describe_metadata_quorum()["topics"]
    leading = {_leader(three, topic), quorum["partitions"][0]["leader_id"]}
    return next(broker for node, broker in three.brokers.items() if node not in leading)


def _leader(three: Kraft, topic: str) -> int:
    with closing(KafkaAdminClient(bootstrap_servers=three.address)) as admin:
        [said] = admin.describe_topics([topic])
    return int(said["partitions"][0]["leader_id"])
