"""The HTTP server of a node: routes, and what becomes of failures.

Rule: the routes are those of docs/http.md and no others. Nothing is done for
who means another cluster. A handler that fails is the client's fault (400), the
disk's (507, 503), or our own (500, and the traceback is logged); a client that
goes away is nobody's.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from eventlog.errors import OsdlogError
from eventlog.ids import RgId, Serial, Version
from osd.core.inputs import Hinted
from osd.errors import DiskError, DiskFull, Refused
from osd.http.answers import ask_again, error, refusal
from osd.http.holdings import HoldingsAsked
from osd.http.limits import LimitSetting
from osd.http.malformed import Connections
from osd.http.objects import Objects
from osd.http.parcels import Parcels
from osd.http.peers import Peers
from osd.http.reports import Reports
from osd.http.requests import number, number_in_path, query_of, rg_in_path
from osd.http.scrubs import Scrubs
from osd.http.uploads import Uploads
from osd.scrub import Scrubber
from osd.shell import Shell

MAX_OBJECT_BYTES = 64 * 1024**3
MAX_LINE_BYTES = 16 * 1024
MAX_FIELD_BYTES = 32 * 1024
"""8 KiB of metadata in one header, percent-encoded, and some more."""
LINGERING_SECONDS = 1.0
BACKLOG = 1024

_log = logging.getLogger(__name__)

Handler = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]


class App:
    """The handlers of one node."""

    def __init__(
        self, shell: Shell, scrubber: Scrubber, max_object_bytes: int = MAX_OBJECT_BYTES
    ) -> None:
        self._shell = shell
        uploads = Uploads(shell, max_object_bytes)
        self._objects = Objects(shell, uploads)
        self._peers = Peers(shell, uploads)
        self._parcels = Parcels(shell)
        self._reports = Reports(shell, scrubber)
        limits, scrubs = LimitSetting(shell), Scrubs(scrubber)
        self._method_roots: dict[str, dict[str, Handler]] = {
            "holdings": {"PUT": HoldingsAsked(shell).put},
            "limits": {"GET": limits.get, "PUT": limits.put},
            "parcels": {"GET": self._parcels.receive},
            "scrub": {"GET": scrubs.report, "POST": scrubs.begin, "DELETE": scrubs.stop},
        }
        self._running: set[asyncio.Future[None]] = set()
        self._object_methods: dict[str, Handler] = {
            "GET": self._objects.get,
            "PUT": self._objects.put,
            "HEAD": self._objects.get,
            "DELETE": self._objects.delete,
        }
        self._between_nodes: dict[str, Handler] = {
            "copies": self._copies,
            "snapshots": self._snapshot,
            "hints": self._hint,
        }
        """Of an RG each."""
        self._roots: dict[str, Handler] = {
            "alive": self._reports.alive,
            "list": self._reports.list,
            "status": self._reports.status,
            "metrics": self._reports.metrics,
            "rgs": self._reports.rgs,
            "digests": self._reports.digests,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        running = asyncio.get_running_loop().create_future()
        self._running.add(running)
        try:
            return await self._answer(request)
        finally:
            self._running.discard(running)
            running.set_result(None)

    async def drain(self, patience_s: float) -> None:
        """Until every request that runs now is answered, but no longer than this."""
        await self._parcels.hang_up()
        if self._running:
            await asyncio.wait(set(self._running), timeout=patience_s)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._route(request)
        except Refused as failure:
            response = refusal(failure, self._shell.node.context.map.epoch)
        except DiskFull as failure:
            response = refusal(failure, self._shell.node.context.map.epoch)
        except DiskError as failure:
            response = ask_again(failure.what, failure.hint)
        except web.HTTPRequestEntityTooLarge as failure:
            response = error(413, f"the body is too large: {failure.text}", "Send it in parts.")
        except (ConnectionError, TimeoutError, aiohttp.ClientError, web.RequestPayloadError):
            response = _gone(request)
        except OsdlogError as failure:
            response = error(500, failure.what, failure.hint)
        except Exception:  # noqa: BLE001 - one request must not take others with it
            _log.exception("a request failed: %s %s", request.method, request.raw_path)
            response = error(500, "the node failed at this", "Report it with the node's output.")
        counted = (request.method, response.status)
        requests = self._shell.counters.requests
        requests[counted] = requests.get(counted, 0) + 1
        return response

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        meant = request.headers.get("Osdlog-Cluster")
        if meant is not None and meant != self._shell.cluster:
            return _mistaken(meant, self._shell.cluster)
        path, _, query = request.raw_path.partition("?")
        if not path.startswith("/"):
            return error(404, f"there is no {path[:200]}", "See docs/http.md for what there is.")
        if path.startswith("/objects/"):
            return await self._object(request, path[len("/objects/") :])
        _, root, *rest = path.split("/")
        if root == "copies" and len(rest) == 2:
            return await self._copy(request, rest[0], rest[1], query)
        if root == "staged" and len(rest) == 2:
            return await self._stage(request, rest[0], rest[1], query)
        if root in self._between_nodes and len(rest) == 1:
            return await self._between_nodes[root](request, rest[0])
        if root == "rgs" and rest:
            return await _only("GET", self._reports.rg, request, "/".join(rest))
        if root in self._method_roots and not rest:
            methods = self._method_roots[root]
            handler = methods.get(request.method)
            return await handler(request, query) if handler else _no_method(", ".join(methods))
        if root in self._roots and not rest:
            return await _only("GET", self._roots[root], request, query)
        return error(404, f"there is no {path[:200]}", "See docs/http.md for what there is.")

    async def _object(self, request: web.BaseRequest, rest: str) -> web.StreamResponse:
        if rest.endswith("/facts"):
            return await _only("GET", self._reports.facts, request, rest.removesuffix("/facts"))
        if rest.endswith("/lost"):
            lost = self._objects.declare_lost
            return await _only("POST", lost, request, rest.removesuffix("/lost"))
        handler = self._object_methods.get(request.method)
        return await handler(request, rest) if handler else _no_method("GET, HEAD, PUT, DELETE")

    async def _copy(
        self, request: web.BaseRequest, rg: str, version: str, query: str
    ) -> web.StreamResponse:
        if request.method != "GET":
            return _no_method("GET")
        name = query_of(query).get("name", "")
        number = Version(number_in_path(version, "a version"))
        return await self._objects.copy(request, self._rg(rg), number, name)

    async def _copies(self, request: web.BaseRequest, rg: str) -> web.StreamResponse:
        if request.method != "POST":
            return _no_method("POST")
        return await self._objects.copies(request, self._rg(rg))

    async def _stage(
        self, request: web.BaseRequest, rg: str, serial: str, query: str
    ) -> web.StreamResponse:
        if request.method != "PUT":
            return _no_method("PUT")
        name = query_of(query).get("name", "")
        number = Serial(number_in_path(serial, "a serial"))
        return await self._peers.stage(request, self._rg(rg), number, name)

    async def _snapshot(self, request: web.BaseRequest, rg: str) -> web.StreamResponse:
        if request.method != "GET":
            return _no_method("GET")
        return self._peers.snapshot(self._rg(rg))

    async def _hint(self, request: web.BaseRequest, rg: str) -> web.StreamResponse:
        if request.method != "POST":
            return _no_method("POST")
        epoch = number(request.headers, "Osdlog-Epoch", 0)
        self._shell.feed(Hinted(self._rg(rg), epoch))  # type: ignore[arg-type]
        return web.Response(status=204)

    def _rg(self, segment: str) -> RgId:
        return rg_in_path(segment, self._shell.node.context.map.rg_count)


class Server:
    """Listens from `listen` to `close`."""

    def __init__(self, app: App, patience_s: float) -> None:
        server = Connections(
            app.handle,
            access_log=None,
            auto_decompress=False,
            lingering_time=LINGERING_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
        )
        self._app = app
        self._site: web.SockSite | None = None
        self._patience_s = patience_s
        self._runner = web.ServerRunner(server, shutdown_timeout=patience_s)

    async def listen(self, sock: socket.socket) -> None:
        """Answer whoever connects to this bound socket."""
        await self._runner.setup()
        self._site = web.SockSite(self._runner, sock, backlog=BACKLOG)
        await self._site.start()

    async def close(self) -> None:
        """Accept nobody, let running requests end for a while, then cut them off.

        The runner alone would drop what is still on its way of their bodies.
        """
        if self._site is not None:
            await self._site.stop()
            await self._app.drain(self._patience_s)
        await self._runner.cleanup()


async def _only(
    method: str, handler: Handler, request: web.BaseRequest, rest: str
) -> web.StreamResponse:
    return await handler(request, rest) if request.method == method else _no_method(method)


def _mistaken(meant: str, cluster: str) -> web.Response:
    """The map of who asks still has an OSD of its own at this address."""
    what = f"the OSD at this address is of cluster {cluster}, not of {meant[:40]}"
    return ask_again(what, "Start the OSD that `osdlog map show` has here, at any address.")


def _no_method(allowed: str) -> web.Response:
    return error(405, f"this path knows {allowed} only", "See docs/http.md.", {"Allow": allowed})


def _gone(request: web.BaseRequest) -> web.Response:
    """The client went away or fell silent: nobody reads this."""
    if request.transport is not None:
        request.transport.close()
    return error(400, "the request did not come to its end", "Send it again.")
