"""Logs of small clusters with an eventful life, for tests that look back."""

import random as chance
from pathlib import Path

from eventlog import catalogue
from eventlog.copying import copy_log, plan_copy
from eventlog.ids import OsdId
from eventlog.log import Log
from eventlog.memory import MemoryLog
from eventlog.sqlite import SqliteLog
from simulation.asking import Asker
from simulation.cluster import Cluster


def eventful_log(seed: int = 3, steps: int = 80, rgs: int = 3) -> MemoryLog:
    """Puts, overwrites, deletes, a node that dies, a map that moves everything."""
    cluster, random = Cluster(rgs=rgs), chance.Random(seed)
    asker = Asker(cluster)
    for osd in range(3):
        cluster.add(OsdId(osd))
    for step in range(steps):
        name = f"object-{random.randrange(9)}"
        if random.random() < 0.7:
            asker.put(name, b"%d" % step)
        else:
            asker.delete(name)
        cluster.world.run(random.choice([1, 40, 300]))
        if step == steps // 2:
            cluster.kill(OsdId(1))
            cluster.start(OsdId(1))
    assert cluster.settle()
    catalogue.publish(cluster.log)
    return cluster.log


def as_sqlite(log: Log, path: Path) -> SqliteLog:
    """The same log in a file, still open."""
    target = SqliteLog.create(path, log.identity)
    copy_log(log, target, plan_copy(log, target), lambda _: None)
    return target
