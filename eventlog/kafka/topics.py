"""The topics of a log on Kafka: made with the right settings, checked at every opening.

Rule: `<cluster>.map` and `<cluster>.rg` keep everything for ever and are never
compacted; `<cluster>.schemas` is compacted. `<cluster>.identity` has one
record, which says what log this is. It is written last, so a log that has it
is complete, and only its first record counts, so that of two who make the same
log at once one is refused. A log whose settings were changed is not opened.

What is not here: records of the log itself (`eventlog.kafka`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from eventlog.errors import LogUnavailable, WrongLog
from eventlog.ids import Topic
from eventlog.kafka_address import KafkaAddress
from eventlog.log import LogIdentity

REPLICAS = 3
IN_SYNC = 2
"""Of three replicas one may be away, and what is acknowledged is still in two places."""
READY_MS = 30_000
"""For all leaders of new topics: thousands of partitions take a broker some seconds."""
TELL_S = 5.0
"""For the slowest of several brokers to learn of a topic that another has made."""
_ASK_AGAIN_S = 0.1

_KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_COMPACTED = {"cleanup.policy": "compact"}
_ALWAYS = {
    "message.timestamp.type": "LogAppendTime",
    "unclean.leader.election.enable": "false",
    "compression.type": "producer",  # which compresses nothing: not every reader has every codec
}


class Replication(NamedTuple):
    """How often a log is kept."""

    factor: int
    in_sync: int

    @property
    def caution(self) -> str:
        """What follows from fewer replicas than there should be; empty if there are enough."""
        if self.factor >= REPLICAS and self.in_sync >= IN_SYNC:
            return ""
        return (
            f"the log's topics have {self.factor} replicas, of which {self.in_sync} must be in "
            f"sync; with fewer than {REPLICAS} and {IN_SYNC} the loss of one broker, or of what "
            "it had not yet written to disk, can lose acknowledged events"
        )


def topic_name(address: KafkaAddress, topic: Topic) -> str:
    """What Kafka calls a topic of the log."""
    return f"{address.cluster}.{topic.value}"


def identity_topic(address: KafkaAddress) -> str:
    """The topic whose first record says what log this is."""
    return f"{address.cluster}.identity"


def encode_identity(identity: LogIdentity) -> bytes:
    """The value of that record: JSON."""
    return msgspec.json.encode(identity._asdict())


def decode_identity(value: bytes, address: KafkaAddress) -> LogIdentity:
    """What it says; `WrongLog` where it says nothing that we know."""
    try:
        said = msgspec.json.decode(value, type=dict[str, str | int])
        return msgspec.convert([said.get(name) for name in LogIdentity._fields], LogIdentity)
    except msgspec.DecodeError as error:  # a ValidationError is one
        raise WrongLog(
            f"{identity_topic(address)} does not say what log {address.cluster} is: {error}",
            "Check the address; another program may use topics of that name.",
        ) from error


def make_topics(admin: KafkaAdminClient, address: KafkaAddress, identity: LogIdentity) -> None:
    """Make what is missing of the topics, and wait until all of them have leaders."""
    brokers = len(admin.describe_cluster()["brokers"])
    wanted = _replication(address, brokers)
    there = describe(admin, address)
    settings = _settings(address, wanted)
    many = topic_name(address, Topic.RG)
    missing = [
        NewTopic(name, identity.partitions if name == many else 1, wanted.factor, None, configs)
        for name, configs in settings.items()
        if name not in there
    ]
    if missing:
        # Another process may make the same ones at this moment: the identity decides whose it is.
        with suppress(TopicAlreadyExistsError):
            admin.create_topics(missing)
    admin.wait_for_topics(list(settings), timeout_ms=READY_MS)


def describe(admin: KafkaAdminClient, address: KafkaAddress) -> Mapping[str, Any]:
    """What the brokers say of those of the log's topics that there are."""
    names = [*(topic_name(address, topic) for topic in Topic), identity_topic(address)]
    found: dict[str, Any] = {}
    for said in admin.describe_topics(names):
        error = for_code(said["error_code"])
        if said["error_code"] == 0:
            found[said["name"]] = said
        elif error is not UnknownTopicOrPartitionError:
            raise error(f"asked for {said['name']}")
    return found


