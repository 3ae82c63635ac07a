"""One small cluster of real processes, for the tests that leave it as they found it."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.programs import Done, Program, osdlog, program, wait_until_gone
from osd.client import Client


class Cluster(NamedTuple):
    """A cluster that is up."""

    folder: Path
    log: str
    up: Program
    client: Client
    """For what a test needs and does not show."""

    def run(self, *arguments: object, stdin: bytes = b"") -> Done:
        """A command about this cluster."""
        return osdlog(*arguments, log=self.log, stdin=stdin)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two OSDs, 8 RGs."""
    folder = tmp_path_factory.mktemp("cluster") / "data"
    with program("up", "--osds", 2, "--rgs", 8, "--data", folder) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        with Client(log) as client:
            yield Cluster(folder, log, up, client)
        up.send(signal.SIGINT)
        assert up.end() == 130
    wait_until_gone(folder)
