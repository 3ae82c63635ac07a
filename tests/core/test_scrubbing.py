"""When a scrub is due, and what is known of it after a restart."""

import pytest

from eventlog.ids import OsdId
from osd.core.scrubbing import Depth, Rhythm, due, first_ended

HOUR_S = 3_600.0
RHYTHM = Rhythm(light_hours=24, deep_hours=168)


def ended(light: float, deep: float) -> dict[Depth, float]:
    """Hours ago."""
    return {Depth.LIGHT: -light * HOUR_S, Depth.DEEP: -deep * HOUR_S}


@pytest.mark.parametrize(
    ("light", "deep", "wanted"),
    [
        (23.9, 167.9, None),
        (24, 167.9, Depth.LIGHT),
        (1, 168, Depth.DEEP),
        (999, 999, Depth.DEEP),
    ],
)
def test_what_is_due(light: float, deep: float, wanted: Depth | None) -> None:
    assert due(RHYTHM, 0.0, ended(light, deep)) is wanted


def test_no_hours_are_never() -> None:
    assert due(Rhythm(light_hours=0, deep_hours=0), 0.0, ended(1e6, 1e6)) is None
    assert due(Rhythm(light_hours=24, deep_hours=0), 0.0, ended(1e6, 1e6)) is Depth.LIGHT


def test_the_first_scrubs_of_a_cluster_are_spread() -> None:
    """None is due at once, all within their interval, and no two OSDs' at one time."""
    first = [first_ended(RHYTHM, OsdId(osd), 0.0)[Depth.DEEP] for osd in range(20)]
    assert all(-168 * HOUR_S < at <= 0 for at in first)
    assert len(set(first)) == len(first)
    assert {due(RHYTHM, 0.0, first_ended(RHYTHM, OsdId(osd), 0.0)) for osd in range(20)} == {None}
