"""Placement of rule set 1 never changes: what it gave when it was released stands in a file.

`golden_placement.json` is never written again. Who changes placement makes a
new rule set, and a new file beside this one.
"""

import hashlib
from pathlib import Path

import msgspec
import pytest

from eventlog.ids import OsdId, RgId
from projections.draws import cost_table, key, seed
from projections.failure_domains import Candidate
from projections.placement import RULES, place_all
from projections.placement_one import place_one


class GoldenCluster(msgspec.Struct, frozen=True):
    """A cluster and what it was found to give, a row for each of `Golden.rgs`."""

    name: str
    candidates: list[tuple[int, int, str, str]]
    replicas: int
    pins: dict[str, list[int]]
    rows: list[list[int]]

    @property
    def cluster(self) -> list[Candidate]:
        return [Candidate(OsdId(osd), w, host, rack) for osd, w, host, rack in self.candidates]

    @property
    def pinned(self) -> dict[RgId, tuple[OsdId, ...]]:
        return {RgId(int(rg)): tuple(OsdId(osd) for osd in osds) for rg, osds in self.pins.items()}


class Golden(msgspec.Struct, frozen=True):
    """The file."""

    rgs: list[int]
    clusters: list[GoldenCluster]


GOLDEN = msgspec.json.decode(
    Path(__file__).with_name("golden_placement.json").read_bytes(), type=Golden
)
every_cluster = pytest.mark.parametrize("golden", GOLDEN.clusters, ids=lambda it: it.name)


@every_cluster
def test_each_rg_is_placed_as_ever(golden: GoldenCluster) -> None:
    assert RULES == 1
    for rg, row in zip(GOLDEN.rgs, golden.rows, strict=True):
        placed = place_one(RgId(rg), golden.cluster, golden.replicas, golden.pinned)
        assert list(placed) == row, rg


@every_cluster
def test_all_rgs_are_placed_as_ever(golden: GoldenCluster) -> None:
    table = place_all(golden.cluster, 200, golden.replicas, golden.pinned)
    assert GOLDEN.rgs[:200] == list(range(200))
    assert [list(table.placed(RgId(rg))) for rg in range(200)] == golden.rows[:200]


def test_the_file_is_as_ever() -> None:
    data = Path(__file__).with_name("golden_placement.json").read_bytes()
    assert (
        hashlib.sha256(data).hexdigest()
        == "84bd697f646ae240efeb26d2c2ce62c4acafa571657c4283d3d10462056cb512"
    )


def test_the_numbers_behind_are_as_ever() -> None:
    words = b"".join(word.to_bytes(8, "little") for part in cost_table() for word in part)
    assert (
        hashlib.sha256(words).hexdigest()
        == "9e82a1aeb9cd44cba902444b3ee1f354c822bbb010ca1558054f2041a70c6a9f"
    )
    assert seed(1_000_000) == 0xCE17D6BAB14CD32A
    assert [key(text) for text in ("osd:3", "host:r/h", "rack:r")] == [
        0x74C2FE50FFF7E6F7,
        0xC1C002DD5F4FD31A,
        0xBB9E2CA9A351DA01,
    ]
