"""Large bodies that arrive: each takes its time, and anything may happen meanwhile.

Rule: as `osd.http.peers` and `osd.http.uploads` do it, with the same inputs and
the same questions to the core: whether the body is taken at all, and at each
piece whether it is overtaken; it arrives until the core has answered for it,
or nothing of it is left. Its sender may die, its connection break, the
receiver die or stand still, and the same body, or the end of it, come again.

What is not here: what a primary does with a client's body (see
`simulation.uploading`), and how long one takes (see `simulation.seeds`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from eventlog.ids import Epoch, Fence, RgId, Serial
from osd.core.answers import Answer, Kept, NotNow, Peer, Reserved
from osd.core.inputs import Arrived, Arriving, Put, Stage
from simulation.fetching import SILENCE_MS
from simulation.pump import AGAIN_MS
from simulation.world import Action

if TYPE_CHECKING:
    from simulation.cluster import Cluster
    from simulation.stores import Machine

NET_MS = 3
STAGE_MS = 200
"""A primary waits no longer than this for a body to be durable here."""

Heard = Callable[["Machine", Answer, bytes | None], None]


class Incoming:
    """A file that one process is being sent."""

    def __init__(
        self,
        cluster: Cluster,
        machine: Machine,
        rg: RgId,
        name: str,
        staging: tuple[Fence, Serial] | None = None,
    ) -> None:
        self._cluster, self._machine, self._node = cluster, machine, machine.node
        self._rg, self._ticket = rg, cluster.ticket()
        self._file = machine.upload(b"the beginning of a body")
        self._has_ended = False
        cluster.feed(machine, Arriving(rg, self._ticket, name, staging))

    @property
    def is_coming(self) -> bool:
        """Whether there is more to come, and the process that receives it still runs."""
        return not self._has_ended and self._is_there

    def overtaken(self, fence: Fence) -> NotNow | None:
        """Why the next piece is not taken any more, or None."""
        assert self._node is not None
        if self._machine.is_full:
            return NotNow(f"the disk of {self._machine.address} is full")
        return self._node.reception.overtaken(self._rg, fence)

    def abandon(self) -> None:
        """Nothing of it is left."""
        if self.is_coming:
            self._has_ended = True
            self._machine.files.pop(self._file, None)
            self._over()

    def give(self, given: Put | Stage, data: bytes, heard: Heard | None) -> None:
        """All of it is durable here: the core has it, and it arrives until that answers."""
        self._has_ended = True
        self._machine.files[self._file] = data

        def answered(machine: Machine, answer: Answer, content: bytes | None) -> None:
            if heard is not None:
                heard(machine, answer, content)
            self._cluster.world.after(0, self._over)

        self._cluster.asked[given.ticket] = answered
        self._cluster.feed(self._machine, given._replace(payload=self._file))

    @property
    def _is_there(self) -> bool:
        return self._node is not None and self._machine.node is self._node

    def _over(self) -> None:
        if self._is_there:
            self._cluster.feed(self._machine, Arrived(self._rg, self._ticket))


class Body(NamedTuple):
    """What goes to the peers of a reservation."""

    put: Put
    reserved: Reserved
    epoch: Epoch
    """The sender's, when it began."""
    data: bytes


class Lane:
    """The way of one body to one peer, by a request of its own."""

    def __init__(
        self,
        cluster: Cluster,
        sender: Machine,
        peer: Peer,
        body: Body,
        answered: Callable[[bool], None],
    ) -> None:
        """At the sender it is answered with whether the peer has all of it."""
        self._cluster, self._sender, self._peer = cluster, sender, peer
        self._body, self._answered = body, answered
        self._way = cluster.network.connect(sender.address, peer.address)
        self._target: Machine | None = None
        self._incoming: Incoming | None = None
        self._came: list[Action] = []
        """What the receiver has not looked at yet."""
        self._heard_at = 0

    def start(self) -> None:
        """Send the head of the request."""
        self._send(self._admit)

    def piece(self) -> None:
        """Send a piece of the body."""
        self._send(self._take)

    def end(self) -> None:
        """Say that there is no more."""
        self._send(self._stage)

    def hang_up(self) -> None:
        """The sender is gone, or gives it up."""
        self._send(self._abandon)

    def _send(self, action: Action) -> None:
        self._way.send(NET_MS, partial(self._come, action))

    def _come(self, action: Action) -> None:
        self._came.append(action)
        if len(self._came) == 1:
            self._work()

    def _work(self) -> None:
        """Look at what came, in its order, unless the receiver stands still."""
        if self._target is None:
            alive = self._cluster.alive()
            self._target = next((m for m in alive if m.store == self._peer.store), None)
        while self._came:
            if self._target is not None and _stands_still(self._target):
                self._cluster.world.after(AGAIN_MS, self._work)
                return
            self._heard_at = self._cluster.world.now
            self._came[0]()
            del self._came[0]

    def _admit(self) -> None:
        target, (put, reserved, epoch, _) = self._target, self._body
        if target is None or target.node is None:
            self._answer(is_kept=False)
            return
        staging, admit = (reserved.fence, reserved.serial), target.node.reception.admit_stage
        if admit(put.rg, epoch, self._peer.boot, *staging) is not None:
            self._answer(is_kept=False)
            return
        self._incoming = Incoming(self._cluster, target, put.rg, put.name, staging)
        self._cluster.world.after(SILENCE_MS, self._watch)

    def _take(self) -> None:
        incoming, fence = self._incoming, self._body.reserved.fence
        if incoming is None or not incoming.is_coming:
            return
        if incoming.overtaken(fence) is not None:
            incoming.abandon()
            self._answer(is_kept=False)

    def _stage(self) -> None:
        incoming, target, (put, reserved, epoch, data) = self._incoming, self._target, self._body
        if incoming is None or not incoming.is_coming:
            return
        assert target is not None
        stage = Stage(
            self._cluster.ticket(),
            self._peer.boot,
            put.rg,
            epoch,
            target.now(self._cluster.world.now) + STAGE_MS,
            reserved.fence,
            reserved.serial,
            put.name,
            b"",
            len(data),
            sha256(data).digest(),
        )
        incoming.give(stage, data, self._staged)

    def _staged(self, _target: Machine, answer: Answer, _data: bytes | None) -> None:
        is_same = sha256(self._body.data).digest() == self._body.put.sha256
        self._answer(is_kept=isinstance(answer, Kept) and is_same)

    def _abandon(self) -> None:
        if self._incoming is not None:
            self._incoming.abandon()

    def _answer(self, *, is_kept: bool) -> None:
        answer = partial(self._answered, is_kept)
        self._cluster.network.send(
            self._peer.address, self._sender.address, NET_MS, answer, once=True
        )

    def _watch(self) -> None:
        """Of a sender that says nothing for long no more is waited for."""
        incoming, world = self._incoming, self._cluster.world
        if incoming is None or not incoming.is_coming:
            return
        left = self._heard_at + SILENCE_MS - world.now
        if left <= 0 and not self._came:
            incoming.abandon()
        else:
            world.after(max(left, AGAIN_MS), self._watch)


def _stands_still(machine: Machine) -> bool:
    return machine.node is not None and machine.inbox is not None
