"""What befell public systems: each hazard by name, as a transcript.

Which file is which row of the list stands in tests/README.md. Those that no
transcript can show are in other folders, and named there too.
"""

from pathlib import Path

import pytest

from simulation.safeguards import ABLATIONS
from transcripts.runner import read, rewrite

HAZARDS = sorted(Path(__file__).parent.glob("*.txt"))
MISSED = {
    "fast_failovers": "new-round",
    "import_source_dies": "doomed-before-erased",
    "late_statement": "newer-statement",
    "live_data_is_no_stray": "doomed-before-erased",
    "lost_strays": "settled-before-erasing",
    "move_keeps_the_only_copy": "counted-before-doomed",
    "only_deletes_left": "tombstones-wait",
    "recreated_name": "tombstones-wait",
    "resurrected_delete": "tombstones-wait",
    "schedule_stray_erased_unsaid": "doomed-before-erased",
    "schedule_swept_then_landed": "settled-before-sweeping",
    "stale_primary": "asked-before-read",
    "tombstone_during_move": "tombstones-wait",
    "tombstone_for_years": "tombstones-wait",
    "torn_write": "durable-before-appended",
    "unfound": "doomed-before-erased",
}
"""Of each the safeguard that it shows above all: without that it ends otherwise."""


@pytest.mark.parametrize("path", HAZARDS, ids=lambda path: path.stem)
def test_hazard(path: Path, request: pytest.FixtureRequest) -> None:
    now = rewrite(read(path))
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
    assert now == read(path)


@pytest.mark.parametrize("path", HAZARDS, ids=lambda path: path.stem)
def test_it_is_the_safeguard_that_keeps_it_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = read(path)
    ABLATIONS[MISSED[path.stem]](monkeypatch)
    assert rewrite(kept) != kept
