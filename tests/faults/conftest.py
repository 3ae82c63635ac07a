"""What several of these tests need: one OSD that runs, and a disk that can be filled."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from node.osds import Cluster, OsdProcess
from osd.client import Client
from store.conftest import small_disk  # noqa: F401 - a fixture of these tests too

LIMIT = 1024 * 1024


class Served(NamedTuple):
    """A cluster of one OSD that takes small objects only, and a client of it."""

    cluster: Cluster
    osd: OsdProcess
    client: Client


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that leave the object `there` as they found it, and the OSD running."""
    cluster = Cluster(tmp_path_factory.mktemp("served"))
    cluster.add(0)
    with cluster.osd(0, max_object_bytes=LIMIT) as osd, Client(cluster.url) as client:
        client.put("there", b"all along")
        yield Served(cluster, osd, client)
        assert client.get("there") == b"all along"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """Of one OSD, which is not started."""
    made = Cluster(tmp_path)
    made.add(0)
    return made
