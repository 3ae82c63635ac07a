"""A `Client` belongs to the process that made it, until it is closed: anybody else is told."""

import os
import threading
from pathlib import Path

import pytest

from client.fake_osds import made_cluster
from osd.client import Client
from osd.errors import Refused


def test_a_closed_client_says_so(tmp_path: Path) -> None:
    client = Client(made_cluster(tmp_path, [0]))
    client.close()
    client.close()
    for ask in (client.map, lambda: client.get("a"), lambda: list(client.list())):
        with pytest.raises(Refused, match="this client is closed") as caught:
            ask()
        assert caught.value.hint == "Make another Client."


def test_a_forked_process_makes_its_own(tmp_path: Path) -> None:
    with Client(made_cluster(tmp_path, [0])) as client:
        child = os.fork()
        if child == 0:
            threading.Timer(60.0, os._exit, [2]).start()
            try:
                client.map()
            except Refused as error:
                client.close()
                os._exit(0 if error.hint == "Make a Client in each process." else 3)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.map().cluster
