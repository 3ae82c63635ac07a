"""Random runs: clients, map changes and crashes from a seed; at the end all is well.

To replay one: `pytest tests/simulation/test_random_runs.py -k 'seed17'`.
"""

from random import Random

import pytest

from eventlog.ids import WEIGHT_ONE, OsdId, RgId
from eventlog.map_events import MapChange, OsdIn, OsdOut, OsdReweighted, RgPinned, RgUnpinned
from osd.core.answers import Done, Found, NotFound
from osd.core.context import Settings
from projections.rg_state import OpKind
from simulation.checks import faults
from simulation.cluster import AppendFault, Cluster

SEEDS = 60
STEPS = 120
NAMES = [f"object-{n}" for n in range(12)]


class Run:
    """One random run."""

    def __init__(self, seed: int, *, has_faults: bool) -> None:
        self.random = Random(seed)
        settings = Settings(calm_ms=200, fetches=3, hint_ms=500, retry_ms=100, is_checked=True)
        self.cluster = Cluster(rgs=3, settings=settings)
        self.asked: dict[int, tuple[str, bytes | None]] = {}
        """Operations by ticket: the name, and the bytes put or None for a delete."""
        self.possible: dict[str, list[tuple[int, bytes | None]]] = {name: [] for name in NAMES}
        for osd in range(self.random.choice([2, 3, 4])):
            self.cluster.add(OsdId(osd))
        if has_faults:
            self.cluster.fault = self.fault

    def fault(self) -> AppendFault | None:
        """One append in eight meets one."""
        return self.random.choice(list(AppendFault)) if self.random.random() < 0.12 else None

    def go(self) -> None:
        """Random steps, then everything comes up and the map stands."""
        for step in range(STEPS):
            action = self.random.choices(
                [self.put, self.delete, self.wait, self.crash, self.change], [8, 3, 8, 2, 3]
            )[0]
            action(step)
        self.cluster.fault = lambda: None
        for osd, machine in sorted(self.cluster.machines.items()):
            if machine.node is None:
                self.cluster.start(osd)
        assert self.cluster.settle()

    def put(self, step: int) -> None:
        """A client puts."""
        name, data = self.random.choice(NAMES), b"%d" % step
        self.asked[self.cluster.put(name, data)] = (name, data)

    def delete(self, _step: int) -> None:
        """A client deletes."""
        name = self.random.choice(NAMES)
        self.asked[self.cluster.delete(name)] = (name, None)

    def wait(self, _step: int) -> None:
        """Time passes."""
        self.cluster.run(self.random.choice([1, 3, 10, 40, 300, 1_500]))

    def crash(self, _step: int) -> None:
        """A process dies, or a dead one starts."""
        osd, machine = self.random.choice(sorted(self.cluster.machines.items()))
        if machine.node is None:
            self.cluster.start(osd)
        else:
            self.cluster.kill(osd, self.random.randint(0, machine.rows.unsynced))

    def change(self, _step: int) -> None:
        """An operator changes the map; a void change is as good."""
        osds = sorted(self.cluster.machines)
        osd, rg = self.random.choice(osds), RgId(self.random.randrange(self.cluster.rgs))
        changes: list[MapChange] = [
            RgPinned(rg=rg, osds=(osd,)),
            RgUnpinned(rg=rg),
            OsdReweighted(osd=osd, weight=self.random.randint(1, 4) * WEIGHT_ONE),
            OsdOut(osd=osd),
            OsdIn(osd=osd),
            OsdIn(osd=osd),
        ]
        if len(osds) < 6 and self.random.random() < 0.2:
            self.cluster.add(OsdId(len(osds)))
        else:
            self.cluster.change_map(self.random.choice(changes))

    def last_written(self, name: str) -> tuple[int, bytes | None]:
        """Version and bytes of the last acknowledged operation on an object."""
        done = [
            (answer.version, self.asked[ticket][1])
            for ticket, answer in self.cluster.answers.items()
            if isinstance(answer, Done) and self.asked[ticket][0] == name
        ]
        return max(done, default=(0, None), key=lambda pair: pair[0])


@pytest.mark.parametrize("has_faults", [False, True], ids=["steady-log", "faulty-log"])
@pytest.mark.parametrize("seed", range(SEEDS), ids=lambda seed: f"seed{seed}")
def test_at_the_end_all_is_well(seed: int, has_faults: bool) -> None:
    run = Run(seed, has_faults=has_faults)
    run.go()
    cluster = run.cluster
    assert cluster.stopped == {}
    for osd, known in cluster.map().osds.items():
        if not known.is_in:
            assert cluster.change_map(OsdIn(osd=osd)) is None
    assert cluster.settle()
    assert faults(cluster) == []
    for name in NAMES:
        version, data = run.last_written(name)
        ticket = cluster.get(name)
        cluster.run(1_000)
        answer = cluster.answers.pop(ticket)
        if isinstance(answer, NotFound):
            assert data is None or _was_changed_later(run, name, version)
            continue
        assert isinstance(answer, Found)
        assert answer.entry.version >= version
        if answer.entry.version == version:
            assert answer.entry.last.kind is OpKind.PUT


def _was_changed_later(run: Run, name: str, version: int) -> bool:
    """Whether the log has a later operation on the object that nobody heard of."""
    return any(
        getattr(told.event, "object", None) == name and getattr(told.event, "version", 0) > version
        for told in run.cluster.told
    )
