"""The demo's story on Kafka: the same steps and the same checks as on the embedded log."""

import re
from pathlib import Path

from brokers.broker import Broker
from cli.programs import osdlog, processes_of, program
from cli.test_demo_command import STEPS

FILES = {f"file-{number}": b"%d" % number * (1 + 25 * number) for number in range(100)}
"""Small: where maps come so slowly that some are obeyed in between, that is no fault here."""


def test_the_story_on_three_osds_and_then_five(
    broker: Broker, cluster_name: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name, content in FILES.items():
        (tmp_path / "in" / name).write_bytes(content)
    url, kept = broker.url(cluster_name), tmp_path / "kept"
    with program("demo", tmp_path / "in", "--keep", kept, "--osds", 3, "--log", url) as demo:
        for number, step in enumerate(("3 OSDs come up", *STEPS[1:]), 1):
            demo.wait_for(rf"^{number}\. {step} ")
        demo.wait_for("every check was passed")
        demo.wait_for(re.escape(f"osdlog up --data {kept} --log {url}"))
        assert demo.end() == 0
    assert not [line for line in demo.lines if "FAILED" in line]
    assert not processes_of(tmp_path)
    with program("up", "--data", kept, "--log", url) as up:
        up.wait_for("the cluster is up: 5 OSDs")
        name = osdlog("ls", log=url).out.split()[0]
        assert name in {f"in/{file}" for file in FILES}
        assert osdlog("get", name, log=url).err == ""
    again = osdlog("demo", tmp_path / "in", "--log", url)
    assert again.code == 1, again.err
    refused = f"there is a cluster at {url} already. Name a log for the demo alone."
    assert refused in " ".join(again.out.split())
