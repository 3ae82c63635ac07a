"""How far a change is, in one line: no process runs here."""

import pytest

from eventlog.ids import OsdId
from osd.cli.output import duration_words
from osd.cli.waiting import Teller, progress_line
from osd.client.settling import Settling
from projections.progress import Sample, progress_of
from projections.rg_stats import Amount


def line(now: Settling, *samples: Sample) -> str:
    """After these looks."""
    return progress_line(now, progress_of([*samples, Sample(9_000, now.remaining)]))


def test_under_way() -> None:
    now = Settling(Amount(300, 30_000_000), {"clean": 12, "importing": 4}, ())
    assert line(now, Sample(8_000, Amount(400, 40_000_000))) == (
        "100 of 400 objects, 10.0 MB of 40.0 MB, 10.0 MB/s, about 3 s left; RGs: 4 importing"
    )


def test_nothing_moves_yet() -> None:
    now = Settling(Amount(1, 5), {"clean": 3, "unknown": 1}, (OsdId(3), OsdId(4)))
    assert line(now) == "0 of 1 object, 0 B of 5 B; RGs: 1 unknown; osd.3, osd.4 must start"


def test_done() -> None:
    now = Settling(Amount(), {"clean": 4}, ())
    assert now.is_settled
    assert line(now, Sample(0, Amount(2, 10))) == "2 of 2 objects, 10 B of 10 B"


def test_what_is_not_done() -> None:
    assert not Settling(Amount(), {"clean": 3, "unknown": 1}, ()).is_settled
    assert not Settling(Amount(), {"clean": 4}, (OsdId(3),)).is_settled
    assert not Settling(Amount(1, 0), {"clean": 4}, ()).is_settled


def test_durations() -> None:
    said = [duration_words(s) for s in (0.4, 1, 99, 100, 5_400, 9_000, 200_000)]
    assert said == ["under 1 s", "1 s", "99 s", "2 min", "90 min", "2.5 h", "2 days"]


def test_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 0.5, 10.5, 10.5, 15.0, 20.5, 20.5])
    teller = Teller(lambda: next(times))
    for line in ("a", "b", "c", "d"):
        teller.tell(line)
    assert capsys.readouterr().err == "waiting: b\nwaiting: d\n"
