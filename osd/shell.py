"""The shell: carries out, on one event loop, what a node's core asks for.

Rule: inputs are stepped in their order on the loop's thread, one by one but for
requests: those that come in one turn of the loop are one step, before whatever comes
next. `changes` are applied at once; appends and unlinks go to the pump, which makes
all that was applied durable first, one merged job for all inputs of one turn. What a
reply needs of the disk is opened before any later step could remove it.

What is not here: HTTP (see `osd.http`), and how a process starts (see
`osd.process`).
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from eventlog.errors import LogError, LogUnavailable
from eventlog.ids import Fence, Micros, RgId, Serial, Version
from eventlog.log import Log, TopicPartition
from osd.blobs import Blob, BlobFiles, BlobId
from osd.bodies import Gauge
from osd.core.answers import Answer, Found, NotNow, Reserved
from osd.core.context import MAP_PARTITION, Clock
from osd.core.effects import (
    Append,
    Ask,
    AskSnapshot,
    Effects,
    Fetch,
    Follow,
    Hint,
    Reply,
    Settle,
    Ticket,
)
from osd.core.inputs import (
    Arrived,
    Arriving,
    Barrier,
    Delete,
    Ended,
    Get,
    Input,
    Limited,
    Put,
    Read,
    Release,
    Reserve,
    SettleAnswered,
    Settled,
    SnapshotCame,
    Stage,
    Started,
    Stopping,
    Tick,
)
from osd.core.membership import Phase
from osd.core.node import Node
from osd.core.pulls import Limits
from osd.core.room import Room
from osd.counters import Counters
from osd.couriers import FAILED, Couriers, Settlement
from osd.disk import Body, Copy
from osd.epochs import Epochs
from osd.errors import BytesDamaged, DiskError
from osd.fetches import Fetcher
from osd.pump import Job, Loop, Pump, failure_of
from osd.purging import Purger
from osd.replication import Outgoing
from osd.rg_table import RgTable
from osd.rows import Rows
from osd.snapshot_asks import SnapshotAsks

TICK_S = 0.1
AT_HAND_PARTITIONS = 64
"""Of more than these the ends are asked in the pump's thread, be the log at hand or not."""
STOP_PATIENCE_S = 3.0
"""So long the last append of a clean stop may take."""

Request = Put | Delete | Get | Reserve | Stage | Settled | Barrier


class Served(NamedTuple):
    """An object that was found, with its bytes or its open file."""

    found: Found
    content: bytes | Blob | None
    """None where it cannot be read."""


