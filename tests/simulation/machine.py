"""One simulated machine: a node core over rows in memory, which can crash.

Rule: what a crash leaves is what was durable, or any prefix of what came
after; the core is made anew from that, with the next boot.
"""

import hashlib

from eventlog.ids import Boot, Incarnation, Micros, OsdId, RgId, Store, Version
from osd.core.context import Clock, Settings
from osd.core.effects import Effects
from osd.core.inputs import Input
from osd.core.node import Node
from osd.disk import Copy, Disk
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay

START_MICROS = 1_700_000_000_000_000


class Machine:
    """An OSD with its disk; `node` is None while it is dead."""

    def __init__(self, osd: OsdId, incarnation: int, settings: Settings) -> None:
        self.store = Store(osd, Incarnation(incarnation))
        self.boot = Boot(0)
        self.settings = settings
        self.rows = MemoryRows()
        self.files: dict[str, bytes] = {}
        self.node: Node | None = None
        self.followed: dict[tuple[str, int], int] = {}

    @property
    def address(self) -> str:
        """Where the machine answers in the simulated network."""
        return f"osd.{self.store.osd}"

    def start(self, *, may_rebuild: bool = False) -> None:
        """A new process on the same disk."""
        assert self.node is None
        self.boot = Boot(self.boot + 1)
        self.followed = {}
        self.node = Node(self.store, self.boot, self.rows, self.settings, may_rebuild=may_rebuild)

    def crash(self, keep: int | None = None) -> None:
        """The process dies; of what was not durable, the first `keep` changes are left."""
        self.node = None
        self.rows = self.rows.crash(self.rows.unsynced if keep is None else keep)

    def step(self, given: Input, now_ms: int) -> Effects:
        """One step; its row changes are applied."""
        assert self.node is not None
        clock = Clock(now_ms, Micros(START_MICROS + now_ms * 1_000))
        effects = self.node.step(given, clock)
        self.rows.apply(effects.changes)
        return effects

    def disk(self, rg: RgId) -> Disk:
        """What is really here of an RG."""
        return Disk(Overlay(self.rows), rg)

    def read_copy(self, rg: RgId, version: Version) -> bytes | None:
        """The bytes that another node would get, their sum checked."""
        disk = self.disk(rg)
        copy = disk.copy_of(version) or disk.import_of(version)
        return None if copy is None else self.read_body(rg, copy)

    def read_body(self, rg: RgId, copy: Copy) -> bytes | None:
        """The bytes of a copy, None where they are missing or damaged."""
        body = copy.body
        data = self.files.get(body) if isinstance(body, str) else self.disk(rg).read_body(body)
        if data is None or hashlib.sha256(data).digest() != copy.sha256:
            return None
        return data
