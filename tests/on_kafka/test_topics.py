"""The topics of a log: made as they must be, and not opened otherwise."""

from collections.abc import Iterator
from contextlib import closing
from typing import cast

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from brokers.broker import Broker
from brokers.kraft import Kraft
from cli.programs import osdlog
from contracts.logs import IDENTITY, entry
from eventlog.errors import LogMissing, WrongLog
from eventlog.kafka import KafkaLog
from eventlog.kafka.topics import told_by_any

KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
ALWAYS = {
    "message.timestamp.type": "LogAppendTime",
    "unclean.leader.election.enable": "false",
    "compression.type": "producer",
}


@pytest.fixture
def admin(broker: Broker) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as client:
        yield client


def settings(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    said = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    return {name: config["value"] for name, config in said.items()}


def test_each_topic_has_its_settings(
    broker: Broker, admin: KafkaAdminClient, cluster_name: str
) -> None:
    with KafkaLog.create(broker.url(cluster_name), IDENTITY) as log:
        for topic in ("map", "rg", "identity"):
            assert settings(admin, f"{cluster_name}.{topic}").items() >= (KEPT | ALWAYS).items()
        schemas = settings(admin, f"{cluster_name}.schemas")
        assert schemas.items() >= ({"cleanup.policy": "compact"} | ALWAYS).items()
        [rg] = admin.describe_topics([f"{cluster_name}.rg"])
        assert len(rg["partitions"]) == IDENTITY.partitions
        assert log.caution.startswith(
            "the log's topics have 1 replicas, of which 1 must be in sync"
        )


def test_three_brokers_keep_three_replicas(three_brokers: Kraft, cluster_name: str) -> None:
    with KafkaLog.create(three_brokers.url(cluster_name), IDENTITY) as log:
        assert log.caution == ""
        with closing(KafkaAdminClient(bootstrap_servers=three_brokers.address)) as admin:
            [rg] = admin.describe_topics([f"{cluster_name}.rg"])
            assert {len(each["replica_nodes"]) for each in rg["partitions"]} == {3}
            assert settings(admin, f"{cluster_name}.rg")["min.insync.replicas"] == "2"


class Brokers:
    """The administrator's client of several brokers, by what each look is answered."""

    def __init__(self, number: int, looks: list[dict[str, str]]) -> None:
        self.number, self.looks = number, looks

    def describe_cluster(self) -> dict[str, list[int]]:
        return {"brokers": list(range(self.number))}

    def look(self) -> dict[str, str]:
        return self.looks.pop(0)


@pytest.mark.parametrize(("number", "found"), [
    (3, {"a": "of 1", "b": "of 2"}),
    (1, {"a": "of 1"}),
])  # fmt: skip
def test_a_topic_that_one_of_several_brokers_does_not_know_yet_is_asked_for_again(
    number: int, found: dict[str, str]
) -> None:
    brokers = Brokers(number, [{"a": "of 1"}, {}, {"b": "of 2"}, {}])
    assert told_by_any(cast(KafkaAdminClient, brokers), ["a", "b"], brokers.look) == found


def test_what_no_broker_tells_of_is_missing(
    three_brokers: Kraft, cluster_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.kafka.topics.TELL_S", 0.5)
    with pytest.raises(LogMissing, match=f"there is no log {cluster_name} at "):
        KafkaLog(three_brokers.url(cluster_name))


def test_whoever_makes_a_cluster_is_warned_of_few_replicas(
    broker: Broker, cluster_name: str
) -> None:
    done = osdlog("init", "--rgs", 2, log=broker.url(cluster_name))
    assert done.code == 0, done.err
    assert "warning: the log's topics have 1 replicas, of which 1 must be in sync; with" in done.err


@pytest.mark.parametrize(("option", "what"), [
    ("replication_factor=2", "2 replicas need as many brokers, and there are 1"),
    ("min_insync_replicas=2", "of 1 replicas 2 cannot be in sync"),
])  # fmt: skip
def test_replicas_that_cannot_be(broker: Broker, cluster_name: str, option: str, what: str) -> None:
    with pytest.raises(WrongLog, match=what):
        KafkaLog.create(f"{broker.url(cluster_name)}?{option}", IDENTITY)


def test_a_log_is_made_once(broker: Broker, cluster_name: str) -> None:
    url = broker.url(cluster_name)
    with pytest.raises(LogMissing, match=f"there is no log {cluster_name} at "):
        KafkaLog(url)
    KafkaLog.create(url, IDENTITY).close()
    with pytest.raises(WrongLog, match=r"already\. Use another name"):
        KafkaLog.create(url, IDENTITY)


def test_making_a_log_that_was_interrupted_goes_on(
    broker: Broker, admin: KafkaAdminClient, cluster_name: str
) -> None:
    made = NewTopic(f"{cluster_name}.map", 1, 1, topic_configs=KEPT | ALWAYS)
    admin.create_topics([made], wait_for_metadata=True)
    with pytest.raises(LogMissing):
        KafkaLog(broker.url(cluster_name))
    with KafkaLog.create(broker.url(cluster_name), IDENTITY) as log:
        log.append([entry(0, b"a")])


def test_what_an_interrupted_making_left_for_other_partitions_uses_up_no_name(
    broker: Broker, admin: KafkaAdminClient, cluster_name: str
) -> None:
    """The refused making says nothing that would stand in the way of the right one."""
    admin.create_topics([NewTopic(f"{cluster_name}.rg", 8, 1, topic_configs=KEPT | ALWAYS)])
    with pytest.raises(WrongLog, match=r"\.rg has 8 partitions, and was made with 4"):
        KafkaLog.create(broker.url(cluster_name), IDENTITY._replace(partitions=4))
    KafkaLog.create(broker.url(cluster_name), IDENTITY).close()


def test_topics_of_that_name_with_other_settings_are_refused(
    broker: Broker, admin: KafkaAdminClient, cluster_name: str
) -> None:
    admin.create_topics([NewTopic(f"{cluster_name}.map", 1, 1)], wait_for_metadata=True)
    with pytest.raises(WrongLog, match=r"\.map has \S+, and must have \S+\. Set it back"):
        KafkaLog.create(broker.url(cluster_name), IDENTITY)


def test_settings_that_were_changed_are_noticed(
    broker: Broker, admin: KafkaAdminClient, cluster_name: str
) -> None:
    KafkaLog.create(broker.url(cluster_name), IDENTITY).close()
    changed = ConfigResource(
        ConfigResourceType.TOPIC, f"{cluster_name}.rg", configs={"retention.ms": "604800000"}
    )
    admin.alter_configs([changed])
    wanted = r"\.rg has retention\.ms=604800000, and must have retention\.ms=-1\. Set it back with"
    with pytest.raises(WrongLog, match=wanted):
        KafkaLog(broker.url(cluster_name))


def test_compression_is_noticed(broker: Broker, admin: KafkaAdminClient, cluster_name: str) -> None:
    """Nobody here could read what a broker compresses by itself."""
    KafkaLog.create(broker.url(cluster_name), IDENTITY).close()
    zstd = {"compression.type": "zstd"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{cluster_name}.rg", zstd)])
    with pytest.raises(WrongLog, match=r"must have \S+=\S+\. Set it back with"):
        KafkaLog(broker.url(cluster_name))


def test_partitions_that_were_added_are_noticed(
    broker: Broker, admin: KafkaAdminClient, cluster_name: str
) -> None:
    KafkaLog.create(broker.url(cluster_name), IDENTITY).close()
    admin.create_partitions({f"{cluster_name}.rg": 9})
    admin.wait_for_topics([f"{cluster_name}.rg"])
    with pytest.raises(WrongLog, match=r"\.rg has 9 partitions, and was made with 8"):
        KafkaLog(broker.url(cluster_name))
