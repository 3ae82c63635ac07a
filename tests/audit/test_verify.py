"""osdlog verify: live nodes beside the log, on a real cluster; a tampered database is caught."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cli.programs import osdlog, program, wait_until_gone
from eventlog.ids import OsdId, RgId, Version
from osd.client.async_client import AsyncClient
from osd.keys import by_version
from osd.rocks import RocksRows


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The log of a cluster that is up and has some history."""
    folder = tmp_path_factory.mktemp("verify") / "data"
    with program("up", "--osds", 2, "--rgs", 4, "--data", folder) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        for number in range(12):
            assert osdlog("put", f"object-{number}", "-", log=log, stdin=b"x").code == 0
        for number in range(0, 12, 3):
            assert osdlog("rm", f"object-{number}", log=log).code == 0
        yield log
    wait_until_gone(folder)


def test_nodes_and_log_agree(cluster: str) -> None:
    done = osdlog("verify", log=cluster)
    assert (done.code, done.err) == (0, "")
    assert done.lines == ["The OSDs and the log agree on 4 RGs and 8 copies on disk."]


def after_tampering(cluster: str, path: Path, change: str, name: str) -> list[dict[str, Any]]:
    """The differences, once the fates of one object's copies were changed so in the database."""
    assert osdlog("verify", "--db", path, log=cluster).code == 0
    with duckdb.connect(path) as database:
        database.execute(
            f"{change} WHERE (rg, id) IN (SELECT (rg, id) FROM kept.objects WHERE object = ?)",
            [name],
        )
    done = osdlog("verify", "--db", path, "--json", log=cluster)
    assert done.code == 1
    differences: list[dict[str, Any]] = json.loads(done.out)["differences"]
    return differences


def test_a_difference_is_named(cluster: str, tmp_path: Path) -> None:
    said = after_tampering(cluster, tmp_path / "audit", "DELETE FROM kept.fates", "object-1")
    assert {one["object"] for one in said} == {"object-1"}
    assert {one["log"] for one in said} == {"nothing"}
    assert {one["node"] for one in said} <= {"held", "there"}


def test_a_copy_that_counts_for_the_osds_alone_is_named(cluster: str, tmp_path: Path) -> None:
    change = "UPDATE kept.fates SET status = 'lost'"
    said = after_tampering(cluster, tmp_path / "audit", change, "object-2")
    assert {(one["object"], one["node"], one["log"]) for one in said} == {
        ("object-2", "held", "lost")
    }


async def want_holdings(log: str) -> None:
    """Let osd.0 say in the log what it has."""
    async with AsyncClient(log) as client:
        store = (await client.map()).osds[OsdId(0)].store
        assert store is not None
        await client.want_holdings(store, [RgId(rg) for rg in range(4)])


def test_what_an_osd_is_about_to_say_is_waited_for_and_then_named(cluster: str) -> None:
    """Its appends wait while somebody else writes the log."""
    assert osdlog("verify", log=cluster).code == 0
    path = Path(cluster.removeprefix("sqlite:"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.run(want_holdings(cluster))
        done = osdlog("verify", "--osd", 0, log=cluster)
    assert done.code == 3
    assert done.err.startswith("rg 0, rg 1, rg 2, rg 3 of osd.0: not compared on disk: ")
    assert "0 copies on disk" in done.out


def test_who_reads_the_audit_database_does_not_keep_verify_from_comparing(cluster: str) -> None:
    assert osdlog("verify", log=cluster).code == 0
    path = Path(f"{cluster.removeprefix('sqlite:')}.audit")
    with duckdb.connect(path, read_only=True):
        done = osdlog("verify", log=cluster)
        assert (done.code, done.lines) == (
            0,
            ["The OSDs and the log agree on 4 RGs and 8 copies on disk."],
        )
        assert osdlog("put", "object-late", "-", log=cluster, stdin=b"x").code == 0
        done = osdlog("verify", log=cluster)
    assert done.code == 3
    assert "the audit database is behind what it has read" in done.err
    assert osdlog("rm", "object-late", log=cluster).code == 0


def test_one_osd_can_be_asked(cluster: str) -> None:
    assert osdlog("verify", "--osd", 0, log=cluster).code == 0
    done = osdlog("verify", "--osd", 7, log=cluster)
    assert (done.code, done.err.splitlines()[0]) == (1, "error: osd.7 is not in the map")


def test_a_copy_that_somebody_took_from_the_disk_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with program("up", "--osds", 1, "--rgs", 1, "--data", folder) as up:
        log = up.wait_for(r"export OSDLOG_LOG=(\S+)")[1]
        for name in ("kept", "taken"):
            assert osdlog("put", name, "-", log=log, stdin=b"x").code == 0
    wait_until_gone(folder)
    rows = RocksRows(folder / "osd.0" / "rows")
    rows.apply({by_version(b"C", RgId(0), Version(2)): None})
    rows.sync()
    rows.close()
    with program("up", "--osds", 1, "--rgs", 1, "--data", folder) as up:
        up.wait_for(r"export OSDLOG_LOG=(\S+)")
        done = osdlog("verify", "--json", log=log)
    wait_until_gone(folder)
    assert done.code == 1
    [one] = json.loads(done.out)["differences"]
    assert (one["object"], one["version"], one["log"], one["node"]) == (
        "taken",
        2,
        "there",
        "nothing",
    )
