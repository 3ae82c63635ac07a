"""Simulated machines: a node core over rows and files in memory, and all that befalls disks.

Rule: what a crash leaves is what was durable, or any prefix of what came
after; the core is made anew from that, with the next boot, and by the same
steps as a real process: the log is compared, files that no row names are swept.

What is not here: the log and the network (see `simulation.pump` and
`simulation.network`).
"""

import hashlib
from collections.abc import Iterable, Iterator

from eventlog.ids import Boot, Incarnation, Micros, OsdId, RgId, Store, Version
from eventlog.log import Log
from osd import keys, returning
from osd.blobs import BlobId
from osd.core.context import Clock, Settings
from osd.core.effects import Effects
from osd.core.inputs import Input
from osd.core.membership import Rebuild
from osd.core.node import Node
from osd.core.room import Room
from osd.disk import Body, Copy, Disk
from osd.errors import DiskFull
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay
from osd.refolding import refold_foreign

START_MICROS = 1_700_000_000_000_000


class Files(dict[str, bytes]):
    """The files of one disk: durable once they are there, as those of `osd.blobs`."""

    def ids(self) -> Iterator[BlobId]:
        """Every file."""
        return iter([BlobId(name) for name in self])

    def unlink(self, blobs: Iterable[BlobId]) -> None:
        """Remove these, present or not."""
        for blob in blobs:
            self.pop(blob, None)


class Machine:
    """An OSD with its disk; `node` is None while it is dead."""

    def __init__(self, osd: OsdId, incarnation: int, settings: Settings) -> None:
        self.store = Store(osd, Incarnation(incarnation))
        self.boot = Boot(0)
        self.settings = settings
        self.rows = MemoryRows()
        self.files = Files()
        self.node: Node | None = None
        self.address = f"osd.{osd}"
        """Where the machine answers in the simulated network."""
        self.clock_ms = 0
        """How far its monotonic clock is ahead of the world's."""
        self.skew_micros = 0
        """How far its wall clock is wrong."""
        self.is_full = False
        self.room: Room | None = None
        self.disk_trouble = ""
        """Why its disk takes no fetched body; empty where it does."""
        """How full it says its disk is; None: it does not look."""
        self.inbox: list[Input] | None = None
        """What waits while the process stands still; None while it does not."""
        self._uploads = 0

    def start(self, log: Log, *, may_rebuild: bool = False) -> None:
        """A new process on the same disk."""
        assert self.node is None
        self.boot = Boot(self.boot + 1)
        self.inbox = None
        refold_foreign(self.rows, log)
        rebuild = Rebuild("operator", "its disk is lost") if may_rebuild else None
        node = Node(self.store, self.boot, self.rows, self.settings, rebuild)
        returning.require_same_log(node, self.rows, log)
        node.lack(returning.sweep(self.rows, self.files))
        self.node = node

    def crash(self, keep: int | None = None) -> None:
        """The process dies; of what was not durable, the first `keep` changes are left."""
        self.node = None
        self.rows = self.rows.crash(self.rows.unsynced if keep is None else keep)

    def now(self, world_ms: int) -> int:
        """The node's own clock."""
        return world_ms + self.clock_ms

    def step(self, given: Input, world_ms: int) -> Effects:
        """One step; its row changes are applied. Raises `DiskFull`, nothing applied then."""
        assert self.node is not None
        micros = Micros(START_MICROS + world_ms * 1_000 + self.skew_micros)
        effects = self.node.step(given, Clock(self.now(world_ms), micros))
        if self.is_full and any(value is not None for value in effects.changes.values()):
            raise DiskFull(f"the disk of {self.address} is full", "Make room.")
        self.rows.apply(effects.changes)
        return effects

    def upload(self, data: bytes) -> str:
        """A large body that arrived: a durable file."""
        self._uploads += 1
        name = f"file-{self.store.incarnation}-{self.boot}-{self._uploads}"
        self.files[name] = data
        return name

    def disk(self, rg: RgId) -> Disk:
        """What is really here of an RG."""
        return Disk(Overlay(self.rows), rg)

    def read_copy(self, rg: RgId, name: str, version: Version) -> bytes | None:
        """The bytes that another node would get, their sum checked."""
        disk = self.disk(rg)
        copy = disk.copy_of(version) or disk.import_of(version)
        return None if copy is None or copy.name != name else self.read_body(rg, copy)

    def read_body(self, rg: RgId, copy: Copy) -> bytes | None:
        """The bytes of a copy, None where they are missing or damaged."""
        data = self.raw_body(rg, copy.body)
        return data if data is not None and hashlib.sha256(data).digest() == copy.sha256 else None

    def raw_body(self, rg: RgId, body: Body) -> bytes | None:
        """The bytes as they are on the disk, None where they are missing."""
        return self.files.get(body) if isinstance(body, str) else self.disk(rg).read_body(body)

    def spoil(self, rg: RgId, body: Body) -> None:
        """Silent corruption: the bytes are others than were written."""
        data = self.raw_body(rg, body)
        if data is not None:
            self._overwrite(rg, body, b"?" + data[1:])

    def vanish(self, rg: RgId, version: Version, copy: Copy) -> None:
        """The copy's row is gone from the disk, and its file if it has one."""
        self.rows.apply({keys.by_version(b"C", rg, version): None})
        self.rows.sync()
        if isinstance(copy.body, str):
            self.files.pop(copy.body, None)

    def mend(self, rg: RgId, copy: Copy) -> None:
        """The bytes are again what was written."""
        data = self.raw_body(rg, copy.body)
        assert data is not None
        each = (bytes([first]) + data[1:] for first in range(256))
        right = next(one for one in each if hashlib.sha256(one).digest() == copy.sha256)
        self._overwrite(rg, copy.body, right)

    def _overwrite(self, rg: RgId, body: Body, data: bytes) -> None:
        if isinstance(body, str):
            self.files[body] = data
            return
        overlay = Overlay(self.rows)
        Disk(overlay, rg).keep_body(body, data)
        self.rows.apply(overlay.take())
        self.rows.sync()

    def misplace(self, rg: RgId, version: Version, copy: Copy) -> None:
        """The file of a copy is gone, or, if it is a small one, all that is known of it."""
        if isinstance(copy.body, str):
            self.files.pop(copy.body, None)
            return
        overlay = Overlay(self.rows)
        Disk(overlay, rg).drop_copy(version)
        self.rows.apply(overlay.take())
        self.rows.sync()
