"""How long it takes to place a million RGs, in full and after one change.

Rule: a figure is the median of several runs on one thread, with what it is
compared with beside it. `python -m benchmarks placement`.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

from benchmarks.table import Row
from eventlog.ids import WEIGHT_ONE, OsdId
from projections.failure_domains import Candidate
from projections.placement import PlacementTable, moved, place_again, place_all

RG_COUNT = 1_000_000
OSD_COUNT = 100
RUNS = 7

FULL_ASKED = "< 1,500"
AGAIN_ASKED = "< 50"


Make = Callable[[int, int], Candidate]


def one_host(osd: int, weight: int) -> Candidate:
    """Flat: all in one host."""
    return Candidate(OsdId(osd), weight, "host", "rack")


def host_each(osd: int, weight: int) -> Candidate:
    """Flat: a host for each OSD, in one rack."""
    return Candidate(OsdId(osd), weight, f"host{osd}", "rack")


def racks(osd: int, weight: int) -> Candidate:
    """10 racks of 10 hosts."""
    return Candidate(OsdId(osd), weight, f"host{osd // 10 % 10}", f"rack{osd % 10}")


def run() -> list[Row]:
    """All figures, in milliseconds."""
    rows = []
    for shape, make in [("one host", one_host), ("host each", host_each), ("10 x 10", racks)]:
        equal = [make(osd, WEIGHT_ONE) for osd in range(OSD_COUNT)]
        different = [make(osd, WEIGHT_ONE + 777 * osd) for osd in range(OSD_COUNT)]
        rows.append(_full(f"{shape}, equal weights, full", equal, 1, FULL_ASKED))
        rows.append(_full(f"{shape}, different weights, full", different, 1, FULL_ASKED))
        rows += _again(f"{shape}, equal weights", equal, make)
        rows += _again(f"{shape}, different weights", different, make)
        rows.append(_full(f"{shape}, equal weights, full, 3 copies", equal, 3, ""))
    return rows


def _full(name: str, cluster: list[Candidate], copies: int, asked: str) -> Row:
    return _timed(name, lambda: place_all(cluster, RG_COUNT, copies), asked)


def _again(name: str, cluster: list[Candidate], make: Make) -> list[Row]:
    before = place_all(cluster, RG_COUNT, 1)
    others = [candidate for candidate in cluster if candidate.osd != 50]
    changes = {
        "add one": [*cluster, make(OSD_COUNT, WEIGHT_ONE)],
        "one heavier": [*others, make(50, 2 * WEIGHT_ONE)],
        "one lighter": [*others, make(50, WEIGHT_ONE // 2)],
        "remove one": others,
    }
    rows = []
    for change, after in changes.items():
        rows.append(_timed_again(f"{name}, {change}", before, after))
    return rows


def _timed_again(name: str, before: PlacementTable, candidates: list[Candidate]) -> Row:
    count = len(moved(before, place_again(before, candidates, 1)))
    again = _timed(name, lambda: place_again(before, candidates, 1), AGAIN_ASKED)
    return again._replace(name=f"{name} ({count:,} RGs move)")


def _timed(name: str, work: Callable[[], object], asked: str) -> Row:
    seconds = []
    for _ in range(RUNS):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return Row(name, 1_000 * median(seconds), "ms", asked)
