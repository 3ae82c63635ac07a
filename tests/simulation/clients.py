"""Seeded clients: they put, overwrite, delete, read and list, and ask again when not answered.

Rule: a client does one thing at a time. It asks again under the same request
id, of whom it believes to be the primary, also by an old map; what it hears
goes into the history, and what it does not hear stays open there.

What is not here: whether the history can be true (see `simulation.history`).
"""

from random import Random

from eventlog.ids import Epoch, OsdId, RgId, Version
from osd.core.inputs import ALWAYS, Condition
from simulation.client_calls import ClientCall, DeleteCall, ListCall, PutCall, ReadCall
from simulation.cluster import Cluster
from simulation.history import History

CLIENT_COUNT = 5


class Clients:
    """All clients of a run, and what they share."""

    def __init__(self, cluster: Cluster, names: list[str], random: Random) -> None:
        self.cluster = cluster
        self.names = names
        self.random = random
        self.history = History()
        self.believed: dict[RgId, tuple[Epoch, OsdId]] = {}
        """What one of them once knew of the map, and others go by."""
        self.seen: dict[str, Version | None] = {}
        """The last version anybody saw of an object."""
        self._idle = list(range(CLIENT_COUNT))
        self._count = 0

    def act(self) -> None:
        """One that is idle does something; if none is, a little time passes."""
        if self._idle:
            self.act_on(self.random.choice(self.names))
        else:
            self.cluster.world.run(20)

    def act_on(self, name: str, first: OsdId | None = None) -> None:
        """One that is idle, if there is one, does something with this object.

        It asks `first` first, without saying which map it goes by.
        """
        if not self._idle:
            return
        number = self._idle.pop(self.random.randrange(len(self._idle)))
        call = self._draw(number, name)
        call.first = first
        self._start(call)

    def _draw(self, number: int, name: str) -> ClientCall:
        draw = self.random.randrange(100)
        if draw < 45:
            return PutCall(self, number, name, self._condition(name))
        if draw < 65:
            return DeleteCall(self, number, name, self._condition(name))
        if draw < 95:
            return ReadCall(self, number, name)
        return ListCall(self, number, name)

    def read(self, name: str) -> ReadCall:
        """A read by a client of its own, whoever is idle."""
        call = ReadCall(self, CLIENT_COUNT, name, is_plain=True)
        self._start_sure(call)
        return call

    def put(self, name: str) -> PutCall:
        """The same for a put."""
        call = PutCall(self, CLIENT_COUNT, name, ALWAYS)
        self._start_sure(call)
        return call

    def delete(self, name: str) -> DeleteCall:
        """The same for a delete."""
        call = DeleteCall(self, CLIENT_COUNT, name, ALWAYS)
        self._start_sure(call)
        return call

    def number(self) -> int:
        """One that no operation had before."""
        self._count += 1
        return self._count

    def over(self, number: int) -> None:
        """This client is idle again."""
        if number < CLIENT_COUNT:
            self._idle.append(number)

    def note(self, what: str) -> None:
        """For the transcript."""
        for observer in self.cluster.observers:
            observer.noted(what)

    def _start_sure(self, call: ClientCall) -> None:
        call.is_sure = True
        self._start(call)

    def _start(self, call: ClientCall) -> None:
        self.note(f"client {call.number}: {call.words}")
        call.try_once()

    def _condition(self, name: str) -> Condition:
        draw, seen = self.random.randrange(10), self.seen.get(name)
        if draw == 0:
            return Condition(must_not_exist=True)
        if draw == 1:
            return Condition(must_exist=True)
        if draw == 2 and seen is not None:
            return Condition(match=frozenset({seen}))
        if draw == 3 and seen is not None:
            return Condition(none_match=frozenset({seen}))
        return ALWAYS
