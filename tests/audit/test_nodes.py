"""What nodes say in numbers beside the log: simulated nodes agree, and what is altered is named."""

from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eventlog.ids import RgId
from osd.core.effects import Effects
from osd.core.inputs import Input
from osd.core.membership import Phase
from osd.fact_reports import copies, digests
from projections.audit.database import reading
from projections.audit.nodes import (
    DISK,
    FOLD,
    Suspect,
    covered,
    differences,
    forgotten,
    suspects,
    unmentioned,
)
from projections.audit.sync import sync
from simulation.observers import Observer
from simulation.seeds import Run
from simulation.stores import Machine

EVERY = 40
"""After so many steps of all nodes together, one says what it has."""

Rows = list[dict[str, Any]]


class Said(NamedTuple):
    """What a node said at one moment."""

    store: str
    digests: Rows
    copies: dict[RgId, Rows]


class Asked(Observer):
    """Asks whoever has stepped what it has, now and then."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._steps = 0

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        """See `Observer`."""
        node = machine.node
        assert node is not None
        self._steps += 1
        if self._steps % EVERY == 0 and node.membership.phase is Phase.RUNNING:
            self.said.append(
                Said(
                    str(node.context.me),
                    [digests(group) for group in node.groups.values()],
                    {rg: list(copies(group)) for rg, group in node.groups.items()},
                )
            )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Said]]:
    """The audit database of a simulated cluster, and what its nodes said meanwhile."""
    path = tmp_path_factory.mktemp("nodes") / "audit"
    run, asked = Run(1, steps=60, replicas=2), Asked()
    run.cluster.observers.append(asked)
    assert run.go() is None
    sync(path, run.cluster.log)
    return path, asked.said


def test_nodes_agree_with_the_log_whenever_they_are_asked(
    cluster: tuple[Path, list[Said]],
) -> None:
    path, moments = cluster
    assert len(moments) > 10
    with reading(path) as connection:
        for said in moments:
            assert covered(connection, said.digests) == said.digests
            assert suspects(connection, said.store, said.digests) == []


@pytest.fixture
def last(cluster: tuple[Path, list[Said]]) -> Said:
    """The last that a node said of RGs of which it had copies, at rest; may be altered."""
    [*_, found] = [s for s in cluster[1] if all(map(_has_copies, s.digests)) and s.digests]
    assert all(row["is_settled"] for row in found.digests)
    return deepcopy(found)


def _has_copies(row: dict[str, Any]) -> bool:
    return bool(row["disk"]["count"])


@pytest.mark.parametrize("name", ["version", "live"])
def test_a_fold_that_went_otherwise_is_named_though_no_copy_differs(
    name: str, cluster: tuple[Path, list[Said]], last: Said
) -> None:
    row = last.digests[0]
    row[name] += 1
    with reading(cluster[0]) as connection:
        [suspect] = suspects(connection, last.store, [row])
        listed = last.copies[suspect.rg]
        [found] = differences(connection, "osd.9", last.store, suspect, listed)
    words = {"version": "version", "live": "live objects"}[name]
    assert (found.object, found.version) == (None, None)
    assert (found.node, found.log) == (f"{words}: {row[name]}", f"{words}: {row[name] - 1}")
    assert found.position.startswith("fold up to rg/")


def test_a_copy_that_counts_for_the_node_alone_is_named(
    cluster: tuple[Path, list[Said]], last: Said
) -> None:
    row = last.digests[0]
    listed = last.copies[row["rg"]]
    one = next(c for c in listed[1:] if c["store"] != DISK and c["status"] == "held")
    row["stores"][one["store"]]["held"] -= 1
    one["status"] = "doomed"
    with reading(cluster[0]) as connection:
        [suspect] = suspects(connection, last.store, [row])
        [found] = differences(connection, "osd.9", last.store, suspect, listed)
    assert (found.object, found.version) == (one["object"], one["version"])
    assert (found.store, found.node, found.log) == (one["store"], "doomed", "held")


def test_an_rg_that_a_node_forgot_is_named_copy_by_copy(
    cluster: tuple[Path, list[Said]], last: Said
) -> None:
    [*others, row] = last.digests
    with reading(cluster[0]) as connection:
        assert unmentioned(connection, last.store, last.digests) == []
        assert unmentioned(connection, last.store, others) == [row["rg"]]
        found = forgotten(connection, "osd.9", last.store, RgId(row["rg"]))
    assert {one.version for one in found} == {
        one["version"] for one in last.copies[row["rg"]][1:] if one["store"] == DISK
    }
    assert {one.node for one in found} == {"nothing: it does not follow the RG"}


def test_a_disk_is_compared_once_its_node_has_said_all(
    cluster: tuple[Path, list[Said]], last: Said
) -> None:
    row = last.digests[0]
    row[DISK]["count"] += 1
    listed = last.copies[row["rg"]]
    with reading(cluster[0]) as connection:
        assert suspects(connection, last.store, [row | {"is_settled": False}]) == []
        [suspect] = suspects(connection, last.store, [row])
        assert (suspect.what, suspect.node) == (DISK, f"copies: {row[DISK]['count']}")
        for later in (listed, [listed[0] | {"is_settled": False}], []):
            [found] = differences(connection, "osd.9", last.store, suspect, later)
            assert (found.version, found.node, found.log) == (None, suspect.node, suspect.log)


def test_what_the_database_does_not_reach_is_not_compared(
    cluster: tuple[Path, list[Said]], last: Said
) -> None:
    row = last.digests[0] | {"next_offset": 1_000_000}
    listed = [last.copies[row["rg"]][0] | {"next_offset": 1_000_000}]
    suspect = Suspect(RgId(row["rg"]), 1, FOLD, "version: 2", "version: 1")
    with reading(cluster[0]) as connection:
        assert covered(connection, [row]) == []
        [found] = differences(connection, "osd.9", last.store, suspect, listed)
    assert (found.node, found.log) == ("version: 2", "version: 1")
