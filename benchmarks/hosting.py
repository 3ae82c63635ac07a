"""One node that hosts many RGs and many objects.

Rule: the node core and RocksDB as they run, without HTTP. A map change is one
step, from the record to every plan derived; memory is what the process grows
by while objects are folded, after its caches are full.
"""

import gc
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.table import Row
from eventlog.codec import encode
from eventlog.ids import (
    WEIGHT_ONE,
    Boot,
    Epoch,
    Fence,
    Incarnation,
    Layout,
    Micros,
    Offset,
    OsdId,
    Partition,
    RgId,
    Round,
    Serial,
    Store,
    Topic,
    Version,
    rg_key,
)
from eventlog.log import Record
from eventlog.map_events import (
    NO_STORE,
    ClusterCreated,
    MapChange,
    MapChanged,
    OsdAdded,
    OsdBooted,
    OsdReweighted,
)
from eventlog.rg_events import ObjectPut, RgClaimed, RgEvent
from osd.core.context import Clock, Settings
from osd.core.effects import Ask
from osd.core.inputs import Decoded, Ended, Read, Started
from osd.core.node import Node
from osd.rocks import RocksRows

RGS = 10_000
CHANGES = 7
OBJECTS = 100_000
"""Folded to fill the caches, and as many again to measure."""
ME, OTHER = Store(OsdId(0), Incarnation(1)), Store(OsdId(1), Incarnation(2))
ADDRESS = "127.0.0.1:1"


def run() -> list[Row]:
    """The map change first, while the node is small."""
    with tempfile.TemporaryDirectory() as folder:
        host = _Host(Path(folder) / "many", RGS)
        host.claim_all()
        seconds, moved = host.change_maps()
    with tempfile.TemporaryDirectory() as folder:
        grown = _Host(Path(folder) / "big", 64).grow()
    return [
        Row(
            f"map change on a node that hosts {RGS:,} RGs: to all plans derived",
            1e3 * median(seconds),
            "ms",
            "< 100",
            f"the largest, of which {moved:,} RGs move, {1e3 * max(seconds):,.0f} ms",
        ),
        Row("memory of a node, for each object more", grown, "bytes", "< 300"),
    ]


class _Host:
    """A node core that is told what is in its log."""

    def __init__(self, folder: Path, rgs: int) -> None:
        self._rows = RocksRows(folder)
        self._rgs = rgs
        self._offsets: dict[tuple[Topic, Partition], int] = {}
        self._layout = Layout(0)
        self.node = Node(ME, Boot(1), self._rows, Settings(calm_ms=10**9))
        self._step(Started(ADDRESS))
        self._answer()
        self._tell_map(
            ClusterCreated(
                cluster="bench",
                rg_count=rgs,
                partitions=rgs,
                retention="unlimited",
                cleanup="none",
                replicas=1,
                min_replicas=1,
                rules=1,
            ),
            OsdAdded(osd=OsdId(0), weight=WEIGHT_ONE, host="h0", rack="r"),
            OsdAdded(osd=OsdId(1), weight=WEIGHT_ONE, host="h1", rack="r"),
        )
        self._answer()
        booted = OsdBooted(store=ME, boot=Boot(1), address=ADDRESS, replaces=NO_STORE)
        self._tell_map(booted, guarded=True)
        self._answer()

    def claim_all(self) -> None:
        """Every RG is claimed by this node and has an object here."""
        for rg in map(RgId, range(self._rgs)):
            self._tell_rg([self._claimed(rg), self._put(rg, 1, f"object-{rg}")])

    def change_maps(self) -> tuple[list[float], int]:
        """Seconds of each change's step, and how many RGs the largest one moves."""
        booted = OsdBooted(store=OTHER, boot=Boot(1), address="127.0.0.1:2", replaces=NO_STORE)
        self._tell_map(booted, guarded=True)
        seconds = []
        for turn in range(CHANGES):
            change = OsdReweighted(osd=OsdId(1), weight=(2 + turn % 2) * WEIGHT_ONE)
            gc.collect()
            start = perf_counter()
            self._tell_map(change)
            seconds.append(perf_counter() - start)
            self._answer()
        away = sum(1 for group in self.node.groups.values() if not group.is_placed)
        return seconds, away

    def grow(self) -> float:
        """Bytes by which the process grows for each object, once the caches are full."""
        sizes = []
        for round_ in range(2):
            for number in range(OBJECTS):
                rg = RgId(number % self._rgs)
                version = round_ * OBJECTS // self._rgs + number // self._rgs + 1
                events: list[RgEvent] = [self._claimed(rg)] if version == 1 else []
                self._tell_rg([*events, self._put(rg, version, f"object-{round_}-{number}")])
            gc.collect()
            sizes.append(_resident())
        return (sizes[1] - sizes[0]) / OBJECTS

    def _fence(self) -> Fence:
        return Fence(Epoch(2), Round(1), ME, Boot(1))

    def _claimed(self, rg: RgId) -> RgClaimed:
        return RgClaimed(
            rg=rg,
            time=Micros(1),
            fence=self._fence(),
            placed=(ME,),
            replicas=1,
            min_replicas=1,
            rules=1,
            next_offset=Offset(0),
            digest=bytes(8),
        )

    def _put(self, rg: RgId, version: int, name: str) -> ObjectPut:
        return ObjectPut(
            rg=rg,
            time=Micros(1),
            fence=self._fence(),
            serial=Serial(version),
            object=name,
            version=Version(version),
            size=4096,
            sha256=hashlib.sha256(name.encode()).digest(),
            media_type=None,
            metadata={},
            stores=(ME,),
            request=f"request-{name}",
            actor="bench",
        )

    def _tell_rg(self, events: list[RgEvent]) -> None:
        place = (Topic.RG, Partition(events[0].rg))
        records = [self._record(place, rg_key(events[0].rg), encode(event)) for event in events]
        self._step(Read(tuple(map(Decoded, records, events))))

    def _tell_map(self, *changes: MapChange, guarded: bool = False) -> None:
        layout = None if guarded else self.node.context.map.layout
        event = MapChanged(
            time=Micros(1), author="bench", reason="", layout=layout, changes=changes
        )
        record = self._record((Topic.MAP, Partition(0)), b"map", encode(event))
        self._step(Read((Decoded(record, event),)))

    def _record(self, place: tuple[Topic, Partition], key: bytes, value: bytes) -> Record:
        offset = self._offsets.get(place, 0)
        self._offsets[place] = offset + 1
        return Record(*place, Offset(offset), Micros(1), key, value)

    def _step(self, given: Started | Read | Ended) -> None:
        effects = self.node.step(given, Clock(0, Micros(1)))
        assert effects.stop is None, effects.stop
        self._rows.apply(effects.changes)
        self._asks = list(effects.asks)

    def _answer(self) -> None:
        """Answer what was asked until nothing is asked any more."""
        for ask in self._pending():
            ends = {place: Offset(self._offsets.get(place, 0)) for place in ask.partitions}
            self._step(Ended(ask.number, ends))

    def _pending(self) -> Iterator[Ask]:
        while self._asks:
            yield self._asks.pop(0)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
