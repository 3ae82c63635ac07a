"""What all tests share: the flag that rewrites golden files, a working Ctrl-C, no deadlines."""

import os
import signal

import pytest
from hypothesis import settings

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

settings.register_profile("osdlog", deadline=None)
settings.load_profile("osdlog")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write golden files and transcripts anew, to be reviewed as a change",
    )


def pytest_configure() -> None:
    """A shell's background job ignores SIGINT, one of nohup SIGHUP, and so what they start.

    They start thousands of processes: the first compiles our modules, the others read that.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written anew."""
    return bool(request.config.getoption("--rewrite"))
