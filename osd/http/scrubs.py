"""Scrubs over HTTP: begin one, stop it, and see what it found.

Rule: a scrub that does as much as the one that is asked for is not begun
again; the answer says which runs.
"""

from aiohttp import web

from osd.core.scrubbing import Depth
from osd.errors import Refused
from osd.http.answers import json_response
from osd.http.requests import parameter, query_of, sender_of
from osd.scrub import Scrubber

MAX_BYTES_S = 10**12


class Scrubs:
    """The handlers of `/scrub`."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber

    async def report(self, _request: web.BaseRequest, _query: str) -> web.Response:
        """What runs, and what the last ones found."""
        return json_response(self._scrubber.report())

    async def begin(self, request: web.BaseRequest, query: str) -> web.Response:
        """Scrub now."""
        asked = query_of(query)
        depth = asked.get("depth", "light")
        if depth not in set(Depth):
            raise Refused(f"depth is {depth!r}", "It is light or deep.")
        actor = sender_of(request.headers).actor or "somebody"
        rate = parameter(asked, "bytes_s", 0, MAX_BYTES_S) if "bytes_s" in asked else None
        is_begun = self._scrubber.ask(Depth(depth), actor, rate)
        return json_response(
            {"is_begun": is_begun} | self._scrubber.report(), status=202 if is_begun else 200
        )

    async def stop(self, _request: web.BaseRequest, _query: str) -> web.Response:
        """Give up the one that runs."""
        return json_response({"was_running": self._scrubber.stop()})
