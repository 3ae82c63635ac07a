"""SQL facts are the folds' facts: on histories made by chance and on simulated clusters."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from audit.two_truths import differences
from eventlog.codec import encode
from eventlog.ids import Partition, RgId, Topic, rg_key
from eventlog.log import Entry, Log, LogIdentity
from eventlog.map_events import MapChanged
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from folds.generated import history
from golden.sample_events import SAMPLES
from projections.audit.scripts import script
from projections.audit.sync import sync
from simulation.seeds import Run
from transcripts.runner import Runner, read
from transcripts.test_transcripts import SCENARIOS

IDENTITY = LogIdentity("c", 3, "unlimited", "none")


def append(log: Log, events: Sequence[RgEvent]) -> None:
    log.append(
        [
            Entry(
                Topic.RG, Partition(event.rg % IDENTITY.partitions), rg_key(event.rg), encode(event)
            )
            for event in events
        ]
    )


def mixed(random: Random, rgs: int, length: int) -> list[RgEvent]:
    """Histories of several RGs, interleaved."""
    told = [[replace(event, rg=RgId(rg)) for event in history(random, length)] for rg in range(rgs)]
    found = []
    while any(told):
        chosen = random.choice([events for events in told if events])
        found.append(chosen.pop(0))
    return found


@pytest.mark.parametrize("seed", range(2))
def test_histories_made_by_chance(seed: int, tmp_path: Path) -> None:
    """Many RGs at once, since deriving the facts of many costs little more than those of one."""
    log = MemoryLog(IDENTITY)
    append(log, mixed(Random(seed), rgs=42, length=150))
    synced = sync(tmp_path / "audit", log)
    assert synced.events == 42 * 150
    assert differences(log, tmp_path / "audit") == []


@pytest.mark.parametrize("seed", range(2))
def test_histories_in_many_pieces(seed: int, tmp_path: Path) -> None:
    """Whatever is known from before a batch is as good as what is in it."""
    random = Random(seed)
    log, events = MemoryLog(IDENTITY), mixed(random, rgs=8, length=100)
    while events:
        count = random.choice([2, 10, 60, 120])
        append(log, events[:count])
        del events[:count]
        sync(tmp_path / "audit", log)
    assert differences(log, tmp_path / "audit") == []


SAFEGUARDS = {
    "dooming where not all count": ("doubts", "SELECT 'doom' AS kind"),
    "imports of older versions": ("doubts", "SELECT 'import', b.rg"),
    "versions that nobody remembers": ("doubts", "SELECT 'forgotten', i.rg"),
    "closing with facts left": ("doubts", "SELECT DISTINCT 'close', c.rg"),
}


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_each_safeguard_is_needed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, text = SAFEGUARDS[name]
    assert script(file).count(text) == 1
    wrong = text.replace("'", "'no ", 1)

    def altered(asked: str) -> str:
        return script(asked).replace(text, wrong) if asked == file else script(asked)

    monkeypatch.setattr("projections.audit.deriving.script", altered)
    log = MemoryLog(IDENTITY)
    append(log, mixed(Random(3), rgs=20, length=100))
    sync(tmp_path / "audit", log)
    assert differences(log, tmp_path / "audit")


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_simulated_clusters(seed: int, replicas: int, tmp_path: Path) -> None:
    run = Run(seed, replicas=replicas)
    assert run.go() is None
    sync(tmp_path / "audit", run.cluster.log)
    assert differences(run.cluster.log, tmp_path / "audit") == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_logs_of_transcripts(path: Path, tmp_path: Path) -> None:
    runner = Runner()
    for block in read(path).strip().split("\n\n"):
        runner.run_block(block)
    sync(tmp_path / "audit", runner.cluster.log)
    assert differences(runner.cluster.log, tmp_path / "audit") == []


def test_the_golden_events(tmp_path: Path) -> None:
    """One of every kind, as their bytes were kept; most are void, for they tell no story."""
    log = MemoryLog(IDENTITY)
    append(log, [event for event in SAMPLES.values() if not isinstance(event, MapChanged)])
    sync(tmp_path / "audit", log)
    assert differences(log, tmp_path / "audit") == []
