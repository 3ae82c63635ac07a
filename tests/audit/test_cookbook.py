"""The cookbook of docs/audit.md: every query there runs, on a log with some of everything."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.audit.queries import Asker, asking
from projections.audit.sync import sync
from simulation.seeds import Run

DOCUMENT = Path(__file__).parents[2] / "docs" / "audit.md"
QUERIES = re.findall(r"```sql\n(.*?)\n```", DOCUMENT.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    path = tmp_path_factory.mktemp("cookbook") / "audit"
    run = Run(3)
    assert run.go() is None
    sync(path, run.cluster.log)
    with asking(path) as found:
        yield found


@pytest.mark.parametrize("query", QUERIES)
def test_the_query_runs(asker: Asker, query: str) -> None:
    with asker.ask(query) as answer:
        for row in answer.rows():
            assert len(row) == len(answer.columns)


def test_the_cookbook_is_there() -> None:
    assert len(QUERIES) >= 12


def test_every_view_is_in_the_document(asker: Asker) -> None:
    text = DOCUMENT.read_text("utf-8")
    with asker.ask(
        "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal"
    ) as answer:
        assert [name for (name,) in answer.rows() if f"`{name}`" not in text] == []
