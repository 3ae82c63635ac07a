"""What all tests share: the flag that rewrites golden files."""

import pytest

from brokers.fixtures import (  # noqa: F401 - fixtures of all tests
    _frail_broker,
    _three_brokers,
    broker,
    broker_secrets,
    cluster_name,
    frail_broker,
    kafka_image,
    three_brokers,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write golden files and transcripts anew, to be reviewed as a change",
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written anew."""
    return bool(request.config.getoption("--rewrite"))
