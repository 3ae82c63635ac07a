"""What small commands load: what they do not use would take longer than they do."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.programs import ROOT, environment
from client.fake_osds import made_cluster

HEAVY = frozenset({"duckdb", "kafka", "numpy", "pyarrow", "pydantic"})


def loaded(url: str, *arguments: str) -> set[str]:
    """The modules at the top that this command loads."""
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "osd.cli", *arguments],
        capture_output=True,
        env=environment(url),
        check=False,
    ).stderr.decode()
    rows = (line.rpartition("|")[2].strip() for line in said.splitlines() if "|" in line)
    names = {name.partition(".")[0] for name in rows}
    assert {"eventlog", "typer"} <= names, said
    return names


@pytest.mark.parametrize("line", ["map show", "map apply --weight 0:2", "history a", "log cat"])
def test_a_command_that_asks_no_osd_has_no_network(tmp_path: Path, line: str) -> None:
    url = made_cluster(tmp_path, [0, 1])
    assert not loaded(url, *line.split()) & (HEAVY | {"aiohttp"})


@pytest.mark.parametrize("line", ["stat a --deadline 0.1", "ls --deadline 0.1", "status"])
def test_what_is_asked_of_osds_needs_no_arrays(tmp_path: Path, line: str) -> None:
    url = made_cluster(tmp_path, [0, 1])
    assert loaded(url, *line.split()) & (HEAVY | {"aiohttp"}) == {"aiohttp"}


@pytest.mark.parametrize("said", [None, "ca.pem"])
def test_others_find_the_certificates_where_they_were(said: str | None) -> None:
    script = (
        "import os; before = os.environ.get('SSL_CERT_FILE'); from osd.cli import plain_http;"
        " assert os.environ.get('SSL_CERT_FILE') == before; print(before)"
    )
    known = environment()
    known.pop("SSL_CERT_FILE", None)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        cwd=ROOT,
        env=known | ({"SSL_CERT_FILE": said} if said else {}),
        check=False,
    )
    assert done.stdout.decode() == f"{said}\n", done.stderr.decode()
