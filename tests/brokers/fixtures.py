"""Brokers for tests, started when the first test asks and shared by all that follow.

Rule: no test is skipped for want of a broker; it fails, with what to do.
"""

import uuid
from collections.abc import Iterator
from typing import TypeVar

import pytest

from brokers.broker import SHORT_SESSION, Broker, remove_orphans
from brokers.engine import NoBroker, engine
from brokers.image import find_image
from brokers.kraft import Kraft
from brokers.secrets import Secrets, make_secrets

Started = TypeVar("Started", Broker, Kraft)


@pytest.fixture(scope="session")
def kafka_image() -> str:
    """The image that brokers are started from."""
    try:
        client = engine()
    except NoBroker as error:
        pytest.fail(str(error), pytrace=False)
    remove_orphans(client)
    image = find_image(client)
    client.close()
    if image is None:
        pytest.fail("There is no image of Kafka here yet. `make kafka` gets one.", pytrace=False)
    return image


@pytest.fixture(scope="session")
def broker_secrets() -> Secrets:
    """Of all brokers of this test run."""
    return make_secrets()


@pytest.fixture(scope="session")
def broker(kafka_image: str, broker_secrets: Secrets) -> Iterator[Broker]:
    """One broker for every test that does nothing to it; each uses clusters of its own name."""
    yield from _running(Broker(kafka_image, broker_secrets))


@pytest.fixture(scope="session")
def _frail_broker(kafka_image: str, broker_secrets: Secrets) -> Iterator[Broker]:
    yield from _running(Broker(kafka_image, broker_secrets, settings=SHORT_SESSION))


@pytest.fixture
def frail_broker(_frail_broker: Broker) -> Iterator[Broker]:
    """One broker that a test may stop, kill, pause and damage; it serves again after."""
    yield _frail_broker
    _frail_broker.mend()
    _frail_broker.wait()


@pytest.fixture(scope="session")
def _three_brokers(kafka_image: str, broker_secrets: Secrets) -> Iterator[Kraft]:
    yield from _running(Kraft(kafka_image, broker_secrets))


@pytest.fixture
def three_brokers(_three_brokers: Kraft) -> Iterator[Kraft]:
    """Three brokers, any of which a test may stop, kill and pause; all serve again after."""
    yield _three_brokers
    _three_brokers.mend()


@pytest.fixture
def cluster_name() -> str:
    """A cluster that no other test has."""
    return f"c-{uuid.uuid4().hex[:12]}"


def _running(started: Started) -> Iterator[Started]:
    try:
        started.start()
        yield started
    finally:
        started.close()
