"""What `locate` and `history` tell of an object is what SQL says of it: two truths."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from eventlog.ids import rg_of
from eventlog.log import Log
from osd.client.stories import read_story
from projections.audit.sync import sync
from projections.object_life import ObjectLife
from simulation.seeds import NAMES, RGS, Run


def life_of(log: Log, name: str, rgs: int) -> ObjectLife:
    life = ObjectLife(rg_of(name, rgs), name)
    read_story(log, life.rg, life)
    return life


@pytest.mark.parametrize("seed", [3, 11])
def test_lives_of_a_simulated_cluster(seed: int, tmp_path: Path) -> None:
    run = Run(seed, steps=150)
    assert run.go() is None
    sync(tmp_path / "audit", run.cluster.log)
    with duckdb.connect(str(tmp_path / "audit"), read_only=True) as connection:
        for name in NAMES:
            life = life_of(run.cluster.log, name, RGS)
            assert _copies(life) == _rows(connection, _COPIES, name)
            assert _versions(life) == _rows(connection, _VERSIONS, name)


_COPIES = "SELECT store, version, status, since, until FROM copy_history WHERE object = ?"
_VERSIONS = "SELECT version, operation, state, position FROM object_versions WHERE object = ?"
_WORDS = {"put": "put", "delete": "delete", "declared lost": "declared_lost"}


def _rows(connection: Any, question: str, name: str) -> set[tuple[Any, ...]]:
    return set(connection.execute(question, [name]).fetchall())


def _copies(life: ObjectLife) -> set[tuple[Any, ...]]:
    return {
        (
            str(copy.store),
            copy.version,
            copy.status,
            str(copy.since.position),
            str(copy.until.position) if copy.until else None,
        )
        for copy in (*life.copies, *life.present)
    }


def _versions(life: ObjectLife) -> set[tuple[Any, ...]]:
    return {
        (told.event.version, _WORDS[told.operation], state, str(told.at.position))
        for told, state in zip(life.versions, life.states(), strict=True)
        if told.void is None
    }
