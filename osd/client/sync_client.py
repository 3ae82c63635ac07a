"""The client for programs without an event loop.

Rule: there is one client, `AsyncClient`; this one runs it on a loop in a
thread of its own and waits. It may be used from several threads, but in the
process that made it only.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar

from eventlog.ids import Epoch, Layout, OsdId, RgId
from eventlog.map_events import MapChange
from osd.client.answers import Facts, Listed, OsdStatus, PutResult, RgRow, Stat
from osd.client.async_client import AsyncClient
from osd.client.bodies import Data
from osd.config import DEADLINE_S
from osd.errors import Refused
from projections.cluster_map import ClusterMap, Osd

if TYPE_CHECKING:
    from osd.client.explaining import Explained
    from osd.client.planning import Planned
    from osd.client.undoing import Undoing

T = TypeVar("T")


class Client:
    """`with Client("sqlite:PATH") as client`; see `AsyncClient` for what it raises."""

    def __init__(
        self, url: str | None = None, *, actor: str | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        import uvloop

        self._pid = os.getpid()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="osdlog-client", daemon=True
        )
        self._thread.start()
        self._client = AsyncClient(url, actor=actor, deadline_s=deadline_s)
        try:
            self._run(self._client.open())
        except BaseException:
            self._stop()
            raise

    def close(self) -> None:
        """Give back connections, the log and the thread; closing twice is harmless."""
        if self._thread.is_alive():
            self._run(self._client.close())
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def put(
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
        return self._run(
            self._client.put(
                name,
                data,
                media_type=media_type,
                metadata=metadata,
                if_match=if_match,
                if_none_match=if_none_match,
                request_id=request_id,
            )
        )

    def get(self, name: str, *, consistency: str = "log") -> bytes:
        """The object's bytes; `consistency` as for `AsyncClient`."""
        return self._run(self._client.get(name, consistency=consistency))

    def stream_to(self, name: str, target: Path | BinaryIO, *, consistency: str = "log") -> Stat:
        """Write the object to a file, or to a stream; only when all of it is right."""
        return self._run(self._client.stream_to(name, target, consistency=consistency))

    def stat(self, name: str, *, consistency: str = "log") -> Stat:
        """What is known of the object but for its bytes."""
        return self._run(self._client.stat(name, consistency=consistency))

    def delete(
        self, name: str, *, if_match: str | None = None, request_id: str | None = None
    ) -> None:
        """Remove the object; `NotThere` where there is none."""
        self._run(self._client.delete(name, if_match=if_match, request_id=request_id))

    def declare_lost(self, name: str, reason: str, *, accept_loss: bool = False) -> None:
        """Give up an object of which no good copy is left; see `AsyncClient`."""
        self._run(self._client.declare_lost(name, reason, accept_loss=accept_loss))

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """The objects whose names begin with `prefix`, in the order of their UTF-8."""
        rows = self._client.list(prefix)
        while (row := self._run(_next(rows))) is not None:
            yield row

    def facts(self, name: str) -> Facts:
        """Every fact about one object, by its primary's fold."""
        return self._run(self._client.facts(name))

    def rg(self, rg: RgId) -> Facts:
        """One RG, by its primary."""
        return self._run(self._client.rg(rg))

    def explain(self, rg: RgId) -> "Explained":
        """Why an RG is as it is, who must act next, and what led here."""
        return self._run(self._client.explain(rg))

    def rgs(self) -> tuple[RgRow, ...]:
        """Every RG, each by its primary."""
        return self._run(self._client.rgs())

    def status(self) -> tuple[OsdStatus, ...]:
        """Every OSD of the map, and what it says of itself."""
        return self._run(self._client.status())

    def limits(self, osd: Osd) -> Facts:
        """What the OSD's background imports may use, and use."""
        return self._run(self._client.limits(osd))

    def set_limits(self, osd: Osd, **limits: int) -> Facts:
        """Set `pulls` at once, or `rate` in bytes a second; what is not named stays."""
        return self._run(self._client.set_limits(osd, **limits))

    def scrub(self, osd: OsdId, *, deep: bool = False, bytes_s: int | None = None) -> Facts:
        """Let the OSD look at all it has, and say which scrub runs; see `AsyncClient`."""
        return self._run(self._client.scrub(osd, deep=deep, bytes_s=bytes_s))

    def scrub_report(self, osd: OsdId) -> Facts:
        """Which scrub runs at the OSD, and what the last ones found."""
        return self._run(self._client.scrub_report(osd))

    def stop_scrub(self, osd: OsdId) -> Facts:
        """Give up the scrub that runs at the OSD: `was_running`, if any did."""
        return self._run(self._client.stop_scrub(osd))

    def map(self) -> ClusterMap:
        """The map as the log has it now."""
        return self._run(self._client.map())

    def plan_map(self, changes: Sequence[MapChange], *, layout: Layout | None = None) -> "Planned":
        """What these changes would move; `Refused` says what contradicts what."""
        return self._run(self._client.plan_map(changes, layout=layout))

    def undo_map(self, epoch: Epoch | None = None) -> "Undoing":
        """What would bring back the map of that epoch, or take back the last change."""
        return self._run(self._client.undo_map(epoch))

    def change_map(
        self,
        changes: Sequence[MapChange],
        *,
        layout: Layout | None,
        reason: str = "",
        author: str | None = None,
    ) -> ClusterMap:
        """Change the map that has this layout; `Refused` says what contradicts what."""
        return self._run(
            self._client.change_map(changes, layout=layout, reason=reason, author=author)
        )

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        if os.getpid() != self._pid or not self._thread.is_alive():
            call.close()
            raise self._unusable()
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _unusable(self) -> Refused:
        """A fork copies no threads, and `close` has ended this one."""
        if os.getpid() != self._pid:
            hint = "Make a Client in each process."
            return Refused("this client was made before the process forked", hint)
        return Refused("this client is closed", "Make another Client.")

    def _stop(self) -> None:
        self._run(self._loop.shutdown_asyncgens())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(rows: AsyncIterator[Listed]) -> Listed | None:
    return await anext(rows, None)
