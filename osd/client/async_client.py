"""The client: everything the command line does, for programs with an event loop.

Rule: a client knows the cluster from its log alone. It asks the primary by
its map, and reads the map again whenever an OSD knows better or is silent.

What is not here: how one object is asked for (see `osd.client.objects`). What
only some calls need is loaded by them: aiohttp, numpy, PyArrow and the folds
would make every small command wait.
"""

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from eventlog.ids import Epoch, Layout, OsdId, RgId, Store, Version, osd_name
from eventlog.log import Log
from eventlog.map_events import MapChange, OsdUp
from eventlog.open import open_log
from eventlog.state_file import StateFile
from osd.client.answers import (
    Facts,
    Listed,
    OsdStatus,
    PutResult,
    RgRow,
    ScrubAsked,
    Stat,
)
from osd.client.bodies import Data, body_of
from osd.client.headers import Conditions, Description, actor_of
from osd.client.known import known_osd
from osd.client.map_reader import MapReader, require_cluster
from osd.client.map_writer import change_map
from osd.client.sinks import MemorySink, StreamSink, sink_at
from osd.config import DEADLINE_S, log_url
from osd.errors import Unavailable
from projections.cluster_map import ClusterMap, Osd

if TYPE_CHECKING:
    from osd.client.cluster_status import ClusterStatus
    from osd.client.explaining import Explained
    from osd.client.exporting import Exported
    from osd.client.network import Network
    from osd.client.past import Progress
    from osd.client.planning import AcceptedChange, Planned
    from osd.client.settling import Settling
    from osd.client.surveying import Surveyed
    from osd.client.undoing import Undoing