class Shell:
    """A running node. Everything but `pump` belongs to the loop's thread."""

    def __init__(
        self,
        node: Node,
        rows: Rows,
        blobs: BlobFiles,
        log: Log,
        gauge: Gauge,
        cluster: str,
        purger: Purger | None = None,
    ) -> None:
        self.node = node
        self.rows = rows
        self.blobs = blobs
        self.gauge = gauge
        self.cluster = cluster
        self.counters = Counters()
        self.started = time.time()
        self.url = log.url
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._purger = purger
        loop = Loop(self._loop, self._take, self._confirm, self._fail)
        self.pump = Pump(log, rows, blobs, loop, purger)
        self.fetcher = Fetcher(blobs, gauge, cluster)
        self._snapshots = SnapshotAsks(self.fetcher, log, self.counters, self._awaits_snapshot)
        self.couriers = Couriers(self.fetcher.session)
        self.ready: asyncio.Future[None] = self._loop.create_future()
        """Resolved when the node is booted into the map; fails with what stops it."""
        self.stopped: asyncio.Future[None] = self._loop.create_future()
        """Fails with what stops the node; resolved by `stop`."""
        self.epochs = Epochs()
        self._asked: dict[Ticket, asyncio.Future[Answer | Served]] = {}
        self._tickets = 0
        self._requests: list[Request] = []
        """Asked in this turn of the loop, and not stepped yet."""
        self._job = Job()
        self._is_flushing = False
        self._expected: dict[TopicPartition, int] = {}
        """The next record of each followed partition."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.TimerHandle | None = None

    def start(self, address: str) -> None:
        """Read the map and boot into it, answering at this address."""
        self.pump.start()
        self.feed(Started(address))
        self._tick()

    def ticket(self) -> Ticket:
        """A new one for a request; even, since odd ones are the core's."""
        self._tickets += 2
        return self._tickets

    def now_ms(self) -> int:
        """The node's clock, in which deadlines are given."""
        return time.monotonic_ns() // 1_000_000

    async def ask(self, request: Request) -> Answer | Served:
        """The core's answer; the core keeps to the request's deadline."""
        return await self.begin(request)

    def begin(self, request: Request) -> asyncio.Future[Answer | Served]:
        """The same, to be waited for later."""
        answer: asyncio.Future[Answer | Served] = self._loop.create_future()
        if self.stopped.done():
            answer.set_result(NotNow("the node has stopped", 1_000))
        else:
            self._asked[request.ticket] = answer
            if not self._requests:
                self._loop.call_soon(self._step_requests)
            self._requests.append(request)
        return answer

    def outgoing(self, reserved: Reserved, name: str, size: int | None) -> Outgoing:
        """The way of a body to the reservation's peers; its size where that is known."""

        def release(reserved: Reserved) -> None:
            self.feed(Release(reserved.rg, reserved.serial))

        epoch = self.node.context.map.epoch
        return Outgoing(self.fetcher.session, self.couriers, reserved, name, size, epoch, release)

    @contextmanager
    def arriving(self, rg: RgId, name: str, staging: tuple[Fence, Serial] | None) -> Iterator[None]:
        """While a large body comes: until it is given to the core, or nothing of it is left."""
        ticket = self.ticket()
        self.feed(Arriving(rg, ticket, name, staging))
        try:
            yield
        finally:
            self.feed(Arrived(rg, ticket))

    def feed(self, given: Input) -> None:
        """Step the node after all that was asked before; what fails at that stops the node."""
        self._step_requests()
        self._step((given,))

    def _step_requests(self) -> None:
        """What was asked and waits, in one step: it is applied, and RGs act, once for all."""
        requests, self._requests = self._requests, []
        if requests:
            self._step(requests)

    def _step(self, inputs: Sequence[Input]) -> None:
        """One step, and what it wants is carried out."""
        if self.stopped.done():
            return
        clock = Clock(self.now_ms(), Micros(time.time_ns() // 1_000))
        try:
            if self.blobs.failure is not None:
                raise self.blobs.failure
            effects = self.node.step_all(inputs, clock)
            self.rows.apply(effects.changes)
            if self._purger is not None:
                self._purger.removed(effects.changes)
            if effects.stop is None:
                self._carry_out(effects)
            else:
                self._fail(effects.stop)
        except BaseException as error:  # noqa: BLE001 - a step that failed cannot be taken back
            self._fail(error)

    def _carry_out(self, effects: Effects) -> None:
        self._ask(effects)
        self._job.add(effects)
        self._queue(effects.appends, effects.follows)
        for fetch in effects.fetches:
            self._spawn_fetch(fetch)
        for hint in effects.hints:
            self._spawn_hint(hint)
        for settle in effects.settles:
            self._spawn(self._settle(settle))
        for wanted in effects.snapshots:
            self._spawn(self._snapshot(wanted))
        for ticket, answer in effects.replies:
            self._reply(ticket, answer)

    async def stop(self) -> None:
        """Say in the map that this process stops, and let go of everything; bounded in time."""
        if not self.stopped.done():
            self.feed(Stopping())
            await self._drain(STOP_PATIENCE_S)
        if not self.stopped.done():
            self.stopped.set_result(None)
        self._let_go(NotNow("the node is stopping", 1_000))
        if self._ticking is not None:
            self._ticking.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.couriers.close()
        await self.fetcher.close()
        await self._loop.run_in_executor(None, self.pump.close, STOP_PATIENCE_S)

    async def limit(self, limits: Limits) -> bool:
        """Keep to these from now on; whether that is durable."""
        self.feed(Limited(limits))
        return await self._drain(STOP_PATIENCE_S)

    @property
    def places(self) -> Mapping[TopicPartition, int]:
        """The next record of each followed partition."""
        return self._expected

    def table(self, rg: RgId) -> RgTable | None:
        """What the log says of an RG's objects, if the RG is followed here."""
        group = self.node.groups.get(rg)
        return group.table if group is not None else None

    def copy(self, rg: RgId, version: Version) -> Copy | None:
        """A copy that is on this disk, whatever its state."""
        group = self.node.groups.get(rg)
        if group is None:
            return None
        return group.disk.copy_of(version) or group.disk.import_of(version)

    def content(self, rg: RgId, body: Body) -> bytes | Blob | None:
        """A body's bytes, or its file opened; None if they are damaged or not there.

        Raises `DiskError` where that cannot be known, as with too many files open.
        """
        group = self.node.groups.get(rg)
        try:
            if isinstance(body, str):
                return self.blobs.open(BlobId(body))
            return group.disk.read_body(body) if group is not None else None
        except BytesDamaged:
            return None

    def _tick(self) -> None:
        self.feed(Tick(self._room()))
        if not self.stopped.done():
            self._ticking = self._loop.call_later(TICK_S, self._tick)

    def _room(self) -> Room | None:
        try:
            return self.gauge.room
        except DiskError:
            return None  # who stores something is told

    def _queue(self, appends: Sequence[Append], follows: Sequence[Follow]) -> None:
        """Have the pump told at the end of this turn of the loop."""
        self.counters.appends += len(appends)
        for follow in follows:
            place = (follow.topic, follow.partition)
            if follow.next_offset is None:
                self._expected.pop(place, None)
            else:
                self._expected[place] = follow.next_offset
        if self._job and not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        job, self._job, self._is_flushing = self._job, Job(), False
        self.pump.submit(job)

    def _ask(self, effects: Effects) -> None:
        """Take the questions that need not travel: a read then costs no change of thread."""
        if not self._log.is_at_hand:
            return
        small = [ask for ask in effects.asks if len(ask.partitions) <= AT_HAND_PARTITIONS]
        if small:
            effects.asks = [ask for ask in effects.asks if ask not in small]
            self._loop.call_soon(self._answer, small)

    def _answer(self, asks: Sequence[Ask]) -> None:
        """Say where partitions end, in this thread; the pump fetches what is not read yet."""
        for ask in asks:
            try:
                ends = self._log.end_offsets(ask.partitions)
            except LogUnavailable:
                self.pump.submit(Job(asks=[ask]))  # which knows how to wait
                continue
            except LogError as error:
                self._fail(error)
                return
            if any(self._expected.get(place, end) < end for place, end in ends.items()):
                self.pump.submit(Job())
            self.feed(Ended(ask.number, ends))

    def _take(self, given: Input) -> None:
        """What came from the pump."""
        if isinstance(given, Read):
            self._read(given)
        else:
            self.feed(given)

    def _confirm(self, replies: Sequence[Reply]) -> None:
        """What these say is durable now."""
        for ticket, answer in replies:
            self._reply(ticket, answer)

    def _read(self, given: Read) -> None:
        """Hand on what is next in its partition; a partition followed anew may repeat some."""
        self._step_requests()  # first: a step may have a partition followed anew
        expected, records, has_map = self._expected, [], False
        for decoded in given.records:
            record = decoded.record
            place = (record.topic, record.partition)
            if expected.get(place) == record.offset:
                expected[place] = record.offset + 1
                records.append(decoded)
                has_map |= place == MAP_PARTITION
        if not records:
            return
        self.counters.records += len(records)
        began = time.perf_counter()
        self.feed(Read(tuple(records)))
        if has_map:
            self.counters.plan_ms = 1_000 * (time.perf_counter() - began)
            self._map_read()
        if self.node.membership.phase is Phase.RUNNING and not self.ready.done():
            self.ready.set_result(None)

    def _map_read(self) -> None:
        now = self.node.context.map
        self.pump.skipped = now.skipped
        self.epochs.read_to(now.epoch)

    def _reply(self, ticket: Ticket, answer: Answer) -> None:
        asked = self._asked.pop(ticket, None)
        if asked is None or asked.done():
            return
        if not isinstance(answer, Found):
            asked.set_result(answer)
            return
        try:
            asked.set_result(Served(answer, self.content(answer.rg, answer.body)))
        except DiskError as error:
            asked.set_exception(error)

    def _spawn_fetch(self, fetch: Fetch) -> None:
        self._spawn(self._fetch(fetch))

    def _spawn_hint(self, hint: Hint) -> None:
        self._spawn(self.fetcher.hint(hint))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, fetch: Fetch) -> None:
        with self.counters.copying:
            given = await self.fetcher.fetch(fetch)
        sizes = {lacked.version: lacked.size for lacked in fetch.lacked}
        self.counters.copied_objects += len(given.got)
        self.counters.copied_bytes += sum(sizes[got.version] for got in given.got)
        self.feed(given)

    async def _snapshot(self, wanted: AskSnapshot) -> None:
        self.feed(SnapshotCame(wanted.rg, *await self._snapshots.ask(wanted)))

    def _awaits_snapshot(self, rg: RgId) -> bool:
        group = self.node.groups.get(rg)
        return group is not None and group.is_waiting

    async def _settle(self, settle: Settle) -> None:
        said = Settlement(settle.rg, settle.fence, settle.below, settle.next_offset)
        try:
            await self.couriers.send(settle.address, said)
            is_done = True
        except (*FAILED, msgspec.MsgspecError):
            is_done = False
        self.feed(SettleAnswered(settle.ticket, settle.rg, is_done))

    async def _drain(self, patience_s: float) -> bool:
        """Until all that was queued is carried out, but not for ever; whether it is."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._job.done.append(done)
        self._queue((), ())
        await asyncio.wait((done, self.stopped), timeout=patience_s, return_when="FIRST_COMPLETED")
        return done.done()

    def _fail(self, error: BaseException) -> None:
        """The node must not go on."""
        if self.stopped.done():
            return
        failure = failure_of(error)
        failure.__cause__ = failure.__cause__ or (error if error is not failure else None)
        self.stopped.set_exception(failure)
        self.stopped.exception()  # read by whoever waits; nobody waiting is no fault
        if not self.ready.done():
            self.ready.set_exception(failure)
            self.ready.exception()
        self._let_go(NotNow(f"the node has stopped: {failure.what}", 1_000))

    def _let_go(self, answer: Answer) -> None:
        asked, self._asked = self._asked, {}
        for waiting in asked.values():
            if not waiting.done():
                waiting.set_result(answer)
