"""osdlog limits: shown, set while the OSDs run, kept across a restart."""

import json
from pathlib import Path
from typing import Any

from cli.programs import osdlog, program


def limits(log: str, *arguments: object) -> Any:
    done = osdlog("limits", *arguments, "--json", log=log)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_they_are_shown_and_set_and_stay(tmp_path: Path) -> None:
    data = tmp_path / "data"
    idle = {"under_way": {"pulls": 0, "bytes": 0}}
    with program("up", "--osds", 2, "--rgs", 4, "--data", data) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        default = limits(log)["osd.0"]
        assert default == limits(log)["osd.1"]
        assert osdlog("limits", "osd.1", log=log).lines == [
            "osd    pulls   bytes/s  under way",
            f"osd.1{default['pulls']:>7}  no limit  0, 0 B   ",
        ]
        slow = {"pulls": default["pulls"], "rate": 1_000_000} | idle
        assert limits(log, 1, "--rate", 1_000_000) == {"osd.1": slow}
        assert limits(log, "--pulls", 2)["osd.1"] == slow | {"pulls": 2}
        assert limits(log)["osd.0"] == default | {"pulls": 2}
        bad = osdlog("limits", "--pulls", 10**9, log=log)
        assert bad.code == 2
        assert "Invalid value for --pulls: 1000000000 is more than 1,000" in bad.err
        assert osdlog("limits", 7, log=log).code == 1
    down = osdlog("limits", "--pulls", 3, log=log)
    assert (down.code, down.err.count("was not reached: ")) == (3, 2)
    with program("up", "--data", data) as up:
        up.wait_for(r"export OSDLOG_LOG=(\S+)")
        assert limits(log)["osd.1"] == slow | {"pulls": 2}
