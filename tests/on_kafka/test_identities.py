"""Two processes with one id on a log that locks nobody out: the log itself tells them apart."""

import shutil
from pathlib import Path

from brokers.broker import Broker
from node.osds import Cluster


def test_of_two_processes_with_one_id_only_one_serves(
    broker: Broker, cluster_name: str, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path, 1, broker.url(cluster_name))
    cluster.add(0)
    data, clone = tmp_path / "osd-0", tmp_path / "clone"
    with cluster.osd(0) as osd:
        assert osd.put("a", b"x").status == 201
        store = osd.report("/status")["store"]
        said = cluster.osd(0).refusal()
        assert said.startswith(f"osd.0's data directory {data} is in use by process {osd.pid}")
        said = cluster.osd(0, data=str(tmp_path / "new")).refusal()
        assert said.startswith(f"osd.0 is in the map with {store}, but this directory is a new")
        osd.stop()
        shutil.copytree(data, clone)
        osd.start()
        twin = cluster.osd(0, data=str(clone))
        assert twin.refusal() == (
            f"boot 2 of {store} is not above boot 2. Another process uses a copy of this data "
            "directory: keep one and wipe the other.\n"
        )
        assert osd.put("a", b"y").status == 201
        with twin:  # its boot is above the other's now
            code, said = osd.ended()
            assert code == 3
            assert said == (
                f"boot 3 of {store} has started since this process, boot 2. Another process "
                "uses a copy of this data directory: keep one, wipe the other.\n"
            )
