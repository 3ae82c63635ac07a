"""Time: a whole log replayed, a node that restarts, an RG handed over.

Rule: the log and the disk are made by what makes them in a cluster, but for
HTTP; a restart is a real process, from its start to the line in which it says
that it serves. TIME_EVENTS, TIME_OBJECTS and TIME_WRITES give other sizes: the figures
asked for are those of 10,000,000 events and 1,000,000 objects written 10 times each.
"""

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

from benchmarks import made_log
from benchmarks.table import Row
from eventlog.codec import Decoder, encode
from eventlog.digest import record_digest
from eventlog.ids import (
    Boot,
    Epoch,
    Fence,
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
from eventlog.log import Entry, Log
from eventlog.map_events import MapChanged, OsdBooted
from eventlog.open import open_log
from eventlog.rg_events import ObjectPut, RgClaimed, RgEvent
from osd.client.moments import Moment
from osd.client.past import fold_past
from osd.data_dir import DataDir
from osd.disk import Copy, Disk
from osd.founding import Shape, added, found
from osd.overlay import Overlay
from osd.rg_table import Place, RgTable
from osd.rocks import RocksRows
from osd.snapshots import believed, snapshot_of
from projections.cluster_map import EMPTY
from projections.encoding import encode_entry, encode_state
from projections.replica_group import fold
from projections.snapshots import Doubt, Reach, Snapshot

EVENTS = int(os.environ.get("TIME_EVENTS", "1_000_000"))
OBJECTS = int(os.environ.get("TIME_OBJECTS", "100_000"))
TIMES = int(os.environ.get("TIME_WRITES", "2"))
"""So often each object of the restarted node was written."""
RGS = 64
OF_ONE_RG = 10_000
BODY = b"x" * 100
TIME = Micros(1_763_000_000_000_000)


def run() -> list[Row]:
    """All three."""
    with tempfile.TemporaryDirectory() as folder:
        rows = replay(Path(folder) / "made.sqlite")
        rows += restart(Path(folder))
        return [*rows, *handover(Path(folder))]


def replay(path: Path) -> list[Row]:
    """A log of a busy cluster, from its file to the state of every RG."""
    if not path.exists():
        made_log.make(path, EVENTS)
    with open_log(f"sqlite:{path}") as log:
        events, began = sum(_ends(log).values()), process_time()
        rgs = fold_past(log, _all(log), {})
        seconds = process_time() - began
    live = sum(found.state.live for found in rgs.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    said = f"{events:,} events, {live:,} live objects, one core"
    return [
        Row("replay of a whole log into state", events / seconds, "events/s", "> 500,000", said),
        Row("peak memory of that process", peak, "GiB", "< 3"),
    ]


def restart(folder: Path) -> list[Row]:
    """An OSD with many objects, each written several times, is started anew."""
    url, data = f"sqlite:{folder / 'restart.sqlite'}", folder / "osd.0"
    fill(url, data)
    _start_seconds(url, data)  # the disk's caches are as they are while a node runs
    used, seconds = _cpu_of_children(), _start_seconds(url, data)
    used = _cpu_of_children() - used
    said = f"{OBJECTS:,} objects, {TIMES * OBJECTS:,} events; {used:.2f} s of a processor"
    return [Row("restart of a node, process to serving", seconds, "s", "< 3", said)]


def fill(url: str, data: Path) -> None:
    """A log, and the disk of the one OSD that followed it to its end."""
    cluster = found(url, Shape(rgs=RGS), [added(OsdId(0))], "", "benchmark").cluster
    directory = DataDir.create(data, cluster, OsdId(0))
    with open_log(url) as log:
        store, boot = directory.store, directory.raise_boot()
        booted = OsdBooted(store=store, boot=boot, address="127.0.0.1:1", replaces=None)
        log.append([_map_entry(booted)])
        entries = map(_entry, _said(store, boot))
        while some := list(islice(entries, 20_000)):
            log.append(some)
        rows = RocksRows(directory.rows)
        for rg, folded in fold_past(log, _all(log), {}).items():
            reach = _reach(log, rg)
            objects = tuple((name, encode_entry(entry)) for name, entry in folded.names())
            state, digest = encode_state(folded.state), folded.digest()
            _write_down(rows, rg, Snapshot("", rg, reach, digest, state, objects, (), ()))
        rows.close()
    directory.close()


def handover(folder: Path) -> list[Row]:
    """An RG comes to a store: by a snapshot, and by its log; both in time of a processor."""
    store = Store(OsdId(0), 1)  # type: ignore[arg-type]
    events = [event for event in _said(store, Boot(1), OF_ONE_RG * RGS, 10) if event.rg == RgId(0)]
    url = f"sqlite:{folder / 'handover.sqlite'}"
    found(url, Shape(rgs=RGS), [added(OsdId(0))], "", "benchmark")
    with open_log(url) as log:
        log.append([_entry(event) for event in events])
        giver, taker = RocksRows(folder / "giver"), RocksRows(folder / "taker")
        began = process_time()
        table = _folded(giver, log)
        slow = process_time() - began
        began = process_time()
        data = snapshot_of(table)
        assert data is not None
        made = process_time() - began
        began = process_time()
        snapshot = believed(data, RgId(0), log)
        assert not isinstance(snapshot, Doubt)
        _write_down(taker, RgId(0), snapshot, has_bodies=False)
        taken = process_time() - began
    said = f"{len(data) / 1e6:.1f} MB, made in {1e3 * made:.0f} ms, taken over in the rest"
    history = f"{len(events):,} events of {OF_ONE_RG:,} objects"
    return [
        Row(
            f"an RG of {OF_ONE_RG:,} objects by snapshot", 1e3 * (made + taken), "ms", "< 200", said
        ),
        Row("the same by its log", 1e3 * slow, "ms", "", history),
    ]


def _folded(rows: RocksRows, log: Log) -> RgTable:
    overlay, decoder = Overlay(rows), Decoder(log)
    table = RgTable(overlay, RgId(0))
    for record in log.read(Topic.RG, Partition(0), Offset(0), 10_000_000):
        event = decoder.decode(record)
        assert not isinstance(event, MapChanged)
        folded = fold(table.state, table, event, record.offset)
        place = Place(Offset(record.offset + 1), record_digest(record.value), record.offset)
        table.keep(folded.draft, folded.state, place)
        if record.offset % 500 == 0:
            rows.apply(overlay.take())
    table.keep_header()
    rows.apply(overlay.take())
    return table


def _write_down(rows: RocksRows, rg: RgId, snapshot: Snapshot, *, has_bodies: bool = True) -> None:
    overlay = Overlay(rows)
    table, disk = RgTable(overlay, rg), Disk(overlay, rg)
    table.take_over(snapshot)
    table.keep_header()
    for name, entry in snapshot.objects() if has_bodies else ():
        assert entry.body is not None
        number = disk.keep_body(1 << 40 | entry.version, BODY)  # as a node of boot 1 numbers them
        copy = Copy(name, entry.body.size, entry.body.sha256, number)
        disk.import_copy(entry.version, copy)
        disk.promote_import(entry.version)
    rows.apply(overlay.take())


def _start_seconds(url: str, data: Path) -> float:
    words = ("-m", "osd.cli", "osd", "--id", "0", "--data", str(data), "--log", url, "--json")
    began = perf_counter()
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "it did not start"
        seconds = perf_counter() - began
        process.terminate()
    return seconds


def _cpu_of_children() -> float:
    """Of those that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _said(
    store: Store, boot: Boot, objects: int = OBJECTS, times: int = TIMES
) -> Iterator[RgEvent]:
    """Claims, and each object put so often."""
    fence = Fence(Epoch(2), Round(1), store, boot)
    for rg in map(RgId, range(RGS)):
        yield RgClaimed(
            rg=rg,
            time=TIME,
            fence=fence,
            placed=(store,),
            replicas=1,
            min_replicas=1,
            rules=1,
            next_offset=Offset(0),
            digest=bytes(8),
        )
    sha256 = hashlib.sha256(BODY).digest()
    for number in range(objects * times):
        version = Version(number // RGS + 1)
        yield ObjectPut(
            rg=RgId(number % RGS),
            time=TIME,
            fence=fence,
            serial=Serial(version),
            object=f"photos/2026/{number % objects:08d}.jpg",
            version=version,
            size=len(BODY),
            sha256=sha256,
            media_type="image/jpeg",
            metadata={},
            stores=(store,),
            request=f"{number:032x}",
            actor="alice",
        )


def _entry(event: RgEvent) -> Entry:
    return Entry(Topic.RG, Partition(event.rg % RGS), rg_key(event.rg), encode(event))


def _map_entry(change: OsdBooted) -> Entry:
    event = MapChanged(time=TIME, author="osd.0", reason="boot", layout=None, changes=(change,))
    return Entry(Topic.MAP, Partition(0), b"map", encode(event))


def _ends(log: Log) -> dict[Partition, Offset]:
    partitions = [(Topic.RG, Partition(p)) for p in range(log.identity.partitions)]
    return {partition: end for (_, partition), end in log.end_offsets(partitions).items()}


def _reach(log: Log, rg: RgId) -> Reach:
    """Of an RG that has its partition to itself."""
    place = Topic.RG, Partition(rg % RGS)
    last = Offset(log.end_offsets([place])[place] - 1)
    [record] = log.read(*place, last, 1)
    return Reach(Offset(last + 1), last, record_digest(record.value))


def _all(log: Log) -> Moment:
    return Moment("now", EMPTY, Offset(0), _ends(log))
