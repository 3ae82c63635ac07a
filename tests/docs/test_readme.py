"""The README and the pages about tasks say what the commands print; `why-slow` every reason."""

import re
from pathlib import Path

import pytest

from brokers.broker import Broker
from cli.programs import ROOT
from docs.sessions import Session
from projections.explain import Reason

DOCUMENTS = (
    "README.md",
    "docs/operations.md",
    "docs/copies.md",
    "docs/scrub.md",
    "docs/replace-a-disk.md",
    "docs/expand.md",
    "docs/retire-a-node.md",
    "docs/botched-map.md",
    "docs/why-slow.md",
    "docs/prove-a-deletion.md",
)
KAFKA = "docs/kafka.md"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_sessions_print_what_it_shows(name: str, rewrite: bool, tmp_path: Path) -> None:
    check(name, rewrite, tmp_path, {})


def test_the_sessions_on_kafka_too(rewrite: bool, tmp_path: Path, broker: Broker) -> None:
    check(KAFKA, rewrite, tmp_path, {"localhost:9092": broker.address})


def check(name: str, rewrite: bool, tmp_path: Path, names: dict[str, str]) -> None:
    shown = (ROOT / name).read_text(encoding="utf-8")
    folder = tmp_path / "me"
    folder.mkdir()
    session = Session(folder, names)
    try:
        now = session.rewritten(shown)
    finally:
        session.close()
    if rewrite:
        (ROOT / name).write_text(now, encoding="utf-8")
    assert now == shown


def test_every_reason_is_told() -> None:
    page = (ROOT / "docs/why-slow.md").read_text(encoding="utf-8")
    table = page.partition("| reason |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", table)) >= set(Reason)
