"""The process of one OSD: from a log and a directory to a node that serves, and back.

Rule: before anything is served, the log is the cluster's, the directory is
this OSD's and nobody else's, it has its rows, its boot is raised, every stored
position is found in the log as it was read, and no file is left that no row names. The
process ends when it is told to, when its parent is gone, or with the one
error that stops a node; a clean stop says so in the map.

What is not here: the command line, and how the node works.
"""

import asyncio
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import uvloop

from eventlog import catalogue
from eventlog.codec import Decoder
from eventlog.errors import BadName, OsdlogError, WrongLog
from eventlog.ids import Offset, OsdId, Partition, Topic, osd_name
from eventlog.log import Log
from eventlog.map_events import ClusterCreated, MapChanged
from eventlog.open import open_log
from osd.blobs import BlobFiles
from osd.bodies import Gauge
from osd.core.context import Settings
from osd.core.membership import Rebuild
from osd.core.node import Node
from osd.core.scrubbing import Rhythm
from osd.data_dir import DataDir, is_an_osds
from osd.errors import DiskFull
from osd.http.app import MAX_OBJECT_BYTES, App, Server
from osd.purging import Purger
from osd.refolding import refold_foreign
from osd.returning import require_same_log, sweep
from osd.rocks import RocksRows
from osd.scrub import Scrubber
from osd.shell import Shell

REQUEST_PATIENCE_S = 5.0
"""So long a clean stop waits for running requests."""
SWITCH_SECONDS = 0.000_5
"""The loop and the pump share one interpreter; the default of 5 ms would be seen in every put."""
GC_THRESHOLD = 50_000
WORKERS = 16
"""Threads for bodies in files. They mostly wait for the disk, which syncs many as fast as one."""
MALLOC_OPTIONS = (
    (-3, 32 * 1024 * 1024),  # M_MMAP_THRESHOLD: no piece of a body is a mapping of its own
    (-1, 64 * 1024 * 1024),  # M_TRIM_THRESHOLD: so much that is free is kept
)
DESCRIPTORS = 65_536
"""Files and connections that may be open at once, as far as the system allows."""

T = TypeVar("T")

_FULL = "Free space on that disk, then start the OSD again; `osdlog up` does so by itself."


class OsdConfig(NamedTuple):
    """What an OSD process is started with."""

    osd: OsdId
    data: Path
    log: str
    """The log's address, as in `sqlite:PATH`."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: any that is free."""
    advertise: str | None = None
    """The host that others reach this one by, if it is not `host`."""
    rebuild: Rebuild | None = None
    """The former disk is lost: empty the folder, and begin a new store in it."""
    watch_parent: int | None = None
    """A descriptor of a pipe; the process ends when its other end is closed."""
    settings: Settings = Settings()
    rhythm: Rhythm = Rhythm()
    purges: bool = False
    """Erased small bodies leave every file before the log says so; see `osd.purging`."""
    max_object_bytes: int = MAX_OBJECT_BYTES


class Ready(NamedTuple):
    """The OSD serves."""

    osd: OsdId
    address: str
    store: str
    boot: int
    caution: str = ""
    """Of the log, see `Log.caution`."""


def run(config: OsdConfig, on_ready: Callable[[Ready], None]) -> None:
    """Run an OSD until it is told to stop. Raises the `OsdlogError` that stopped it."""
    serve(run_osd(config, on_ready))


def serve(work: Coroutine[Any, Any, T]) -> T:
    """Do this, of which `run_osd` is a part, in a process that is set up for an OSD."""
    sys.setswitchinterval(SWITCH_SECONDS)
    _keep_freed_memory()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
    _raise_descriptors()
    try:
        return uvloop.run(work)
    except DiskFull as error:
        raise DiskFull(error.what, _FULL) from error


def _keep_freed_memory() -> None:
    """Use again what pieces of bodies took; else each has the system clear its pages anew.

    Only glibc can be told; other allocators are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in MALLOC_OPTIONS:
            mallopt(option, value)


def _raise_descriptors() -> None:
    """What a shell gives, often 1,024, is few for files, clients and other OSDs together."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def run_osd(
    config: OsdConfig,
    on_ready: Callable[[Ready], None],
    stopping: asyncio.Event | None = None,
) -> None:
    """The same on a loop that runs. Whoever gives `stopping` hears signals, and ends it so."""
    signals = (signal.SIGINT, signal.SIGTERM) if stopping is None else ()
    stopping = stopping or asyncio.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS))
    told = _told_host(config)
    with ExitStack() as opened:
        log = open_log(config.log)
        opened.callback(log.close)
        cluster = cluster_of(log)
        catalogue.publish(log)
        directory = _directory(config, cluster)
        opened.callback(directory.close)
        sock = _bound(config)
        opened.callback(sock.close)
        directory.require_rows()
        rows = RocksRows(directory.rows)
        opened.callback(rows.close)
        boot = directory.raise_boot()
        blobs = BlobFiles(directory.blobs)
        refold_foreign(rows, log)
        node = Node(directory.store, boot, rows, config.settings, config.rebuild)
        require_same_log(node, rows, log)
        node.lack(sweep(rows, blobs))
        gc.freeze()
        purger = Purger(rows) if config.purges else None
        shell = Shell(node, rows, blobs, log, Gauge(directory.path), cluster, purger)
        address = address_of(told, sock.getsockname()[1])
        ready = Ready(config.osd, address, str(directory.store), boot, log.caution)
        scrubber = Scrubber(shell, directory.scrub, config.rhythm)
        running = _Running(config, shell, scrubber, stopping, signals)
        await running.run(sock, ready, on_ready)


