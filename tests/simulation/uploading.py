"""One put as it reaches a primary: where copies are kept elsewhere too, its body goes there first.

Rule: as `osd.replication` does it: a reservation, the body to every peer at
once, and then the put with those who confirmed in time. A process that dies
meanwhile asks for nothing any more; a client that hangs up releases it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from eventlog.ids import Store
from osd.core.answers import Answer, Kept, Peer, Reserved
from osd.core.inputs import Put, Release, Reserve, Stage, Staging
from simulation.fetching import SMALL_BYTES

if TYPE_CHECKING:
    from simulation.cluster import Cluster
    from simulation.stores import Machine

NET_MS = 3
PATIENCE_MS = 200
"""So much later than at the primary a body may be durable at a peer."""


class Uploading:
    """What becomes of the body of one `Put`."""

    def __init__(self, cluster: Cluster, machine: Machine, put: Put) -> None:
        self._cluster = cluster
        self._machine = machine
        self._node = machine.node
        self._put = put
        self._confirmed: list[Store] = []
        self._is_over = False

    def begin(self) -> None:
        """Ask for a reservation, unless one copy is kept."""
        put, node = self._put, self._node
        if node is None or node.context.map.replicas == 1:
            self._cluster.feed(self._machine, put)
            return
        ticket = self._cluster.ticket()
        self._cluster.asked[ticket] = self._reserved
        reserve = Reserve(ticket, put.rg, put.epoch, put.deadline)
        self._cluster.feed(self._machine, reserve)

    def _reserved(self, _machine: Machine, answer: Answer, _data: bytes | None) -> None:
        # The answer is given within a step, and what follows comes after it.
        self._cluster.world.after(0, partial(self._go_on, answer))

    def _go_on(self, answer: Answer) -> None:
        if not isinstance(answer, Reserved):
            self._drop()
            asked = self._cluster.asked.pop(self._put.ticket, None)
            if asked is not None:
                asked(self._machine, answer, None)
        elif self._cluster.chance.hangs_up():
            self._drop()
            self._feed(Release(answer.rg, answer.serial))
        else:
            for peer in answer.peers:
                self._send(answer, peer)
            self._cluster.world.after(PATIENCE_MS, partial(self._finish, answer))
            self._finish_if_all(answer)

    def _send(self, reserved: Reserved, peer: Peer) -> None:
        data = self._data()
        epoch = self._node.context.map.epoch if self._node is not None else self._put.epoch
        origin, network = self._machine.address, self._cluster.network

        def arrive() -> None:
            target = next((m for m in self._cluster.alive() if m.store == peer.store), None)
            if target is None:
                return
            payload = data if len(data) <= SMALL_BYTES else target.upload(data)
            ticket = self._cluster.ticket()
            self._cluster.asked[ticket] = kept
            put = self._put
            stage = Stage(
                ticket,
                peer.boot,
                put.rg,
                epoch,
                target.now(self._cluster.world.now) + PATIENCE_MS,
                reserved.fence,
                reserved.serial,
                put.name,
                payload,
                put.size,
                put.sha256,
            )
            self._cluster.feed(target, stage)

        def kept(_target: Machine, answer: Answer, _data: bytes | None) -> None:
            if isinstance(answer, Kept):
                confirm = partial(self._confirm, reserved, peer.store)
                network.send(peer.address, origin, NET_MS, confirm)

        network.send(origin, peer.address, NET_MS, arrive)

    def _confirm(self, reserved: Reserved, store: Store) -> None:
        if store not in self._confirmed:
            self._confirmed.append(store)
        self._finish_if_all(reserved)

    def _finish_if_all(self, reserved: Reserved) -> None:
        if len(self._confirmed) == len(reserved.peers):
            self._finish(reserved)

    def _finish(self, reserved: Reserved) -> None:
        if self._is_over:
            return
        self._is_over = True
        staging = Staging(reserved.fence, reserved.serial, tuple(self._confirmed))
        self._feed(self._put._replace(staging=staging))

    def _feed(self, given: Put | Release) -> None:
        if self._machine.node is self._node:
            self._cluster.feed(self._machine, given)

    def _data(self) -> bytes:
        payload = self._put.payload
        return self._machine.files[payload] if isinstance(payload, str) else payload

    def _drop(self) -> None:
        if isinstance(self._put.payload, str) and self._machine.node is self._node:
            self._machine.files.pop(self._put.payload, None)
