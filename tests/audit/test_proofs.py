"""What is proven to be deleted is on no disk, and each condition of a proof is needed."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from audit.proofs import Proofs
from audit.test_reports import RIGHT, asked, found
from eventlog.ids import Serial
from folds.building import A, stated
from projections.audit.scripts import script
from simulation.search import run_of

SEEDS = (0, 4)
UNSAID = "WHEN d.silent <> [] OR p.why IS NOT NULL THEN"
STAGED = "AND s.staged_from IS NULL"
SINCE = 'AND (d."offset" IS NULL OR d."offset" < s."offset")'
WITH_STAGED = replace(stated(A, 2, 3, 1), staged_from=Serial(1))
CONDITIONS = {
    "a store has not stated its holdings": (UNSAID, "WHEN false THEN", RIGHT[:5]),
    "a body is staged": (STAGED, "", [*RIGHT[:5], WITH_STAGED]),
    "it says otherwise since": (SINCE, "", [*RIGHT[:6], stated(A, 3, 3, 1, 2)]),
}
"""What a proof asks for, how it is left out, and a log in which it is not so."""


def test_what_is_proven_is_on_no_disk(tmp_path: Path) -> None:
    """In runs in which everything breaks; and something is proven in them."""
    proven = 0
    for seed in SEEDS:
        with run_of(seed) as run:
            proofs = Proofs(run.cluster, run.nemesis, tmp_path / f"audit-{seed}")
            run.cluster.observers.append(proofs)
            assert run.go() is None
            proven += len(proofs.proven)
    assert proven > 0


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_is_missed(
    condition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it a deletion is called proven of which a disk may still have the bytes."""
    text, without, log = CONDITIONS[condition]
    assert script("proofs").count(text) == 1
    [row] = found(asked(tmp_path, log, "deletions"), "deletions")
    assert row["state"] == "confirmed"

    def altered(asked_for: str) -> str:
        kept = script(asked_for)
        return kept.replace(text, without) if asked_for == "proofs" else kept

    monkeypatch.setattr("projections.audit.database.script", altered)
    (tmp_path / "without").mkdir()
    [row] = found(asked(tmp_path / "without", log, "deletions"), "deletions")
    assert row["state"] == "proven"
