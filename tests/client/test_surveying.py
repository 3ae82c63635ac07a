"""Surveys: what OSDs say of how fast they copy, and may, and what a plan makes of it."""

from typing import Any

from client.past_logs import eventful_log
from eventlog.ids import OsdId, RgId
from eventlog.map_events import OsdOut
from folds.planning import RGS, cluster_of, osd
from osd.cli.plan_words import basis, osd_rows, plan_data
from osd.client.answers import OsdStatus, RgRow
from osd.client.planning import Planned, planned
from osd.client.surveying import put_together
from projections.map_plan import ImportLimits, Transfer, table_of

THREE = cluster_of(osd(1), osd(2), osd(3))
COPIED = {"objects": 50, "bytes": 5_000_000, "busy_ms": 1_000}
NOTHING = {"objects": 0, "bytes": 0, "busy_ms": 0}
SLOW, PAUSED = {"pulls": 4, "rate": 1_000}, {"pulls": 0, "rate": 0}


def says(number: int, **said: Any) -> OsdStatus:
    disk = {"total": 1 << 40, "free": 1 << 39, "reserve": 0}
    return OsdStatus(osd(number), {"disk": disk, "copied": COPIED} | said, None)


def without_one(*statuses: OsdStatus) -> Planned:
    """What it would move to the others, of RGs with an object of 1 MB each."""
    table = table_of(THREE)
    rows = []
    for rg in map(RgId, range(RGS)):
        (primary,) = table.placed(rg)
        held = {str(THREE.osds[primary].store): 1}
        rows.append(RgRow(rg, primary, {"objects": 1, "bytes": 1_000_000, "held": held}, None))
    surveyed = put_together(statuses, rows, eventful_log(), THREE)
    return planned(surveyed, [OsdOut(osd=OsdId(1))], THREE.layout)


def test_a_plan_keeps_to_the_limits_of_an_osd_that_has_copied_nothing() -> None:
    found = without_one(says(1), says(2, copied=NOTHING, limits=SLOW), says(3))
    _, two, three = found.plan.osds
    assert two.ms == two.incoming.size > 0
    assert three.ms == 1_000 * three.incoming.size // COPIED["bytes"]
    assert found.plan.ms == two.ms
    assert found.plan.rate == Transfer(100, 10_000_000, 2_000), "of limits it knows nothing"
    assert found.limits == {OsdId(2): ImportLimits(rate=1_000)}
    assert basis(found)[2:] == ["osd.2 imports at most 1.0 kB/s in the background"]


def test_a_plan_says_no_time_for_those_that_import_nothing_and_how_to_end_that() -> None:
    found = without_one(says(1, limits=PAUSED), says(2, limits=PAUSED), says(3, limits=PAUSED))
    assert [row[-1] for row in osd_rows(found.plan)] == ["-", "unknown", "unknown"]
    said = plan_data(found, "")
    assert [one["ms"] for one in said["osds"]] == [0, None, None]
    assert (said["ms"], said["paused"]) == (None, (2, 3))
    rate, *paused = basis(found, " --log kafka://here")[1:]
    assert rate.startswith("time unknown, at 5.0 MB/s, 50 objects/s for each OSD: measured on ")
    assert paused == [
        f"osd.{number} imports nothing in the background:"
        f" `osdlog limits osd.{number} --pulls 4 --log kafka://here` ends that"
        for number in (2, 3)
    ]
