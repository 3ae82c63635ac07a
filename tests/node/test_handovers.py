"""An RG comes to a real process: as a snapshot of whoever had it, or else from the log."""

from pathlib import Path

import pytest

from eventlog.ids import OsdId, RgId
from eventlog.map_events import RgPinned
from node.osds import Cluster, OsdProcess, until

SETTINGS = {"calm_ms": 20, "retry_ms": 50, "hint_ms": 100, "settle_ms": 100}
ONLY_RG = RgId(0)
OBJECTS = {f"object-{number}": b"%d" % number for number in range(40)}


def taken_over(osd: OsdProcess) -> int:
    said = osd.request("GET", "/metrics").body.decode()
    return int(said.split("\nosdlog_snapshots_taken_over_total ")[1].split()[0])


@pytest.mark.parametrize(("snapshot_ms", "snapshots"), [(30_000, 1), (0, 0)])
def test_what_was_there_is_there_again(tmp_path: Path, snapshot_ms: int, snapshots: int) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    settings = SETTINGS | {"snapshot_ms": snapshot_ms}
    with (
        cluster.osd(0, settings=settings) as former,
        cluster.osd(1, settings=settings) as latter,
    ):
        cluster.change(RgPinned(rg=ONLY_RG, osds=(OsdId(0),)))
        until(lambda: former.put("deleted", b"").status == 201)
        assert {former.put(name, body).status for name, body in OBJECTS.items()} == {201}
        assert former.delete("deleted").status == 200
        before = taken_over(latter)
        cluster.change(RgPinned(rg=ONLY_RG, osds=(OsdId(1),)))
        until(lambda: latter.get("object-1").status == 200)
        assert taken_over(latter) - before == snapshots
        until(lambda: former.report("/rgs") == [])
        assert {name: latter.get(name).body for name in OBJECTS} == OBJECTS
        assert latter.get("deleted").status == 404
