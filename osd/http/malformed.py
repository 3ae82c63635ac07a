"""Requests that are no HTTP: answered as every other error is, and nobody's news.

Rule: what the parser refuses is the sender's fault. It gets the sentence and
the hint that docs/http.md promises, and the connection is closed; the node's
own output has nothing of it, or every scan of its port would fill that.
"""

from aiohttp import web

from osd.http.answers import error

MAX_REASON = 200


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that could not be read."""
        if status != 400 or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        reason = (message or "").partition("\n")[0][:MAX_REASON].rstrip(":. ")
        response = error(
            400,
            f"the request cannot be read: {reason or 'it is no HTTP'}",
            "Correct the request; docs/http.md says what it may have.",
        )
        response.force_close()
        return response


class Connections(web.Server):
    """Makes them."""

    def __call__(self) -> Connection:
        """A connection that was just accepted."""
        return Connection(self, loop=self._loop, **self._kwargs)
