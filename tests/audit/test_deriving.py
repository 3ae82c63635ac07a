"""Loading and deriving are two steps: whatever is loaded, facts are whole or plainly behind."""

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from audit.test_reports import FIRST, RG, RIGHT, found
from audit.test_two_truths import IDENTITY, append, mixed
from audit.two_truths import differences
from eventlog.ids import Micros, Partition
from eventlog.memory import MemoryLog
from folds.building import claimed, deleted, put
from projections.audit import deriving
from projections.audit.database import reading
from projections.audit.deriving import behind, derive, partitions_of
from projections.audit.errors import AuditError
from projections.audit.reports import report
from projections.audit.sync import follow, sync

HOME = Partition(RG % IDENTITY.partitions)


def count(path: Path, table: str) -> int:
    with reading(path) as connection:
        [(rows,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(rows)


def test_what_is_loaded_only_is_shown_by_no_view(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, RIGHT)
    assert follow(path, log).events == len(RIGHT)
    for view in ("copies", "events", "object_versions", "objects", "ops", "transfers"):
        assert count(path, view) == 0, view
    assert derive(path, IDENTITY) == len(RIGHT)
    assert count(path, "events") == len(RIGHT)
    assert derive(path, IDENTITY) == 0
    assert differences(log, path) == []


def test_no_report_rests_on_facts_that_are_behind(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, RIGHT)
    follow(path, log)
    for name, values in (("integrity", {}), ("deletions", {}), ("deletions", {"object": "b"})):
        with (
            reading(path) as connection,
            pytest.raises(AuditError, match="the facts of 1 partition are behind"),
        ):
            report(connection, name, values)


def test_one_object_needs_the_facts_of_its_partition_only(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, [*RIGHT, *[replace(event, rg=0) for event in (claimed(FIRST), put(FIRST, 1, "z"))]])
    follow(path, log)
    with reading(path) as connection:
        assert partitions_of(connection, "b") == {HOME}
        assert partitions_of(connection, "nobody") == set()
    assert derive(path, IDENTITY, [HOME]) == len(RIGHT)
    with reading(path) as connection:
        assert [stretch.partition for stretch in behind(connection)] == [0]
        said = report(connection, "deletions", {"object": "b"})
        assert [row["state"] for row in found(said, "deletions")] == ["proven"]
        with pytest.raises(AuditError, match="behind"):
            report(connection, "lost")


@pytest.mark.parametrize("seed", range(2))
def test_loads_and_derivations_in_any_order_and_size(seed: int, tmp_path: Path) -> None:
    random, path = Random(seed), tmp_path / "audit"
    log, events = MemoryLog(IDENTITY), mixed(Random(seed + 40), rgs=5, length=60)
    while events:
        size = random.choice([20, 60, 100])
        append(log, events[:size])
        del events[:size]
        follow(path, log, batch_events=random.choice([7, 1_000]))
        some = random.sample(range(IDENTITY.partitions), random.randrange(IDENTITY.partitions))
        derive(path, IDENTITY, map(Partition, some), batch_events=random.choice([25, 1_000]))
    derive(path, IDENTITY)
    assert differences(log, path) == []


def test_a_derivation_that_fails_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    append(log, RIGHT)
    follow(path, log)
    with monkeypatch.context() as patched:

        def fail(_connection: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(deriving, "_note", fail)
        with pytest.raises(KeyboardInterrupt):
            derive(path, IDENTITY)
    assert count(path, "kept.facts") == count(path, "kept.operations") == 0
    assert derive(path, IDENTITY) == len(RIGHT)
    assert differences(log, path) == []


def test_sums_are_the_bytes_that_were_said(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    sums = [bytes(32), bytes(range(32)), b"\xff" * 32, bytes(31) + b"\x01"]
    puts = [replace(put(FIRST, n, f"o{n}"), sha256=each) for n, each in enumerate(sums, 1)]
    append(log, [claimed(FIRST), *puts])
    sync(path, log, batch_events=2)
    with reading(path) as connection:
        for view in ("object_versions", "ops"):
            rows = connection.execute(f"SELECT sha256 FROM {view} ORDER BY version").fetchall()
            assert [text for (text,) in rows] == [each.hex() for each in sums]


def test_a_time_that_nobody_can_write_down_hides_nothing(tmp_path: Path) -> None:
    path, log = tmp_path / "audit", MemoryLog(IDENTITY)
    late = replace(put(FIRST, 1, "a"), time=Micros(2**63 - 1))
    append(log, [claimed(FIRST), late, deleted(FIRST, 2, "a")])
    sync(path, log)
    with reading(path) as connection:
        rows = connection.execute(
            'SELECT operation, "time" IS NULL FROM object_versions ORDER BY version'
        ).fetchall()
        assert rows == [("put", True), ("delete", False)]
    for view in ("events", "ops", "deletions", "objects"):
        assert count(path, view), view
