"""A simulated cluster with one fault in it, and what is said of its one RG.

Rule: what is explained is asked of the real cores, and of the log alone; both
are told of nothing but what they see themselves.
"""

from eventlog.ids import OsdId, RgId
from eventlog.map_events import MapChange, RgPinned
from osd.client.stories import read_story
from osd.core.obstacles import explain_here
from projections.explain import Explanation
from projections.story import Story
from simulation.asking import Asker
from simulation.cluster import ONE_COPY, Cluster, Copies
from simulation.stores import Machine

RG = RgId(0)


class Scene:
    """A cluster of one RG."""

    def __init__(self, *osds: int, copies: Copies = ONE_COPY) -> None:
        self.cluster = Cluster(rgs=1, copies=copies)
        self.asker = Asker(self.cluster)
        for osd in osds:
            self.cluster.add(OsdId(osd))
            self.run(100)

    def machine(self, osd: int) -> Machine:
        return self.cluster.machines[OsdId(osd)]

    def change(self, *changes: MapChange) -> None:
        assert self.cluster.change_map(*changes) is None
        self.run(50)

    def pin(self, *osds: int) -> None:
        self.change(RgPinned(rg=RG, osds=tuple(map(OsdId, osds))))

    def put(self, *names: str) -> None:
        for name in names:
            self.asker.put(name, name.encode())
            self.run(50)

    def run(self, ms: int) -> None:
        self.cluster.world.run(ms)

    def settle(self) -> None:
        assert self.cluster.settle()

    def at(self, osd: int) -> Explanation:
        """What the node says."""
        node = self.machine(osd).node
        assert node is not None
        return explain_here(node.groups[RG])

    def at_primary(self) -> Explanation:
        primary = self.cluster.primary(RG)
        assert primary is not None
        return self.at(primary)

    def told(self) -> Story:
        """What the log says."""
        story = Story(RG)
        read_story(self.cluster.log, RG, story)
        return story
