"""Purged erasures: what the log says is gone is in no file of RocksDB, on real processes."""

import random
from pathlib import Path

import pytest

from eventlog.ids import Boot, Micros, RgId, StatementNumber, Version
from eventlog.rg_events import CopiesErased, ExportClosed, HoldingsStated
from folds.building import A
from node.osds import Cluster, OsdProcess, until
from osd import keys
from osd.purging import Purger
from osd.rocks import RocksRows

NOISE = random.Random(5)
FIRST, SECOND, OTHER = (NOISE.randbytes(20_000) for _ in range(3))
RG = RgId(0)
ERASED = CopiesErased(
    rg=RG,
    time=Micros(0),
    store=A,
    boot=Boot(1),
    n=StatementNumber(1),
    versions=(Version(1),),
)
CLOSED = ExportClosed(rg=RG, time=Micros(0), store=A, boot=Boot(1), n=StatementNumber(3))
STATED = HoldingsStated(
    rg=RG,
    time=Micros(0),
    store=A,
    boot=Boot(1),
    n=StatementNumber(2),
    version=Version(1),
    staged_from=None,
    answers=None,
    count=0,
    digest=bytes(8),
)


def bytes_on_disk(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def is_on_disk(folder: Path, body: bytes) -> bool:
    """Whether any file has the middle of it."""
    return any(body[8_000:9_000] in content for content in bytes_on_disk(folder))


def overwritten_and_deleted(osd: OsdProcess) -> None:
    assert osd.put("kept", OTHER).status == 201
    assert osd.put("gone", FIRST).status == 201
    assert osd.put("gone", SECOND).status == 201
    assert osd.delete("gone").status == 200
    until(lambda: osd.facts("gone") == {})


def test_no_file_has_what_is_said_to_be_erased(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0, purges=True) as osd:
        overwritten_and_deleted(osd)
        assert not is_on_disk(tmp_path, FIRST)
        assert not is_on_disk(tmp_path, SECOND)
        assert is_on_disk(tmp_path, OTHER)
        assert osd.get("kept").body == OTHER
        osd.stop()


def test_what_an_earlier_process_erased_is_purged_with_the_next_erasure(tmp_path: Path) -> None:
    """And an OSD that is not told to purge leaves bytes in its files: this test can fail."""
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0) as osd:
        overwritten_and_deleted(osd)
        assert is_on_disk(tmp_path, SECOND)
        osd.kill()
    with cluster.osd(0, purges=True) as osd:
        assert osd.delete("kept").status == 200
        until(lambda: osd.facts("kept") == {})
        assert not any(is_on_disk(tmp_path, body) for body in (FIRST, SECOND, OTHER))
        osd.stop()


def test_holdings_are_stated_after_what_was_removed_is_purged(tmp_path: Path) -> None:
    """A body that was staged and swept is told of by no erasure."""
    rows = RocksRows(tmp_path / "rows")
    purger = Purger(rows)
    rows.apply({keys.body(RG, 1): FIRST})
    rows.sync()
    purger.before([STATED])
    removal = {keys.body(RG, 1): None}
    rows.apply(removal)
    rows.sync()
    assert is_on_disk(tmp_path, FIRST)
    purger.removed(removal)
    purger.before([STATED])
    assert not is_on_disk(tmp_path, FIRST)
    rows.close()


@pytest.mark.parametrize("event", [ERASED, CLOSED], ids=["erased", "nothing is left"])
def test_an_erasure_is_purged_whoever_removed_the_bytes(
    event: CopiesErased | ExportClosed, tmp_path: Path
) -> None:
    rows = RocksRows(tmp_path / "rows")
    rows.apply({keys.body(RG, 1): FIRST})
    rows.apply({keys.body(RG, 1): None})
    rows.sync()
    assert is_on_disk(tmp_path, FIRST)
    Purger(rows).before([event])
    assert not is_on_disk(tmp_path, FIRST)
    rows.close()
