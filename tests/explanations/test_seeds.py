"""Whatever befalls a cluster: the log alone tells at rest what the primaries say."""

from collections import Counter

import pytest

from eventlog.ids import RgId
from osd.client.stories import read_story
from osd.core.effects import Effects
from osd.core.inputs import Input
from osd.core.obstacles import explain_here
from projections.explain import Reason
from projections.states import State
from projections.story import Story
from simulation.observers import Observer
from simulation.seeds import RGS, Run
from simulation.stores import Machine


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_the_log_tells_what_the_primary_says(seed: int) -> None:
    run = Run(seed, steps=120, replicas=1 + seed % 3)
    assert run.go() is None
    for rg in map(RgId, range(RGS)):
        story = Story(rg)
        read_story(run.cluster.log, rg, story)
        primary = run.cluster.primary(rg)
        assert primary is not None
        node = run.cluster.machines[primary].node
        assert node is not None
        group = node.groups[rg]
        said = explain_here(group)
        assert story.explain() == said
        assert (said.reason is Reason.CLEAN) == (group.flags == (State.CLEAN,))
        assert (story.since is None) == (said.reason is Reason.CLEAN)
        assert bool(story.chain) == (story.since is not None)


class Asked(Observer):
    """Explains every RG of a node, now and then, while everything breaks."""

    def __init__(self) -> None:
        self.reasons: Counter[Reason] = Counter()
        self._steps = 0

    def stepped(self, machine: Machine, given: Input, effects: Effects) -> None:
        self._steps += 1
        if self._steps % 20 or machine.node is None or effects.stop is not None:
            return
        for group in machine.node.groups.values():
            said = explain_here(group)
            assert said.sentence.endswith(".")
            assert "\n" not in said.sentence
            assert bool(said.who) == (said.reason not in NOBODY)
            self.reasons[said.reason] += 1


NOBODY = (Reason.CLEAN, Reason.COMPLETE, Reason.NOT_HERE)


def test_whatever_is_broken_has_a_reason() -> None:
    asked = Asked()
    for seed, replicas in ((3, 1), (7, 2)):
        run = Run(seed, steps=150, replicas=replicas)
        run.cluster.observers.append(asked)
        assert run.go() is None
    assert len(asked.reasons) > 9, sorted(asked.reasons)
