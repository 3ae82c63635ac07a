"""`osdlog replay` on Kafka: the same states to the last bit as of the same log in a file."""

import json
from pathlib import Path

from brokers.broker import Broker
from cli.programs import osdlog
from client.past_logs import as_sqlite, eventful_log


def test_a_copied_log_replays_alike(broker: Broker, cluster_name: str, tmp_path: Path) -> None:
    as_sqlite(eventful_log(), tmp_path / "log.sqlite").close()
    file, url = f"sqlite:{tmp_path / 'log.sqlite'}", broker.url(cluster_name)
    assert osdlog("log", "copy", file, url).code == 0
    for moment in ((), ("--diff", "epoch:3")):
        there, here = (osdlog("replay", "--json", *moment, log=log) for log in (url, file))
        assert there.code == 0, there.err
        assert json.loads(there.out) == json.loads(here.out)
