"""One fetch between two machines: asked, given, and each way may fail.

Rule: as `osd.fetches` does it: the sources are asked in turn, each for what
the ones before did not give, what is given has the sum that the log says, and
the core is told once, or by a repeated message twice, what came of it. What a
source has damaged it tells its core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from eventlog.ids import Store, Version
from osd.core.effects import Fetch, Lacked
from osd.core.inputs import Damaged, Fetched, Got, Payload
from osd.disk import Copy

if TYPE_CHECKING:
    from simulation.cluster import Cluster
    from simulation.stores import Machine

NET_MS = 3
SILENCE_MS = 1_000
"""A source that says nothing for so long is given up."""
SMALL_BYTES = 64
"""Larger bodies are kept in files."""

Given = Mapping[Version, bytes | None]


class Fetching:
    """What becomes of one `Fetch`."""

    def __init__(
        self, cluster: Cluster, machine: Machine, fetch: Fetch, is_there: Callable[[], bool]
    ) -> None:
        self._cluster = cluster
        self._machine = machine
        self._fetch = fetch
        self._is_there = is_there
        self._sources = list(fetch.sources)
        self._left = list(fetch.lacked)
        self._got: list[Got] = []
        self._asked = 0

    def begin(self) -> None:
        """Ask the first source, if what it gives could be kept."""
        if self._machine.disk_trouble:
            self._tell(self._machine.disk_trouble, is_own_disk=True)
        else:
            self._next()

    def _next(self) -> None:
        if not self._is_there():
            return
        if not self._sources or not self._left:
            self._tell("no source gave it" if self._left else "")
            return
        store, address = self._sources.pop(0)
        self._asked += 1
        mine, network = self._asked, self._cluster.network

        def give_up() -> None:
            if self._asked == mine:
                self._next()

        def ask() -> None:
            source = next((m for m in self._cluster.alive() if m.store == store), None)
            if source is not None and source.inbox is not None:
                return
            given = self._read(source) if source is not None else {}
            network.send(address, self._machine.address, 0, lambda: self._given(mine, store, given))

        network.send(self._machine.address, address, NET_MS, ask)
        self._cluster.world.after(SILENCE_MS, give_up)

    def _read(self, source: Machine) -> Given:
        return {it.version: self._read_one(source, it) for it in self._left}

    def _read_one(self, source: Machine, lacked: Lacked) -> bytes | None:
        rg = self._fetch.rg
        data = source.read_copy(rg, lacked.name, lacked.version)
        copy: Copy | None = source.disk(rg).copy_of(lacked.version)
        if data is None and copy is not None and copy.name == lacked.name:
            damaged = Damaged(rg, lacked.version, copy.body)
            self._cluster.world.after(0, lambda: self._cluster.feed(source, damaged))
        return data

    def _given(self, asked: int, store: Store, given: Given) -> None:
        if not self._is_there() or asked != self._asked:
            return
        for lacked in list(self._left):
            data = given.get(lacked.version)
            if data is not None and sha256(data).digest() == lacked.sha256:
                self._cluster.copied += 1
                self._got.append(Got(lacked.version, self._payload(data), store))
                self._left.remove(lacked)
        self._next()

    def _payload(self, data: bytes) -> Payload:
        return data if len(data) <= SMALL_BYTES else self._machine.upload(data)

    def _tell(self, why: str, *, is_own_disk: bool = False) -> None:
        self._asked += 1  # whatever is still on its way is too late
        given = Fetched(self._fetch.ticket, tuple(self._got), why, is_own_disk)
        self._cluster.feed(self._machine, given)
        if self._is_there() and self._cluster.network.is_repeated():
            self._cluster.feed(self._machine, self._again(given))

    def _again(self, given: Fetched) -> Fetched:
        return given._replace(got=tuple(self._anew(got) for got in given.got))

    def _anew(self, got: Got) -> Got:
        if isinstance(got.payload, str):
            return got._replace(payload=self._machine.upload(self._machine.files[got.payload]))
        return got
