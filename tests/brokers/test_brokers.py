"""The brokers of the tests do what tests ask of them, and are real."""

import uuid
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from brokers.broker import Broker
from brokers.secrets import PASSWORD, USER
from brokers.tail import HEAD, lose_tail


def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    """Each value in a batch of its own, acknowledged before the next."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        for value in values:
            producer.send(topic, value, partition=0).get(timeout=60)


def consume(bootstrap: str, topic: str, **config: str) -> list[bytes]:
    """All that partition 0 has."""
    partition = TopicPartition(topic, 0)
    values: list[bytes] = []
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, **config)) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        while consumer.position(partition) < end:
            for records in consumer.poll(timeout_ms=200).values():
                values.extend(record.value for record in records)
    return values


@pytest.fixture
def topic() -> str:
    return f"t-{uuid.uuid4().hex}"


def test_what_is_written_survives_a_stop_and_a_kill_until_the_tail_is_lost(
    frail_broker: Broker, topic: str
) -> None:
    produce(frail_broker.address, topic, b"one", b"two")
    frail_broker.stop()
    frail_broker.start()
    produce(frail_broker.address, topic, b"three", b"four")
    frail_broker.kill()
    assert lose_tail(frail_broker, topic) > HEAD.size
    frail_broker.start()
    assert consume(frail_broker.address, topic) == [b"one", b"two", b"three"]
    produce(frail_broker.address, topic, b"another")
    assert consume(frail_broker.address, topic) == [b"one", b"two", b"three", b"another"]


def test_a_paused_broker_answers_nothing_until_it_goes_on(frail_broker: Broker, topic: str) -> None:
    produce(frail_broker.address, topic, b"one")
    with closing(KafkaProducer(bootstrap_servers=frail_broker.address)) as producer:
        producer.send(topic, b"two", partition=0).get(timeout=60)
        frail_broker.pause()
        sent = producer.send(topic, b"three", partition=0)
        with pytest.raises(KafkaTimeoutError):
            sent.get(timeout=0.5)
        frail_broker.unpause()
        sent.get(timeout=60)
    assert consume(frail_broker.address, topic) == [b"one", b"two", b"three"]


def test_a_client_with_the_authority_and_the_password_gets_in(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    produce(broker.address, topic, b"one")
    authority = str(broker.secrets.write_authority(tmp_path / "authority.pem"))
    assert consume(broker.tls_address, topic, security_protocol="SSL", ssl_cafile=authority) == [
        b"one"
    ]
    login = {"sasl_mechanism": "PLAIN", "sasl_plain_username": USER}
    assert consume(
        broker.login_address,
        topic,
        security_protocol="SASL_SSL",
        ssl_cafile=authority,
        sasl_plain_password=PASSWORD,
        **login,
    ) == [b"one"]