def is_there(admin: KafkaAdminClient, address: KafkaAddress) -> bool:
    """Whether there is a log, made to its end or not."""
    topic = identity_topic(address)
    return topic in told_by_any(admin, [topic], lambda: describe(admin, address))


def told_by_any(
    admin: KafkaAdminClient, names: Sequence[str], look: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """What `look` finds of the topics `names`, and what it finds a moment later of the rest.

    Each look asks one broker, any of them, and brokers learn of a new topic each in its own time:
    what one of several does not know is missing only if it stays so for `TELL_S`.
    """
    found = dict(look())
    if not found.keys() >= set(names) and len(admin.describe_cluster()["brokers"]) > 1:
        deadline = time.monotonic() + TELL_S
        while not found.keys() >= set(names) and time.monotonic() < deadline:
            time.sleep(_ASK_AGAIN_S)
            found |= look()
    return found


def check_topics(
    admin: KafkaAdminClient, address: KafkaAddress, identity: LogIdentity
) -> Replication:
    """Whether all is as it was made; how often it is kept. Raises `WrongLog`."""
    settings = _settings(address, Replication(1, 1))
    there = told_by_any(admin, list(settings), lambda: describe(admin, address))
    if missing := sorted(settings.keys() - there.keys()):
        raise WrongLog(
            f"of the log {address.cluster} the topic {missing[0]} is missing",
            "Restore it, or use another log: what was in it cannot be had back from the rest.",
        )
    partitions = len(there[topic_name(address, Topic.RG)]["partitions"])
    if partitions != identity.partitions:
        raise WrongLog(
            f"{topic_name(address, Topic.RG)} has {partitions} partitions, and was made with "
            f"{identity.partitions}",
            "Partitions must never be added: copy the log to a new one with `osdlog log copy`.",
        )
    said = _configs(admin, list(settings))
    for name, wanted in settings.items():
        _check_settings(name, wanted, said[name])
    kept = [
        Replication(_replicas(there[name]), int(said[name]["min.insync.replicas"]))
        for name in settings
    ]
    return Replication(min(each.factor for each in kept), min(each.in_sync for each in kept))


def _settings(address: KafkaAddress, wanted: Replication) -> Mapping[str, Mapping[str, str]]:
    always = _ALWAYS | {"min.insync.replicas": str(wanted.in_sync)}
    return {
        topic_name(address, Topic.MAP): _KEPT | always,
        topic_name(address, Topic.RG): _KEPT | always,
        topic_name(address, Topic.SCHEMAS): _COMPACTED | always,
        identity_topic(address): _KEPT | always,
    }


def _replication(address: KafkaAddress, brokers: int) -> Replication:
    factor = address.replication_factor or min(REPLICAS, brokers)
    if factor > brokers:
        raise WrongLog(
            f"{factor} replicas need as many brokers, and there are {brokers}",
            "Start more brokers, or give a smaller replication_factor.",
        )
    in_sync = address.min_insync_replicas or (IN_SYNC if factor >= REPLICAS else 1)
    if in_sync > factor:
        raise WrongLog(
            f"of {factor} replicas {in_sync} cannot be in sync",
            "Give a smaller min_insync_replicas, or a larger replication_factor.",
        )
    return Replication(factor, in_sync)


def _configs(admin: KafkaAdminClient, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]

    def look() -> Mapping[str, Mapping[str, str]]:
        said = admin.describe_configs(resources, config_filter="all").get("topic", {})
        return {
            name: {key: str(config["value"]) for key, config in configs.items()}
            for name, configs in said.items()
            if configs  # a broker that does not know the topic says that nothing is set
        }

    found = told_by_any(admin, names, look)
    if any(name not in found for name in names):
        raise LogUnavailable("the brokers do not say how the topics are set", "Try again.")
    return found


def _check_settings(name: str, wanted: Mapping[str, str], said: Mapping[str, str]) -> None:
    for key, value in wanted.items():
        if key != "min.insync.replicas" and said.get(key) != value:
            raise WrongLog(
                f"{name} has {key}={said.get(key)}, and must have {key}={value}",
                "Set it back with kafka-configs.sh; if records were dropped, restore the log.",
            )


def _replicas(said: Mapping[str, Any]) -> int:
    return min(len(partition["replica_nodes"]) for partition in said["partitions"])
