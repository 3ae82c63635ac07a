"""Stores that the map has retired, and no primary was up to say so to their RGs: nothing counts."""

from pathlib import Path

import pytest

from eventlog.ids import Incarnation, OsdId, Store
from eventlog.map_events import StoreWrittenOff
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
    found = losses(cluster)
    assert found.would_be == ()
    [lost] = found.lost
    assert (lost.name, lost.version, lost.holders, lost.position) == ("a", 1, (FIRST,), None)


def test_reports_do_not_count_copies_on_retired_stores(cluster: Cluster, tmp_path: Path) -> None:
    retire(cluster, FIRST)
    sync(tmp_path / "audit", cluster.log)
    with reading(tmp_path / "audit") as connection:
        assert report(connection, "lost").verdict
    retire(cluster, SECOND)
    sync(tmp_path / "audit", cluster.log)
    with reading(tmp_path / "audit") as connection:
        for name in ("lost", "integrity"):
            said = report(connection, name)
            assert not said.verdict, name
            [rows] = [t.rows for t in said.tables if t.title.startswith("live objects") and t.rows]
            assert [row[0] for row in rows] == ["a"]
            assert rows[0][-1] == [f"{FIRST} retired", f"{SECOND} retired"]
        counted = connection.execute("SELECT copies, counted FROM objects").fetchall()
        assert counted == [(2, 0)]
