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
BREAKS_WITHIN = 6
"""A connection that breaks has carried fewer messages."""


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

    def connect(self, origin: str, target: str) -> "Connection":
        """A connection on which the target hears of the origin."""
        return Connection(self, self._world, origin, target)

    def breaks_after(self) -> int | None:
        """So many messages of a connection arrive; None: all of them."""
        return self._random.randrange(BREAKS_WITHIN) if self._chance(self.weather.loss) else None

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

    def is_held(self, origin: str, target: str, action: Action) -> bool:
        """Whether what gets from here to there waits; this then waits too."""
        held = self._held.get((origin, target))
        if held is not None:
            held.append(action)
        return held is not None

    def _arrive(self, origin: str, target: str, action: Action) -> None:
        way = (origin, target)
        if self.is_cut(origin, target) or self.is_held(origin, target, action):
            return
        if way in self._repeated and not self._repeated[way]:
            self._repeated[way].append(action)
        action()

    def _chance(self, thousandths: int) -> bool:
        return thousandths > 0 and self._random.randrange(1_000) < thousandths


class Connection:
    """What is sent on one comes in its order and once, or nothing more does."""

    def __init__(self, network: Network, world: World, origin: str, target: str) -> None:
        self._network, self._world = network, world
        self._ends = (origin, target)
        self._left = network.breaks_after()
        self._is_broken = False
        self._ready_at = 0

    def send(self, ms: int, action: Action) -> None:
        """Let `action` happen at the target after about `ms`, after all that was sent before."""
        if self._left is not None:
            self._is_broken |= self._left == 0
            self._left -= 1
        self._ready_at = max(self._ready_at, self._world.now + self._network.delay(ms))
        self._world.after(self._ready_at - self._world.now, lambda: self._arrive(action))

    def _arrive(self, action: Action) -> None:
        self._is_broken |= self._network.is_cut(*self._ends)
        if not self._is_broken and not self._network.is_held(*self._ends, action):
            action()
