"""The network between machines, clients and the log: messages are late, twice, or lost.

Rule: a message is an action that happens at its target. The network decides
when and how often, by the weather and by which ways are cut; what is under way
when a way is cut is lost. Messages overtake each other as soon as the weather
lets them be late.

What is not here: what a message means, and what is done about a lost one.
"""

from random import Random
from typing import NamedTuple

from simulation.world import Action, World

LOG = "log"
CLIENTS = "clients"
SLOW_MS = 900


class Weather(NamedTuple):
    """How badly messages travel. Chances are in thousandths."""

    jitter_ms: int = 0
    loss: int = 0
    twice: int = 0
    slow: int = 0
    """Chance of being `SLOW_MS` late."""


CALM = Weather()


class Network:
    """Ways between named ends."""

    def __init__(self, world: World, random: Random) -> None:
        self.weather = CALM
        self._world = world
        self._random = random
        self._cut: set[tuple[str, str]] = set()
        self._held: dict[tuple[str, str], list[Action]] = {}
        self._repeated: dict[tuple[str, str], list[Action]] = {}

    def send(
        self, origin: str, target: str, ms: int, action: Action, *, once: bool = False
    ) -> None:
        """Let `action` happen at the target after about `ms`, unless the message is lost."""
        if self._chance(self.weather.loss):
            return
        for _ in range(1 if once else 1 + self.is_repeated()):
            self._world.after(self.delay(ms), lambda: self._arrive(origin, target, action))

    def delay(self, ms: int) -> int:
        """How long something takes that takes `ms` at the least."""
        weather = self.weather
        if weather.jitter_ms:
            ms += self._random.randrange(weather.jitter_ms)
        return ms + SLOW_MS if self._chance(weather.slow) else ms

    def is_repeated(self) -> bool:
        """Whether this message comes twice."""
        return self._chance(self.weather.twice)

    def is_cut(self, origin: str, target: str) -> bool:
        """Whether nothing gets from here to there."""
        return (origin, target) in self._cut

    def cut(self, origin: str, target: str) -> None:
        """Nothing gets from here to there any more; the other way is another way."""
        self._cut.add((origin, target))

    def heal(self) -> None:
        """Every way is open again."""
        self._cut.clear()

    def hold(self, origin: str, target: str) -> None:
        """What gets from here to there waits until it is released."""
        self._held.setdefault((origin, target), [])

    def repeat(self, origin: str, target: str) -> None:
        """What gets from here to there next comes once more when it is released."""
        self._repeated.setdefault((origin, target), [])

    def release(self) -> None:
        """All that was held or is to be repeated arrives now, in its order."""
        waiting = [*self._held.values(), *self._repeated.values()]
        self._held, self._repeated = {}, {}
        for actions in waiting:
            for action in actions:
                action()

    def _arrive(self, origin: str, target: str, action: Action) -> None:
        way = (origin, target)
        if self.is_cut(origin, target):
            return
        if way in self._held:
            self._held[way].append(action)
            return
        if way in self._repeated and not self._repeated[way]:
            self._repeated[way].append(action)
        action()

    def _chance(self, thousandths: int) -> bool:
        return thousandths > 0 and self._random.randrange(1_000) < thousandths
