"""One put as it reaches a primary: where copies are kept elsewhere too, its body goes there first.

Rule: as `osd.http.objects` and `osd.replication` do it: a reservation, the
body to every peer, a large one while it comes and a small one at its end, and
then the put with those who confirmed in time. A large body waits for a claim
even where one copy is kept. A process that dies meanwhile asks for nothing any
more. A client hangs up only in bad weather, and what it reserved is released.

What is not here: how a large body arrives (see `simulation.arriving`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from eventlog.ids import Store
from osd.core.answers import Answer, Kept, Peer, Reserved
from osd.core.inputs import Put, Release, Reserve, Stage, Staging
from simulation.arriving import NET_MS, STAGE_MS, Body, Incoming, Lane
from simulation.network import CALM
from simulation.pump import AGAIN_MS

if TYPE_CHECKING:
    from simulation.cluster import Cluster
    from simulation.stores import Machine

PATIENCE_MS = 200
"""So much later than at the primary a body may be durable at a peer."""
PIECES = 4


class Uploading:
    """What becomes of the body of one `Put`; `over_ms`: it is a file that takes so long to come."""

    def __init__(self, cluster: Cluster, machine: Machine, put: Put, over_ms: int | None) -> None:
        assert isinstance(put.payload, bytes)
        self._cluster = cluster
        self._machine = machine
        self._node = machine.node
        self._put = put
        self._data = put.payload
        self._over_ms = over_ms
        self._patience_ms = put.deadline - machine.now(cluster.world.now)
        self._is_alone = self._node is not None and self._node.context.map.replicas == 1
        self._reserved: Reserved | None = None
        """Under what it comes; None of a small one of which one copy is kept."""
        self._incoming: Incoming | None = None
        self._lanes: list[Lane] = []
        self._confirmed: list[Store] = []
        self._silent: set[Store] = set()
        """Peers that have not answered yet."""
        self._is_whole = False
        self._is_over = False

    def begin(self) -> None:
        """Ask for a reservation, unless it is a small body of which one copy is kept."""
        put = self._put
        if self._is_alone and self._over_ms is None:
            self._feed(put)
            return
        ticket = self._cluster.ticket()
        self._cluster.asked[ticket] = self._answered
        self._feed(Reserve(ticket, put.rg, put.epoch, put.deadline))

    def _answered(self, _machine: Machine, answer: Answer, _data: bytes | None) -> None:
        # The answer is given within a step, and what follows comes after it.
        self._cluster.world.after(0, partial(self._go_on, answer))

    def _go_on(self, answer: Answer) -> None:
        if not isinstance(answer, Reserved):
            self._decline(answer)
            return
        self._reserved = answer
        self._silent = {peer.store for peer in answer.peers}
        if self._over_ms is not None:
            self._receive(self._over_ms)
        elif self._has_hung_up():
            self._release()
        else:
            for peer in answer.peers:
                self._send(answer, peer)
            self._wait()

    # A small body is whole when it is sent on.

    def _send(self, reserved: Reserved, peer: Peer) -> None:
        epoch = self._node.context.map.epoch if self._node is not None else self._put.epoch
        origin, network, put = self._machine.address, self._cluster.network, self._put

        def arrive() -> None:
            target = next((m for m in self._cluster.alive() if m.store == peer.store), None)
            if target is None:
                return
            ticket = self._cluster.ticket()
            self._cluster.asked[ticket] = kept
            stage = Stage(
                ticket,
                peer.boot,
                put.rg,
                epoch,
                target.now(self._cluster.world.now) + STAGE_MS,
                reserved.fence,
                reserved.serial,
                put.name,
                self._data,
                put.size,
                put.sha256,
            )
            self._cluster.feed(target, stage)

        def kept(_target: Machine, answer: Answer, _data: bytes | None) -> None:
            if isinstance(answer, Kept):
                confirm = partial(self._heard, peer.store, is_kept=True)
                network.send(peer.address, origin, NET_MS, confirm)

        network.send(origin, peer.address, NET_MS, arrive)

    # A large one goes on while it comes.

    def _receive(self, ms: int) -> None:
        if self._machine.node is not self._node:
            return
        put = self._put
        self._incoming = Incoming(self._cluster, self._machine, put.rg, put.name)
        if self._reserved is not None:
            for peer in self._reserved.peers:
                self._lanes += self._open(self._reserved, peer)
        self._take(PIECES if ms else 1, ms // PIECES)

    def _open(self, reserved: Reserved, peer: Peer) -> list[Lane]:
        """One request, or two where the first is taken for lost: then the body's end alone."""
        assert self._node is not None
        ends = (self._cluster, self._machine, peer)
        body = Body(self._put, reserved, self._node.context.map.epoch, self._data)
        lanes = [Lane(*ends, body, partial(self._heard, peer.store))]
        if self._cluster.network.is_repeated():
            lanes.append(Lane(*ends, body._replace(data=self._data[1:]), _ignore))
        for lane in lanes:
            lane.start()
        return lanes

    def _take(self, left: int, ms: int) -> None:
        """One piece of those that are left; then the next, or the end."""
        incoming = self._incoming
        assert incoming is not None
        if not incoming.is_coming:
            self._hang_up()
            return
        if self._machine.inbox is not None:  # it stands still
            self._cluster.world.after(AGAIN_MS, partial(self._take, left, ms))
            return
        reserved = self._reserved
        answer = incoming.overtaken(reserved.fence) if reserved is not None else None
        if answer is not None or self._has_hung_up():
            self._give_up(incoming, answer)
            return
        for lane in self._lanes:
            lane.piece()
        go_on = partial(self._take, left - 1, ms) if left > 1 else self._end
        self._cluster.world.after(ms, go_on) if ms else go_on()

    def _give_up(self, incoming: Incoming, answer: Answer | None) -> None:
        """The client is gone, or gets this answer; nothing of the body is left."""
        self._hang_up()
        self._release()
        incoming.abandon()
        if answer is not None:
            self._decline(answer)

    def _hang_up(self) -> None:
        for lane in self._lanes:
            lane.hang_up()

    def _end(self) -> None:
        for lane in self._lanes:
            lane.end()
        self._wait()

    # The put is asked for with who has the body.

    def _wait(self) -> None:
        self._is_whole = True
        self._cluster.world.after(PATIENCE_MS, self._finish)
        self._finish_if_all()

    def _heard(self, store: Store, is_kept: bool) -> None:
        if is_kept and store not in self._confirmed:
            self._confirmed.append(store)
        self._silent.discard(store)
        self._finish_if_all()

    def _finish_if_all(self) -> None:
        if self._is_whole and not self._silent:
            self._finish()

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        staging, reserved = None, self._reserved
        if reserved is not None:
            staging = Staging(reserved.fence, reserved.serial, tuple(self._confirmed))
        put = self._put._replace(staging=staging)
        if self._incoming is None:
            self._feed(put)
        elif self._incoming.is_coming:
            deadline = self._machine.now(self._cluster.world.now) + self._patience_ms
            heard = self._cluster.asked.pop(put.ticket, None)
            self._incoming.give(put._replace(deadline=deadline), self._data, heard)

    def _feed(self, given: Put | Release | Reserve) -> None:
        if self._machine.node is self._node:
            self._cluster.feed(self._machine, given)

    def _release(self) -> None:
        if self._reserved is not None:
            self._feed(Release(self._reserved.rg, self._reserved.serial))

    def _decline(self, answer: Answer) -> None:
        asked = self._cluster.asked.pop(self._put.ticket, None)
        if asked is not None:
            asked(self._machine, answer, None)

    def _has_hung_up(self) -> bool:
        is_calm = self._cluster.network.weather == CALM
        return not is_calm and self._cluster.chance.hangs_up()


def _ignore(_is_kept: bool) -> None:
    """Nobody waits for that answer."""
