"""Asking: one request to the primary, sent once, for transcripts and directed tests.

Rule: it asks the primary by the map at the log's end, at once and with the
newest epoch; where none is up the request is lost.
"""

import hashlib
from typing import TypedDict, TypeVar, Unpack

from eventlog.ids import Epoch, OsdId, rg_of
from osd.core.answers import Answer
from osd.core.effects import Ticket
from osd.core.inputs import ALWAYS, Condition, Consistency, Delete, Get, Put
from simulation.cluster import Cluster
from simulation.stores import Machine

PATIENCE_MS = 10_000

Change = TypeVar("Change", Put, Delete)


class Options(TypedDict, total=False):
    """What may be said with a request."""

    request: str
    condition: Condition
    at: OsdId
    """Ask this one, be it the primary or not."""
    consistency: Consistency
    """Of a read."""
    over_ms: int
    """A put's body is a file that takes so long to come."""


class Asker:
    """A client that never retries."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.answers: dict[Ticket, Answer] = {}
        self.bytes: dict[Ticket, bytes] = {}
        """What came with an answer."""

    def put(self, name: str, data: bytes, **options: Unpack[Options]) -> Ticket:
        """Send a put; its ticket."""
        ticket, rg = self._cluster.ticket(), rg_of(name, len(self._cluster.reference.rgs))
        digest = hashlib.sha256(data).digest()
        put = Put(ticket, rg, name, Epoch(0), 0, data, len(data), digest)
        return self._send(_with(put, options), options.get("at"), options.get("over_ms"))

    def delete(self, name: str, **options: Unpack[Options]) -> Ticket:
        """Send a delete; its ticket."""
        ticket, rg = self._cluster.ticket(), rg_of(name, len(self._cluster.reference.rgs))
        return self._send(_with(Delete(ticket, rg, name, Epoch(0), 0), options), options.get("at"))

    def get(self, name: str, **options: Unpack[Options]) -> Ticket:
        """Send a read; its ticket. Of the options it knows `at` and `consistency`."""
        ticket, rg = self._cluster.ticket(), rg_of(name, len(self._cluster.reference.rgs))
        consistency = options.get("consistency", Consistency.LOG)
        get = Get(ticket, rg, name, Epoch(0), 0, consistency)
        return self._send(get, options.get("at"))

    def _send(
        self, request: Put | Delete | Get, at: OsdId | None, over_ms: int | None = None
    ) -> Ticket:
        osd = self._cluster.primary(request.rg) if at is None else at
        machine = self._cluster.machines.get(osd) if osd is not None else None
        if machine is not None and machine.node is not None:
            deadline = machine.now(self._cluster.world.now) + PATIENCE_MS
            ticket = request.ticket

            def answered(_machine: Machine, answer: Answer, data: bytes | None) -> None:
                self.answers[ticket] = answer
                if data is not None:
                    self.bytes[ticket] = data

            self._cluster.asked[ticket] = answered
            request = request._replace(deadline=deadline)
            if isinstance(request, Put):
                self._cluster.upload(machine, request, over_ms)
            else:
                self._cluster.feed(machine, request)
        return request.ticket


def _with(change: Change, options: Options) -> Change:
    request, condition = options.get("request"), options.get("condition", ALWAYS)
    return change._replace(request=request, condition=condition)
