"""The pump: the one thread of a node that waits for disk and log.

Rule: what the loop queued is carried out in its order: rows are made durable
first, once for all of it; then files are unlinked and, if the OSD is told to, removed
rows purged (`osd.purging`), then events appended. Then
ends are asked, then records read, and all that came of it goes back to the
loop in one call, which takes many records in portions (`osd.portions`). So a put
costs one hop each way, however many came together, and what was just appended is
read back in the same turn; where nothing was appended and nothing asked, there is
nothing to read at once. While puts come together, a turn waits for more of them
about as long as the last one took, for a turn costs two syncs however many it
carries (PostgreSQL's `commit_delay`); a lone put and a read are not kept.

A log that cannot be reached is asked again, slower and slower; a log, record
or disk that cannot be trusted stops the node with that error. Records that
the loop has not taken yet are bounded.

What is not here: what anything means (see `osd.core`), and the loop's side
(see `osd.shell`).
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from eventlog.codec import Decoder, encode
from eventlog.errors import AppendUnknown, LogFull, LogUnavailable, OsdlogError, RecordError
from eventlog.ids import Partition, Position, Topic, partition_of, rg_key
from eventlog.log import Entry, Log, Record
from eventlog.map_events import MapChanged
from osd.blobs import BlobFiles, BlobId
from osd.core.effects import Append, Ask, Effects, Follow, Reply
from osd.core.inputs import AppendFailed, Decoded, Ended, Input, Read, Skipped
from osd.portions import Portions
from osd.purging import Purger
from osd.rows import Rows

IDLE_MS = 1_000
"""A poll that nothing interrupts ends after so long."""
BATCH_RECORDS = 500
"""Records given to the loop at once: some tens of milliseconds of folding."""
IN_FLIGHT_RECORDS = 4 * BATCH_RECORDS
GATHER_S = (0.002, 0.010)
"""At least what the two syncs of a turn take; on a busy machine as long as the last turn took."""
FIRST_BACKOFF_S = 0.02
LAST_BACKOFF_S = 2.0
UNFIT_S = 5.0
"""Whoever cannot use its disk or the log for so long says so to monitors: others may do better."""
STANDSTILL_S = 2.0
"""A question to the log that takes longer is told as a stall before it fails, or never does."""


@dataclass(slots=True)
class Job:
    """What the loop wants done, merged from any number of steps in their order."""

    unlink: list[str] = field(default_factory=list)
    appends: list[Append] = field(default_factory=list)
    follows: list[Follow] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    confirms: list[Reply] = field(default_factory=list)
    done: list[asyncio.Future[None]] = field(default_factory=list)
    """Resolved when all before is carried out."""

    def add(self, effects: Effects) -> None:
        """What one more step asks of the pump."""
        self.unlink += effects.unlink
        self.appends += effects.appends
        self.follows += effects.follows
        self.asks += effects.asks
        self.confirms += effects.confirms

    @property
    def needs_sync(self) -> bool:
        """Whether anything in it comes only after what was applied is durable."""
        return bool(self.appends or self.unlink or self.confirms or self.done)

    def __bool__(self) -> bool:
        return self.needs_sync or bool(self.asks or self.follows)


class Stall(NamedTuple):
    """The log cannot be reached, or takes no appends."""

    since: float
    """Seconds since 1970."""
    why: str


class Loop(NamedTuple):
    """How the pump reaches the loop; all are called on the loop's thread."""

    loop: asyncio.AbstractEventLoop
    take: Callable[[Input], None]
    confirm: Callable[[Sequence[Reply]], None]
    fail: Callable[[BaseException], None]


