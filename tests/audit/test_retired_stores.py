"""What went with its disk: on stores that the map has retired nothing counts, told or not."""

from pathlib import Path

import pytest

from audit.test_reports import RIGHT, asked, found
from eventlog.ids import Incarnation, OsdId, Store
from eventlog.map_events import StoreWrittenOff
from eventlog.rg_events import RgEvent
from folds.building import A, erased, lost
from osd.client.losses import Losses, find_losses
from projections.audit.database import reading
from projections.audit.reports import report
from projections.audit.sync import sync
from simulation.cluster import Cluster
from transcripts.runner import Runner

FIRST, SECOND = (Store(OsdId(number), Incarnation(number)) for number in (1, 2))
BOTH_DOWN = """osds 1 2
copies 2
pin 1,2
put a x
settle
kill 1 keep all
kill 2 keep all
map down 1
map down 2"""


@pytest.fixture
def cluster() -> Cluster:
    """Its one object has a copy on each of two stores, and neither is up."""
    runner = Runner()
    runner.run_block(BOTH_DOWN)
    assert [osd.store for osd in runner.cluster.map.osds.values()] == [FIRST, SECOND]
    return runner.cluster


def losses(cluster: Cluster, *without: Store) -> Losses:
    return find_losses(cluster.log, cluster.map, frozenset(without))


def retire(cluster: Cluster, store: Store) -> None:
    cluster.change_map(StoreWrittenOff(store=store, by="ann", why="burnt"))
    cluster.world.run(200)
    assert store in cluster.map.retired


def test_retired_one_by_one_they_lose_what_they_lose_together(cluster: Cluster) -> None:
    assert losses(cluster, FIRST) == Losses((), ())
    [together] = losses(cluster, FIRST, SECOND).would_be
    assert (together.name, together.holders, together.position) == ("a", (FIRST, SECOND), None)
    retire(cluster, FIRST)
    [then] = losses(cluster, SECOND).would_be
    assert (then.name, then.holders) == ("a", (SECOND,))


def test_whoever_waits_for_losses_is_told_how_far_it_is(cluster: Cluster) -> None:
    told: list[tuple[int, int]] = []
    find_losses(cluster.log, cluster.map, progress=lambda done, count: told.append((done, count)))
    assert told
    assert told[-1][0] == told[-1][1] > 0


def test_what_only_retired_stores_have_is_lost_and_the_last_of_them_is_named(
    cluster: Cluster,
) -> None:
    retire(cluster, SECOND)
    retire(cluster, FIRST)
    gone = losses(cluster)
    assert gone.would_be == ()
    [one] = gone.lost
    assert (one.name, one.version, one.holders, one.position) == ("a", 1, (FIRST,), None)


def test_reports_do_not_count_copies_on_retired_stores(cluster: Cluster, tmp_path: Path) -> None:
    retire(cluster, FIRST)
    sync(tmp_path / "audit", cluster.log)
    with reading(tmp_path / "audit") as connection:
        assert report(connection, "lost").verdict
    retire(cluster, SECOND)
    sync(tmp_path / "audit", cluster.log)
    with reading(tmp_path / "audit") as connection:
        for name, title in (("lost", "live objects"), ("integrity", "without a copy that counts")):
            said = report(connection, name)
            assert said.verdict is (name == "integrity")
            [row] = found(said, title)
            assert row["object"] == "a"
            assert row["copies"] == [f"{FIRST} retired", f"{SECOND} retired"]
        counted = connection.execute("SELECT copies, counted FROM objects").fetchall()
        assert counted == [(2, 0)]


@pytest.mark.parametrize(("end", "faults"), [(lost(A, 1, 1), []), (erased(A, 1, 1), ["a"])])
def test_what_a_disk_lost_breaks_no_rule_and_what_was_erased_does(
    end: RgEvent, faults: list[str], tmp_path: Path
) -> None:
    said = asked(tmp_path, [*RIGHT[:3], end], "integrity")
    [row] = found(said, "without a copy that counts")
    assert row["object"] == "a"
    assert [row["object"] for row in found(said, "copies that left")] == faults
    blamed = [table.title for table in said.tables if table.is_fault and table.rows]
    assert ("copies that left while they counted" in blamed) == bool(faults)
    assert not any(title.startswith("without") for title in blamed)
