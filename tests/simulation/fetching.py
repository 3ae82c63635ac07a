"""One fetch between two machines: asked, given, and each way may fail.

Rule: as `osd.fetches` does it: the sources are asked in turn, what is given
has the sum that the log says, and the core is told once, or by a repeated
message twice, what came of it. What a source has damaged it tells its core.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from eventlog.ids import Store
from osd.core.effects import Fetch
from osd.core.inputs import Damaged, Fetched, FetchFailed, Payload
from osd.disk import Copy

if TYPE_CHECKING:
    from simulation.cluster import Cluster
    from simulation.stores import Machine

NET_MS = 3
SILENCE_MS = 1_000
"""A source that says nothing for so long is given up."""
SMALL_BYTES = 64
"""Larger bodies are kept in files."""


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
        self._asked = 0

    def begin(self) -> None:
        """Ask the first source."""
        self._next()

    def _next(self) -> None:
        if not self._is_there():
            return
        if not self._sources:
            self._tell(FetchFailed(self._fetch.ticket, "no source gave it"))
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
            data = self._read(source) if source is not None else None
            network.send(address, self._machine.address, 0, lambda: self._given(mine, store, data))

        network.send(self._machine.address, address, NET_MS, ask)
        self._cluster.world.after(SILENCE_MS, give_up)

    def _read(self, source: Machine) -> bytes | None:
        fetch = self._fetch
        data = source.read_copy(fetch.rg, fetch.name, fetch.version)
        disk = source.disk(fetch.rg)
        copy: Copy | None = disk.copy_of(fetch.version)
        if data is None and copy is not None and copy.name == fetch.name:
            damaged = Damaged(fetch.rg, fetch.version, copy.body)
            self._cluster.world.after(0, lambda: self._cluster.feed(source, damaged))
        return data

    def _given(self, asked: int, store: Store, data: bytes | None) -> None:
        if not self._is_there() or asked != self._asked:
            return
        if data is None or sha256(data).digest() != self._fetch.sha256:
            self._next()
            return
        self._cluster.copied += 1
        given = Fetched(self._fetch.ticket, self._payload(data), store)
        self._tell(given)

    def _payload(self, data: bytes) -> Payload:
        return data if len(data) <= SMALL_BYTES else self._machine.upload(data)

    def _tell(self, given: Fetched | FetchFailed) -> None:
        self._asked += 1  # whatever is still on its way is too late
        self._cluster.feed(self._machine, given)
        if self._is_there() and self._cluster.network.is_repeated():
            self._cluster.feed(self._machine, self._again(given))

    def _again(self, given: Fetched | FetchFailed) -> Fetched | FetchFailed:
        if isinstance(given, Fetched) and isinstance(given.payload, str):
            data = self._machine.files[given.payload]
            return given._replace(payload=self._machine.upload(data))
        return given