class Pump:
    """A thread that begins with `start` and ends with `close`, or at the first fatal error."""

    def __init__(
        self, log: Log, rows: Rows, blobs: BlobFiles, loop: Loop, purger: Purger | None
    ) -> None:
        self._log = log
        self._rows = rows
        self._blobs = blobs
        self._loop = loop
        self._purger = purger
        self._portions = Portions(loop.loop)
        self._tail = log.tail()
        self._decoder = Decoder(log)
        self._jobs: deque[Job] = deque()
        self._nudged = threading.Event()
        self._closing = False
        self._together = 0
        """Events appended, and bodies confirmed, by the last turn."""
        self._took_s = 0.0
        """How long the last turn with a job took, what it waited not counted."""
        self._polled: Sequence[Record] = ()
        """Read, and not decoded yet: the catalogue, which some need, could not be reached."""
        self._handed = 0
        """Records given to the loop so far; the pump's thread counts."""
        self._taken = 0
        """Records that the loop is done with; the loop's thread counts."""
        self._asks: list[Ask] = []
        self._backoff_s = 0.0
        self._undelivered: Exception | None = None
        """A fatal error whose records before it were handed over first."""
        self._reading: Stall | None = None
        self._appending: Stall | None = None
        """Stands until an append goes through again."""
        self._overdue: float | None = None
        """When the answer that is waited for should have come; seconds since 1970."""
        self._syncing: float | None = None
        """Since when the disk is waited for, if it is; seconds since 1970."""
        self.skipped: Mapping[Position, bytes] = {}
        """Records that the map lets everybody pass over; the loop keeps it up to date."""
        self._thread = threading.Thread(target=self._run, name="osd-pump", daemon=True)

    @property
    def stall(self) -> Stall | None:
        """Why the log was of no use when it was last needed, or is of none now, if so."""
        return self._reading or self._appending or _standstill(self._overdue)

    @property
    def standstill(self) -> Stall | None:
        """What this node waits for since `UNFIT_S` or longer, so that it can serve nobody."""
        since = self._syncing
        syncing = None if since is None else Stall(since, "the disk does not answer")
        found = syncing or self._reading or _standstill(self._overdue)
        return found if found is not None and time.time() - found.since >= UNFIT_S else None

    def start(self) -> None:
        """Begin; nothing is read before a `Follow`."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Carry this out after all submitted before."""
        self._jobs.append(job)
        if len(self._jobs) == 1:  # else whoever brought the first of them did so
            self._wake()

    def close(self, timeout_s: float) -> bool:
        """End after what is submitted; whether the thread has ended in time."""
        self._closing = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        self._nudged.set()
        self._tail.wake()

    def _run(self) -> None:
        try:
            while not (self._closing and not self._jobs):
                self._turn()
        except BaseException as error:  # noqa: BLE001 - the node must not go on without it
            self._call(self._fail_after, error)
        finally:
            self._tail.close()

    def _turn(self) -> None:
        self._gather()
        began = time.monotonic()
        job = self._merge()
        self._together = len(job.appends) + len(job.confirms)
        inputs: list[Input] = []
        self._make_durable(job)
        self._append(job.appends, inputs)
        for follow in job.follows:
            self._follow(follow)
        self._asks += job.asks
        is_due, done = bool(job.appends or self._asks), job.done
        if done and not is_due:
            self._call(self._hand_over, (), done)
            done = []
        self._read_on(0 if is_due else IDLE_MS, inputs)
        if is_due:
            self._took_s = time.monotonic() - began
        if inputs or done:
            self._call(self._hand_over, inputs, done)
        if self._undelivered is not None:
            raise self._undelivered
        if self._backoff_s and not self._jobs:
            self._pause(self._backoff_s)

    def _gather(self) -> None:
        """Let others join the first job, unless it is alone or somebody waits to read."""
        waiting = tuple(self._jobs)
        if self._together > 1 and waiting and not any(job.asks for job in waiting):
            least, most = GATHER_S
            time.sleep(min(max(self._took_s, least), most))

    def _merge(self) -> Job:
        self._nudged.clear()
        merged = Job()
        while self._jobs:
            job = self._jobs.popleft()
            merged.unlink += job.unlink
            merged.appends += job.appends
            merged.follows += job.follows
            merged.asks += job.asks
            merged.confirms += job.confirms
            merged.done += job.done
        return merged

    def _make_durable(self, job: Job) -> None:
        if job.needs_sync:
            self._syncing = time.time()
            self._rows.sync()
            self._syncing = None
        if job.confirms:
            self._call(self._loop.confirm, job.confirms)
        if job.unlink:
            self._blobs.unlink(BlobId(name) for name in job.unlink)
        if self._purger is not None:
            self._purger.before(append.event for append in job.appends)

    def _append(self, appends: Sequence[Append], inputs: list[Input]) -> None:
        if not appends:
            return
        tickets = tuple(append.ticket for append in appends)
        try:
            entries = [self._entry(append) for append in appends]
            with self._asking():
                self._log.append(entries)
            self._appending = None
        except AppendUnknown as error:
            self._appending = _stalled(self._appending, error)
            inputs.append(AppendFailed(tickets, error.what, is_unknown=True))
        except RecordError as error:
            inputs.append(AppendFailed(tickets, error.what, is_unknown=False))
        except LogUnavailable as error:
            self._appending = _stalled(self._appending, error)
            is_full = isinstance(error, LogFull)
            inputs.append(AppendFailed(tickets, error.what, is_unknown=False, is_full=is_full))

    def _entry(self, append: Append) -> Entry:
        event = append.event
        if isinstance(event, MapChanged):
            return Entry(Topic.MAP, Partition(0), b"map", encode(event))
        partition = partition_of(event.rg, self._log.identity.partitions)
        return Entry(Topic.RG, partition, rg_key(event.rg), encode(event))

    def _follow(self, follow: Follow) -> None:
        if follow.next_offset is None:
            self._tail.unfollow(follow.topic, follow.partition)
        else:
            self._tail.follow(follow.topic, follow.partition, follow.next_offset)

    def _answer(self, inputs: list[Input]) -> None:
        if not self._asks:
            return
        wanted = frozenset[tuple[Topic, Partition]]().union(*(a.partitions for a in self._asks))
        with self._asking():
            ends = self._log.end_offsets(wanted)
        asks, self._asks = self._asks, []
        inputs += [Ended(ask.number, {at: ends[at] for at in ask.partitions}) for ask in asks]

    def _read_on(self, wait_ms: int, inputs: list[Input]) -> None:
        """Answer what was asked, and read; a log that cannot be reached is asked again later."""
        try:
            self._answer(inputs)
            self._read(wait_ms, inputs)
            self._backoff_s, self._reading = 0.0, None
        except LogUnavailable as error:
            self._reading = _stalled(self._reading, error)
            self._backoff_s = min(max(2 * self._backoff_s, FIRST_BACKOFF_S), LAST_BACKOFF_S)

    def _read(self, wait_ms: int, inputs: list[Input]) -> None:
        room = IN_FLIGHT_RECORDS - (self._handed - self._taken)
        if room <= 0:
            self._pause(wait_ms / 1_000)
            return
        if not self._polled:
            with self._asking(wait_ms / 1_000):
                self._polled = self._tail.poll(wait_ms, min(room, BATCH_RECORDS))
        decoded = self._decode(self._polled)
        self._polled = ()
        if decoded:
            self._handed += len(decoded)
            inputs.append(Read(tuple(decoded)))

    @contextmanager
    def _asking(self, wait_s: float = 0.0) -> Iterator[None]:
        """While the log is asked for something that may take so long by itself."""
        self._overdue = time.time() + wait_s
        try:
            yield
        finally:
            self._overdue = None

    def _decode(self, records: Sequence[Record]) -> list[Decoded | Skipped]:
        """The records' events, up to the first that cannot be decoded.

        Raises `LogUnavailable` where that is not known.
        """
        decode = self._decoder.decode
        decoded: list[Decoded | Skipped] = []
        for record in records:
            try:
                decoded.append(Decoded(record, decode(record)))
            except RecordError as error:
                if self._is_skipped(record):
                    decoded.append(Skipped(record))
                    continue
                self._undelivered = error
                break
        return decoded

    def _is_skipped(self, record: Record) -> bool:
        return self.skipped.get(record.position) == sha256(record.value).digest()

    def _pause(self, seconds: float) -> None:
        """Wait until the loop wants something or took some records."""
        self._nudged.wait(seconds)

    def _hand_over(self, inputs: Sequence[Input], done: Sequence[asyncio.Future[None]]) -> None:
        """On the loop's thread."""
        for given in inputs:
            if isinstance(given, Read):
                self._portions.add_records(given, self._give)
            else:
                self._portions.add(partial(self._loop.take, given))
        if done:
            self._portions.add(partial(_resolve, done))
        self._portions.give()

    def _give(self, read: Read) -> None:
        """Some records; the pump reads on when it had stopped for want of room."""
        self._loop.take(read)
        was_full = self._handed - self._taken >= IN_FLIGHT_RECORDS
        self._taken += len(read.records)
        if was_full:
            self._nudged.set()

    def _fail_after(self, error: BaseException) -> None:
        """On the loop's thread: what was read before is folded first."""
        self._portions.add(partial(self._loop.fail, error))
        self._portions.give()

    def _call(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._loop.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            assert self._loop.loop.is_closed()  # the process ends; nobody is left to hear


def _resolve(done: Sequence[asyncio.Future[None]]) -> None:
    for future in done:
        if not future.done():
            future.set_result(None)


def _stalled(before: Stall | None, error: OsdlogError) -> Stall:
    return Stall(before.since if before else time.time(), error.what)


def _standstill(overdue: float | None) -> Stall | None:
    if overdue is None or time.time() - overdue < STANDSTILL_S:
        return None
    return Stall(overdue, "the log does not answer")


def failure_of(error: BaseException) -> OsdlogError:
    """What stopped a node, as one of ours; anything else is our own mistake."""
    if isinstance(error, OsdlogError):
        return error
    return OsdlogError(
        f"the node failed by a mistake of its own: {type(error).__name__}: {error}",
        "Start it again, and report this with the log around it.",
    )