class _Running:
    """From the first connection to the last."""

    def __init__(
        self,
        config: OsdConfig,
        shell: Shell,
        scrubber: Scrubber,
        stopping: asyncio.Event,
        signals: tuple[signal.Signals, ...],
    ) -> None:
        self._config = config
        self._shell = shell
        self._scrubber = scrubber
        self._stopping = stopping
        self._signals = signals

    async def run(
        self, sock: socket.socket, ready: Ready, on_ready: Callable[[Ready], None]
    ) -> None:
        shell = self._shell
        app = App(shell, self._scrubber, self._config.max_object_bytes)
        server = Server(app, REQUEST_PATIENCE_S)
        self._watch()
        try:
            await server.listen(sock)
            shell.start(ready.address)
            await self._first(shell.ready)
            if shell.ready.done() and not shell.stopped.done():
                self._scrubber.start()
                on_ready(ready)
            await self._first(shell.stopped)
        finally:
            self._unwatch()
            await server.close()
            await self._scrubber.close()
            await shell.stop()
        shell.stopped.result()

    async def _first(self, future: asyncio.Future[None]) -> None:
        """Until this is done, or the process is to stop."""
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((future, stop), return_when="FIRST_COMPLETED")
        stop.cancel()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self._stopping.set)
        if self._config.watch_parent is not None:
            os.set_blocking(self._config.watch_parent, False)
            loop.add_reader(self._config.watch_parent, self._look_at_parent)

    def _look_at_parent(self) -> None:
        assert self._config.watch_parent is not None
        if not os.read(self._config.watch_parent, 64):
            asyncio.get_running_loop().remove_reader(self._config.watch_parent)
            self._stopping.set()

    def _unwatch(self) -> None:
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.remove_signal_handler(number)
        if self._config.watch_parent is not None:
            loop.remove_reader(self._config.watch_parent)


def cluster_of(log: Log) -> str:
    """The cluster whose log this is, by its first map event; raises `WrongLog`."""
    records = log.read(Topic.MAP, Partition(0), Offset(0), 1)
    if not records:
        raise WrongLog(f"the log {log.url} has no cluster yet", "Make one with `osdlog init`.")
    event = Decoder(log).decode(records[0])
    first = event.changes[0] if isinstance(event, MapChanged) else None
    if not isinstance(first, ClusterCreated):
        raise WrongLog(
            f"the log {log.url} does not begin with the making of a cluster",
            "Check the address; a cluster's log is made with `osdlog init`.",
        )
    said = (first.cluster, first.partitions, first.retention, first.cleanup)
    if said != tuple(log.identity):
        raise WrongLog(
            f"the log {log.url} says it is {tuple(log.identity)}, its first event {said}",
            "Its topics are not as they were made: check the address, or restore the log.",
        )
    return first.cluster


def _directory(config: OsdConfig, cluster: str) -> DataDir:
    if config.rebuild is not None:
        return DataDir.rebuild(config.data, cluster, config.osd)
    if is_an_osds(config.data):
        return DataDir.open(config.data, cluster, config.osd)
    return DataDir.create(config.data, cluster, config.osd)


def _told_host(config: OsdConfig) -> str:
    """The host that others find in the map; raises `BadName` where each would reach itself."""
    host = config.advertise or config.host
    with suppress(ValueError):
        if ip_address(_bare(host)).is_unspecified:
            raise BadName(
                f"nobody can reach {osd_name(config.osd)} at {host}, which is every address",
                "Say with --advertise HOST how others reach it.",
            )
    return host


def address_of(host: str, port: int) -> str:
    """`host:port` as it stands in an URL: an IPv6 address in brackets, given so or not."""
    bare = _bare(host)
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")


def _bound(config: OsdConfig) -> socket.socket:
    """A socket bound to the configured address; raises `OsdlogError`."""
    host = _bare(config.host)
    try:
        return _listening(host, config.port)
    except OSError as error:
        raise OsdlogError(
            f"{osd_name(config.osd)} cannot answer at {address_of(host, config.port)}: "
            f"{error.strerror or error}",
            "Another program has that port, or the host is not this machine's: give another.",
        ) from error


def _listening(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock
