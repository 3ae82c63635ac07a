"""osdlog limits: shown, set while the OSDs run, kept across a restart."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.programs import osdlog, program
from osd.cli.options import bytes_a_second


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
            "osd    pulls      rate  under way",
            f"osd.1{default['pulls']:>7}  no limit  0, 0 B",
        ]
        slow = {"pulls": default["pulls"], "rate": 1_000_000} | idle
        assert limits(log, 1, "--rate", 1) == {"osd.1": slow}
        assert osdlog("limits", 1, log=log).lines[1].split()[2:4] == ["1.0", "MB/s"]
        assert limits(log, "--pulls", 2)["osd.1"] == slow | {"pulls": 2}
        assert limits(log)["osd.0"] == default | {"pulls": 2}
        bad = osdlog("limits", "--pulls", 10**9, log=log)
        assert bad.code == 2
        assert "error: invalid value for --pulls: 1000000000 is more than 1,000\n" in bad.err
        assert osdlog("limits", 7, log=log).code == 1
    down = osdlog("limits", "--pulls", 3, log=log)
    assert (down.code, down.err.count("was not reached: ")) == (3, 2)
    with program("up", "--data", data) as up:
        up.wait_for(r"export OSDLOG_LOG=(\S+)")
        assert limits(log)["osd.1"] == slow | {"pulls": 2}


def test_a_rate_is_megabytes_everywhere() -> None:
    for command in ("limits", "scrub"):
        done = osdlog(command, "--rate", "1000000", log="sqlite:/nowhere")
        assert done.code == 2
        assert "1000000 is no rate: give MB a second, from 0 to 100,000" in done.err


def test_a_rate_in_bytes() -> None:
    """A slow one does not become 0, which is no limit."""
    rates = ("20", "0.5", "0", "0.0000001")
    assert [bytes_a_second(text) for text in rates] == [20_000_000, 500_000, 0, 1]
    for bad in ("fast", "nan", "inf", "-1", "20MB"):
        with pytest.raises(typer.BadParameter, match="is no rate"):
            bytes_a_second(bad)
