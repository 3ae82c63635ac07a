"""A log that takes nothing: what must be said is tried again after a pause, and said in the end."""

from collections.abc import Callable

from eventlog.ids import OsdId
from eventlog.rg_events import CopiesDoomed, ObjectsImported, RgEvent
from osd.core.context import Settings
from simulation.cluster import Cluster
from simulation.pump import AppendFault
from transcripts.runner import Runner

SECOND_MS = 1_000
RETRIES = SECOND_MS // Settings().retry_ms


def run(*commands: str) -> Runner:
    runner = Runner()
    for command in commands:
        runner.run_block(command)
    return runner


def tries_in_a_second(cluster: Cluster) -> int:
    """How often something is appended, in vain."""
    tries = []

    def full() -> AppendFault:
        tries.append(1)
        return AppendFault.FULL

    cluster.fault = full
    cluster.world.run(SECOND_MS)
    return len(tries)


def has_told(cluster: Cluster, kind: type[RgEvent]) -> Callable[[], bool]:
    return lambda: any(isinstance(told.event, kind) for told in cluster.told)


def test_a_dooming_waits_before_it_is_tried_again() -> None:
    cluster = run("osds 1 2", "pin 1", "put a one", "pin 2 briefly").cluster
    assert cluster.world.run_until(has_told(cluster, ObjectsImported))
    assert tries_in_a_second(cluster) <= RETRIES + 1
    assert not has_told(cluster, CopiesDoomed)()
    cluster.fault = lambda: None
    assert cluster.settle()
    assert has_told(cluster, CopiesDoomed)()


def test_a_boot_waits_before_it_is_tried_again() -> None:
    cluster = run("osds 1").cluster
    cluster.add(OsdId(2))
    assert tries_in_a_second(cluster) <= RETRIES + 1
    cluster.fault = lambda: None
    cluster.world.run(SECOND_MS)
    assert cluster.map.osds[OsdId(2)].is_up