def user() -> str | None:
    """Who runs this, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


class AsyncClient:
    """Opened by `async with AsyncClient(url) as client`; one event loop uses it.

    Every call raises `OsdlogError`s only: `Unavailable` and `OutcomeUnknown`
    after `deadline_s` of trying, `Refused` (`NotThere`, `ConditionFailed`) at
    once, `BadName`, `LogError`.
    """

    def __init__(
        self, url: str | None = None, *, actor: str | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        self._url = url
        self._actor = actor or user()
        self._deadline_s = deadline_s
        self._opened = AsyncExitStack()
        self._connected: Network | None = None

    async def open(self) -> Self:
        """Open the log and read the map. Raises `BadName`, `LogError`, `Unavailable`."""
        async with AsyncExitStack() as opened:
            log = await asyncio.to_thread(open_log, log_url(self._url))
            opened.callback(log.close)
            reader = MapReader(log)
            await asyncio.to_thread(reader.refresh)
            require_cluster(log, reader.map)
            self._own = actor_of(self._actor)
            self._log, self._reader, self._connected = log, reader, None
            self._opened = opened.pop_all()
        return self

    async def close(self) -> None:
        """Give back connections and the log; closing twice is harmless."""
        await self._opened.aclose()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def log(self) -> Log:
        """The cluster's log."""
        return self._log

    async def put(
        self,
        name: str,
        data: Data,
        *,
        media_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        request_id: str | None = None,
    ) -> PutResult:
        """Store bytes, a file, or what an iterable gives."""
        about = Description(media_type, metadata or {})
        conditions = Conditions(if_match, if_none_match)
        async with body_of(data) as body:
            return await self._network.objects.put(name, body, about, conditions, request_id)

    async def get(self, name: str, *, consistency: str = "log") -> bytes:
        """The object's bytes.

        `consistency`: what it waits for. `log`: all that is in the log, as the
        log says where it ends. `barrier`: the same, found by an event that is
        appended for it. `local`: nothing, so that the answer may be late.
        """
        with MemorySink() as sink:
            await self._network.objects.get(name, sink, consistency)
            return sink.data

    async def stream_to(
        self, name: str, target: Path | BinaryIO, *, consistency: str = "log"
    ) -> Stat:
        """Write the object to a file, or to a stream; only when all of it is right.

        A file appears whole or not at all; a device or a FIFO is written into.
        `BrokenPipeError` when nobody reads the stream any more.
        """
        with sink_at(target) if isinstance(target, Path) else StreamSink(target) as sink:
            return await self._network.objects.get(name, sink, consistency)

    async def stat(self, name: str, *, consistency: str = "log") -> Stat:
        """What is known of the object but for its bytes; `consistency` as for `get`."""
        return await self._network.objects.stat(name, consistency)

    async def delete(
        self, name: str, *, if_match: str | None = None, request_id: str | None = None
    ) -> None:
        """Remove the object; `NotThere` where there is none."""
        await self._network.objects.delete(name, Conditions(if_match), request_id)

    async def declare_lost(self, name: str, reason: str, *, accept_loss: bool = False) -> None:
        """Give up an object of which no good copy is left: it is as deleted, and says why.

        `Refused` while a good copy is known, also at stores that are only down
        unless `accept_loss`; `NotThere` where there is no such object.
        """
        await self._network.objects.declare_lost(name, reason, accept_loss=accept_loss)

    async def list(self, prefix: str = "") -> AsyncIterator[Listed]:
        """The objects whose names begin with `prefix`, in the order of their UTF-8."""
        async for row in self._network.listing.names(prefix):
            yield row

    async def facts(self, name: str) -> Facts:
        """Every fact about one object, by its primary's fold."""
        return await self._network.questions.facts(name)

    async def rg(self, rg: RgId) -> Facts:
        """One RG, by its primary: its sources, its facts in numbers, why it is as it is."""
        if isinstance(self._log, StateFile):
            from osd.client import exporting

            return await asyncio.to_thread(exporting.rg_report, self._log, rg)
        return await self._network.questions.rg(rg)

    async def rgs_at(self, osd: Osd) -> Sequence[Facts]:
        """Every RG that the OSD follows, as it sees it, primary or not. Raises `Unavailable`."""
        return await self._network.questions.rgs_at(osd)

    async def rg_at(self, osd: OsdId, rg: RgId) -> Facts | str:
        """One RG as this OSD sees it, primary or not; else why there is no answer."""
        return await self._network.questions.rg_at(osd, rg)

    async def explain(self, rg: RgId, step: Callable[[int], None] = lambda _: None) -> "Explained":
        """Why an RG is as it is, who must act next, and what led here."""
        if isinstance(self._log, StateFile):
            from osd.client import exporting

            return await asyncio.to_thread(exporting.explain, self._log, rg, step)
        from osd.client.explaining import explained

        await asyncio.to_thread(self._reader.refresh)
        return await explained(self._log, rg, self._network.questions, step)

    async def rg_digest(self, rg: RgId) -> Facts:
        """Digest of the RG's folded state at its primary, and how far that is folded."""
        return await self._network.questions.rg_digest(rg)

    async def rgs(self) -> tuple[RgRow, ...]:
        """Every RG, each by its primary."""
        if isinstance(self._log, StateFile):
            from osd.client import exporting

            return exporting.noted(self._log).rg_rows()
        return await self._network.questions.rgs()

    async def status(self) -> tuple[OsdStatus, ...]:
        """Every OSD of the map, and what it says of itself."""
        if isinstance(self._log, StateFile):
            from osd.client import exporting

            return exporting.statuses(self._log, await self.map())
        return await self._network.questions.status()

    async def cluster_status(self) -> "ClusterStatus":
        """The cluster at a glance."""
        if isinstance(self._log, StateFile):
            from osd.client import exporting

            return await asyncio.to_thread(exporting.status, self._log)
        return await self._network.questions.cluster_status(self._log)

    async def has_copy(self, osd: OsdId, rg: RgId, version: Version, name: str) -> bool:
        """Whether an OSD still gives out the bytes of that version."""
        return await self._network.questions.has_copy(osd, rg, version, name)

    async def digests(self, osd: Osd) -> Sequence[Facts]:
        """What the OSD says of every RG it follows: how far, and who has how much."""
        return await self._network.questions.digests(osd)

    async def copies(self, osd: Osd, rg: RgId) -> Sequence[Facts]:
        """Every copy that the OSD's fold, and its disk, has of one RG."""
        return await self._network.questions.copies(osd, rg)

    async def want_holdings(self, store: Store, rgs: Sequence[RgId]) -> None:
        """Let the store state in the log what it has of these RGs: a proof waits for that."""
        await self._network.questions.want_holdings(store, rgs)

    async def limits(self, osd: Osd) -> Facts:
        """What the OSD's background imports may use, and use."""
        return await self._network.questions.limits(osd)

    async def set_limits(self, osd: Osd, **limits: int) -> Facts:
        """Set `pulls` at once, or `rate` in bytes a second; what is not named stays."""
        return await self._network.questions.set_limits(osd, limits)

    async def alive(self, osd: Osd) -> Facts | None:
        """Which process answers for the OSD; None where none does, as in a saved state."""
        if isinstance(self._log, StateFile):
            return None
        return await self._network.questions.alive(osd)

    async def scrub(self, osd: OsdId, *, deep: bool = False, bytes_s: int | None = None) -> Facts:
        """Let the OSD look at all it has, and say which scrub runs: `is_begun` if it is this one.

        One that does as much and runs already goes on as it is.
        """
        asked = ScrubAsked("deep" if deep else "light", self._actor or "unknown", bytes_s)
        return await self._network.questions.scrub(await self._osd(osd), asked)

    async def scrub_report(self, osd: OsdId) -> Facts:
        """Which scrub runs at the OSD, and what the last ones found."""
        return await self._network.questions.scrub(await self._osd(osd))

    async def stop_scrub(self, osd: OsdId) -> Facts:
        """Give up the scrub that runs at the OSD: `was_running`, if any did."""
        return await self._network.questions.stop_scrub(await self._osd(osd))

    async def _osd(self, osd: OsdId) -> Osd:
        found = known_osd(await self.map(), osd)
        if found.address is None:
            raise Unavailable(f"{osd_name(osd)} has no address", "Start it first.")
        return found

    async def map(self) -> ClusterMap:
        """The map as the log has it now."""
        return await asyncio.to_thread(self._reader.refresh)

    async def survey(self, progress: "Progress | None" = None) -> "Surveyed":
        """How much each RG has and how full each disk is, as the OSDs say, else the log.

        `progress` is told how far the log is read, where it is.
        """
        from osd.client.surveying import put_together

        statuses, rows = await asyncio.gather(self.status(), self.rgs())
        now = await self.map()
        return await asyncio.to_thread(put_together, statuses, rows, self._log, now, progress)

    async def plan_map(
        self,
        changes: Sequence[MapChange],
        *,
        layout: Layout | None = None,
        progress: "Progress | None" = None,
    ) -> "Planned":
        """What these changes would move; `Refused` says what contradicts what."""
        from osd.client.planning import planned

        surveyed = await self.survey(progress)
        made_for = surveyed.map.layout if layout is None else layout
        return await asyncio.to_thread(planned, surveyed, changes, made_for)

    async def undo_map(self, epoch: Epoch | None = None) -> "Undoing":
        """What would bring back the map of that epoch, or take back the last change.

        Nothing is changed: `change_map` applies it, for the layout that it names.
        """
        from osd.client.undoing import undoing

        past, by = await self.map_history(), self._actor or "unknown"
        found = undoing(past, epoch, by)
        ups = [change for change in found.changes if isinstance(change, OsdUp)]
        silent = [up.store.osd for up in ups if not await self._answers(found.seen, up)]
        return undoing(past, epoch, by, silent) if silent else found

    async def _answers(self, seen: ClusterMap, process: OsdUp) -> bool:
        said = await self.alive(seen.osds[process.store.osd])
        return said is not None and (said["store"], said["boot"]) == (
            str(process.store),
            process.boot,
        )

    async def settling(self, awaited: Collection[OsdId] = ()) -> "Settling":
        """How far the cluster is from being as its map wants it, once `awaited` have started."""
        from osd.client.settling import settling

        return await settling(self._network.questions, await self.map(), awaited)

    async def map_history(self) -> "Sequence[AcceptedChange]":
        """Every event of the map that was accepted, with the maps before and after it."""
        from osd.client.planning import accepted_changes

        return await asyncio.to_thread(accepted_changes, MapReader(self._log))

    async def change_map(
        self,
        changes: Sequence[MapChange],
        *,
        layout: Layout | None,
        reason: str = "",
        author: str | None = None,
    ) -> ClusterMap:
        """Change the map that has this layout; `Refused` says what contradicts what."""
        said_by = author or self._actor or "unknown"
        after = await asyncio.to_thread(change_map, self._log, changes, layout, reason, said_by)
        await asyncio.to_thread(self._reader.refresh)
        return after

    async def export(self, path: Path, step: Callable[[int], None] = lambda _: None) -> "Exported":
        """The log, and what every OSD says now, into one new file."""
        from osd.client import exporting

        return await exporting.export_state(path, self._log, self._network.questions, step)

    @property
    def _network(self) -> "Network":
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    def _connect(self) -> "Network":
        from osd.client.network import connect

        return connect(self._log, self._reader, self._own, self._deadline_s, self._opened)
