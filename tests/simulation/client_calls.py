"""The calls of simulated clients: asked, asked again, heard or given up.

Rule: every try of one call carries the same request id. A call is noted in
the history when its answer is heard; if no answer settles it, it stays open
there; if every try surely did nothing, it is not noted.

What is not here: who calls what when (see `simulation.clients`).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from eventlog.ids import Epoch, OsdId, Version, rg_of
from osd.core.answers import (
    Answer,
    ConditionFailed,
    Done,
    Elsewhere,
    Found,
    Known,
    NotFound,
    OutcomeUnknown,
    Refused,
    Unavailable,
    UpToDate,
)
from osd.core.inputs import ALWAYS, Barrier, Condition, Consistency, Delete, Get, Put
from simulation import object_model
from simulation.fetching import SMALL_BYTES
from simulation.network import CLIENTS
from simulation.observers import Violation
from simulation.stores import Machine

if TYPE_CHECKING:
    from simulation.clients import Clients

PATIENCE_MS = 1_500
"""So long a node may take, and a client waits a little longer."""
TRIES = 5
NET_MS = 1

_CONSISTENCIES = {1: Consistency.LOCAL, 2: Consistency.BARRIER, 3: Consistency.BARRIER}
"""What a read waits for, by lot; otherwise as the log says."""
_HOW_SURE = {
    Consistency.LOG: "",
    Consistency.BARRIER: ", by barrier",
    Consistency.LOCAL: ", be it late",
}

Request = Put | Delete | Get | Barrier


class ClientCall:
    """One call, from its first try to what came of it."""

    words = ""
    may_hang_up = False

    def __init__(self, clients: Clients, number: int, name: str) -> None:
        self.clients = clients
        self.cluster = clients.cluster
        self.number = number
        self.name = name
        self.rg = rg_of(name, len(clients.cluster.reference.rgs))
        self.invoked = clients.cluster.world.now
        self.is_over = False
        self.answer: Answer | None = None
        """The last that was heard."""
        self.first: OsdId | None = None
        """Whom the first try asks, if that is not left to chance."""
        self.is_sure = False
        """Whether it asks nobody but the primary: by lot it may ask all others in vain."""
        self._tries = 0
        self._pending: set[int] = set()
        """Tries that may still come to something."""

    def try_once(self) -> None:
        """Ask whom the client believes to be the primary."""
        self._tries += 1
        believed = self._choose()
        if believed is None:
            self._later()
            return
        epoch, osd = believed
        self._send(osd, epoch)
        if self.clients.random.randrange(12) == 0:  # a connection that broke is tried anew
            self._send(osd, epoch)

    def request(self, machine: Machine, ticket: int, epoch: Epoch, deadline: int) -> Request:
        """What arrives at the node."""
        raise NotImplementedError

    def heard(self, attempt: int, answer: Answer, data: bytes | None, began: int) -> None:
        """An answer that is more than `try again`."""
        raise NotImplementedError

    def gave_up(self) -> None:
        """No answer settled it."""

    def end(self) -> None:
        """The client is done with it."""
        self.is_over = True
        self.clients.over(self.number)

    def _choose(self) -> tuple[Epoch, OsdId] | None:
        random, cluster = self.clients.random, self.cluster
        if self.first is not None and self._tries == 1:
            return Epoch(0), self.first
        draw = 19 if self.is_sure else random.randrange(20)
        if draw == 0 and cluster.machines:
            return Epoch(0), random.choice(sorted(cluster.machines))
        if draw < 4 and self.rg in self.clients.believed:
            return self.clients.believed[self.rg]
        osd = cluster.primary(self.rg)
        if osd is None:
            return None
        self.clients.believed[self.rg] = (cluster.map.epoch, osd)
        return cluster.map.epoch if random.randrange(4) else Epoch(0), osd

    def _send(self, osd: OsdId, epoch: Epoch) -> None:
        attempt, network, began = (
            self.clients.number(),
            self.cluster.network,
            self.cluster.world.now,
        )
        self._pending.add(attempt)
        address = f"osd.{osd}"

        def arrive() -> None:
            machine = self.cluster.machines.get(osd)
            if machine is None or machine.node is None:
                network.send(address, CLIENTS, NET_MS, lambda: self._refused(attempt), once=True)
                return
            ticket = self.cluster.ticket()
            self.cluster.asked[ticket] = answered
            deadline = machine.now(self.cluster.world.now) + PATIENCE_MS
            request = self.request(machine, ticket, epoch, deadline)
            if isinstance(request, Put):
                self.cluster.upload(machine, request)
            else:
                self.cluster.feed(machine, request)
            if self.may_hang_up and self.clients.random.randrange(20) == 0:
                self.cluster.asked.pop(ticket, None)  # nobody hears the answer

        def answered(machine: Machine, answer: Answer, data: bytes | None) -> None:
            self.given(machine, answer)
            network.send(
                address,
                CLIENTS,
                NET_MS,
                lambda: self._heard(attempt, answer, data, began),
                once=True,
            )

        network.send(CLIENTS, address, NET_MS, arrive, once=True)
        self.cluster.world.after(PATIENCE_MS + 200, lambda: self._timed_out(attempt))

    def given(self, machine: Machine, answer: Answer) -> None:
        """The node answered just now; the client has not heard it yet."""

    def _heard(self, attempt: int, answer: Answer, data: bytes | None, began: int) -> None:
        if self.is_over:
            return
        self.answer = answer
        self.clients.note(f"client {self.number}: {self.words}: {_short(answer)}")
        if isinstance(answer, Refused):
            raise Violation("clients", f"{self.words} was refused: {answer.why}")
        if isinstance(answer, Elsewhere):
            number = (answer.address or "osd.0").removeprefix("osd.").split()[0]
            osd = OsdId(int(number))
            self.clients.believed[self.rg] = (answer.epoch, osd)
        self.heard(attempt, answer, data, began)

    def _refused(self, attempt: int) -> None:
        if not self.is_over:
            self._pending.discard(attempt)
            self._later()

    def _timed_out(self, attempt: int) -> None:
        if not self.is_over and attempt in self._pending:
            self._later()

    def _later(self) -> None:
        """Try again after a while, or give up."""
        if self._tries < TRIES:
            wait = self.clients.random.choice([1, 20, 200, 400])
            tries = self._tries
            self.cluster.world.after(wait, lambda: self._try_again(tries))
        elif not self.is_over:
            self.gave_up()
            self.end()

    def _try_again(self, tries: int) -> None:
        if not self.is_over and self._tries == tries:
            self.try_once()

    def see(self, version: Version | None) -> None:
        """What others may make a condition of."""
        self.clients.seen[self.name] = version


class Change(ClientCall):
    """A put or a delete; every try carries the same request id."""

    condition: Condition

    def did(self, version: int | None) -> object_model.Did:
        """What it did, if it did."""
        raise NotImplementedError

    def heard(self, attempt: int, answer: Answer, data: bytes | None, began: int) -> None:
        """See `ClientCall`."""
        now, note = self.cluster.world.now, self.clients.history.note
        match answer:
            case Done():
                note(self.name, self.invoked, now, self.did(answer.version))
                self.see(answer.version if isinstance(self, PutCall) else None)
                self.end()
            case ConditionFailed() | NotFound():
                current = answer.current if isinstance(answer, ConditionFailed) else None
                if isinstance(answer, ConditionFailed) and self.condition.admits(current):
                    raise Violation("clients", f"{self.words} was met, but called failed")
                note(self.name, began, now, object_model.Look(current))
                self.see(current)
                self._pending.discard(attempt)
                self.gave_up()
                self.end()
            case _:
                if not isinstance(answer, OutcomeUnknown):
                    self._pending.discard(attempt)
                self._later()

    def gave_up(self) -> None:
        """See `ClientCall`."""
        if self._pending:
            self.clients.history.note(self.name, self.invoked, None, self.did(None))


class PutCall(Change):
    """A put of bytes that nobody else puts."""

    def __init__(self, clients: Clients, number: int, name: str, condition: Condition) -> None:
        super().__init__(clients, number, name)
        self.condition = condition
        self.value = str(clients.number())
        size = clients.random.choice([0, 10, SMALL_BYTES + 40])
        self.data = f"{self.value} ".encode() + b"." * size
        self.words = f"put {name} {self.value}{_words_of(condition)}"

    def request(self, machine: Machine, ticket: int, epoch: Epoch, deadline: int) -> Put:
        """See `ClientCall`."""
        digest, size = sha256(self.data).digest(), len(self.data)
        put = Put(ticket, self.rg, self.name, epoch, deadline, self.data, size, digest)
        return put._replace(request=f"r{self.value}", condition=self.condition)

    def did(self, version: int | None) -> object_model.Put:
        """See `Change`."""
        return object_model.Put(self.value, version, self.condition)


class DeleteCall(Change):
    """A delete."""

    def __init__(self, clients: Clients, number: int, name: str, condition: Condition) -> None:
        super().__init__(clients, number, name)
        self.condition = condition
        self.id = clients.number()
        self.words = f"delete {name}{_words_of(condition)}"

    def request(self, machine: Machine, ticket: int, epoch: Epoch, deadline: int) -> Delete:
        """See `ClientCall`."""
        delete = Delete(ticket, self.rg, self.name, epoch, deadline)
        return delete._replace(request=f"r{self.id}", condition=self.condition)

    def did(self, version: int | None) -> object_model.Delete:
        """See `Change`."""
        return object_model.Delete(version, self.condition)


class ReadCall(ClientCall):
    """A read, of all of it or only of what the log says of it."""

    def __init__(self, clients: Clients, number: int, name: str, *, is_plain: bool = False) -> None:
        super().__init__(clients, number, name)
        draw = 9 if is_plain else clients.random.randrange(10)
        self.is_head = draw == 0
        self.consistency = _CONSISTENCIES.get(draw, Consistency.LOG)
        self.may_hang_up = not is_plain
        kind = "head" if self.is_head else "read"
        self.words = f"{kind} {name}{_HOW_SURE[self.consistency]}"

    def request(self, machine: Machine, ticket: int, epoch: Epoch, deadline: int) -> Get:
        """See `ClientCall`."""
        get = Get(ticket, self.rg, self.name, epoch, deadline)
        return get._replace(is_head=self.is_head, consistency=self.consistency)

    def heard(self, attempt: int, answer: Answer, data: bytes | None, began: int) -> None:
        """See `ClientCall`."""
        look = _look(answer, data)
        if look is None:
            self._pending.discard(attempt)
            self._later()
            return
        if self.consistency is not Consistency.LOCAL:
            now = self.cluster.world.now
            self.clients.history.note(self.name, began, now, look)
            self.see(Version(look.version) if look.version is not None else None)
        self.end()


class ListCall(ClientCall):
    """A list of one RG: a look at every name in it at once."""

    def __init__(self, clients: Clients, number: int, name: str) -> None:
        super().__init__(clients, number, name)
        self.words = f"list {self.rg}"
        self._looks: dict[int, object_model.Look] = {}
        self._listed: dict[str, object_model.Look] = {}

    def request(self, machine: Machine, ticket: int, epoch: Epoch, deadline: int) -> Barrier:
        """See `ClientCall`."""
        return Barrier(ticket, deadline)

    def given(self, machine: Machine, answer: Answer) -> None:
        """See `ClientCall`."""
        if not isinstance(answer, UpToDate) or self.rg not in answer.rgs or self._listed:
            return
        assert machine.node is not None
        table = machine.node.groups[self.rg].table
        for name in self.clients.names:
            if rg_of(name, len(self.cluster.reference.rgs)) == self.rg:
                entry = table.entry(name)
                is_live = entry is not None and entry.body is not None
                version = entry.version if is_live and entry is not None else None
                self._listed[name] = object_model.Look(version)

    def heard(self, attempt: int, answer: Answer, data: bytes | None, began: int) -> None:
        """See `ClientCall`."""
        if not self._listed:
            self._later()
            return
        for name, look in self._listed.items():
            self.clients.history.note(name, self.invoked, self.cluster.world.now, look)
        self.end()


def _look(answer: Answer, data: bytes | None) -> object_model.Look | None:
    match answer:
        case Found():
            assert data is not None
            return object_model.Look(answer.entry.version, data.split()[0].decode())
        case Known():
            return object_model.Look(answer.entry.version)
        case NotFound():
            return object_model.Look(None)
        case Unavailable():
            return object_model.Look(answer.version)
        case _:
            return None


def _short(answer: Answer) -> str:
    match answer:
        case Found() | Known():
            return f"v{answer.entry.version}"
        case Done():
            return f"v{answer.version}" + (" as before" if answer.is_repeated else "")
        case _:
            fields = ", ".join(str(value) for value in answer)
            return f"{type(answer).__name__} {fields}"


def _words_of(condition: Condition) -> str:
    if condition == ALWAYS:
        return ""
    if condition.must_exist or condition.must_not_exist:
        return " if it is there" if condition.must_exist else " if it is not there"
    if condition.match is not None:
        return f" if it is at {sorted(condition.match)}"
    return f" if it is not at {sorted(condition.none_match)}"
